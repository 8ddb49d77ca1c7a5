/* SPDX-License-Identifier: Apache-2.0
 *
 * What became of taking bytes from other nodes, node by node, as the activity page shows it. Of an address it
 * keeps no more than where the node is: no name, no password, no right that it carries. */
#ifndef SERVER_REGISTRY_PEER_NOTES_H
#define SERVER_REGISTRY_PEER_NOTES_H

#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

/* More than these nobody needs to see; who was followed longest ago makes room. */
enum { PEER_NOTES_MAX = 64, PEER_NODE_MAX = 127 };

struct peer_note {
	char node[PEER_NODE_MAX + 1]; /* scheme, host and port */
	int64_t follows;              /* how often it was asked */
	int64_t bytes;
	int64_t at_s;             /* when it was asked last */
	int64_t failed_at_s;      /* 0: it never failed */
	enum err_code last_error; /* … and why */
};

struct peer_notes;

/* destroy takes NULL. */
struct peer_notes *peer_notes_create(void);
void peer_notes_destroy(struct peer_notes *notes);
AUTO_CLEANER(own_peer_notes, struct peer_notes *, peer_notes_destroy)
#define AUTO_PEER_NOTES AUTO(own_peer_notes)

/* A node, by the address that it tells, was asked, and gave so many bytes. failure: why they ended too soon;
 * ERR_NONE where they did not. NULL notes nothing. */
void peer_notes_add(struct peer_notes *notes, const char *url, int64_t bytes, enum err_code failure);

/* At most PEER_NOTES_MAX, who was asked last first; how many there are. */
size_t peer_notes_list(struct peer_notes *notes, struct peer_note *out);

#endif

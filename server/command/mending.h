/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a blob that was lost may come from: its own place, where it lies again; a folder that has blobs by
 * their digests (a backup, another data folder), another registry, or, by way of the daemon on this folder,
 * its upstreams. Whatever they give has the digest, or counts for nothing. */
#ifndef SERVER_COMMAND_MENDING_H
#define SERVER_COMMAND_MENDING_H

#include "server/command/remote.h"
#include "server/registry/blob_losses.h"
#include "server/registry/paced_blob.h"
#include "server/store/catalog/catalog_passes.h"

struct mending {
	const struct blob_losses *losses;
	struct read_rate *rate;
	char *folder;          /* NULL: none */
	struct remote *peer;   /* NULL: none */
	struct remote *daemon; /* NULL: it is not asked */
};

/* from: a folder or a URL, or NULL. The peer is sent the token of the file, if there is one, and no other. */
bool mending_open(struct mending *mending, const char *from, const char *token_file,
	const struct remote_options *daemon, struct err *err);
void mending_close(struct mending *mending);

enum mended { MENDED_NOT, MENDED_RESTORED, MENDED_FETCHED };

/* Has a blob that is not in the store back in it. MENDED_NOT: *why tells what the last of them said. */
enum mended mending_try(struct mending *mending, const struct pass_blob *blob, const struct name *names,
	size_t count, struct err *why);

#endif

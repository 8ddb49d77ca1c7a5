/* SPDX-License-Identifier: Apache-2.0
 *
 * The readers of one spool: who is how far. The spool's mutex guards all of it. */
#ifndef SERVER_STORE_READERS_H
#define SERVER_STORE_READERS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/list.h"
#include "server/store/lead.h"

/* One that reads the bytes from the first to the last; zeroed before. Its fields are its spool's, but for
 * steady and lead, which are set before it joins. */
struct spool_reader {
	struct list_link link;
	int64_t offset;   /* it has all before this */
	bool borrows;     /* is sending what comes there: it is not to be given back now */
	bool steady;      /* is never cut for being slow: clients are not far ahead of it */
	struct lead lead; /* … but so far */
	bool cut;         /* the bytes at its offset may be gone */
};

struct readers {
	struct list joined; /* clients; there may be many of them */
	struct list steady;
};
void readers_init(struct readers *readers);

/* Puts it at the beginning. */
void readers_join(struct readers *readers, struct spool_reader *reader);
void readers_part(struct spool_reader *reader);

/* How far others may be for the steady ones, by so many quarters of their lead. */
int64_t readers_furthest(const struct readers *readers, int64_t quarters);

/* How far the slowest is that still needs its bytes; end where there is none. */
int64_t readers_slowest(const struct readers *readers, int64_t end);

/* Cuts those clients that are no further than this; false where there was none. */
bool readers_cut(struct readers *readers, int64_t offset);

#endif

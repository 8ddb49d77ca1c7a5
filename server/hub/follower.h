/* SPDX-License-Identifier: Apache-2.0
 *
 * One client's answer that follows a fill: sleeps until there is something to say, then streams, or serves
 * the blob if the fill is over by then. */
#ifndef SERVER_HUB_FOLLOWER_H
#define SERVER_HUB_FOLLOWER_H

#include <stdbool.h>

#include "server/http/reply.h"
#include "server/http/request.h"
#include "server/module/name.h"
#include "server/store/spool.h"

struct services;

struct follower_plan {
	const struct services *services;
	struct name name;
	const char *member;       /* the file of the archive that is asked for, or NULL; copied */
	const char *cache_status; /* a constant for the answer's header */
	bool whole;               /* wait for the end: HTTP/1.0 clients, and ranges that depend on it */
	bool part; /* only the bytes from first to last, as soon as they may be shown; a negative one as in
		    * FORESIGHT_PART, until it is known how much there will be */
	bool open; /* … which goes to the end, wherever that is: from first on, as it comes */
	int64_t first;
	int64_t last; /* open: no offset that can be is behind it, but for where size is known */
	int64_t size; /* of the whole, as a part was told that goes to the end; 0: it was not */
	/* Answers from the blob once the fill has been kept. */
	void (*serve)(const struct follower_plan *plan, const struct request *request, struct reply *reply);
	/* Is told that an answer begins to be streamed, and adds its headers. Never with whole. */
	void (*begin)(const struct follower_plan *plan, struct reply *reply);
	/* Answers in place of a stream, with none of its bytes: for HEAD. NULL: it is streamed. */
	void (*tell)(const struct follower_plan *plan, struct reply *reply);
	/* Answers with what the fill failed with. NULL: as problems are. */
	void (*fail)(const struct follower_plan *plan, const struct request *request, const struct err *err,
		struct reply *reply);
};

/* Makes the reply follow the spool, of which it takes over the reference. */
void follower_reply(struct reply *reply, const struct follower_plan *plan, struct spool *spool);

#endif

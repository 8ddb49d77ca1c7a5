/* SPDX-License-Identifier: Apache-2.0
 *
 * One request for one artifact to one upstream, in its turn and only while the upstream is well; what came of
 * it is judged and told to the upstream's breakers. What the bytes are for is the caller's business. */
#ifndef SERVER_REGISTRY_FETCH_H
#define SERVER_REGISTRY_FETCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/module/name.h"
#include "server/registry/fill_progress.h"
#include "server/registry/verdict.h"

struct fill_tools;

struct fetch {
	const struct fill_tools *tools;
	const struct name *name;
	const char *cdn_loop;
	struct fill_progress *progress; /* its stop ends the request */
	struct ticket
		*ticket; /* a fill's place in the tools' queue, which others have while it waits; or NULL */
	struct turn *granted; /* a turn that it has already, and gives back where it is another upstream's; or
				 NULL */
	size_t upstream;      /* its place among the settings' */
	const char *member;   /* a file of the TF.js module instead of its archive; NULL: none */
	const char *page; /* an address where the upstream tells of the artifact, instead of its own; NULL */
	bool is_beside;   /* a question about what has come: no attempt of the fill's, which goes on verifying
			   */
	bool head_only;
	bool takes_coded;            /* and says so: what a store keeps in a coding comes in it */
	bool glance;                 /* GET, and no more than it takes to know the head */
	int64_t patience_s;          /* for the whole of it; 0: as long as something comes */
	int64_t until_ms;            /* monotonic: instead of that, the end of several; 0: none */
	int64_t offset;              /* bytes that are there already, */
	const struct object *object; /* … of this */
	/* The head of an answer to take; false with *err is fatal. */
	bool (*head)(void *context, const struct answer *answer, struct err *err);
	/* Where a redirect leads; false ends the request there. NULL follows. On the client's thread, which
	 * may not wait. */
	bool (*redirect)(void *context, const char *url);
	/* A piece of its body; NULL drops it. False is fatal with *err, and enough without. */
	bool (*body)(void *context, const void *bytes, size_t length, struct err *err);
	void *context;
};

/* Blocks until it has ended. VERDICT_TAKE: the body is whole, or the receiver had enough (of a redirect,
 * too); VERDICT_FAILED also where the upstream cools down. *err is filled for all but VERDICT_TAKE, _ABSENT,
 * _RESTART and _HEADLESS. */
enum verdict fetch_run(const struct fetch *fetch, struct err *err);

/* The head alone: by HEAD, and where that is refused by GET, hanging up behind the head. head_only, glance,
 * takes_coded, object and body are its own. */
enum verdict fetch_run_head(const struct fetch *fetch, struct err *err);

/* Takes the body of a page (a receiver's body whose context is a buffer); false where it has more than
 * FETCH_PAGE_MAX bytes. */
enum { FETCH_PAGE_MAX = 1 << 20 };
bool fetch_gather_page(void *context, const void *bytes, size_t length, struct err *err);

/* Which of two failures the client is told: our own trouble, then what failed, then what could not be
 * reached, then a loop. */
void fetch_keep_worse(struct err *worst, const struct err *err, const char *upstream);

/* Every upstream has said no, for good: remembers what clients are told of it, for the settings'
 * negative_ttl_s. */
void fetch_remember(const struct fill_tools *tools, const struct name *name, const struct err *answer);

/* What is said where no upstream has it (ERR_NOT_FOUND), and of a body that is shorter than it was to be
 * (ERR_UPSTREAM_FAILED). */
bool fetch_refuse_absent(const struct name *name, struct err *err);
bool fetch_refuse_short(struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Where each upstream stands on one artifact while they are asked for it, and what their answers come to:
 * who has said no for good is not asked again. */
#ifndef SERVER_REGISTRY_STANDINGS_H
#define SERVER_REGISTRY_STANDINGS_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "server/module/name.h"
#include "server/registry/verdict.h"
#include "server/upstream/upstream.h"

enum standing {
	STANDING_OPEN,      /* may be asked, also again */
	STANDING_DOUBTED,   /* by HEAD, it does not have it: not asked while there is a draft to lose */
	STANDING_OTHER,     /* has nothing of the kind, and is not asked */
	STANDING_ABSENT,    /* does not have it */
	STANDING_HIDDEN,    /* does not have it, or does not show it */
	STANDING_FORBIDDEN, /* the same, if another one does not have it either */
	STANDING_REFUSED
};

struct standings {
	const struct upstream *upstreams;
	size_t count;
	enum standing *items;
	struct err worst; /* of those that failed or refused; ERR_NONE: none has */
	struct err doubt; /* a 403 that may have meant something else than that it is absent */
};

/* What the upstreams point to must outlive it. */
void standings_init(
	struct standings *standings, const struct upstream *upstreams, size_t count, const struct name *name);
void standings_finish(struct standings *standings);

/* Notes what came of one request. err: why it failed, where it did. */
void standings_note(
	struct standings *standings, size_t upstream, enum verdict verdict, const struct err *err);

/* What HEAD alone was answered; and that GET may be tried now. */
void standings_doubt(struct standings *standings, size_t upstream);
void standings_reopen(struct standings *standings);

/* It is not asked, and nothing depends on it. */
void standings_leave_out(struct standings *standings, size_t upstream);

/* Before they are asked otherwise: that one saw a loop is no failure then. */
void standings_forget_loop(struct standings *standings);

bool standings_is_open(const struct standings *standings, size_t upstream);

/* None is to be asked any more. */
bool standings_all_settled(const struct standings *standings);

/* Fills *err with what it comes to: ERR_NOT_FOUND where none has it, or the worst of what they said; false
 * where nothing has been said. */
bool standings_conclude(const struct standings *standings, const struct name *name, struct err *err);

#endif

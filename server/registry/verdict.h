/* SPDX-License-Identifier: Apache-2.0
 *
 * What an upstream's answer means for a fill. Pure: knows neither spools nor sockets. */
#ifndef SERVER_REGISTRY_VERDICT_H
#define SERVER_REGISTRY_VERDICT_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/log.h"
#include "server/upstream/client.h"

enum verdict {
	VERDICT_TAKE,      /* the body is what was asked for */
	VERDICT_ABSENT,    /* this upstream does not have it */
	VERDICT_RESTART,   /* it can only be had from the first byte on */
	VERDICT_BROKEN,    /* cut in the middle: worth taking up */
	VERDICT_SLOW,      /* came too slowly: worth taking up, but what it brought is no progress */
	VERDICT_FAILED,    /* nothing to be had from this upstream now; another one may help */
	VERDICT_REFUSED,   /* the same, and it will say no other thing for a while */
	VERDICT_FORBIDDEN, /* so by 403, which may mean that it does not have it, */
	VERDICT_HIDDEN,    /* … and does where a bucket says it that shows nobody what it lacks */
	VERDICT_HEADLESS,  /* HEAD gets no answer here; GET would */
	VERDICT_FATAL,     /* nothing will help */
	VERDICT_KEPT
};

/* What is known of the object that a transfer has begun to bring. */
struct object {
	char etag[256];
	char last_modified[64];
	int64_t length; /* of the whole; -1: not told */
};

/* Judges an answer's head. offset is how much of the object is there already. *err is filled for
 * VERDICT_FAILED, _REFUSED and _FORBIDDEN. */
enum verdict verdict_of_answer(
	const struct answer *answer, const struct object *object, int64_t offset, struct err *err);

/* The same for an answer to HEAD, which only GET can make a failure of. */
enum verdict verdict_of_head(const struct answer *answer, const struct object *object, struct err *err);

/* How loudly a fill's failure is told. */
enum log_level verdict_loudness(enum err_code code);

enum ailment {
	AILMENT_NONE,     /* a server that works, if only to say no */
	AILMENT_ARTIFACT, /* a failure that may be of this artifact alone */
	AILMENT_SERVER
};

/* What an answer's status says of the upstream's breakers. */
enum ailment ailment_of_answer(const struct answer *answer);

/* Whether it is labelled as a web page; hubs that moved answer so for what they lost. */
bool answer_is_page(const struct answer *answer);

/* Whether its body is application/problem+json, as Larder's own refusals are. */
bool answer_is_problem(const struct answer *answer);

/* What the head says of the object. */
struct object object_of_answer(const struct answer *answer);

/* What If-Range can carry to prove that it is the same object: a strong ETag, the date where there is no
 * ETag; NULL: nothing can. */
const char *object_validator(const struct object *object);

/* Drops a date that is too young to tell two objects apart. */
void object_distrust_date(struct object *object, int64_t now_s);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * How the bucket's store does, as the last requests tell: while it cannot be reached nobody waits for it
 * again and again. */
#ifndef SERVER_VAULT_BUCKET_HEALTH_H
#define SERVER_VAULT_BUCKET_HEALTH_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/lock.h"
#include "server/upstream/s3/bucket_terms.h"

enum { HEALTH_RETRY_AFTER_S = 5 };

struct ability {
	bool known;
	int64_t at_ms;  /* monotonic, of the last answer */
	struct err err; /* ERR_NONE: it can */
};

struct bucket_health {
	struct lock mutex;    /* guards everything below */
	int64_t ahead_s;      /* the store's clock, of ours */
	int64_t ill_until_ms; /* nobody asks until then; 0: well */
	struct ability reading;
	struct ability writing;
	bool asking; /* somebody finds out */
	pthread_cond_t asked;
};

/* A store that was proved just now. */
void bucket_health_init(struct bucket_health *health);
void bucket_health_finish(struct bucket_health *health);

/* False, at once, while the store is left alone: ERR_STORE_UNAVAILABLE. */
bool bucket_health_may_ask(struct bucket_health *health, struct err *err);

/* Makes a failure to ask the store ERR_STORE_UNAVAILABLE, with when to try again; one that is so stays as it
 * is. Always false. */
bool bucket_health_refuse(struct err *err);

/* By how much the store's clock is ahead of ours, as an answer told last; 0: none did. Times that nodes give
 * each other are the store's. */
void bucket_health_note_date(struct bucket_health *health, int64_t date_s);
int64_t bucket_health_ahead_s(struct bucket_health *health);

/* What a request has come to, and where it failed, why. */
void bucket_health_note(
	struct bucket_health *health, bool writes, enum bucket_outcome outcome, const struct err *why);

/* What is known of one ability, at once. *asks: it is old, or bad, and the caller is the one who has to have
 * it found out; bucket_health_asked then, whatever came of it. */
struct ability bucket_health_look(struct bucket_health *health, bool writes, bool *asks);
void bucket_health_asked(struct bucket_health *health);

/* Waits until nobody finds out any more. */
void bucket_health_await(struct bucket_health *health);

#endif

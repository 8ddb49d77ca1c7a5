/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vault/bucket_health.h"

#include "common/clock.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"bucket health", RANK_BUCKET_HEALTH};

/* Left alone for so long after it could not be reached; for so long what an answer told counts. */
enum { ILL_MS = 2000, FRESH_MS = 5000 };

void bucket_health_init(struct bucket_health *health)
{
	*health = (struct bucket_health){0};
	lock_init(&health->mutex, &lock_place);
	(void)pthread_cond_init(&health->asked, NULL);
	health->reading.at_ms = health->writing.at_ms = clock_monotonic_ms();
}

void bucket_health_finish(struct bucket_health *health)
{
	(void)pthread_cond_destroy(&health->asked);
	lock_finish(&health->mutex);
}

bool bucket_health_may_ask(struct bucket_health *health, struct err *err)
{
	LOCKED(&health->mutex);

	if (clock_monotonic_ms() >= health->ill_until_ms)
		return true;
	*err = health->reading.err.code != ERR_NONE ? health->reading.err : health->writing.err;
	return false;
}

bool bucket_health_refuse(struct err *err)
{
	if (err->code == ERR_STORE_UNAVAILABLE && err->retry_after_s > 0)
		return false;
	err->code = ERR_STORE_UNAVAILABLE;
	err->retry_after_s = HEALTH_RETRY_AFTER_S;
	return err_prefix(err, "the bucket cannot be used now: ");
}

static bool is_answer(enum bucket_outcome outcome)
{
	return outcome == BUCKET_DONE || outcome == BUCKET_ABSENT || outcome == BUCKET_CLASH ||
	       outcome == BUCKET_STOPPED || outcome == BUCKET_OVERSIZED;
}

void bucket_health_note(
	struct bucket_health *health, bool writes, enum bucket_outcome outcome, const struct err *why)
{
	LOCKED(&health->mutex);
	struct ability *ability = writes ? &health->writing : &health->reading;

	*ability = (struct ability){.at_ms = clock_monotonic_ms()};
	if (is_answer(outcome))
		health->ill_until_ms = 0;
	else {
		ability->err = *why;
		(void)bucket_health_refuse(&ability->err);
	}
	if (outcome == BUCKET_UNREACHABLE) {
		health->ill_until_ms = ability->at_ms + ILL_MS;
		health->reading = health->writing = *ability;
	}
}

void bucket_health_note_date(struct bucket_health *health, int64_t date_s)
{
	LOCKED(&health->mutex);

	if (date_s > 0)
		health->ahead_s = date_s - clock_now_s();
}

int64_t bucket_health_ahead_s(struct bucket_health *health)
{
	LOCKED(&health->mutex);

	return health->ahead_s;
}

struct ability bucket_health_look(struct bucket_health *health, bool writes, bool *asks)
{
	LOCKED(&health->mutex);
	struct ability ability = writes ? health->writing : health->reading;
	int64_t now_ms = clock_monotonic_ms();

	*asks = !health->asking && now_ms >= health->ill_until_ms &&
		(ability.err.code != ERR_NONE || now_ms - ability.at_ms > FRESH_MS);
	if (*asks)
		health->asking = true;
	return ability;
}

void bucket_health_asked(struct bucket_health *health)
{
	LOCKED(&health->mutex);

	health->asking = false;
	(void)pthread_cond_broadcast(&health->asked);
}

void bucket_health_await(struct bucket_health *health)
{
	LOCKED(&health->mutex);

	while (health->asking)
		lock_wait(&health->mutex, &health->asked);
}

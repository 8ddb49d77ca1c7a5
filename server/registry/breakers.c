/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/breakers.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/digest.h"
#include "common/invariant.h"
#include "common/lock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/metrics.h"
#include "server/ranks.h"
#include "server/store/catalog/catalog_cooldowns.h"

static const struct lock_place lock_place = {"breakers", RANK_BREAKERS};
static const struct lock_place noting_place = {"breakers noting", RANK_BREAKERS_NOTING, .slow = true};

enum {
	FAILURES_MAX = 3, /* in a row, before a cool-down */
	COOLDOWN_FIRST_MS = 10 * 1000,
	COOLDOWN_MAX_MS = 300 * 1000,
	RETRY_AFTER_MAX_S = 3600,
	LOOK_MS = 50 /* how often a waiting fill looks whether it is to stop */
};

struct condition {
	int64_t failures; /* in a row, */
	size_t blamed;    /* … of which so many may be these artifacts' own */
	struct name artifacts[FAILURES_MAX];
	int64_t cooldowns; /* in a row; not 0: only a probe may pass */
	int64_t until_ms;  /* monotonic, */
	int64_t until_s;   /* … and by the wall clock */
	bool unnoted;      /* the catalog is to be told of these three */
	bool probing;
	int64_t running;
	int64_t filling;  /* of them, those of fills */
	int64_t awaiting; /* fills that have begun and wait for a turn once more */
};

struct breakers {
	struct lock mutex; /* guards the conditions */
	pthread_cond_t changed;
	struct lock noting; /* before the other one: the catalog hears of changes in their order */
	const struct upstream *upstreams;
	size_t count;
	struct catalog *catalog;
	struct condition *conditions;
	int64_t fills_share;          /* 0: no limit */
	void (*freed)(void *context); /* or NULL */
	void *freed_context;
};

/* ---- over a restart ---- */

static const char *text_of(const char *value)
{
	return value ? value : "";
}

/* Not its limits: an upstream that wants to be left alone wants that from a slower client, too. */
static struct digest identity_of(const struct upstream *upstream)
{
	AUTO_FREE char *text = mem_printf("%s\n%s\n%s\n%s\n%s\n%s\n%s\n%s", upstream->name, upstream->url,
		text_of(upstream->ca_file), text_of(upstream->bearer_token_file),
		text_of(upstream->basic_file), text_of(upstream->header_file),
		text_of(upstream->credentials_file), text_of(upstream->proxy));

	return digest_of(text, strlen(text));
}

/* A clock that was put back makes no cool-down longer than it can be. */
static void restore(struct condition *condition, const struct cooldown *cooldown, const char *name)
{
	int64_t now_s = clock_now_s();
	int64_t left_s = cooldown->until_s - now_s;

	left_s = left_s < RETRY_AFTER_MAX_S ? left_s : RETRY_AFTER_MAX_S;
	condition->cooldowns = cooldown->in_a_row;
	condition->until_s = now_s + left_s;
	condition->until_ms = clock_monotonic_ms() + 1000 * left_s;
	metric_add(METRIC_UPSTREAMS_COOLING, 1);
	log_event(LOG_LEVEL_WARN, "an upstream still cools down", "upstream", name, "until",
		clock_rfc3339(condition->until_s).text, NULL);
}

/* Most starts find none, and leave OpenSSL alone: its memory is for those who fetch or publish. */
static bool has_some(struct breakers *breakers)
{
	bool has;
	struct err err;

	return !catalog_has_cooldowns(breakers->catalog, clock_now_s(), &has, &err) || has;
}

static void restore_all(struct breakers *breakers)
{
	for (size_t i = 0; i < breakers->count; i++) {
		const struct digest identity = identity_of(&breakers->upstreams[i]);
		struct cooldown cooldown;
		bool found = false;
		struct err err;

		if (!catalog_find_cooldown(
			    breakers->catalog, &identity, clock_now_s(), &cooldown, &found, &err))
			log_event(LOG_LEVEL_WARN, "cool-downs are not remembered", "upstream",
				breakers->upstreams[i].name, "why", err.text, NULL);
		else if (found)
			restore(&breakers->conditions[i], &cooldown, breakers->upstreams[i].name);
	}
}

static bool take_unnoted(struct breakers *breakers, size_t upstream, struct cooldown *out)
{
	struct condition *condition = &breakers->conditions[upstream];
	bool unnoted;
	LOCKED(&breakers->mutex);

	*out = (struct cooldown){.in_a_row = condition->cooldowns, .until_s = condition->until_s};
	unnoted = condition->unnoted;
	condition->unnoted = false;
	return unnoted;
}

/* Not where it is noted in memory: that is on the thread that serves all transfers. */
static void note_down(struct breakers *breakers, size_t upstream)
{
	struct cooldown cooldown;
	struct err err;
	bool done;
	LOCKED(&breakers->noting);

	if (!take_unnoted(breakers, upstream, &cooldown))
		return;
	cooldown.upstream = identity_of(&breakers->upstreams[upstream]);
	done = cooldown.in_a_row > 0
		       ? catalog_note_cooldown(breakers->catalog, &cooldown, clock_now_s(), &err)
		       : catalog_forget_cooldown(breakers->catalog, &cooldown.upstream, &err);
	if (!done)
		log_event(LOG_LEVEL_WARN, "a cool-down will not be remembered", "upstream",
			breakers->upstreams[upstream].name, "why", err.text, NULL);
}

/* ---- creating ---- */

struct breakers *breakers_create(const struct upstream *upstreams, size_t count, struct catalog *catalog)
{
	struct breakers *breakers = mem_zero(1, sizeof *breakers);

	lock_init(&breakers->mutex, &lock_place);
	lock_init(&breakers->noting, &noting_place);
	(void)pthread_cond_init(&breakers->changed, NULL);
	breakers->upstreams = upstreams;
	breakers->count = count;
	breakers->catalog = catalog;
	breakers->conditions = mem_zero(count ? count : 1, sizeof *breakers->conditions);
	if (has_some(breakers))
		restore_all(breakers);
	return breakers;
}

void breakers_destroy(struct breakers *breakers)
{
	if (!breakers)
		return;
	(void)pthread_cond_destroy(&breakers->changed);
	lock_finish(&breakers->noting);
	lock_finish(&breakers->mutex);
	free(breakers->conditions);
	free(breakers);
}

/* ---- entering ---- */

static bool is_cooling(const struct breakers *breakers, size_t upstream, int64_t now_ms)
{
	const struct condition *condition = &breakers->conditions[upstream];

	lock_expect(&breakers->mutex);
	return condition->cooldowns > 0 && (condition->probing || now_ms < condition->until_ms);
}

/* Behind it, while one probes, it is over in a moment. */
static int64_t seconds_left(const struct condition *condition, int64_t now_ms)
{
	int64_t left_s = (condition->until_ms - now_ms + 999) / 1000;

	return left_s > 0 ? left_s : 1;
}

static bool refuse(const struct condition *condition, int64_t now_ms, struct err *err)
{
	int64_t left_s = seconds_left(condition, now_ms);

	(void)err_set(err, ERR_UPSTREAM_UNREACHABLE, "its circuit breaker is open after failures, until %s",
		clock_rfc3339(clock_now_s() + left_s).text);
	err->retry_after_s = (unsigned)left_s;
	return false;
}

/* A stop flag has nobody who would wake us, so it is looked at. */
static void sleep_a_little(struct breakers *breakers)
{
	lock_expect(&breakers->mutex);
	(void)lock_wait_until(&breakers->mutex, &breakers->changed, clock_monotonic_ms() + LOOK_MS);
}

static bool refuse_crowded(struct err *err)
{
	return err_set(err, ERR_BUSY, "all of its connections are in use; try again in a moment");
}

/* Whether waiting on is of use. */
static bool may_wait(int64_t began_ms, int64_t patience_ms, const _Atomic bool *stop, struct err *err)
{
	if (atomic_load(stop))
		return err_set(err, ERR_BUSY, "the fill was stopped");
	if (patience_ms >= 0 && clock_monotonic_ms() - began_ms >= patience_ms)
		return refuse_crowded(err);
	return true;
}

/* Beside so many others that are to have one as well. */
static bool has_turns(const struct breakers *breakers, size_t upstream, bool fills, int64_t others)
{
	const struct condition *condition = &breakers->conditions[upstream];
	int64_t connections = breakers->upstreams[upstream].max_connections;

	lock_expect(&breakers->mutex);
	return (connections <= 0 || condition->running + others < connections) &&
	       (!fills || breakers->fills_share <= 0 || condition->filling + others < breakers->fills_share);
}

static bool has_turn(const struct breakers *breakers, size_t upstream, bool fills)
{
	lock_expect(&breakers->mutex);
	return has_turns(breakers, upstream, fills, 0);
}

static struct turn take_turn(struct breakers *breakers, size_t upstream, bool fills)
{
	struct condition *condition = &breakers->conditions[upstream];

	lock_expect(&breakers->mutex);
	condition->probing = condition->cooldowns > 0;
	condition->running++;
	condition->filling += fills;
	return (struct turn){upstream, condition->probing, fills, true};
}

/* Sleeps until something changes, or the patience ends; others than fills a little only. */
static void sleep_on(struct breakers *breakers, bool fills, int64_t until_ms)
{
	lock_expect(&breakers->mutex);
	if (!fills)
		sleep_a_little(breakers);
	else if (until_ms < 0)
		lock_wait(&breakers->mutex, &breakers->changed);
	else
		(void)lock_wait_until(&breakers->mutex, &breakers->changed, until_ms);
}

/* Until there is a turn for such a one. */
static bool await_turn(struct breakers *breakers, size_t upstream, bool fills, int64_t patience_ms,
	const _Atomic bool *stop, struct err *err)
{
	const struct condition *condition = &breakers->conditions[upstream];
	int64_t began_ms = clock_monotonic_ms();

	lock_expect(&breakers->mutex);
	for (;;) {
		int64_t now_ms = clock_monotonic_ms();

		if (is_cooling(breakers, upstream, now_ms))
			return refuse(condition, now_ms, err);
		if (has_turn(breakers, upstream, fills))
			return true;
		if (!may_wait(began_ms, patience_ms, stop, err))
			return false;
		sleep_on(breakers, fills, patience_ms < 0 ? -1 : began_ms + patience_ms);
	}
}

bool breakers_enter(struct breakers *breakers, size_t upstream, int64_t patience_ms, const _Atomic bool *stop,
	struct turn *out, struct err *err)
{
	LOCKED(&breakers->mutex);

	if (!await_turn(breakers, upstream, false, patience_ms, stop, err))
		return false;
	*out = take_turn(breakers, upstream, false);
	return true;
}

bool breakers_try(struct breakers *breakers, size_t upstream, struct turn *out, struct err *err)
{
	const struct condition *condition = &breakers->conditions[upstream];
	int64_t now_ms = clock_monotonic_ms();
	LOCKED(&breakers->mutex);

	if (is_cooling(breakers, upstream, now_ms))
		return refuse(condition, now_ms, err);
	if (!has_turn(breakers, upstream, true))
		return refuse_crowded(err);
	*out = take_turn(breakers, upstream, true);
	return true;
}

bool breakers_await(struct breakers *breakers, size_t upstream, int64_t patience_ms, const _Atomic bool *stop,
	struct err *err)
{
	struct condition *condition = &breakers->conditions[upstream];
	LOCKED(&breakers->mutex);
	bool has;

	condition->awaiting++;
	has = await_turn(breakers, upstream, true, patience_ms, stop, err);
	condition->awaiting--;
	INVARIANT(condition->awaiting >= 0);
	return has;
}

bool breakers_has_turn(struct breakers *breakers, size_t upstream)
{
	const struct condition *condition = &breakers->conditions[upstream];
	LOCKED(&breakers->mutex);

	return !is_cooling(breakers, upstream, clock_monotonic_ms()) &&
	       has_turns(breakers, upstream, true, condition->awaiting);
}

void breakers_set_freed(struct breakers *breakers, void (*freed)(void *context), void *context)
{
	breakers->freed = freed;
	breakers->freed_context = context;
}

void breakers_wake(struct breakers *breakers)
{
	LOCKED(&breakers->mutex);

	(void)pthread_cond_broadcast(&breakers->changed);
}

/* Each upstream leaves this part of the places to the others. */
enum { OTHERS_SHARE = 4 };

int64_t breakers_share_of(int64_t places, size_t upstream_count)
{
	if (upstream_count < 2)
		return 0;
	return places > 1 ? places - (places + OTHERS_SHARE - 1) / OTHERS_SHARE : places;
}

void breakers_share(struct breakers *breakers, int64_t turns_of_fills)
{
	LOCKED(&breakers->mutex);

	breakers->fills_share = turns_of_fills;
}

bool breakers_is_cooling(struct breakers *breakers, size_t upstream)
{
	LOCKED(&breakers->mutex);

	return is_cooling(breakers, upstream, clock_monotonic_ms());
}

int64_t breakers_cooling_until_s(struct breakers *breakers, size_t upstream)
{
	const struct condition *condition = &breakers->conditions[upstream];
	int64_t now_ms = clock_monotonic_ms();
	LOCKED(&breakers->mutex);

	return is_cooling(breakers, upstream, now_ms) ? clock_now_s() + seconds_left(condition, now_ms) : 0;
}

/* ---- noting and leaving ---- */

/* Doubles with each cool-down; by chance up to a quarter longer, so that many Larders do not return at once.
 */
static int64_t cooldown_ms(int64_t cooldowns)
{
	int64_t wait_ms = (int64_t)COOLDOWN_FIRST_MS << (cooldowns < 5 ? cooldowns : 5);
	uint16_t chance;

	random_bytes(&chance, sizeof chance);
	wait_ms = wait_ms < COOLDOWN_MAX_MS ? wait_ms : COOLDOWN_MAX_MS;
	return wait_ms + wait_ms * chance / 4 / UINT16_MAX;
}

static void cool_down(struct breakers *breakers, size_t upstream, int64_t retry_after_s)
{
	struct condition *condition = &breakers->conditions[upstream];
	int64_t wait_ms = cooldown_ms(condition->cooldowns);

	lock_expect(&breakers->mutex);
	if (retry_after_s > 0)
		wait_ms = 1000 * (retry_after_s < RETRY_AFTER_MAX_S ? retry_after_s : RETRY_AFTER_MAX_S);
	if (condition->cooldowns == 0)
		metric_add(METRIC_UPSTREAMS_COOLING, 1);
	condition->cooldowns++;
	condition->failures = 0;
	condition->blamed = 0;
	condition->until_ms = clock_monotonic_ms() + wait_ms;
	condition->until_s = clock_now_s() + (wait_ms + 999) / 1000;
	condition->unnoted = true;
	metric_add(METRIC_UPSTREAM_COOLDOWNS, 1);
	log_event(LOG_LEVEL_WARN, "an upstream cools down", "upstream", breakers->upstreams[upstream].name,
		"until", clock_rfc3339(condition->until_s).text, NULL);
}

static void recover(struct breakers *breakers, size_t upstream)
{
	struct condition *condition = &breakers->conditions[upstream];

	lock_expect(&breakers->mutex);
	condition->failures = 0;
	condition->blamed = 0;
	if (condition->cooldowns == 0)
		return;
	condition->cooldowns = 0;
	condition->unnoted = true;
	metric_add(METRIC_UPSTREAMS_COOLING, -1);
	log_event(LOG_LEVEL_NOTICE, "an upstream is back", "upstream", breakers->upstreams[upstream].name,
		NULL);
}

/* Whoever waits to probe may. */
static void end_probe(struct breakers *breakers, struct turn *turn)
{
	lock_expect(&breakers->mutex);
	if (turn->is_probe)
		breakers->conditions[turn->upstream].probing = false;
	turn->is_probe = false;
}

void breakers_note_success(struct breakers *breakers, struct turn *turn)
{
	LOCKED(&breakers->mutex);

	end_probe(breakers, turn);
	recover(breakers, turn->upstream);
}

/* One artifact that its upstream cannot give must not take all others from us, however often it is asked for.
 */
static void count_failure(struct breakers *breakers, size_t upstream, const struct name *name)
{
	struct condition *condition = &breakers->conditions[upstream];

	lock_expect(&breakers->mutex);
	for (size_t i = 0; name && i < condition->blamed; i++) {
		if (name_equals(&condition->artifacts[i], name))
			return;
	}
	if (name && condition->blamed < FAILURES_MAX)
		condition->artifacts[condition->blamed++] = *name;
	condition->failures++;
}

/* Transfers that began before a cool-down and fail during it tell nothing new. */
void breakers_note_failure(
	struct breakers *breakers, struct turn *turn, const struct name *name, int64_t retry_after_s)
{
	struct condition *condition = &breakers->conditions[turn->upstream];
	bool was_probe = turn->is_probe;
	LOCKED(&breakers->mutex);

	if (condition->cooldowns > 0 && !was_probe)
		return;
	end_probe(breakers, turn);
	count_failure(breakers, turn->upstream, name);
	if (was_probe || retry_after_s > 0 || condition->failures >= FAILURES_MAX)
		cool_down(breakers, turn->upstream, retry_after_s);
}

/* Whether there is something to note down. */
static bool give_back(struct breakers *breakers, struct turn *turn)
{
	struct condition *condition = &breakers->conditions[turn->upstream];
	LOCKED(&breakers->mutex);

	INVARIANT(turn->is_taken);
	end_probe(breakers, turn);
	turn->is_taken = false;
	condition->running--;
	condition->filling -= turn->of_fill;
	INVARIANT(condition->filling >= 0 && condition->filling <= condition->running);
	(void)pthread_cond_broadcast(&breakers->changed);
	return condition->unnoted;
}

void breakers_leave(struct breakers *breakers, struct turn *turn)
{
	if (give_back(breakers, turn))
		note_down(breakers, turn->upstream);
	if (breakers->freed)
		breakers->freed(breakers->freed_context);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/webhooks.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/lock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/thread.h"
#include "common/utf8.h"
#include "common/webhook_signature.h"
#include "server/config.h"
#include "server/metrics.h"
#include "server/ranks.h"
#include "server/registry/failed_fills.h"
#include "server/registry/webhook_message.h"
#include "server/store/catalog/catalog_webhooks.h"
#include "server/upstream/poster.h"

static const struct lock_place lock_place = {"webhooks", RANK_WEBHOOKS};

/* An event is tried for three days: over a weekend. REST_MAX_S: after failures in a row a receiver is left
 * alone for so long at most, whatever else waits for it, and for as long as it asks within RETRY_AFTER_MAX_S.
 */
enum {
	WAIT_FIRST_S = 1,
	WAIT_FACTOR = 4,
	WAIT_MAX_S = 6 * 3600,
	ATTEMPTS_MAX = 20,
	REST_MAX_S = 60,
	RETRY_AFTER_MAX_S = 3600,
	LOOK_MS = 1000,
	TOGETHER_MAX = 32,
	TOGETHER_MS = 1000,
	CONNECT_TIMEOUT_S = 10,
	TIMEOUT_S = 20,
	STACK_BYTES = 512 << 10
};

/* One receiver; its thread's own, but for the config. */
struct hook {
	struct webhooks *webhooks;
	const struct webhook *config;
	pthread_t thread;
	bool has_thread;
	struct poster_settings settings;
	struct poster *poster;
	int64_t failures; /* in a row */
	int64_t rest_until_ms;
	bool complained; /* of the database */
};

struct webhooks {
	struct lock mutex; /* guards the waiting for stop */
	pthread_cond_t stopping;
	_Atomic bool stop;
	_Atomic bool is_set; /* the catalog knows which there are */

	struct catalog *catalog;
	const struct config *config;
	struct failed_fills *failed_fills; /* NULL: nobody wants to know */
	struct hook *hooks;
	size_t count;
};

int64_t webhook_wait_s(int64_t attempts)
{
	int64_t wait_s = WAIT_FIRST_S;

	if (attempts >= ATTEMPTS_MAX)
		return 0;
	for (int64_t i = 1; i < attempts && wait_s < WAIT_MAX_S; i++)
		wait_s *= WAIT_FACTOR;
	return wait_s < WAIT_MAX_S ? wait_s : WAIT_MAX_S;
}

static int64_t bounded(int64_t value, int64_t least, int64_t most)
{
	return value < least ? least : value > most ? most : value;
}

/* ---- one attempt ---- */

struct lines {
	char *all[5]; /* ends with NULL */
};

static void free_lines(struct lines *lines)
{
	for (size_t i = 0; lines->all[i]; i++)
		free(lines->all[i]);
}

static bool post(
	struct hook *hook, const struct webhook_event *event, struct posting_answer *out, struct err *why)
{
	AUTO_WEBHOOK_SECRETS struct webhook_secrets secrets = {0};
	AUTO_FREE char *body = webhook_message(event, hook->webhooks->config->server.public_url);
	AUTO_FREE char *signature = NULL;
	AUTO(free_lines) struct lines lines = {{NULL}};
	AUTO_FREE char *id = mem_printf("msg_%s", event->message);
	int64_t now_s = clock_now_s();

	/* Read anew each time, so that it can be changed. */
	if (!webhook_secrets_read(hook->config->secret_file, &secrets, why))
		return err_set(why, ERR_INTERNAL,
			"its secret_file cannot be used: `larder serve --check` tells what is wrong with it");
	signature = webhook_sign(&secrets, id, now_s, body, strlen(body));
	lines = (struct lines){{mem_printf("webhook-id: %s", id),
		mem_printf("webhook-timestamp: %" PRId64, now_s),
		mem_printf("webhook-signature: %s", signature), mem_dup("Content-Type: application/json")}};
	return poster_send(hook->poster,
		&(struct posting){(const char *const *)lines.all, body, strlen(body)}, &hook->webhooks->stop,
		out, why);
}

static void explain(const struct posting_answer *answer, struct err *why)
{
	if (answer->status >= 300 && answer->status < 400)
		(void)err_set(why, ERR_UPSTREAM_FAILED,
			"it answered %d, a redirect, which is not followed: set url to where it leads",
			answer->status);
	else
		(void)err_set(why, ERR_UPSTREAM_FAILED, "it answered %d", answer->status);
}

static enum webhook_outcome outcome_of(const struct webhook_event *event, int status)
{
	if (status >= 200 && status < 300)
		return WEBHOOK_DELIVERED;
	if (status == 410)
		return WEBHOOK_GONE;
	return webhook_wait_s(event->attempts + 1) > 0 ? WEBHOOK_LATER : WEBHOOK_GIVEN_UP;
}

/* After a failure the receiver is left alone for a while, whatever else waits for it. */
static void rest(struct hook *hook, int64_t retry_after_s)
{
	int64_t wait_s =
		bounded(webhook_wait_s(bounded(++hook->failures, 1, ATTEMPTS_MAX - 1)), 1, REST_MAX_S);

	wait_s = bounded(retry_after_s, wait_s, RETRY_AFTER_MAX_S);
	hook->rest_until_ms = clock_monotonic_ms() + 1000 * wait_s;
}

static void tell_failure(
	const struct hook *hook, const struct webhook_event *event, const struct webhook_attempt *attempt)
{
	static const struct {
		enum log_level level;
		const char *words;
	} told[] = {[WEBHOOK_LATER] = {LOG_LEVEL_INFO, "a webhook is told later"},
		[WEBHOOK_GIVEN_UP] = {LOG_LEVEL_WARN, "a webhook is not told: given up"},
		[WEBHOOK_GONE] = {LOG_LEVEL_WARN,
			"a webhook's receiver is gone (410): it is told nothing before the next start"}};

	log_event(told[attempt->outcome].level, told[attempt->outcome].words, "webhook", hook->config->name,
		"event", event->event, "name", event->subject, "why", attempt->reason, NULL);
}

static void conclude(struct hook *hook, const struct webhook_event *event, struct webhook_attempt *attempt,
	int64_t retry_after_s)
{
	if (attempt->outcome == WEBHOOK_DELIVERED) {
		hook->failures = 0;
		metric_add(METRIC_WEBHOOKS_DELIVERED, 1);
		return;
	}
	/* What is asked for prolongs a wait, and shortens none. */
	attempt->due_at = clock_now_s() + bounded(webhook_wait_s(event->attempts + 1),
						  bounded(retry_after_s, 0, RETRY_AFTER_MAX_S), WAIT_MAX_S);
	rest(hook, retry_after_s);
	metric_add(METRIC_WEBHOOKS_FAILED, 1);
	if (attempt->outcome == WEBHOOK_GIVEN_UP)
		metric_add(METRIC_WEBHOOKS_GIVEN_UP, 1);
	tell_failure(hook, event, attempt);
}

/* False: it was not an attempt, because the daemon is stopping. */
static bool try_event(struct hook *hook, const struct webhook_event *event, struct webhook_attempt *out)
{
	struct posting_answer answer = {0};
	struct err why = {0};

	if (post(hook, event, &answer, &why))
		explain(&answer, &why);
	else if (atomic_load(&hook->webhooks->stop))
		return false;
	*out = (struct webhook_attempt){
		.id = event->id, .outcome = outcome_of(event, answer.status), .status = answer.status};
	(void)snprintf(out->reason, sizeof out->reason, "%.*s",
		(int)utf8_cut(why.text, sizeof out->reason - 1), why.text);
	conclude(hook, event, out, answer.retry_after_s);
	return true;
}

/* ---- the queue ---- */

/* True when it is time to end. */
static bool sleep_for(struct webhooks *webhooks, int64_t time_ms)
{
	int64_t until_ms = clock_monotonic_ms() + time_ms;
	LOCKED(&webhooks->mutex);

	while (!atomic_load(&webhooks->stop) &&
		lock_wait_until(&webhooks->mutex, &webhooks->stopping, until_ms))
		continue;
	return atomic_load(&webhooks->stop);
}

/* Each trouble with the database is told once, until it has passed. */
static bool complain(struct hook *hook, bool done, const struct err *err)
{
	if (!done && !hook->complained)
		log_event(LOG_LEVEL_WARN, "a webhook waits for the database", "webhook", hook->config->name,
			"why", err->text, NULL);
	hook->complained = !done;
	return done;
}

/* What was sent and is not noted would be sent again. */
static void note(struct hook *hook, int64_t webhook_id, const struct webhook_attempt *attempts, size_t count)
{
	struct webhooks *webhooks = hook->webhooks;
	struct err err = {0};

	while (count > 0 && !complain(hook,
				    catalog_note_attempts(webhooks->catalog, webhook_id, attempts, count,
					    clock_now_s(), &err),
				    &err)) {
		if (sleep_for(webhooks, LOOK_MS))
			return;
	}
}

/* Sends some of what is due, until the first failure; true: there may be more. */
static bool send_batch(struct hook *hook, const struct webhook_batch *batch)
{
	AUTO_FREE struct webhook_attempt *attempts = mem_zero(TOGETHER_MAX, sizeof *attempts);
	int64_t until_ms = clock_monotonic_ms() + TOGETHER_MS;
	size_t count = 0;
	bool goes_on = true;

	while (goes_on && count < batch->count && clock_monotonic_ms() < until_ms) {
		if (!try_event(hook, &batch->items[count], &attempts[count]))
			break;
		goes_on = attempts[count++].outcome == WEBHOOK_DELIVERED;
	}
	note(hook, batch->webhook_id, attempts, count);
	return goes_on && count > 0;
}

static bool deliver_some(struct hook *hook)
{
	AUTO(webhook_batch_finish) struct webhook_batch batch = {0};
	struct webhooks *webhooks = hook->webhooks;
	struct err err = {0};

	if (atomic_load(&webhooks->stop) || clock_monotonic_ms() < hook->rest_until_ms)
		return false;
	if (!complain(hook,
		    catalog_take_due_events(
			    webhooks->catalog, hook->config->name, clock_now_s(), TOGETHER_MAX, &batch, &err),
		    &err))
		return false;
	return batch.count > 0 && send_batch(hook, &batch);
}

/* ---- which there are ---- */

static bool tell_catalog(struct webhooks *webhooks, struct err *err)
{
	const struct config *config = webhooks->config;
	AUTO_FREE struct webhook_wish *wishes = mem_zero(config->webhook_count + 1, sizeof *wishes);

	for (size_t i = 0; i < config->webhook_count; i++)
		wishes[i] = (struct webhook_wish){config->webhooks[i].name, config->webhooks[i].events};
	atomic_store(&webhooks->is_set,
		catalog_set_webhooks(webhooks->catalog, wishes, config->webhook_count, err));
	return atomic_load(&webhooks->is_set);
}

/* What each of them does for all, since any of them may be busy with its receiver. */
static void tend(struct hook *hook)
{
	struct webhooks *webhooks = hook->webhooks;
	struct err err = {0};

	if (!atomic_load(&webhooks->is_set) && !complain(hook, tell_catalog(webhooks, &err), &err))
		return;
	if (webhooks->failed_fills)
		(void)complain(hook, failed_fills_write(webhooks->failed_fills, &err), &err);
}

static void *run(void *argument)
{
	struct hook *hook = argument;

	hook->poster = poster_create(&hook->settings);
	do {
		do
			tend(hook);
		while (deliver_some(hook));
	} while (!sleep_for(hook->webhooks, LOOK_MS));
	poster_destroy(hook->poster);
	return NULL;
}

static bool start_hook(
	struct webhooks *webhooks, const struct webhook *config, struct hook *hook, struct err *err)
{
	const struct thread_plan plan = {
		.name = "webhook", .run = run, .context = hook, .stack_bytes = STACK_BYTES};

	*hook = (struct hook){.webhooks = webhooks,
		.config = config,
		.settings = {config->url, config->ca_file, "larder/" LARDER_VERSION, CONNECT_TIMEOUT_S,
			TIMEOUT_S}};
	hook->has_thread = thread_start(&hook->thread, &plan, err);
	return hook->has_thread;
}

static bool wants_failed_fills(const struct config *config)
{
	for (size_t i = 0; i < config->webhook_count; i++) {
		if (strstr(config->webhooks[i].events, "fill_failed"))
			return true;
	}
	return false;
}

bool webhooks_create(
	struct catalog *catalog, const struct config *config, struct webhooks **out, struct err *err)
{
	struct webhooks *webhooks = mem_zero(1, sizeof *webhooks);

	lock_init(&webhooks->mutex, &lock_place);
	(void)pthread_cond_init(&webhooks->stopping, NULL);
	webhooks->catalog = catalog;
	webhooks->config = config;
	if (wants_failed_fills(config))
		webhooks->failed_fills = failed_fills_create(catalog);
	webhooks->hooks = mem_zero(config->webhook_count + 1, sizeof *webhooks->hooks);
	/* A full disk is no reason not to serve: it is tried again. */
	if (!tell_catalog(webhooks, err))
		log_event(LOG_LEVEL_WARN, "webhooks are told later", "why", err->text, NULL);
	for (; webhooks->count < config->webhook_count; webhooks->count++) {
		if (!start_hook(webhooks, &config->webhooks[webhooks->count],
			    &webhooks->hooks[webhooks->count], err)) {
			webhooks_destroy(webhooks);
			return false;
		}
	}
	*out = webhooks;
	return true;
}

static void ask_to_stop(struct webhooks *webhooks)
{
	LOCKED(&webhooks->mutex);

	atomic_store(&webhooks->stop, true);
	(void)pthread_cond_broadcast(&webhooks->stopping);
}

void webhooks_destroy(struct webhooks *webhooks)
{
	struct err err;

	if (!webhooks)
		return;
	ask_to_stop(webhooks);
	for (size_t i = 0; i < webhooks->count; i++)
		thread_join(webhooks->hooks[i].thread);
	if (webhooks->failed_fills)
		(void)failed_fills_write(webhooks->failed_fills, &err);
	failed_fills_destroy(webhooks->failed_fills);
	(void)pthread_cond_destroy(&webhooks->stopping);
	lock_finish(&webhooks->mutex);
	free(webhooks->hooks);
	free(webhooks);
}

struct failed_fills *webhooks_failed_fills(struct webhooks *webhooks)
{
	return webhooks->failed_fills;
}

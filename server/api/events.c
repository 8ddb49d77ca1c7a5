/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/events.h"

#include <errno.h>
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "common/lock.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/thread.h"
#include "server/api/activity.h"
#include "server/api/api.h"
#include "server/config.h"
#include "server/http/problem.h"
#include "server/http/clientkey.h"
#include "server/metrics.h"
#include "server/ranks.h"
#include "server/registry/shares.h"
#include "server/registry/traffic.h"

static const struct lock_place lock_place = {"events", RANK_EVENTS};

enum { LOOK_EVERY_S = 1, NOTE_EVERY_S = 60, COMMENT_AFTER_MS = 15000 };

/* One message; never changes. */
struct news {
	size_t holders; /* under the mutex of the events */
	int64_t number;
	size_t length;
	char text[];
};

struct events {
	struct lock mutex;      /* guards everything below but services and thread */
	pthread_cond_t changed; /* listeners, ended */
	struct news *activity;  /* the last that was told; NULL: none yet */
	struct news *comment;   /* the last sign of life; NULL: none yet */
	int64_t told;           /* the number of the younger of these two */
	int64_t told_at_ms;
	size_t listeners;
	struct shares shares;
	bool ended;
	struct waiter *waiters;

	const struct services *services;
	pthread_t thread;
	bool has_thread;
};

/* ---- news ---- */

static struct news *news_create(const char *before, const char *text, const char *after)
{
	size_t length = strlen(before) + strlen(text) + strlen(after);
	struct news *news = mem_zero(1, sizeof *news + length + 1);

	(void)stpcpy(stpcpy(stpcpy(news->text, before), text), after);
	news->length = length;
	news->holders = 1;
	return news;
}

static void news_release(struct news *news)
{
	if (news && --news->holders == 0)
		free(news);
}

static struct news *news_hold(struct news *news)
{
	news->holders++;
	return news;
}

/* Puts the news in its place; the caller wakes who is returned, after the mutex. */
static struct waiter *tell(struct events *events, struct news **place, struct news *news)
{
	struct waiter *detached = TAKE(events->waiters);

	news_release(*place);
	*place = news;
	news->number = ++events->told;
	events->told_at_ms = clock_monotonic_ms();
	return detached;
}

static struct waiter *tell_if_new(struct events *events, struct news *news)
{
	LOCKED(&events->mutex);

	if (!events->activity || strcmp(events->activity->text, news->text) != 0)
		return tell(events, &events->activity, news);
	news_release(news);
	if (clock_monotonic_ms() - events->told_at_ms < COMMENT_AFTER_MS)
		return NULL;
	return tell(events, &events->comment, news_create("", ":\n\n", ""));
}

static bool look(struct events *events, struct err *err)
{
	json_t *activity = activity_json(events->services, err);
	AUTO_FREE char *text = activity ? json_dumps(activity, JSON_COMPACT | JSON_SORT_KEYS) : NULL;

	json_decref(activity);
	if (!text)
		return false;
	waiter_wake_all(tell_if_new(events, news_create("event: activity\ndata: ", text, "\n\n")));
	return true;
}

/* ---- the thread that looks ---- */

static void rest(struct events *events)
{
	int64_t now_ms = clock_monotonic_ms();

	while (!events->ended && events->listeners == 0 &&
		lock_wait_until(&events->mutex, &events->changed, now_ms + 1000 * NOTE_EVERY_S))
		continue;
	while (!events->ended &&
		lock_wait_until(&events->mutex, &events->changed, now_ms + 1000 * LOOK_EVERY_S))
		continue;
}

static bool rest_until_next(struct events *events, bool *heard)
{
	LOCKED(&events->mutex);

	rest(events);
	*heard = events->listeners > 0;
	return !events->ended;
}

static void *run(void *argument)
{
	struct events *events = argument;
	struct err err;
	bool heard;

	while (rest_until_next(events, &heard)) {
		traffic_note(events->services->traffic, clock_monotonic_ms());
		/* What cannot be read now may be read in a second. */
		if (heard)
			(void)look(events, &err);
	}
	return NULL;
}

bool events_create(const struct services *services, struct events **out, struct err *err)
{
	AUTO_EVENTS struct events *events = mem_zero(1, sizeof *events);
	const struct thread_plan plan = {.name = "events", .run = run, .context = events};

	events->services = services;
	lock_init(&events->mutex, &lock_place);
	(void)pthread_cond_init(&events->changed, NULL);
	shares_init(&events->shares);
	events->has_thread = thread_start(&events->thread, &plan, err);
	if (!events->has_thread)
		return false;
	*out = TAKE(events);
	return true;
}

static struct waiter *end(struct events *events)
{
	LOCKED(&events->mutex);

	events->ended = true;
	(void)pthread_cond_broadcast(&events->changed);
	return TAKE(events->waiters);
}

void events_end(struct events *events)
{
	if (events)
		waiter_wake_all(end(events));
}

void events_destroy(struct events *events)
{
	if (!events)
		return;
	events_end(events);
	if (events->has_thread)
		thread_join(events->thread);
	news_release(events->activity);
	news_release(events->comment);
	(void)pthread_cond_destroy(&events->changed);
	lock_finish(&events->mutex);
	free(events);
}

/* ---- listeners ---- */

struct listener {
	struct events *events;
	struct share *share;
	struct news *news; /* what is being sent; NULL: nothing yet */
	int64_t from;      /* where in the stream it begins */
};

/* The younger of what it has not been told; what was told in between is of no use any more. */
static struct news *next_news(const struct listener *listener)
{
	const struct events *events = listener->events;
	int64_t heard = listener->news ? listener->news->number : 0;

	if (events->activity && events->activity->number > heard)
		return events->activity;
	return events->comment && events->comment->number > heard ? events->comment : NULL;
}

static enum feed_result copy(
	const struct listener *listener, int64_t offset, void *bytes, size_t length, size_t *out_read)
{
	size_t at = (size_t)(offset - listener->from);
	size_t left = listener->news->length - at;

	*out_read = left < length ? left : length;
	memcpy(bytes, listener->news->text + at, *out_read);
	return FEED_DATA;
}

static enum feed_result read_news(
	void *feed, int64_t offset, void *bytes, size_t length, size_t *out_read, struct waiter *waiter)
{
	struct listener *listener = feed;
	struct news *next;
	LOCKED(&listener->events->mutex);

	if (listener->events->ended)
		return FEED_END;
	if (listener->news && offset < listener->from + (int64_t)listener->news->length)
		return copy(listener, offset, bytes, length, out_read);
	next = next_news(listener);
	if (next) {
		news_release(listener->news);
		listener->news = news_hold(next);
		listener->from = offset;
		return copy(listener, offset, bytes, length, out_read);
	}
	waiter_join(&listener->events->waiters, waiter);
	return FEED_WAIT;
}

static bool leave(void *feed, struct waiter *waiter)
{
	struct listener *listener = feed;
	LOCKED(&listener->events->mutex);

	return waiter_leave(&listener->events->waiters, waiter);
}

static void listener_destroy(void *feed)
{
	struct listener *listener = feed;
	{
		LOCKED(&listener->events->mutex);

		listener->events->listeners--;
		shares_give_back(listener->share);
		news_release(listener->news);
	}
	metric_add(METRIC_EVENT_LISTENERS, -1);
	free(listener);
}

static bool admit(struct events *events, const char *client, struct share **out, struct err *err)
{
	LOCKED(&events->mutex);
	const struct share *share = shares_find(&events->shares, client);

	if (share && share->members >= EVENTS_LISTENERS_A_CLIENT)
		return err_set(err, ERR_BUSY,
			"%d of your connections listen to events already; close some, or ask "
			"/api/v1/activity instead",
			EVENTS_LISTENERS_A_CLIENT);
	if (events->ended || events->listeners == EVENTS_LISTENERS_MAX)
		return err_set(err, ERR_BUSY, "%d listen to events already; ask /api/v1/activity instead",
			EVENTS_LISTENERS_MAX);
	*out = shares_take(&events->shares, client);
	events->listeners++;
	metric_add(METRIC_EVENT_LISTENERS, 1);
	(void)pthread_cond_signal(&events->changed);
	return true;
}

/* What was told last may be old: nobody has looked while nobody listened. */
static bool listen(
	const struct services *services, const struct request *request, struct reply *reply, struct err *err)
{
	static const struct feed_ops ops = {read_news, leave, listener_destroy};
	AUTO_FREE char *client = client_key(request);
	struct share *share = NULL;
	struct listener *listener;

	if (request->http_1_0)
		return err_set(err, ERR_BAD_REQUEST, "events take HTTP/1.1; ask /api/v1/activity instead");
	if (!look(services->events, err) || !admit(services->events, client, &share, err))
		return false;
	listener = mem_zero(1, sizeof *listener);
	listener->events = services->events;
	listener->share = share;
	reply_stream(reply, 200, "text/event-stream", &ops, listener);
	reply_header(reply, "Cache-Control", "no-store");
	/* nginx would hold the stream back otherwise. */
	reply_header(reply, "X-Accel-Buffering", "no");
	return true;
}

void api_events(void *services, struct request *request, struct reply *reply)
{
	struct err err;

	if (!listen(services, request, reply, &err))
		problem_reply(reply, &err);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * A front with handlers of every kind, which tests steer through one struct. Include after cmocka.h. */
#ifndef TESTS_UNIT_FRONT_HANDLERS_H
#define TESTS_UNIT_FRONT_HANDLERS_H

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/http/front.h"
#include "server/http/problem.h"
#include "server/http/response_cache.h"
#include "server/metrics.h"
#include "tests/unit/held.h"

enum { FEED_MAX = 4 << 20, UPLOAD_MAX = 1 << 20, HOT_SIZE = 16 << 20 };

/* What handlers share with the test. */
struct services {
	pthread_mutex_t mutex; /* guards all below */
	pthread_cond_t changed;
	struct waiter *waiters; /* of the feed and of /later */
	int64_t fed;
	bool fed_all;
	bool fed_wrong;
	bool event; /* what /later waits for */
	bool gate_open;
	int at_gate;
	int begun;
	int aborted;
	int feeds; /* not yet destroyed */
	int resumed;
};

static void services_init(struct services *services)
{
	*services = (struct services){0};
	(void)pthread_mutex_init(&services->mutex, NULL);
	(void)pthread_cond_init(&services->changed, NULL);
}

static void await(struct services *services, const int *value, int wanted)
{
	HELD(&services->mutex);
	while (*value != wanted)
		(void)pthread_cond_wait(&services->changed, &services->mutex);
}

static void count(struct services *services, int *value, int change)
{
	HELD(&services->mutex);
	*value += change;
	(void)pthread_cond_broadcast(&services->changed);
}

static void open_gate(struct services *services)
{
	HELD(&services->mutex);
	services->gate_open = true;
	(void)pthread_cond_broadcast(&services->changed);
}

/* Changes what readers wait for, and wakes them outside of the mutex. */
static void feed(struct services *services, int64_t more, bool all, bool wrong)
{
	struct waiter *detached;

	(void)pthread_mutex_lock(&services->mutex);
	services->fed += more;
	services->fed_all = all;
	services->fed_wrong = wrong;
	detached = TAKE(services->waiters);
	(void)pthread_mutex_unlock(&services->mutex);
	waiter_wake_all(detached);
}

static char byte_at(int64_t offset)
{
	return (char)(offset * 31 + (offset >> 8) * 7);
}

static enum feed_result read_feed(
	void *object, int64_t offset, void *bytes, size_t length, size_t *out_read, struct waiter *waiter)
{
	struct services *services = object;
	HELD(&services->mutex);
	int64_t there = services->fed - offset;

	if (services->fed_wrong)
		return FEED_CUT;
	if (there == 0 && services->fed_all)
		return FEED_END;
	if (there == 0) {
		waiter_join(&services->waiters, waiter);
		return FEED_WAIT;
	}
	*out_read = there < (int64_t)length ? (size_t)there : length;
	for (size_t i = 0; i < *out_read; i++)
		((char *)bytes)[i] = byte_at(offset + (int64_t)i);
	return FEED_DATA;
}

static bool leave(void *object, struct waiter *waiter)
{
	struct services *services = object;
	HELD(&services->mutex);

	return waiter_leave(&services->waiters, waiter);
}

static void destroy_feed(void *object)
{
	struct services *services = object;

	count(services, &services->feeds, -1);
}

static const struct feed_ops feed_ops = {read_feed, leave, destroy_feed};

static void handle_stream(void *object, struct request *request, struct reply *reply)
{
	struct services *services = object;

	count(services, &services->feeds, 1);
	reply_stream(reply, 200, "application/gzip", &feed_ops, services);
}

static bool later_ready(void *object, struct waiter *waiter)
{
	struct services *services = object;
	HELD(&services->mutex);

	if (!services->event)
		waiter_join(&services->waiters, waiter);
	return services->event;
}

static void resume_twice(void *object, const struct request *request, struct reply *reply);
static const struct later_ops later_ops = {later_ready, leave, resume_twice, destroy_feed};

/* Waits a second time, so that a reply may be late again and again. */
static void resume_twice(void *object, const struct request *request, struct reply *reply)
{
	struct services *services = object;

	count(services, &services->resumed, 1);
	if (services->resumed % 2 == 1) {
		reply_later(reply, &later_ops, services);
		return;
	}
	destroy_feed(services);
	reply_text(reply, 200, "text/plain", request->path);
}

static void handle_later(void *object, struct request *request, struct reply *reply)
{
	struct services *services = object;

	count(services, &services->feeds, 1);
	reply_later(reply, &later_ops, services);
}

static void handle_hello(void *object, struct request *request, struct reply *reply)
{
	reply_text(reply, 200, "text/plain", "hello");
}

static void handle_blocked(void *object, struct request *request, struct reply *reply)
{
	struct services *services = object;
	HELD(&services->mutex);

	services->at_gate++;
	(void)pthread_cond_broadcast(&services->changed);
	while (!services->gate_open)
		(void)pthread_cond_wait(&services->changed, &services->mutex);
	reply_text(reply, 200, "text/plain", "passed");
}

static void handle_file(void *object, struct request *request, struct reply *reply)
{
	FILE *file = tmpfile();
	char block[1000];

	for (size_t i = 0; i < sizeof block; i++)
		block[i] = byte_at((int64_t)i);
	for (int i = 0; i < 300; i++)
		assert_int_equal(fwrite(block, 1, sizeof block, file), sizeof block);
	assert_int_equal(fflush(file), 0);
	reply_file(reply, 206, "application/gzip", dup(fileno(file)), 1500, 250000);
	(void)fclose(file);
}

/* Whoever gives it again stands at the gate first. */
static void hit_at_gate(void *object, bool download)
{
	struct services *services = object;
	HELD(&services->mutex);

	services->at_gate++;
	(void)pthread_cond_broadcast(&services->changed);
	while (!services->gate_open)
		(void)pthread_cond_wait(&services->changed, &services->mutex);
}

static void keep_services(void *object)
{
}

static void handle_hot(void *object, struct request *request, struct reply *reply)
{
	static const struct reuse_ops ops = {hit_at_gate, keep_services};
	static const char *const labels[REUSE_LABELS] = {"hot"};
	FILE *file = tmpfile();

	assert_int_equal(ftruncate(fileno(file), HOT_SIZE), 0);
	reply_file(reply, 200, "application/gzip", dup(fileno(file)), 0, HOT_SIZE);
	reply_reuse(reply, &ops, object, labels);
	(void)fclose(file);
}

static void handle_head(void *object, struct request *request, struct reply *reply)
{
	reply_empty(reply, strcmp(request->rest, "304") == 0 ? 304 : 200);
	if (strcmp(request->rest, "unknown") != 0)
		reply->head_length = 123456;
}

static void handle_internal(void *object, struct request *request, struct reply *reply)
{
	struct err err;

	(void)err_set(&err, ERR_INTERNAL, "the disk's secret name");
	problem_reply(reply, &err);
}

static void handle_memory(void *object, struct request *request, struct reply *reply)
{
	reply_text(reply, 200, "text/plain", buffer_string(&request->body));
}

static void handle_who(void *object, struct request *request, struct reply *reply)
{
	reply_text(reply, 200, "text/plain", request->who);
}

/* An upload is a count of its bytes; X-Refuse refuses it at its head. */
static bool begin_upload(void *object, struct request *request, struct reply *reply)
{
	struct services *services = object;
	struct err err;

	count(services, &services->begun, 1);
	if (request_header(request, "X-Refuse")) {
		(void)err_set(&err, ERR_CONFLICT, "other bytes are there");
		problem_reply(reply, &err);
		return false;
	}
	request->upload = mem_zero(1, sizeof(struct services *) + sizeof(int64_t));
	*(struct services **)request->upload = services;
	return true;
}

static int64_t *upload_length(const struct request *request)
{
	return (int64_t *)((char *)request->upload + sizeof(struct services *));
}

static bool write_upload(struct request *request, const void *bytes, size_t length)
{
	*upload_length(request) += (int64_t)length;
	return *upload_length(request) <= UPLOAD_MAX;
}

static void abort_upload(void *upload)
{
	struct services *services = *(struct services **)upload;

	free(upload);
	count(services, &services->aborted, 1);
}

static void handle_upload(void *object, struct request *request, struct reply *reply)
{
	int64_t length = *upload_length(request);
	struct err err;

	free(TAKE(request->upload));
	if (length > UPLOAD_MAX) {
		(void)err_set(&err, ERR_TOO_LARGE, "too large");
		problem_reply(reply, &err);
		return;
	}
	reply_take_bytes(reply, 201, "text/plain", mem_printf("%lld", (long long)length),
		(size_t)snprintf(NULL, 0, "%lld", (long long)length));
}

static const struct upload_ops upload_ops = {
	.begin = begin_upload, .write = write_upload, .abort = abort_upload};

static const struct route routes[] = {
	{METHOD_GET, "/hello", ROLE_NONE, BODY_NONE, NULL, handle_hello},
	{METHOD_GET, "/blocked", ROLE_NONE, BODY_NONE, NULL, handle_blocked},
	{METHOD_GET, "/file", ROLE_NONE, BODY_NONE, NULL, handle_file},
	{METHOD_GET, "/hot", ROLE_NONE, BODY_NONE, NULL, handle_hot},
	{METHOD_GET, "/head/*", ROLE_NONE, BODY_NONE, NULL, handle_head},
	{METHOD_GET, "/internal", ROLE_NONE, BODY_NONE, NULL, handle_internal},
	{METHOD_GET, "/stream", ROLE_NONE, BODY_NONE, NULL, handle_stream},
	{METHOD_GET, "/later", ROLE_NONE, BODY_NONE, NULL, handle_later},
	{METHOD_GET, "/admin", ROLE_ADMIN, BODY_NONE, NULL, handle_who},
	{METHOD_POST, "/memory", ROLE_NONE, BODY_MEMORY, NULL, handle_memory},
	{METHOD_PUT, "/admin", ROLE_ADMIN, BODY_UPLOAD, &upload_ops, handle_upload},
	{METHOD_PUT, "/upload/*", ROLE_HANDLER, BODY_UPLOAD, &upload_ops, handle_upload},
};

static bool authorize(void *object, enum role role, struct request *request, struct err *err)
{
	const char *token = request_token(request);

	if (!token || strcmp(token, "s3cret") != 0)
		return err_set(err, ERR_UNAUTHORIZED, "a token is needed");
	(void)strcpy(request->who, "alice");
	return true;
}

static struct front *open_front_with(struct services *services, unsigned max_connections, unsigned workers,
	unsigned drain_timeout_s, struct response_cache *response_cache)
{
	const struct front_settings settings = {
		.listen = "127.0.0.1:0",
		.hub_hosts = "tfhub.dev",
		.threads = 2,
		.workers = workers,
		.max_connections = max_connections,
		.idle_timeout_s = 60,
		.head_timeout_s = 60,
		.drain_timeout_s = drain_timeout_s,
		.routes = routes,
		.route_count = sizeof routes / sizeof *routes,
		.services = services,
		.response_cache = response_cache,
		.authorize = authorize,
	};
	struct front *front = NULL;
	struct err err;

	services_init(services);
	if (!front_open(&settings, &front, &err))
		fail_msg("%s", err.text);
	return front;
}

static struct front *open_front_for(
	struct services *services, unsigned max_connections, unsigned workers, unsigned drain_timeout_s)
{
	return open_front_with(services, max_connections, workers, drain_timeout_s, NULL);
}

static struct front *open_front(struct services *services, unsigned workers, unsigned drain_timeout_s)
{
	return open_front_for(services, 1000, workers, drain_timeout_s);
}

static void close_front(struct front *front)
{
	front_close(front);
	assert_int_equal(metric_read(METRIC_REQUESTS_RUNNING), 0);
	assert_int_equal(metric_read(METRIC_CONNECTIONS), 0);
}

#define GET(path) "GET " path " HTTP/1.1\r\nHost: x\r\n\r\n"

#endif

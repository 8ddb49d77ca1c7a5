/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "front_handlers.h"
#include "http_client.h"

static void test_a_connection_is_kept(void **state)
{
	struct services services;
	struct front *front = open_front(&services, 2, 10);
	struct client client = client_open(front_url(front));

	for (int i = 0; i < 3; i++) {
		struct answer answer;

		client_send(&client, GET("/hello?x=%20"));
		answer = client_read(&client, true);
		assert_int_equal(answer.status, 200);
		assert_string_equal(buffer_string(&answer.body), "hello");
		assert_null(answer_header(&answer, "Connection"));
		assert_true(answer_has(&answer, "Content-Type", "text/plain"));
		assert_true(answer_has(&answer, "Access-Control-Allow-Origin", "*"));
		assert_true(answer_has(&answer, "Cross-Origin-Resource-Policy", "cross-origin"));
		assert_true(answer_has(&answer, "X-Content-Type-Options", "nosniff"));
		assert_true(answer_has(&answer, "Server", "larder/" LARDER_VERSION));
		answer_finish(&answer);
	}
	assert_int_equal(
		client_ask(&client, "GET http://tfhub.dev/hello HTTP/1.1\r\nHost: tfhub.dev\r\n\r\n"), 200);
	client_close(&client);
	close_front(front);
}

static void test_pipelined_requests(void **state)
{
	struct services services;
	struct front *front = open_front(&services, 2, 10);
	struct client client = client_open(front_url(front));
	static const int statuses[] = {200, 404, 200, 405};

	client_send(&client,
		GET("/hello") GET("/nothing") GET("/hello") "DELETE /hello HTTP/1.1\r\nHost: x\r\n\r\n");
	for (int i = 0; i < 4; i++) {
		struct answer answer = client_read(&client, true);

		assert_int_equal(answer.status, statuses[i]);
		assert_true(answer.complete);
		answer_finish(&answer);
	}
	client_close(&client);
	close_front(front);
}

static void test_files_are_sent_in_part(void **state)
{
	struct services services;
	struct front *front = open_front(&services, 2, 10);
	struct client client = client_open(front_url(front));
	struct answer answer;

	client_send(&client, GET("/file"));
	answer = client_read(&client, true);
	assert_int_equal(answer.status, 206);
	assert_int_equal(answer.body.length, 250000);
	for (int i = 0; i < 250000; i++)
		assert_int_equal(answer.body.data[i], byte_at((1500 + i) % 1000));
	answer_finish(&answer);
	client_close(&client);
	close_front(front);
}

static void test_head_and_304_have_no_body(void **state)
{
	static const struct {
		const char *request;
		int status;
		const char *length;
	} cases[] = {
		{"HEAD /hello HTTP/1.1\r\nHost: x\r\n\r\n", 200, "5"},
		{"HEAD /file HTTP/1.1\r\nHost: x\r\n\r\n", 206, "250000"},
		{"HEAD /head/known HTTP/1.1\r\nHost: x\r\n\r\n", 200, "123456"},
		{"HEAD /nothing HTTP/1.1\r\nHost: x\r\n\r\n", 404, NULL},
		{GET("/head/304"), 304, "123456"},
		{"HEAD /head/unknown HTTP/1.1\r\nHost: x\r\n\r\n", 200, ""},
		{"HEAD /stream HTTP/1.1\r\nHost: x\r\n\r\n", 200, ""},
	};
	struct services services;
	struct front *front = open_front(&services, 2, 10);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct client client = client_open(front_url(front));
		struct answer answer;

		client_send(&client, cases[i].request);
		answer = client_read(&client, false);
		assert_int_equal(answer.status, cases[i].status);
		if (cases[i].length && *cases[i].length)
			assert_true(answer_has(&answer, "Content-Length", cases[i].length));
		else if (cases[i].length)
			assert_null(answer_header(&answer, "Content-Length"));
		assert_null(answer_header(&answer, "Transfer-Encoding"));
		/* Whatever came after the head would be read as the next answer. */
		assert_int_equal(client_ask(&client, GET("/hello")), 200);
		answer_finish(&answer);
		client_close(&client);
	}
	close_front(front);
}

static void test_refusals_name_their_cause(void **state)
{
	static const struct {
		const char *request;
		int status;
		const char *code;
		const char *header;
		const char *value;
	} cases[] = {
		{GET("/nothing"), 404, "not-found", "Access-Control-Allow-Origin", "*"},
		{GET("/a%2Fb"), 400, "bad-request", "Cache-Control", "no-store"},
		{GET("/https://example.com/x"), 400, "bad-request", NULL, NULL},
		{"POST /hello HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", 405, "method-not-allowed",
			"Allow", "GET, HEAD, OPTIONS"},
		{"BREW /hello HTTP/1.1\r\nHost: x\r\n\r\n", 405, "method-not-allowed", "Allow",
			"GET, HEAD, OPTIONS"},
		{GET("/admin"), 401, "unauthorized", "WWW-Authenticate", "Bearer realm=\"larder\""},
		{GET("/internal"), 500, "internal", NULL, NULL},
		{"GET /stream HTTP/1.0\r\n\r\n", 500, "internal", NULL, NULL},
	};
	struct services services;
	struct front *front = open_front(&services, 2, 10);

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct client client = client_open(front_url(front));
		char wanted[64];
		struct answer answer;

		client_send(&client, cases[i].request);
		answer = client_read(&client, true);
		assert_int_equal(answer.status, cases[i].status);
		assert_true(answer_has(&answer, "Content-Type", "application/problem+json"));
		(void)snprintf(wanted, sizeof wanted, "\"code\":\"%s\"", cases[i].code);
		assert_non_null(strstr(buffer_string(&answer.body), wanted));
		assert_null(strstr(buffer_string(&answer.body), "secret"));
		if (cases[i].header)
			assert_true(answer_has(&answer, cases[i].header, cases[i].value));
		answer_finish(&answer);
		client_close(&client);
	}
	close_front(front);
	assert_int_equal(services.feeds, 0);
}

static void test_preflight_and_tokens(void **state)
{
	struct services services;
	struct front *front = open_front(&services, 2, 10);
	struct client client = client_open(front_url(front));
	struct answer answer;

	client_send(&client, "OPTIONS /admin HTTP/1.1\r\nHost: x\r\nOrigin: http://y\r\n\r\n");
	answer = client_read(&client, true);
	assert_int_equal(answer.status, 204);
	assert_true(answer_has(&answer, "Allow", "GET, HEAD, PUT, OPTIONS"));
	assert_true(answer_has(&answer, "Access-Control-Allow-Methods", "GET, HEAD, PUT, OPTIONS"));
	assert_non_null(strstr(answer_header(&answer, "Access-Control-Allow-Headers"),
		"Authorization, Content-Type, Range"));
	answer_finish(&answer);
	assert_int_equal(client_ask(&client, "OPTIONS /nothing HTTP/1.1\r\nHost: x\r\n\r\n"), 404);
	assert_int_equal(
		client_ask(&client, "GET /admin HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer s3cret\r\n\r\n"),
		200);
	client_send(&client, GET("/-/t/s3cret/admin/"));
	answer = client_read(&client, true);
	assert_string_equal(buffer_string(&answer.body), "alice");
	answer_finish(&answer);
	client_close(&client);
	close_front(front);
}

static void send_zeros(struct client *client, size_t length)
{
	static const char zeros[64 << 10];

	while (length > 0) {
		ssize_t sent =
			send(client->fd, zeros, length < sizeof zeros ? length : sizeof zeros, MSG_NOSIGNAL);

		assert_true(sent > 0);
		length -= (size_t)sent;
	}
}

/* Behind a body in chunks a connection ends: how much was read of what follows is not known. */
static void open_anew(struct client *client, const struct front *front)
{
	client_close(client);
	*client = client_open(front_url(front));
}

static void test_bodies_in_memory_are_limited(void **state)
{
	struct services services;
	struct front *front = open_front(&services, 2, 10);
	struct client client = client_open(front_url(front));
	struct answer answer;

	client_send(&client, "POST /memory HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nseven");
	answer = client_read(&client, true);
	assert_string_equal(buffer_string(&answer.body), "seven");
	answer_finish(&answer);
	client_send(&client, "POST /memory HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
			     "4\r\nfour\r\n5\r\n five\r\n0\r\n\r\n");
	answer = client_read(&client, true);
	assert_string_equal(buffer_string(&answer.body), "four five");
	assert_true(answer_has(&answer, "Connection", "close"));
	answer_finish(&answer);
	open_anew(&client, front);

	/* Refused by its head, with the body taken, so that the client reads its answer and the connection is
	 * kept. */
	client_send(&client, "POST /memory HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n\r\n");
	send_zeros(&client, 1000000);
	answer = client_read(&client, true);
	assert_int_equal(answer.status, 413);
	answer_finish(&answer);
	assert_int_equal(client_ask(&client, GET("/hello")), 200);
	/* Refused on the way. */
	client_send(
		&client, "POST /memory HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n10001\r\n");
	send_zeros(&client, 0x10001);
	assert_int_equal(client_ask(&client, "\r\n0\r\n\r\n"), 413);
	open_anew(&client, front);
	/* Refused without a look at the body, which the client holds back. */
	assert_int_equal(client_ask(&client, "POST /memory HTTP/1.1\r\nHost: x\r\nContent-Length: 1000000\r\n"
					     "Expect: 100-continue\r\n\r\n"),
		413);
	client_close(&client);
	close_front(front);
}

static void test_uploads(void **state)
{
	struct services services;
	struct front *front = open_front(&services, 2, 10);
	struct client client = client_open(front_url(front));
	struct answer answer;

	client_send(&client, "PUT /upload/a HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n");
	send_zeros(&client, 500000);
	answer = client_read(&client, true);
	assert_int_equal(answer.status, 201);
	assert_string_equal(buffer_string(&answer.body), "500000");
	answer_finish(&answer);
	assert_int_equal(
		client_ask(&client, "PUT /upload/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
				    "5\r\nseven\r\n3\r\nten\r\n0\r\n\r\n"),
		201);
	open_anew(&client, front);
	assert_int_equal(
		client_ask(&client, "PUT /upload/a HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n"), 201);
	/* write says no: the handler's refusal comes, and the rest of the body has been dropped. */
	client_send(&client, "PUT /upload/a HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n");
	send_zeros(&client, 5000000);
	answer = client_read(&client, true);
	assert_int_equal(answer.status, 413);
	answer_finish(&answer);
	/* The same where several small chunks stand in one buffer. */
	client_send(
		&client, "PUT /upload/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n100000\r\n");
	send_zeros(&client, 0x100000);
	assert_int_equal(client_ask(&client, "\r\n1\r\na\r\n1\r\nb\r\n1\r\nc\r\n1\r\nd\r\n0\r\n\r\n"), 413);
	open_anew(&client, front);
	assert_int_equal(client_ask(&client, GET("/hello")), 200);
	assert_int_equal(services.aborted, 0);
	client_close(&client);
	close_front(front);
}

#define EXPECT "Host: x\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"

static void test_continue_comes_after_begin(void **state)
{
	struct services services;
	struct front *front = open_front(&services, 2, 10);
	struct client client = client_open(front_url(front));
	struct answer answer;

	client_send(&client, "PUT /upload/a HTTP/1.1\r\n" EXPECT "\r\n");
	answer = client_read(&client, true);
	assert_int_equal(answer.status, 100);
	await(&services, &services.begun, 1);
	assert_int_equal(client_ask(&client, "seven"), 201);
	/* Refused by begin: the final status, and never a 100. */
	assert_int_equal(client_ask(&client, "PUT /upload/a HTTP/1.1\r\n" EXPECT "X-Refuse: 1\r\n\r\n"), 409);
	client_close(&client);
	/* Refused before begin. */
	client = client_open(front_url(front));
	assert_int_equal(client_ask(&client, "PUT /admin HTTP/1.1\r\n" EXPECT "\r\n"), 401);
	client_close(&client);
	/* Refused, but sent all the same. */
	client = client_open(front_url(front));
	assert_int_equal(client_ask(&client, "PUT /upload/a HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
					     "X-Refuse: 1\r\n\r\nseven"),
		409);
	assert_int_equal(client_ask(&client, GET("/hello")), 200);
	client_close(&client);
	await(&services, &services.begun, 3);
	close_front(front);
	assert_int_equal(services.aborted, 0);
}

static void test_an_abandoned_upload_is_aborted(void **state)
{
	struct services services;
	struct front *front = open_front(&services, 2, 0);
	struct client client = client_open(front_url(front));

	client_send(&client, "PUT /upload/a HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\nseven");
	await(&services, &services.begun, 1);
	client_close(&client);
	await(&services, &services.aborted, 1);
	/* The server's end aborts as well. */
	client = client_open(front_url(front));
	client_send(&client, "PUT /upload/a HTTP/1.1\r\n" EXPECT "\r\n");
	await(&services, &services.begun, 2);
	close_front(front);
	assert_int_equal(services.aborted, 2);
	client_close(&client);
}

static void test_a_full_queue_refuses(void **state)
{
	enum { QUEUE = 128, REFUSED = 11, CLIENTS = QUEUE + REFUSED };
	struct services services;
	struct front *front = open_front(&services, 1, 60);
	struct client first = client_open(front_url(front));
	struct client clients[CLIENTS];
	int64_t busy = metric_read(METRIC_BUSY);
	int refused = 0;

	client_send(&first, GET("/blocked"));
	await(&services, &services.at_gate, 1);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = client_open(front_url(front));
		client_send(&clients[i], GET("/blocked"));
	}
	while (metric_read(METRIC_BUSY) < busy + REFUSED)
		(void)sched_yield();
	open_gate(&services);
	for (int i = 0; i < CLIENTS; i++) {
		struct answer answer = client_read(&clients[i], true);

		assert_true(answer.status == 200 || answer.status == 503);
		if (answer.status == 503) {
			refused++;
			assert_true(answer_has(&answer, "Retry-After", "1"));
		}
		answer_finish(&answer);
		client_close(&clients[i]);
	}
	assert_int_equal(refused, REFUSED);
	client_close(&first);
	close_front(front);
}

static void test_a_late_reply_holds_no_worker(void **state)
{
	enum { CLIENTS = 40 };
	struct services services;
	struct front *front = open_front(&services, 1, 10);
	struct client clients[CLIENTS];
	struct client other = client_open(front_url(front));

	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = client_open(front_url(front));
		client_send(&clients[i], GET("/later"));
	}
	await(&services, &services.feeds, CLIENTS);
	assert_int_equal(client_ask(&other, GET("/hello")), 200);
	/* Woken for nothing at first. */
	feed(&services, 0, false, false);
	(void)pthread_mutex_lock(&services.mutex);
	services.event = true;
	(void)pthread_mutex_unlock(&services.mutex);
	feed(&services, 0, false, false);
	for (int i = 0; i < CLIENTS; i++) {
		struct answer answer = client_read(&clients[i], true);

		assert_int_equal(answer.status, 200);
		assert_string_equal(buffer_string(&answer.body), "/later");
		answer_finish(&answer);
		client_close(&clients[i]);
	}
	client_close(&other);
	close_front(front);
	assert_int_equal(services.feeds, 0);
}

static void *feed_slowly(void *object)
{
	struct services *services = object;

	/* Odd pieces, some larger than a chunk and many smaller, so that readers catch up again and again. */
	for (int64_t fed = 0, piece = 1; fed < FEED_MAX; fed += piece) {
		piece = (piece * 7919 + 13) % 50021;
		if (piece > FEED_MAX - fed)
			piece = FEED_MAX - fed;
		feed(services, piece, false, false);
	}
	feed(services, 0, true, false);
	return NULL;
}

static void test_many_readers_of_one_feed(void **state)
{
	enum { CLIENTS = 32 };
	struct services services;
	struct front *front = open_front(&services, 2, 10);
	struct client clients[CLIENTS];
	pthread_t writer;

	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = client_open(front_url(front));
		client_send(&clients[i], GET("/stream"));
	}
	await(&services, &services.feeds, CLIENTS);
	assert_int_equal(pthread_create(&writer, NULL, feed_slowly, &services), 0);
	for (int i = 0; i < CLIENTS; i++) {
		struct answer answer = client_read(&clients[i], true);
		int64_t wrong = 0;

		assert_true(answer.complete);
		assert_true(answer_has(&answer, "Transfer-Encoding", "chunked"));
		assert_int_equal(answer.body.length, FEED_MAX);
		for (int64_t at = 0; at < FEED_MAX; at++)
			wrong += answer.body.data[at] != byte_at(at);
		assert_int_equal(wrong, 0);
		answer_finish(&answer);
		/* A stream that ended in order keeps its connection. */
		assert_int_equal(client_ask(&clients[i], GET("/hello")), 200);
		client_close(&clients[i]);
	}
	assert_int_equal(pthread_join(writer, NULL), 0);
	close_front(front);
	assert_int_equal(services.feeds, 0);
}

static void test_a_cut_is_a_reset(void **state)
{
	struct services services;
	struct front *front = open_front(&services, 2, 10);
	struct client client = client_open(front_url(front));
	int64_t cuts = metric_read(METRIC_CUTS);
	char bytes[64];

	feed(&services, 10, false, false);
	client_send(&client, GET("/stream"));
	assert_true(client_read_until(&client, "\r\n\r\nA\r\n", bytes, sizeof bytes));
	feed(&services, 0, false, true);
	while (client_receive(&client))
		continue;
	assert_int_equal(errno, ECONNRESET);
	assert_null(strstr(buffer_string(&client.in), "\r\n0\r\n"));
	client_close(&client);
	client = client_open(front_url(front));
	assert_int_equal(client_ask(&client, GET("/hello")), 200);
	client_close(&client);
	close_front(front);
	assert_int_equal(metric_read(METRIC_CUTS), cuts + 1);
	assert_int_equal(services.feeds, 0);
}

static void test_close_ends_the_suspended(void **state)
{
	enum { CLIENTS = 20 };
	struct services services;
	struct front *front = open_front(&services, 2, 0);
	struct client clients[CLIENTS];
	char bytes[64];

	feed(&services, 10, false, false);
	for (int i = 0; i < CLIENTS; i++) {
		clients[i] = client_open(front_url(front));
		client_send(&clients[i], i % 2 ? GET("/later") : GET("/stream"));
	}
	await(&services, &services.feeds, CLIENTS);
	for (int i = 0; i < CLIENTS; i += 2)
		assert_true(client_read_until(&clients[i], "\r\n\r\nA\r\n", bytes, sizeof bytes));
	close_front(front);
	assert_int_equal(services.feeds, 0);
	assert_null(services.waiters);
	for (int i = 0; i < CLIENTS; i++) {
		while (client_receive(&clients[i]))
			continue;
		assert_null(strstr(buffer_string(&clients[i].in), "\r\n0\r\n"));
		client_close(&clients[i]);
	}
}

static void *close_in_thread(void *front)
{
	front_close(front);
	return NULL;
}

static void test_close_lets_running_answers_end(void **state)
{
	struct services services;
	struct front *front = open_front(&services, 2, 60);
	AUTO_FREE char *url = mem_dup(front_url(front));
	struct client client = client_open(url);
	struct client idle = client_open(url);
	struct answer answer;
	pthread_t closer;
	bool accepted = true;

	assert_int_equal(client_ask(&idle, GET("/hello")), 200);
	client_send(&client, GET("/blocked"));
	await(&services, &services.at_gate, 1);
	assert_int_equal(pthread_create(&closer, NULL, close_in_thread, front), 0);
	while (accepted) {
		struct client late = client_open(url);

		accepted = late.fd >= 0;
		client_close(&late);
	}
	open_gate(&services);
	answer = client_read(&client, true);
	assert_int_equal(answer.status, 200);
	assert_true(answer_has(&answer, "Connection", "close"));
	answer_finish(&answer);
	assert_int_equal(pthread_join(closer, NULL), 0);
	client_close(&client);
	client_close(&idle);
}

/* One that has begun and does not count as running yet. */
static void test_close_lets_kept_answers_begin(void **state)
{
	enum { TIME_TO_MISS_IT_MS = 100 };
	static const struct response_cache_limits limits = {.replies = 10, .files = 10, .bytes = 1 << 20};
	struct services services;
	struct response_cache *response_cache = response_cache_create(&limits);
	struct front *front = open_front_with(&services, 10, 2, 60, response_cache);
	struct client first = client_open(front_url(front));
	struct client client = client_open(front_url(front));
	struct answer answer;
	pthread_t closer;

	assert_int_equal(client_ask(&first, GET("/hot")), 200);
	client_send(&client, GET("/hot"));
	await(&services, &services.at_gate, 1);
	assert_int_equal(pthread_create(&closer, NULL, close_in_thread, front), 0);
	clock_sleep_ms(TIME_TO_MISS_IT_MS);
	open_gate(&services);
	answer = client_read(&client, true);
	assert_int_equal(answer.status, 200);
	assert_true(answer.complete);
	answer_finish(&answer);
	assert_int_equal(pthread_join(closer, NULL), 0);
	assert_int_equal(metric_read(METRIC_REQUESTS_RUNNING), 0);
	client_close(&first);
	client_close(&client);
	response_cache_destroy(response_cache);
}

static void test_those_over_the_limit_wait(void **state)
{
	struct services services;
	struct front *front = open_front_for(&services, 2, 2, 10);
	struct client first = client_open(front_url(front));
	struct client second = client_open(front_url(front));
	struct client third;
	struct answer answer;

	assert_int_equal(client_ask(&first, GET("/hello")), 200);
	assert_int_equal(client_ask(&second, GET("/hello")), 200);
	third = client_open(front_url(front));
	client_send(&third, GET("/hello"));
	assert_int_equal(client_ask(&first, GET("/hello")), 200);
	assert_int_equal(metric_read(METRIC_CONNECTIONS), 2);
	client_close(&second);
	answer = client_read(&third, true);
	assert_int_equal(answer.status, 200);
	answer_finish(&answer);
	client_close(&first);
	client_close(&third);
	close_front(front);
}

static void *ask_until_refused(void *url)
{
	struct client client;

	for (client = client_open(url); client.fd >= 0; client = client_open(url)) {
		(void)send(client.fd, GET("/hello"), strlen(GET("/hello")), MSG_NOSIGNAL);
		(void)client_receive(&client);
		client_close(&client);
	}
	client_close(&client);
	return NULL;
}

/* Closing once aborted the process where a thread of libmicrohttpd was busy at that moment. */
static void test_closing_under_load(void **state)
{
	enum { ROUNDS = 40, CLIENTS = 4 };

	for (int round = 0; round < ROUNDS; round++) {
		struct services services;
		struct front *front = open_front(&services, 2, 10);
		AUTO_FREE char *url = mem_dup(front_url(front));
		int64_t answered = metric_read(METRIC_REQUESTS);
		pthread_t clients[CLIENTS];

		for (int i = 0; i < CLIENTS; i++)
			assert_int_equal(pthread_create(&clients[i], NULL, ask_until_refused, url), 0);
		while (metric_read(METRIC_REQUESTS) < answered + CLIENTS)
			(void)sched_yield();
		close_front(front);
		for (int i = 0; i < CLIENTS; i++)
			assert_int_equal(pthread_join(clients[i], NULL), 0);
	}
}

static void test_heads_that_can_be_read_in_two_ways(void **state)
{
	static const char *const heads[] = {
		"Host: x\r\nContent-Length: 3\r\nContent-Length: 3\r\n",
		"Host: x\r\nContent-Length: 3\r\nContent-Length: 4\r\n",
		"Host: x\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n",
		"Host: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
		"Host: x\r\nTransfer-Encoding: gzip, chunked\r\n",
		"Host: x\r\nTransfer-Encoding: identity\r\n",
		"Host: x\r\nHost: y\r\n",
		"Content-Length: 3\r\n",
		"Host: x\r\nContent-Length : 3\r\n",
	};
	struct services services;
	struct front *front = open_front(&services, 2, 10);

	for (size_t i = 0; i < sizeof heads / sizeof *heads; i++) {
		struct client client = client_open(front_url(front));
		struct answer answer;

		client_send(&client, "POST /memory HTTP/1.1\r\n");
		client_send(&client, heads[i]);
		client_send(&client, "\r\n");
		answer = client_read(&client, true);
		if (answer.status != 400)
			fail_msg("%s was answered with %d", heads[i], answer.status);
		while (client_receive(&client))
			continue;
		answer_finish(&answer);
		client_close(&client);
	}
	close_front(front);
}

static void test_where_it_cannot_listen(void **state)
{
	static const char *const wrong[] = {"nowhere", "256.0.0.1:80", "127.0.0.1:http:", "192.0.2.1:0"};
	struct front_settings settings = {.threads = 1, .workers = 1, .max_connections = 10};
	struct front *front = NULL;
	struct err err;

	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		settings.listen = wrong[i];
		assert_false(front_open(&settings, &front, &err));
		assert_non_null(strstr(err.text, wrong[i]));
	}
	front_close(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_a_connection_is_kept),
		cmocka_unit_test(test_pipelined_requests),
		cmocka_unit_test(test_files_are_sent_in_part),
		cmocka_unit_test(test_head_and_304_have_no_body),
		cmocka_unit_test(test_refusals_name_their_cause),
		cmocka_unit_test(test_preflight_and_tokens),
		cmocka_unit_test(test_bodies_in_memory_are_limited),
		cmocka_unit_test(test_uploads),
		cmocka_unit_test(test_continue_comes_after_begin),
		cmocka_unit_test(test_an_abandoned_upload_is_aborted),
		cmocka_unit_test(test_a_full_queue_refuses),
		cmocka_unit_test(test_a_late_reply_holds_no_worker),
		cmocka_unit_test(test_many_readers_of_one_feed),
		cmocka_unit_test(test_a_cut_is_a_reset),
		cmocka_unit_test(test_close_ends_the_suspended),
		cmocka_unit_test(test_close_lets_running_answers_end),
		cmocka_unit_test(test_close_lets_kept_answers_begin),
		cmocka_unit_test(test_those_over_the_limit_wait),
		cmocka_unit_test(test_closing_under_load),
		cmocka_unit_test(test_heads_that_can_be_read_in_two_ways),
		cmocka_unit_test(test_where_it_cannot_listen),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	log_configure(LOG_LEVEL_ERROR, LOG_FORMAT_TEXT);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The upstream client against a real HTTP server that can stall, cut and redirect. */
#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/metrics.h"
#include "server/upstream/client.h"
#include "server/upstream/upstream_credentials.h"
#include "tests/unit/scripted_server.h"

enum { LONG_BODY = 1000 * 1000 };

/* ---- What it answers ---- */

/* Keeps the connection open until the other side closes it. */
static bool sleep_on(int fd, const char *request)
{
	char bytes[256];

	while (recv(fd, bytes, sizeof bytes, 0) > 0)
		;
	return false;
}

static bool send_long(int fd, const char *request)
{
	AUTO_FREE char *body = mem_zero(1, LONG_BODY);

	for (int i = 0; i < LONG_BODY; i++)
		body[i] = (char)(i % 251);
	say(fd, "HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n", LONG_BODY);
	send_all(fd, body, LONG_BODY);
	return true;
}

/* Says something again and again until the other side has had enough. */
static bool repeat(int fd, const char *text)
{
	const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};

	while (send(fd, text, strlen(text), MSG_NOSIGNAL) > 0)
		(void)nanosleep(&pause, NULL);
	return false;
}

static bool send_head_for_ever(int fd, const char *request)
{
	return repeat(fd, "X: y\r\n");
}

static bool trickle(int fd, const char *request)
{
	return repeat(fd, "z");
}

static bool send_endless_head(int fd, const char *request)
{
	say(fd, "HTTP/1.1 200 OK\r\n");
	for (int i = 0; i < 4000; i++)
		say(fd, "X-%d: %0100d\r\n", i, i);
	say(fd, "Content-Length: 0\r\n\r\n");
	return false;
}

static bool send_range(int fd, const char *request)
{
	const char *range = strstr(request, "\r\nRange: bytes=4-\r\n");
	const char *if_range = strstr(request, "\r\nIf-Range: \"v1\"\r\n");

	if (range && if_range)
		say(fd, "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 4-9/10\r\nContent-Length: "
			"6\r\n\r\n456789");
	else
		say(fd, "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\n0123456789");
	return true;
}

/* What a path is answered; "%1$d" is this server's port, "%2$d" the other one's. */
static const struct script {
	const char *path;
	const char *answer;
	bool (*act)(
		int fd, const char *request); /* after the answer; answers whether the connection lives on */
	bool close;
} scripts[] = {
	{"/plain",
		"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nContent-Type: application/gzip\r\nETag: \"v1\"\r\n"
		"last-modified:  Sat, 21 Nov 2026 01:02:03 GMT \r\nContent-Encoding: gzip\r\n\r\nhello"},
	{"/interim", "HTTP/1.1 103 Early Hints\r\nContent-Length: 77\r\nETag: \"no\"\r\nLocation: /no\r\n\r\n"
		     "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"},
	{"/chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n"
		     "Content-Type: trailer/ignored\r\n\r\n"},
	{"/until-close", "HTTP/1.0 200 OK\r\n\r\nhello", .close = true},
	{"/empty", "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	{"/absent", "HTTP/1.1 404 Not Found\r\nContent-Length: 4\r\n\r\ngone"},
	{"/head", "HTTP/1.1 200 OK\r\nContent-Length: 123456789012\r\n\r\n"},
	{"/busy-seconds", "HTTP/1.1 503 Busy\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n"},
	{"/busy-date", "HTTP/1.1 429 Busy\r\nRetry-After: Fri, 31 Dec 2199 23:59:59 GMT\r\nContent-Length: "
		       "0\r\n\r\n"},
	{"/busy-past", "HTTP/1.1 503 Busy\r\nRetry-After: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Length: "
		       "0\r\n\r\n"},
	{"/one", "HTTP/1.1 301 Moved\r\nLocation: /two?secret=1\r\nETag: \"no\"\r\nContent-Length: "
		 "3\r\n\r\nbad"},
	{"/two", "HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%1$d/three?secret=2\r\nContent-Length: "
		 "0\r\n\r\n"},
	{"/three", "HTTP/1.1 308 Permanent\r\nLocation: plain?secret=3\r\nContent-Length: 0\r\n\r\n"},
	{"/see-other", "HTTP/1.1 303 See Other\r\nLocation: /see-temporary\r\nContent-Length: 0\r\n\r\n"},
	{"/see-temporary", "HTTP/1.1 307 Temporary\r\nLocation: /plain\r\nContent-Length: 0\r\n\r\n"},
	{"/round", "HTTP/1.1 302 Found\r\nLocation: /round\r\nContent-Length: 0\r\n\r\n"},
	{"/to-file", "HTTP/1.1 302 Found\r\nLocation: file:///etc/passwd\r\nContent-Length: 0\r\n\r\n"},
	{"/to-ftp", "HTTP/1.1 302 Found\r\nLocation: ftp://127.0.0.1/x\r\nContent-Length: 0\r\n\r\n"},
	{"/to-nothing", "HTTP/1.1 302 Found\r\nLocation: http://\r\nContent-Length: 0\r\n\r\n"},
	{"/elsewhere",
		"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:%2$d/plain\r\nContent-Length: 0\r\n\r\n"},
	{"/to-mapped", "HTTP/1.1 302 Found\r\nLocation: "
		       "http://[::ffff:127.0.0.1]:%2$d/plain\r\nContent-Length: 0\r\n\r\n"},
	{"/to-name",
		"HTTP/1.1 302 Found\r\nLocation: http://localhost:%1$d/plain\r\nContent-Length: 0\r\n\r\n"},
	{"/to-cloud", "HTTP/1.1 302 Found\r\nLocation: http://169.254.169.254/\r\nContent-Length: 0\r\n\r\n"},
	{"/to-far", "HTTP/1.1 302 Found\r\nLocation: http://far.example/plain\r\nContent-Length: 0\r\n\r\n"},
	{"/blank-location", "HTTP/1.1 302 Found\r\nLocation: \r\nContent-Length: 5\r\n\r\nhello"},
	{"/cut", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\nETag: \"v1\"\r\n\r\nhello", .close = true},
	{"/cut-chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n",
		.close = true},
	{"/stall", "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nhello", .act = sleep_on},
	{"/silent", "", .act = sleep_on},
	{"/hang-up", "", .close = true},
	{"/not-http", "hello, this is no HTTP\r\n\r\n", .close = true},
	{"/bad-length", "HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\nhello", .close = true},
	{"/half-a-head", "HTTP/1.1 200 OK\r\nContent-Le", .close = true},
	{"/head-for-ever", "HTTP/1.1 200 OK\r\n", .act = send_head_for_ever},
	{"/to-silent", "HTTP/1.1 302 Found\r\nLocation: /silent\r\nContent-Length: 0\r\n\r\n"},
	{"/trickle", "HTTP/1.1 200 OK\r\nContent-Length: 5000\r\n\r\n", .act = trickle},
	{"/long", "", .act = send_long},
	{"/endless-head", "", .act = send_endless_head},
	{"/range", "", .act = send_range},
	{"/unsatisfiable", "HTTP/1.1 416 No\r\nContent-Range: bytes */10\r\nContent-Length: 0\r\n\r\n"},
	{"/bad-range", "HTTP/1.1 206 Partial\r\nContent-Range: bytes 9-4/10\r\nContent-Length: 0\r\n\r\n"},
};

static const struct script *find_script(const char *request)
{
	char path[128] = "";
	char *from;

	if (sscanf(request, "%*s %127s", path) != 1)
		return NULL;
	path[strcspn(path, "?")] = '\0';
	from = strstr(path, "://") ? strchr(strstr(path, "://") + 3, '/') : path;
	for (size_t i = 0; from && i < sizeof scripts / sizeof *scripts; i++) {
		if (strcmp(from, scripts[i].path) == 0)
			return &scripts[i];
	}
	return NULL;
}

/* The context is the port of the other server, where "/elsewhere" leads. */
static bool answer_request(struct server *server, int fd, const char *request)
{
	const struct script *script = find_script(request);
	const int *other_port = server->context;
	char text[2048];

	if (!script)
		return false;
	if (strstr(script->answer, "$d"))
		(void)snprintf(text, sizeof text, script->answer, server->port, *other_port);
	else
		(void)snprintf(text, sizeof text, "%s", script->answer);
	send_all(fd, text, strlen(text));
	if (script->act)
		return script->act(fd, request);
	return !script->close;
}

/* ---- What a test has ---- */

struct house {
	struct server *first;
	struct server *second;
	int no_port;
	struct client *client;
};

/* Longer than a machine that is too busy takes, and short for those that wait for a time-out to end. */
enum { PATIENT_S = 300, IMPATIENT_S = 3 };

static struct client *make_client(bool private_redirects, int patience_s)
{
	struct client_settings settings = {.connect_timeout_s = patience_s,
		.stall_timeout_s = patience_s,
		.min_bytes_per_s = 100,
		.private_redirects = private_redirects,
		.user_agent = "larder/test"};

	return client_create(&settings);
}

static int open_house(void **state)
{
	struct house *house = mem_zero(1, sizeof *house);

	house->second = start_server(answer_request, &house->no_port);
	house->first = start_server(answer_request, &house->second->port);
	house->client = make_client(false, PATIENT_S);
	*state = house;
	return 0;
}

static int open_impatient_house(void **state)
{
	struct house *house;

	(void)open_house(state);
	house = *state;
	client_destroy(house->client);
	house->client = make_client(false, IMPATIENT_S);
	return 0;
}

static int close_house(void **state)
{
	struct house *house = *state;

	client_destroy(house->client);
	stop_server(house->first);
	stop_server(house->second);
	free(house);
	return 0;
}

struct taken {
	struct answer answer;
	int heads;
	bool body_before_head;
	struct buffer body;
	size_t largest;
	bool decline_head;
	bool decline_body;
	sem_t *begun;                       /* posted when the first bytes of a body have come */
	void (*pause)(struct taken *taken); /* NULL, or what keeps the receiver from its first bytes */
	sem_t *go_on;
};

static bool take_head(void *context, const struct answer *answer)
{
	struct taken *taken = context;

	taken->heads++;
	taken->answer = *answer;
	return !taken->decline_head;
}

static bool take_body(void *context, const void *bytes, size_t length)
{
	struct taken *taken = context;

	if (taken->pause)
		taken->pause(taken);
	taken->pause = NULL;
	taken->body_before_head |= taken->heads == 0;
	taken->largest = length > taken->largest ? length : taken->largest;
	buffer_add(&taken->body, bytes, length);
	if (taken->begun)
		(void)sem_post(taken->begun);
	return !taken->decline_body;
}

static enum transfer_outcome fetch_stoppable(struct client *client, struct server *server, const char *path,
	struct transfer_request request, const _Atomic bool *stop, struct taken *taken, struct err *why)
{
	AUTO_FREE char *url = mem_printf("http://127.0.0.1:%d%s", server->port, path);
	struct receiver receiver = {.head = take_head, .body = take_body, .context = taken};
	enum transfer_outcome outcome;

	request.url = url;
	outcome = client_transfer(client, &request, &receiver, stop, why);
	assert_false(taken->body_before_head);
	return outcome;
}

static enum transfer_outcome fetch_as(struct client *client, struct server *server, const char *path,
	struct transfer_request request, struct taken *taken, struct err *why)
{
	return fetch_stoppable(client, server, path, request, NULL, taken, why);
}

static enum transfer_outcome fetch(
	struct client *client, struct server *server, const char *path, struct taken *taken, struct err *why)
{
	return fetch_as(client, server, path, (struct transfer_request){0}, taken, why);
}

/* ---- Tests ---- */

/* Each outcome, with the status and body that must have come before it. */
static void judges_every_end(void **state)
{
	static const struct {
		const char *path;
		enum transfer_outcome outcome;
		int status; /* 0: no head */
		int64_t length;
		const char *body;
		const char *said; /* in the sentence */
	} cases[] = {
		{"/plain", TRANSFER_DONE, 200, 5, "hello", NULL},
		{"/interim", TRANSFER_DONE, 200, 5, "hello", NULL},
		{"/chunked", TRANSFER_DONE, 200, -1, "hello", NULL},
		{"/until-close", TRANSFER_DONE, 200, -1, "hello", NULL},
		{"/empty", TRANSFER_DONE, 200, 0, "", NULL},
		{"/absent", TRANSFER_DONE, 404, 4, "gone", NULL},
		{"/one", TRANSFER_DONE, 200, 5, "hello", NULL},
		{"/see-other", TRANSFER_DONE, 200, 5, "hello", NULL},
		{"/to-name", TRANSFER_REFUSED, 0, 0, "", "private address"},
		{"/elsewhere", TRANSFER_REFUSED, 0, 0, "", "private address"},
		{"/to-mapped", TRANSFER_REFUSED, 0, 0, "", "private address"},
		{"/to-cloud", TRANSFER_REFUSED, 0, 0, "", "private address"},
		{"/round", TRANSFER_REFUSED, 0, 0, "", "Maximum (10) redirects"},
		{"/blank-location", TRANSFER_DONE, 302, 5, "hello", NULL},
		{"/to-file", TRANSFER_REFUSED, 0, 0, "", "file"},
		{"/to-ftp", TRANSFER_REFUSED, 0, 0, "", "ftp"},
		{"/to-nothing", TRANSFER_REFUSED, 0, 0, "", "127.0.0.1: "},
		{"/endless-head", TRANSFER_REFUSED, 0, 0, "", "too large"},
		{"/cut", TRANSFER_BROKEN, 200, 50, "hello", "127.0.0.1: "},
		{"/cut-chunked", TRANSFER_BROKEN, 200, -1, "hello", "127.0.0.1: "},
		{"/stall", TRANSFER_BROKEN, 200, 50, "hello", "nothing came for 3 seconds"},
		{"/silent", TRANSFER_SILENT, 0, 0, "", "nothing came for 3 seconds"},
		{"/hang-up", TRANSFER_SILENT, 0, 0, "", "127.0.0.1: "},
		{"/not-http", TRANSFER_REFUSED, 0, 0, "", "HTTP/0.9"},
		{"/bad-length", TRANSFER_REFUSED, 0, 0, "", "Content-Length"},
		{"/half-a-head", TRANSFER_REFUSED, 0, 0, "", "the middle of the answer's head"},
		{"/head-for-ever", TRANSFER_SILENT, 0, 0, "",
			"the head of the answer was not whole for 3 seconds"},
		{"/to-silent", TRANSFER_SILENT, 0, 0, "", "nothing came for 3 seconds"},
		{"/trickle", TRANSFER_SLOW, 200, 5000, NULL, "less than 100"},
	};
	struct house *house = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct taken taken = {0};
		struct err why = {0};

		print_message("%s\n", cases[i].path);
		assert_int_equal(
			fetch(house->client, house->first, cases[i].path, &taken, &why), cases[i].outcome);
		assert_int_equal(taken.heads, cases[i].status ? 1 : 0);
		assert_int_equal(taken.answer.status, cases[i].status);
		assert_int_equal(taken.answer.length, cases[i].length);
		if (cases[i].body)
			assert_string_equal(buffer_string(&taken.body), cases[i].body);
		if (cases[i].said)
			assert_non_null(strstr(why.text, cases[i].said));
		else
			assert_string_equal(why.text, "");
		buffer_finish(&taken.body);
	}
}

static int count_entries(const char *path)
{
	DIR *folder = opendir(path);
	int count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	(void)closedir(folder);
	return count;
}

static void takes_nothing_before_it_is_asked(void **state)
{
	int threads = count_entries("/proc/self/task");
	int descriptors = count_entries("/proc/self/fd");
	struct client *client = make_client(false, PATIENT_S);

	assert_int_equal(count_entries("/proc/self/task"), threads);
	assert_int_equal(count_entries("/proc/self/fd"), descriptors);
	client_wake(client);
	client_destroy(client);
}

static void starts_once_there_are_descriptors(void **state)
{
	struct house *house = *state;
	struct rlimit usual;
	struct rlimit none;
	struct taken taken = {0};
	struct err why;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &usual), 0);
	none = usual;
	none.rlim_cur = 0;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	assert_int_equal(fetch(house->client, house->first, "/plain", &taken, &why), TRANSFER_STARVED);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &usual), 0);
	assert_int_equal(why.code, ERR_BUSY);
	assert_int_equal(taken.heads, 0);
	assert_int_equal(fetch(house->client, house->first, "/plain", &taken, &why), TRANSFER_DONE);
	assert_string_equal(buffer_string(&taken.body), "hello");
	buffer_finish(&taken.body);
}

static void reads_the_head(void **state)
{
	struct house *house = *state;
	struct taken taken = {0};
	struct err why;

	assert_int_equal(fetch(house->client, house->first, "/plain?secret=0", &taken, &why), TRANSFER_DONE);
	assert_string_equal(taken.answer.content_type, "application/gzip");
	assert_string_equal(taken.answer.content_encoding, "gzip");
	assert_string_equal(taken.answer.etag, "\"v1\"");
	assert_string_equal(taken.answer.last_modified, "Sat, 21 Nov 2026 01:02:03 GMT");
	assert_int_equal(taken.answer.range_first, -1);
	assert_int_equal(taken.answer.range_total, -1);
	assert_int_equal(taken.answer.retry_after_s, 0);
	assert_non_null(strstr(taken.answer.effective_url, "/plain"));
	assert_null(strstr(taken.answer.effective_url, "secret"));
	buffer_finish(&taken.body);
}

static void shows_no_query(void **state)
{
	struct house *house = *state;
	struct taken taken = {0};
	struct taken cut = {0};
	struct err why;
	AUTO_FREE char *wanted = mem_printf("http://127.0.0.1:%d/plain", house->first->port);

	assert_int_equal(fetch(house->client, house->first, "/one?secret=0", &taken, &why), TRANSFER_DONE);
	assert_string_equal(taken.answer.effective_url, wanted);
	assert_string_equal(taken.answer.etag, "\"v1\"");
	assert_true(last_request_has(house->first, "GET /plain?secret=3 "));
	assert_int_equal(fetch(house->client, house->first, "/cut?secret=0", &cut, &why), TRANSFER_BROKEN);
	assert_null(strstr(why.text, "secret"));
	buffer_finish(&taken.body);
	buffer_finish(&cut.body);
}

static void reads_retry_after(void **state)
{
	struct house *house = *state;
	struct taken taken = {0};
	struct err why;

	assert_int_equal(fetch(house->client, house->first, "/busy-seconds", &taken, &why), TRANSFER_DONE);
	assert_int_equal(taken.answer.retry_after_s, 17);
	assert_int_equal(fetch(house->client, house->first, "/busy-date", &taken, &why), TRANSFER_DONE);
	assert_int_equal(taken.answer.retry_after_s, 86400);
	assert_int_equal(fetch(house->client, house->first, "/busy-past", &taken, &why), TRANSFER_DONE);
	assert_int_equal(taken.answer.retry_after_s, 0);
}

static void asks_for_a_head_only(void **state)
{
	struct house *house = *state;
	struct taken taken = {0};
	struct err why;

	assert_int_equal(fetch_as(house->client, house->first, "/head",
				 (struct transfer_request){.head_only = true}, &taken, &why),
		TRANSFER_DONE);
	assert_true(last_request_has(house->first, "HEAD /head "));
	assert_int_equal(taken.heads, 1);
	assert_int_equal(taken.answer.length, 123456789012);
	assert_int_equal(taken.body.length, 0);
}

static void resumes(void **state)
{
	struct house *house = *state;
	struct transfer_request resume = {.range_first = 4, .if_range = "\"v1\""};
	struct transfer_request changed = {.range_first = 4, .if_range = "\"v0\""};
	struct taken rest = {0};
	struct taken whole = {0};
	struct taken none = {0};
	struct err why;

	assert_int_equal(fetch_as(house->client, house->first, "/range", resume, &rest, &why), TRANSFER_DONE);
	assert_int_equal(rest.answer.status, 206);
	assert_int_equal(rest.answer.range_first, 4);
	assert_int_equal(rest.answer.range_total, 10);
	assert_string_equal(buffer_string(&rest.body), "456789");
	assert_int_equal(
		fetch_as(house->client, house->first, "/range", changed, &whole, &why), TRANSFER_DONE);
	assert_int_equal(whole.answer.status, 200);
	assert_string_equal(buffer_string(&whole.body), "0123456789");
	assert_int_equal(
		fetch_as(house->client, house->first, "/unsatisfiable", resume, &none, &why), TRANSFER_DONE);
	assert_int_equal(none.answer.range_first, -1);
	assert_int_equal(none.answer.range_total, 10);
	assert_int_equal(
		fetch_as(house->client, house->first, "/bad-range", resume, &none, &why), TRANSFER_DONE);
	assert_int_equal(none.answer.range_first, -1);
	buffer_finish(&rest.body);
	buffer_finish(&whole.body);
}

static char authorization[] = "Authorization: Bearer s3cret";
static char header[] = "X-Key: k3y";
static const struct credentials credentials = {{{authorization, authorization}, {header, header}}, 2};

static void sends_what_it_should(void **state)
{
	struct house *house = *state;
	struct transfer_request request = {
		.credentials = &credentials, .cdn_loop = "larder-1", .if_range = "\"v1\""};
	struct taken taken = {0};
	struct err why;

	assert_int_equal(
		fetch_as(house->client, house->first, "/plain", request, &taken, &why), TRANSFER_DONE);
	assert_true(last_request_has(house->first, "\r\nAuthorization: Bearer s3cret\r\n"));
	assert_true(last_request_has(house->first, "\r\nX-Key: k3y\r\n"));
	assert_true(last_request_has(house->first, "\r\nCDN-Loop: larder-1\r\n"));
	assert_true(last_request_has(house->first, "\r\nUser-Agent: larder/test\r\n"));
	assert_true(last_request_has(house->first, "\r\nAccept: */*\r\n"));
	assert_false(last_request_has(house->first, "Accept-Encoding"));
	assert_false(last_request_has(house->first, "Range"));
	assert_false(last_request_has(house->first, "Cookie"));
	buffer_finish(&taken.body);
}

static void sends_no_header_with_a_line_end(void **state)
{
	struct house *house = *state;
	struct transfer_request request = {.range_first = 1, .if_range = "\"a\"\r\nX: y"};
	struct taken taken = {0};
	struct err why;

	assert_int_equal(
		fetch_as(house->client, house->first, "/plain", request, &taken, &why), TRANSFER_REFUSED);
	assert_int_equal(taken.heads, 0);
	assert_non_null(strstr(why.text, "control character"));
}

static void keeps_the_token_from_strangers(void **state)
{
	struct house *house = *state;
	struct client *trusting = make_client(true, PATIENT_S);
	struct transfer_request request = {.credentials = &credentials};
	struct taken taken = {0};
	struct taken stayed = {0};
	struct err why;

	assert_int_equal(
		fetch_as(trusting, house->first, "/elsewhere", request, &taken, &why), TRANSFER_DONE);
	assert_true(last_request_has(house->first, "Bearer s3cret"));
	assert_true(last_request_has(house->second, "GET /plain "));
	assert_false(last_request_has(house->second, "s3cret"));
	assert_false(last_request_has(house->second, "k3y"));
	assert_int_equal(fetch_as(trusting, house->first, "/three", request, &stayed, &why), TRANSFER_DONE);
	assert_true(last_request_has(house->first, "GET /plain?secret=3 "));
	assert_true(last_request_has(house->first, "Bearer s3cret"));
	client_destroy(trusting);
	buffer_finish(&taken.body);
	buffer_finish(&stayed.body);
}

/* The pool has a connection to the forbidden place, opened for an upstream of the operator's own. */
static void refuses_a_pooled_connection_too(void **state)
{
	struct house *house = *state;
	struct taken allowed = {0};
	struct taken refused = {0};
	struct err why;

	assert_int_equal(fetch(house->client, house->second, "/plain", &allowed, &why), TRANSFER_DONE);
	assert_int_equal(fetch(house->client, house->first, "/elsewhere", &refused, &why), TRANSFER_REFUSED);
	assert_int_equal(refused.heads, 0);
	buffer_finish(&allowed.body);
}

/* With a proxy between, the address that is connected to is the proxy's: only the URL's own word counts. */
static void judges_hosts_behind_a_proxy(void **state)
{
	static const struct {
		const char *path;
		const char *asked_last;
		enum transfer_outcome outcome;
	} cases[] = {
		{"/to-cloud", "GET http://upstream.example/to-cloud ", TRANSFER_REFUSED},
		{"/to-name", "GET http://upstream.example/to-name ", TRANSFER_REFUSED},
		{"/to-mapped", "GET http://upstream.example/to-mapped ", TRANSFER_REFUSED},
		{"/to-far", "GET http://far.example/plain ", TRANSFER_DONE},
	};
	struct house *house = *state;
	AUTO_FREE char *proxy = mem_printf("http://127.0.0.1:%d", house->first->port);
	struct client *client;

	assert_int_equal(setenv("http_proxy", proxy, 1), 0);
	client = make_client(false, PATIENT_S);
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_FREE char *url = mem_printf("http://upstream.example%s", cases[i].path);
		struct transfer_request request = {.url = url};
		struct taken taken = {0};
		struct receiver receiver = {.head = take_head, .body = take_body, .context = &taken};
		struct err why;

		print_message("%s\n", cases[i].path);
		assert_int_equal(client_transfer(client, &request, &receiver, NULL, &why), cases[i].outcome);
		assert_true(last_request_has(house->first, cases[i].asked_last));
		buffer_finish(&taken.body);
	}
	client_destroy(client);
	assert_int_equal(unsetenv("http_proxy"), 0);
}

static void finds_nobody(void **state)
{
	static const char *const urls[] = {
		"http://127.0.0.1:1/x?secret=1",
		"http://no-such-host.invalid/x?secret=1",
		"gopher://127.0.0.1/?secret=1",
		"http://127.0.0.1:99999/?secret=1",
		"",
	};
	struct house *house = *state;

	for (size_t i = 0; i < sizeof urls / sizeof *urls; i++) {
		struct taken taken = {0};
		struct receiver receiver = {.head = take_head, .body = take_body, .context = &taken};
		struct transfer_request request = {.url = urls[i]};
		struct err why = {0};

		assert_int_equal(client_transfer(house->client, &request, &receiver, NULL, &why),
			TRANSFER_UNREACHABLE);
		assert_int_equal(why.code, ERR_UPSTREAM_UNREACHABLE);
		assert_null(strstr(why.text, "secret"));
		assert_int_equal(taken.heads, 0);
	}
}

static void obeys_its_receiver(void **state)
{
	struct house *house = *state;
	struct taken no_head = {.decline_head = true};
	struct taken no_body = {.decline_body = true};
	struct taken no_long_body = {.decline_body = true};
	struct err why;

	assert_int_equal(fetch(house->client, house->first, "/long", &no_head, &why), TRANSFER_STOPPED);
	assert_int_equal(no_head.body.length, 0);
	assert_int_equal(fetch(house->client, house->first, "/cut", &no_body, &why), TRANSFER_STOPPED);
	assert_int_equal(fetch(house->client, house->first, "/long", &no_long_body, &why), TRANSFER_STOPPED);
	assert_true(no_long_body.body.length < LONG_BODY);
	buffer_finish(&no_body.body);
	buffer_finish(&no_long_body.body);
}

static bool is_long_body(const struct buffer *body)
{
	for (size_t i = 0; i < body->length; i++) {
		if ((unsigned char)body->data[i] != i % 251)
			return false;
	}
	return body->length == LONG_BODY;
}

static void gathers_a_long_body(void **state)
{
	struct house *house = *state;
	int64_t requests = metric_read(METRIC_UPSTREAM_REQUESTS);
	int64_t bytes = metric_read(METRIC_UPSTREAM_BYTES);
	struct taken taken = {0};
	struct err why;

	assert_int_equal(fetch(house->client, house->first, "/long", &taken, &why), TRANSFER_DONE);
	assert_int_equal(taken.body.length, LONG_BODY);
	assert_true(taken.largest <= 256 * 1024);
	assert_true(is_long_body(&taken.body));
	assert_int_equal(metric_read(METRIC_UPSTREAM_REQUESTS) - requests, 1);
	assert_int_equal(metric_read(METRIC_UPSTREAM_BYTES) - bytes, LONG_BODY);
	buffer_finish(&taken.body);
}

/* A limit makes libcurl pause for longer than the time-out of a stall. */
static void does_not_take_a_limit_for_a_stall(void **state)
{
	struct house *house = *state;
	struct transfer_request request = {.rate_bytes_per_s = 300 * 1000};
	struct taken taken = {0};
	struct err why;

	assert_int_equal(
		fetch_as(house->client, house->first, "/long", request, &taken, &why), TRANSFER_DONE);
	assert_int_equal(taken.body.length, LONG_BODY);
	buffer_finish(&taken.body);
}

static void reuses_connections(void **state)
{
	struct house *house = *state;

	for (int i = 0; i < 5; i++) {
		struct taken taken = {0};
		struct err why;

		assert_int_equal(fetch(house->client, house->first, "/one", &taken, &why), TRANSFER_DONE);
		buffer_finish(&taken.body);
	}
	assert_int_equal(accepted_by(house->first), 1);
}

struct background {
	struct house *house;
	const char *path;
	_Atomic bool stop;
	struct taken taken;
	enum transfer_outcome outcome;
	struct err why;
	pthread_t thread;
};

static void *fetch_behind(void *argument)
{
	struct background *background = argument;

	background->outcome = fetch_stoppable(background->house->client, background->house->first,
		background->path, (struct transfer_request){0}, &background->stop, &background->taken,
		&background->why);
	return NULL;
}

static void start_behind(struct background *background)
{
	assert_int_equal(pthread_create(&background->thread, NULL, fetch_behind, background), 0);
}

static void runs_many_at_once(void **state)
{
	enum { COUNT = 50 };
	struct house *house = *state;
	struct background *all = mem_zero(COUNT, sizeof *all);

	for (int i = 0; i < COUNT; i++) {
		all[i].house = house;
		all[i].path = i % 2 ? "/long" : "/one";
		start_behind(&all[i]);
	}
	for (int i = 0; i < COUNT; i++) {
		(void)pthread_join(all[i].thread, NULL);
		if (all[i].outcome != TRANSFER_DONE)
			fail_msg("%s: %s", all[i].path, all[i].why.text);
		assert_int_equal(all[i].taken.body.length, i % 2 ? LONG_BODY : 5);
		buffer_finish(&all[i].taken.body);
	}
	free(all);
}

/* The transfer is patient, so that only the flag can end it. */
static void use_patient_client(struct house *house)
{
	struct client_settings patient = {
		.connect_timeout_s = 600, .stall_timeout_s = 600, .user_agent = "larder/test"};

	client_destroy(house->client);
	house->client = client_create(&patient);
}

static void await_leave(struct taken *taken)
{
	(void)sem_wait(taken->go_on);
}

static void outlast_the_stall_timeout(struct taken *taken)
{
	int64_t until_ms = clock_monotonic_ms() + 2500 * IMPATIENT_S;

	while (clock_monotonic_ms() < until_ms)
		clock_sleep_ms(50);
}

/* It waits for a disk, or for room: its own upstream waits with it, and gives no more than fits. */
static void a_receiver_that_waits_holds_up_nobody(void **state)
{
	struct house *house = *state;
	struct background slow = {.house = house, .path = "/long"};
	struct taken quick = {0};
	struct err why;
	sem_t go_on;

	(void)sem_init(&go_on, 0, 0);
	slow.taken.go_on = &go_on;
	slow.taken.pause = await_leave;
	start_behind(&slow);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(fetch(house->client, house->first, "/long", &quick, &why), TRANSFER_DONE);
		assert_int_equal(quick.body.length, LONG_BODY);
		buffer_finish(&quick.body);
		quick = (struct taken){0};
	}
	(void)sem_post(&go_on);
	(void)pthread_join(slow.thread, NULL);
	assert_int_equal(slow.outcome, TRANSFER_DONE);
	assert_true(is_long_body(&slow.taken.body));
	buffer_finish(&slow.taken.body);
	(void)sem_destroy(&go_on);
}

static void does_not_take_its_own_wait_for_a_stall(void **state)
{
	struct house *house = *state;
	struct taken taken = {.pause = outlast_the_stall_timeout};
	struct err why = {0};

	assert_int_equal(fetch(house->client, house->first, "/long", &taken, &why), TRANSFER_DONE);
	assert_int_equal(taken.body.length, LONG_BODY);
	buffer_finish(&taken.body);
}

static void stops_when_told(void **state)
{
	struct house *house = *state;
	struct background background = {.house = house, .path = "/stall"};
	sem_t begun;

	(void)sem_init(&begun, 0, 0);
	background.taken.begun = &begun;
	use_patient_client(house);
	start_behind(&background);
	(void)sem_wait(&begun);
	atomic_store(&background.stop, true);
	client_wake(house->client);
	(void)pthread_join(background.thread, NULL);
	assert_int_equal(background.outcome, TRANSFER_STOPPED);
	assert_string_equal(buffer_string(&background.taken.body), "hello");
	buffer_finish(&background.taken.body);
	(void)sem_destroy(&begun);
}

static void ends_all_when_destroyed(void **state)
{
	struct house *house = *state;
	struct background background = {.house = house, .path = "/stall"};
	sem_t begun;

	(void)sem_init(&begun, 0, 0);
	background.taken.begun = &begun;
	use_patient_client(house);
	start_behind(&background);
	(void)sem_wait(&begun);
	client_destroy(house->client);
	(void)pthread_join(background.thread, NULL);
	house->client = NULL;
	assert_int_equal(background.outcome, TRANSFER_STOPPED);
	buffer_finish(&background.taken.body);
	(void)sem_destroy(&begun);
}

#define IN_HOUSE(test) cmocka_unit_test_setup_teardown(test, open_house, close_house)
#define IMPATIENTLY(test) cmocka_unit_test_setup_teardown(test, open_impatient_house, close_house)

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_nothing_before_it_is_asked),
		IN_HOUSE(starts_once_there_are_descriptors),
		IMPATIENTLY(judges_every_end),
		IN_HOUSE(reads_the_head),
		IN_HOUSE(shows_no_query),
		IN_HOUSE(reads_retry_after),
		IN_HOUSE(asks_for_a_head_only),
		IN_HOUSE(resumes),
		IN_HOUSE(sends_what_it_should),
		IN_HOUSE(sends_no_header_with_a_line_end),
		IN_HOUSE(keeps_the_token_from_strangers),
		IN_HOUSE(refuses_a_pooled_connection_too),
		IMPATIENTLY(judges_hosts_behind_a_proxy),
		IMPATIENTLY(finds_nobody),
		IN_HOUSE(obeys_its_receiver),
		IN_HOUSE(gathers_a_long_body),
		IMPATIENTLY(does_not_take_a_limit_for_a_stall),
		IN_HOUSE(reuses_connections),
		IN_HOUSE(runs_many_at_once),
		IN_HOUSE(a_receiver_that_waits_holds_up_nobody),
		IMPATIENTLY(does_not_take_its_own_wait_for_a_stall),
		IN_HOUSE(stops_when_told),
		IN_HOUSE(ends_all_when_destroyed),
	};

	/* No proxy of the machine's own may come between. */
	for (const char *const *name = (const char *const[]){"http_proxy", "all_proxy", "ALL_PROXY", NULL};
		*name; name++)
		(void)unsetenv(*name);
	return cmocka_run_group_tests(tests, NULL, NULL);
}

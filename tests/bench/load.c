/* SPDX-License-Identifier: Apache-2.0
 *
 * A client of many connections on one thread, for what wrk cannot do: bodies of any size without copying
 * them, random Ranges, answers in chunked coding, and when each download began and ended.
 *
 *     bench_load [OPTION…] ADDRESS PORT TARGET…
 *
 *     --connections N   connections, each with one request at a time (1)
 *     --seconds S       how long to go on (1)
 *     --each N          stop after N requests on each connection instead, however long that takes
 *     --header LINE     sent with each request
 *     --range SIZE:OF   a random range of SIZE bytes of a body of OF bytes with each request
 *     --status N        what every answer must have (200)
 *     --copy 1          read bodies into memory as clients do, instead of having the kernel drop them
 *
 * Several targets take turns. Prints one line of JSON; times are in milliseconds and count from when the
 * request was sent. Exit status 1 where an answer had another status or broke off. */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"

enum { HEAD_MAX = 16 << 10, BLOCK = 256 << 10, DISCARD_MAX = 16 << 20, EVENTS = 128, SAMPLES = 1 << 21 };

enum part { PART_HEAD, PART_LENGTH, PART_CHUNK_SIZE, PART_CHUNK, PART_CHUNK_END, PART_TRAILER };

struct plan {
	struct sockaddr_in address;
	int connections;
	double seconds;
	long each;
	const char *header;
	long range_size;
	long range_of;
	int status;
	bool copies;
	char **targets;
	int target_count;
};

/* What was seen, in microseconds. */
struct samples {
	int *values;
	size_t count;
};

struct connection {
	int fd;
	enum part part;
	long left; /* of the body, or of the chunk */
	size_t head_length;
	bool closes;
	bool begun; /* a byte of the body is here */
	long done;
	int64_t sent_us;
	char head[HEAD_MAX];
};

struct run {
	struct plan plan;
	int epoll;
	struct connection *connections;
	int busy;
	uint64_t random;
	size_t turn;
	long requests;
	long failed;
	int64_t bytes;
	struct samples first;
	struct samples whole;
	char *block;
};

static void die(const char *what)
{
	perror(what);
	exit(2);
}

static void add_sample(struct samples *samples, int64_t us)
{
	if (samples->count < SAMPLES)
		samples->values[samples->count++] = (int)us;
}

static uint64_t next_random(struct run *run)
{
	run->random = run->random * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return run->random >> 33;
}

static void write_range(struct run *run, char *out, size_t size)
{
	const struct plan *plan = &run->plan;
	long first;

	*out = '\0';
	if (plan->range_size == 0)
		return;
	first = (long)(next_random(run) % (uint64_t)(plan->range_of - plan->range_size + 1));
	(void)snprintf(out, size, "Range: bytes=%ld-%ld\r\n", first, first + plan->range_size - 1);
}

static void send_request(struct run *run, struct connection *connection)
{
	const struct plan *plan = &run->plan;
	char range[96];
	char request[2048];
	int length;

	write_range(run, range, sizeof range);
	length = snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: 127.0.0.1:%d\r\n%s%s%s\r\n",
		plan->targets[run->turn++ % (size_t)plan->target_count], ntohs(plan->address.sin_port), range,
		plan->header ? plan->header : "", plan->header ? "\r\n" : "");
	connection->part = PART_HEAD;
	connection->head_length = 0;
	connection->begun = false;
	connection->sent_us = clock_monotonic_us();
	/* A request is far smaller than an empty socket's buffer: it goes out as a whole or not at all. */
	if (send(connection->fd, request, (size_t)length, MSG_NOSIGNAL) != length)
		connection->closes = true;
}

static void open_connection(struct run *run, struct connection *connection)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = connection};
	int on = 1;

	connection->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	connection->closes = false;
	if (connection->fd < 0 || connect(connection->fd, (const struct sockaddr *)&run->plan.address,
					  sizeof run->plan.address) < 0)
		die("connect");
	(void)setsockopt(connection->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)fcntl(connection->fd, F_SETFL, O_NONBLOCK);
	if (epoll_ctl(run->epoll, EPOLL_CTL_ADD, connection->fd, &event) < 0)
		die("epoll_ctl");
}

static void leave(struct run *run, struct connection *connection)
{
	(void)close(connection->fd);
	connection->fd = -1;
	run->busy--;
}

static void break_off(struct run *run, struct connection *connection)
{
	run->failed++;
	leave(run, connection);
}

static void finish_answer(struct run *run, struct connection *connection)
{
	add_sample(&run->whole, clock_monotonic_us() - connection->sent_us);
	run->requests++;
	connection->done++;
	if (run->plan.each > 0 && connection->done >= run->plan.each) {
		leave(run, connection);
		return;
	}
	if (connection->closes) {
		(void)close(connection->fd);
		open_connection(run, connection);
	}
	send_request(run, connection);
}

static void begin_body(struct run *run, struct connection *connection)
{
	if (!connection->begun)
		add_sample(&run->first, clock_monotonic_us() - connection->sent_us);
	connection->begun = true;
}

static const char *find_field(const char *head, const char *name)
{
	size_t length = strlen(name);

	for (const char *line = strstr(head, "\r\n"); line && line[2] != '\r';
		line = strstr(line + 2, "\r\n")) {
		if (strncasecmp(line + 2, name, length) == 0 && line[2 + length] == ':')
			return line + 3 + length + strspn(line + 3 + length, " ");
	}
	return NULL;
}

/* False where the status is another one than is wanted. */
static bool read_head(const struct run *run, struct connection *connection)
{
	const char *coding = find_field(connection->head, "Transfer-Encoding");
	const char *length = find_field(connection->head, "Content-Length");
	const char *ending = find_field(connection->head, "Connection");
	int status = atoi(connection->head + strcspn(connection->head, " "));

	connection->closes = ending && strncasecmp(ending, "close", 5) == 0;
	connection->part = coding ? PART_CHUNK_SIZE : PART_LENGTH;
	connection->left = coding || status == 304 || !length ? 0 : atol(length);
	return status == run->plan.status;
}

static void take_chunked(struct run *run, struct connection *connection, const char *bytes, size_t length);

/* Bytes of a body of known length, counted but not looked at. */
static void take_length(struct run *run, struct connection *connection, size_t length)
{
	if (length > 0)
		begin_body(run, connection);
	run->bytes += (int64_t)length;
	connection->left -= (long)length;
	if (connection->left <= 0)
		finish_answer(run, connection);
}

static void take_head(struct run *run, struct connection *connection)
{
	ssize_t got = recv(connection->fd, connection->head + connection->head_length,
		sizeof connection->head - 1 - connection->head_length, 0);
	char *end;
	size_t rest;

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0) {
		break_off(run, connection);
		return;
	}
	connection->head_length += (size_t)got;
	connection->head[connection->head_length] = '\0';
	end = strstr(connection->head, "\r\n\r\n");
	if (!end)
		return;
	if (!read_head(run, connection)) {
		break_off(run, connection);
		return;
	}
	rest = connection->head_length - (size_t)(end + 4 - connection->head);
	if (connection->part == PART_LENGTH)
		take_length(run, connection, rest);
	else
		take_chunked(run, connection, end + 4, rest);
}

/* The size line's digits arrive one by one; what follows the ";" of an extension is no digit. */
static void take_size(struct connection *connection, char c)
{
	static const char digits[] = "0123456789abcdef";
	const char *digit = strchr(digits, c | 0x20);

	if (c == '\n')
		connection->part = connection->left > 0 ? PART_CHUNK : PART_TRAILER;
	else if (c != '\r' && digit)
		connection->left = connection->left * 16 + (digit - digits);
}

static void take_chunked(struct run *run, struct connection *connection, const char *bytes, size_t length)
{
	size_t part;

	for (; length > 0; bytes += part, length -= part) {
		part = 1;
		if (connection->part == PART_CHUNK_SIZE) {
			take_size(connection, *bytes);
		} else if (connection->part == PART_CHUNK) {
			part = (size_t)connection->left < length ? (size_t)connection->left : length;
			begin_body(run, connection);
			run->bytes += (int64_t)part;
			connection->left -= (long)part;
			connection->part = connection->left > 0 ? PART_CHUNK : PART_CHUNK_END;
		} else if (*bytes == '\n' && connection->part == PART_CHUNK_END) {
			connection->part = PART_CHUNK_SIZE;
		} else if (*bytes == '\n') {
			finish_answer(run, connection);
			return;
		}
	}
}

/* What the kernel is told to truncate costs the client nothing, so that the server alone is measured. */
static ssize_t receive(struct run *run, const struct connection *connection)
{
	size_t room = connection->left < DISCARD_MAX ? (size_t)connection->left : DISCARD_MAX;

	if (connection->part != PART_LENGTH)
		return recv(connection->fd, run->block, BLOCK, 0);
	if (run->plan.copies)
		return recv(connection->fd, run->block, room < BLOCK ? room : BLOCK, 0);
	return recv(connection->fd, NULL, room, MSG_TRUNC);
}

static void take_body(struct run *run, struct connection *connection)
{
	ssize_t got = receive(run, connection);

	if (got < 0 && errno == EAGAIN)
		return;
	if (got <= 0)
		break_off(run, connection);
	else if (connection->part == PART_LENGTH)
		take_length(run, connection, (size_t)got);
	else
		take_chunked(run, connection, run->block, (size_t)got);
}

static void start(struct run *run)
{
	run->epoll = epoll_create1(EPOLL_CLOEXEC);
	run->random = UINT64_C(88172645463325252);
	run->connections = mem_zero((size_t)run->plan.connections, sizeof *run->connections);
	run->first.values = mem_zero(SAMPLES, sizeof *run->first.values);
	run->whole.values = mem_zero(SAMPLES, sizeof *run->whole.values);
	run->block = mem_zero(1, BLOCK);
	run->busy = run->plan.connections;
	for (int i = 0; i < run->plan.connections; i++)
		open_connection(run, &run->connections[i]);
	for (int i = 0; i < run->plan.connections; i++)
		send_request(run, &run->connections[i]);
}

static void go_on(struct run *run, int64_t until_us)
{
	struct epoll_event events[EVENTS];

	while (run->busy > 0 && (run->plan.each > 0 || clock_monotonic_us() < until_us)) {
		int count = epoll_wait(run->epoll, events, EVENTS, 100);

		for (int i = 0; i < count; i++) {
			struct connection *connection = events[i].data.ptr;

			if (connection->part == PART_HEAD)
				take_head(run, connection);
			else
				take_body(run, connection);
		}
	}
}

static int by_size(const void *a, const void *b)
{
	return (*(const int *)a > *(const int *)b) - (*(const int *)a < *(const int *)b);
}

static double percentile(const struct samples *samples, double share)
{
	if (samples->count == 0)
		return 0;
	return samples->values[(size_t)(share * (double)(samples->count - 1))] / 1e3;
}

static void print_samples(const char *name, struct samples *samples)
{
	qsort(samples->values, samples->count, sizeof *samples->values, by_size);
	(void)printf(", \"%s\": {\"p50\": %.3f, \"p90\": %.3f, \"p99\": %.3f, \"max\": %.3f}", name,
		percentile(samples, 0.5), percentile(samples, 0.9), percentile(samples, 0.99),
		percentile(samples, 1));
}

static void read_number(const char *text, long *out)
{
	char *end;

	*out = strtol(text, &end, 10);
	if (*text == '\0' || *end != '\0' || *out < 0) {
		(void)fprintf(stderr, "%s is no number\n", text);
		exit(2);
	}
}

static void read_option(struct plan *plan, int option, const char *value)
{
	long number = 0;

	if (strchr("ces", option))
		read_number(value, &number);
	if (option == 'c')
		plan->connections = (int)number;
	else if (option == 'e')
		plan->each = number;
	else if (option == 's')
		plan->status = (int)number;
	else if (option == 'm')
		plan->copies = *value == '1';
	else if (option == 't')
		plan->seconds = atof(value);
	else if (option == 'h')
		plan->header = value;
	else if (option != 'r' || sscanf(value, "%ld:%ld", &plan->range_size, &plan->range_of) != 2)
		exit(2);
}

static void read_arguments(int argc, char **argv, struct plan *plan)
{
	static const struct option options[] = {{"connections", 1, NULL, 'c'}, {"seconds", 1, NULL, 't'},
		{"each", 1, NULL, 'e'}, {"header", 1, NULL, 'h'}, {"range", 1, NULL, 'r'},
		{"status", 1, NULL, 's'}, {"copy", 1, NULL, 'm'}, {NULL, 0, NULL, 0}};
	long port;
	int option;

	while ((option = getopt_long(argc, argv, "", options, NULL)) != -1)
		read_option(plan, option, optarg);
	if (argc - optind < 3 || plan->connections < 1) {
		(void)fputs("bench_load [OPTION…] ADDRESS PORT TARGET…\n", stderr);
		exit(2);
	}
	read_number(argv[optind + 1], &port);
	plan->address.sin_family = AF_INET;
	plan->address.sin_port = htons((uint16_t)port);
	if (inet_pton(AF_INET, argv[optind], &plan->address.sin_addr) != 1)
		die(argv[optind]);
	plan->targets = argv + optind + 2;
	plan->target_count = argc - optind - 2;
}

int main(int argc, char **argv)
{
	struct run run = {.plan = {.connections = 1, .seconds = 1, .status = 200}};
	int64_t began;

	read_arguments(argc, argv, &run.plan);
	start(&run);
	began = clock_monotonic_us();
	go_on(&run, began + (int64_t)(run.plan.seconds * 1e6));
	(void)printf("{\"seconds\": %.6f, \"requests\": %ld, \"bytes\": %lld, \"failed\": %ld",
		(double)(clock_monotonic_us() - began) / 1e6, run.requests, (long long)run.bytes, run.failed);
	print_samples("first_ms", &run.first);
	print_samples("whole_ms", &run.whole);
	(void)puts("}");
	return run.failed > 0;
}

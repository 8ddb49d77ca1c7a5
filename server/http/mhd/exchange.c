/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/mhd/exchange.h"

#include <poll.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/http/mhd/responses.h"
#include "server/http/problem.h"
#include "server/metrics.h"

/* How long a pace is looked at. */
enum { PACE_US = 20 * 1000 * 1000 };

/* No connection's memory holds more of a body. */
enum { READ_AHEAD_MAX = 256 << 10 };

static void read_target(struct exchange *exchange, const char *target)
{
	const struct front_settings *settings = &exchange->traffic->settings;

	if (settings->hot && strnlen(target, HOT_TARGET_MAX + 1) <= HOT_TARGET_MAX)
		exchange->target = mem_dup(target);
	(void)request_set_target(&exchange->request, target, settings->hub_hosts, &exchange->target_err);
}

struct exchange *exchange_create(
	struct traffic *traffic, struct MHD_Connection *connection, const char *target)
{
	struct exchange *exchange = mem_zero(1, sizeof *exchange);

	exchange->traffic = traffic;
	exchange->sleeper.house = &traffic->sleepers;
	exchange->sleeper.connection = connection;
	atomic_init(&exchange->sleeper.hidden, -1);
	exchange->request.started_us = clock_monotonic_us();
	exchange->request.content_length = -1;
	reply_init(&exchange->reply);
	exchange->hot = hot_find(traffic->settings.hot, target);
	if (!exchange->hot)
		read_target(exchange, target);
	return exchange;
}

bool exchange_is_still_hot(const struct exchange *exchange)
{
	struct hot_reply *now = hot_find(exchange->traffic->settings.hot, exchange->hot->target);
	bool same = now == exchange->hot;

	hot_release(now);
	return same;
}

void exchange_decline_hot(struct exchange *exchange)
{
	struct hot_reply *hot = TAKE(exchange->hot);

	read_target(exchange, hot->target);
	hot_release(hot);
}

/* Under TLS, and while it is cold, a file's response reads through its exchange; an ending server's closes
 * connections. */
static bool may_be_kept(const struct exchange *exchange)
{
	const struct reply *reply = &exchange->reply;
	bool is_file = reply->kind == REPLY_FILE;

	return reply->reuse.ops && exchange->target && reply->status == 200 && reply->offset == 0 &&
	       (is_file || reply->kind == REPLY_BYTES) &&
	       !(is_file && (exchange->cold || exchange->traffic->settings.tls_certificate)) &&
	       !traffic_is_ending(exchange->traffic);
}

/* Only ever read by the kernel on our behalf, so that a bad disk is an error of a call and no SIGBUS. */
static const char *map_file(const struct reply *reply)
{
	void *map = reply->size > 0 ? mmap(NULL, (size_t)reply->size, PROT_READ, MAP_SHARED, reply->fd, 0)
				    : MAP_FAILED;

	return map == MAP_FAILED ? NULL : map;
}

static void take_body(struct hot_reply *hot, const struct reply *reply)
{
	int length;

	hot->is_file = reply->kind == REPLY_FILE;
	hot->size = hot->is_file ? reply->size : (int64_t)reply->length;
	hot->body = hot->is_file ? map_file(reply) : reply->bytes;
	hot->fd = reply->fd;
	length = snprintf(hot->length_field, sizeof hot->length_field, "Content-Length: %lld\r\n\r\n",
		(long long)hot->size);
	hot->length_field_length = (size_t)length;
}

static void take_head(struct hot_reply *hot, const struct reply *reply)
{
	const char *etag = reply_find_header(reply, "ETag");
	const char *modified = reply_find_header(reply, "Last-Modified");

	hot->status = reply->status;
	hot->note = mem_dup(reply->note);
	hot->fields = response_fields(reply, &hot->fields_length, &hot->type_length);
	if (etag && modified && clock_parse_http(modified, &hot->modified_s))
		hot->etag = mem_dup(etag);
}

struct hot_reply *exchange_prepare_hot(struct exchange *exchange)
{
	struct reply *reply = &exchange->reply;
	struct hot_reply *hot;

	if (!may_be_kept(exchange))
		return NULL;
	hot = mem_zero(1, sizeof *hot);
	atomic_init(&hot->holders, 1);
	hot->target = TAKE(exchange->target);
	hot->log_path = mem_dup(exchange->request.log_path);
	take_head(hot, reply);
	take_body(hot, reply);
	hot->reuse = reply->reuse;
	reply->reuse = (struct reuse){0};
	return hot;
}

void exchange_keep_hot(const struct exchange *exchange, struct hot_reply *hot, struct MHD_Response *response)
{
	hot->response = response;
	hot_keep(exchange->traffic->settings.hot, exchange->hot_ticket, hot);
}

/* What is left of an upload whose client has gone. */
struct wreck {
	struct job job;
	const struct upload_ops *ops;
	void *upload;
};

static void run_abort(struct job *job)
{
	struct wreck *wreck = (struct wreck *)((char *)job - offsetof(struct wreck, job));

	wreck->ops->abort(wreck->upload);
	free(wreck);
}

static void abort_upload(struct exchange *exchange)
{
	struct wreck *wreck = mem_zero(1, sizeof *wreck);

	wreck->job.run = run_abort;
	wreck->ops = exchange->route->upload;
	wreck->upload = TAKE(exchange->request.upload);
	workers_submit_always(exchange->traffic->disk_workers, &wreck->job);
}

void exchange_destroy(struct exchange *exchange)
{
	struct traffic *traffic = exchange->traffic;
	bool running = exchange->running;

	if (exchange->upload_open)
		abort_upload(exchange);
	hot_release(exchange->hot);
	reply_finish(&exchange->reply);
	request_finish(&exchange->request);
	free(exchange->target);
	free(exchange);
	if (running)
		traffic_leave(traffic);
}

void exchange_enter(struct exchange *exchange)
{
	traffic_enter(exchange->traffic);
	exchange->running = true;
}

void exchange_refuse(struct exchange *exchange, const struct err *err)
{
	const struct front_settings *settings = &exchange->traffic->settings;

	problem_reply(&exchange->reply, err);
	if (settings->present)
		settings->present(settings->services, &exchange->request, err, &exchange->reply);
	exchange->answered = true;
	exchange->called = true;
	exchange->dropping = true;
}

/* Any POST may be sent after a preflight (Fetch, 4.8); one with Content-Type: application/json only where
 * that is among the headers. */
static void answer_preflight(struct exchange *exchange, const char *allow)
{
	const struct front_settings *settings = &exchange->traffic->settings;
	bool own = route_is_for_own_pages(settings->routes, settings->route_count, exchange->request.path);

	reply_finish(&exchange->reply);
	reply_init(&exchange->reply);
	reply_empty(&exchange->reply, 204);
	reply_header(&exchange->reply, "Access-Control-Allow-Methods", allow);
	reply_header_printf(&exchange->reply, "Access-Control-Allow-Headers",
		"Authorization, %sRange, If-Range, If-None-Match, If-Modified-Since, "
		"Content-Digest, Repr-Digest, X-Checksum-Sha256",
		own ? "" : "Content-Type, ");
	reply_header(&exchange->reply, "Access-Control-Max-Age", "86400");
}

/* A path that this method does not go with: a preflight, another method, or nothing at all. */
static void answer_unrouted(struct exchange *exchange, bool path_known, const char *allow)
{
	const char *path = exchange->request.path;
	struct err err;

	if (!path_known)
		(void)err_set(&err, ERR_NOT_FOUND, "There is nothing at \"%.160s\".", path);
	else
		(void)err_set(&err, ERR_METHOD_NOT_ALLOWED, "This path answers to %s only.", allow);
	exchange_refuse(exchange, &err);
	if (path_known && exchange->request.method == METHOD_OPTIONS)
		answer_preflight(exchange, allow);
	if (path_known)
		reply_header(&exchange->reply, "Allow", allow);
}

static bool is_authorized(struct exchange *exchange, struct err *err)
{
	const struct front_settings *settings = &exchange->traffic->settings;
	enum role role = exchange->route->role;

	if (role == ROLE_NONE || role == ROLE_HANDLER)
		return true;
	return settings->authorize(settings->services, role, &exchange->request, err);
}

static bool body_fits(const struct exchange *exchange, struct err *err)
{
	if (exchange->route->body == BODY_MEMORY &&
		exchange->request.content_length > REQUEST_MEMORY_BODY_MAX)
		return err_set(
			err, ERR_TOO_LARGE, "The body may have %d bytes at most.", REQUEST_MEMORY_BODY_MAX);
	return true;
}

void exchange_match(struct exchange *exchange)
{
	const struct front_settings *settings = &exchange->traffic->settings;
	bool path_known;
	char allow[64];
	struct err err;

	if (exchange->target_err.code != ERR_NONE) {
		exchange_refuse(exchange, &exchange->target_err);
		return;
	}
	exchange->route =
		route_find(settings->routes, settings->route_count, &exchange->request, &path_known, allow);
	if (!exchange->route)
		answer_unrouted(exchange, path_known, allow);
	else if (!is_authorized(exchange, &err) || !body_fits(exchange, &err))
		exchange_refuse(exchange, &err);
	else
		exchange->dropping = exchange->route->body == BODY_NONE;
}

static void collect(struct exchange *exchange, const void *bytes, size_t length)
{
	struct buffer *body = &exchange->request.body;
	struct err err;

	if (length <= REQUEST_MEMORY_BODY_MAX - body->length) {
		buffer_add(body, bytes, length);
		return;
	}
	(void)err_set(&err, ERR_TOO_LARGE, "The body has more than %d bytes.", REQUEST_MEMORY_BODY_MAX);
	exchange_refuse(exchange, &err);
}

/* Only what passes between our readiness for more and its coming is the client's time. */
static bool keeps_pace(struct exchange *exchange, size_t length)
{
	struct pace *pace = &exchange->pace;
	int64_t least = exchange->traffic->settings.upload_bytes_per_s;

	if (pace->ready_us)
		pace->waited_us += clock_monotonic_us() - pace->ready_us;
	pace->bytes += (int64_t)length;
	if (pace->waited_us < PACE_US)
		return true;
	if (pace->bytes < least * (pace->waited_us / 1000000)) {
		metric_add(METRIC_SLOW_UPLOADS, 1);
		return false;
	}
	*pace = (struct pace){0};
	return true;
}

static void pour(struct exchange *exchange, const void *bytes, size_t length)
{
	if (exchange->route->body == BODY_MEMORY) {
		collect(exchange, bytes, length);
	} else if (!exchange->route->upload->write(&exchange->request, bytes, length)) {
		exchange->dropping = true;
		(void)exchange_call(exchange);
	}
}

static bool leave_later(struct sleeper *sleeper)
{
	struct exchange *exchange = (struct exchange *)((char *)sleeper - offsetof(struct exchange, sleeper));

	return exchange->reply.later_ops->leave(exchange->reply.later, &exchange->waiter);
}

/* Of a client that has closed we see what a half-closed one shows as well: that nothing more will come. Only
 * where much of the body is missing is that the end of it. */
static bool is_deserted(const struct sleeper *sleeper)
{
	const struct exchange *exchange =
		(const struct exchange *)((const char *)sleeper - offsetof(struct exchange, sleeper));
	int fd = sleeper_socket(sleeper);
	struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};
	int waiting = 0;

	if (poll(&poll_fd, 1, 0) <= 0)
		return false;
	if (poll_fd.revents & (POLLERR | POLLHUP))
		return true;
	return !exchange->called && ioctl(fd, FIONREAD, &waiting) == 0 &&
	       exchange->request.content_length > waiting + READ_AHEAD_MAX;
}

/* Fills a fresh reply from one that had to wait. */
static void resume_later(struct exchange *exchange)
{
	const struct later_ops *ops = exchange->reply.later_ops;
	void *later = TAKE(exchange->reply.later);

	reply_finish(&exchange->reply);
	reply_init(&exchange->reply);
	ops->resume(later, &exchange->request, &exchange->reply);
}

static struct workers *workers_of(const struct exchange *exchange)
{
	const struct traffic *traffic = exchange->traffic;

	if (exchange->route->caller == CALLER_PROBER)
		return traffic->probers;
	return exchange->slow ? traffic->disk_workers : traffic->workers;
}

static void refuse_busy(struct exchange *exchange)
{
	struct err err;

	(void)err_set(&err, ERR_BUSY, "All workers are busy and the queue is full.");
	metric_add(METRIC_BUSY, 1);
	exchange_refuse(exchange, &err);
}

/* Whose body was taken is not turned away. */
static bool submit(struct exchange *exchange, void (*run)(struct job *job), bool admitted)
{
	exchange->job.run = run;
	if (!admitted)
		return workers_submit(workers_of(exchange), &exchange->job);
	workers_submit_always(workers_of(exchange), &exchange->job);
	return true;
}

static void run_resume(struct job *job);

/* The exchange is another thread's from here on; but where too many wait already it is refused: false. */
static bool move_to_disk(struct exchange *exchange)
{
	if (submit(exchange, run_resume, exchange->route->body == BODY_UPLOAD))
		return true;
	reply_finish(&exchange->reply);
	reply_init(&exchange->reply);
	refuse_busy(exchange);
	return false;
}

/* Brings a reply that has to wait as far as it gets here. False: it is another thread's now. */
static bool advance(struct exchange *exchange)
{
	struct reply *reply = &exchange->reply;

	while (reply->kind == REPLY_LATER) {
		bool moves = reply->later_ops->slow && !exchange->slow;

		exchange->slow |= moves;
		if (reply->later_ops->watched)
			sleeper_look_after(&exchange->sleeper, leave_later, is_deserted);
		else
			sleeper_set_leave(&exchange->sleeper, leave_later);
		/* From here on the exchange is another thread's, unless ready says so. */
		if (!reply->later_ops->ready(reply->later, &exchange->waiter))
			return false;
		sleeper_set_leave(&exchange->sleeper, NULL);
		if (moves && move_to_disk(exchange))
			return false;
		if (!moves)
			resume_later(exchange);
	}
	return true;
}

static void open_upload(struct exchange *exchange)
{
	exchange->upload_open = true;
	sleeper_wake(&exchange->sleeper);
}

/* On a worker: wakes the connection once the reply can be sent, or its body can come. */
static void settle(struct exchange *exchange)
{
	struct reply *reply = &exchange->reply;

	if (!advance(exchange))
		return;
	if (exchange->request.upload && !exchange->called)
		return open_upload(exchange);
	if (reply->reuse.ops)
		reply_load_file(reply, HOT_BODY_MAX);
	exchange->cold =
		reply->kind == REPLY_FILE && !file_part_at_hand(reply->fd, reply->offset, reply->size);
	exchange->answered = true;
	sleeper_wake(&exchange->sleeper);
}

static struct exchange *of_job(struct job *job)
{
	return (struct exchange *)((char *)job - offsetof(struct exchange, job));
}

static void run_settle(struct job *job)
{
	settle(of_job(job));
}

static void run_resume(struct job *job)
{
	resume_later(of_job(job));
	settle(of_job(job));
}

static void wake_later(struct waiter *waiter)
{
	struct exchange *exchange = (struct exchange *)((char *)waiter - offsetof(struct exchange, waiter));

	sleeper_set_leave(&exchange->sleeper, NULL);
	(void)submit(exchange, run_settle, true);
}

static void run_begin(struct job *job)
{
	struct exchange *exchange = of_job(job);
	void *services = exchange->traffic->settings.services;

	if (exchange->route->upload->begin(services, &exchange->request, &exchange->reply))
		open_upload(exchange);
	else
		settle(exchange);
}

static void run_handler(struct job *job)
{
	struct exchange *exchange = of_job(job);

	exchange->upload_open = false;
	exchange->hot_ticket = hot_ticket(exchange->traffic->settings.hot);
	exchange->route->handle(exchange->traffic->settings.services, &exchange->request, &exchange->reply);
	settle(exchange);
}

/* Until libmicrohttpd asks for the answer. */
static bool sleep_unanswered(struct exchange *exchange)
{
	exchange->sleeper.unanswered = true;
	if (sleeper_sleep(&exchange->sleeper))
		return true;
	exchange->sleeper.unanswered = false;
	return false;
}

/* Hands the exchange to a worker and sleeps. While the server closes, nothing is begun and the connection
 * ends. */
static bool employ(struct exchange *exchange, void (*run)(struct job *job), bool admitted)
{
	if (!sleeper_prepare(&exchange->sleeper, NULL))
		return false;
	exchange->waiter.wake = wake_later;
	if (!submit(exchange, run, admitted)) {
		sleeper_cancel(&exchange->sleeper);
		refuse_busy(exchange);
		return false;
	}
	return sleep_unanswered(exchange);
}

bool exchange_begin_upload(struct exchange *exchange)
{
	return employ(exchange, run_begin, false);
}

/* Such a reply is whole at once. */
static void call_here(struct exchange *exchange)
{
	exchange->route->handle(exchange->traffic->settings.services, &exchange->request, &exchange->reply);
	exchange->answered = true;
}

bool exchange_call(struct exchange *exchange)
{
	exchange->called = true;
	if (exchange->route->caller == CALLER_FRONT) {
		call_here(exchange);
		return false;
	}
	exchange->slow = exchange->route->slow;
	return employ(exchange, run_handler, exchange->route->body == BODY_UPLOAD);
}

static void run_make_room(struct job *job)
{
	struct exchange *exchange = of_job(job);

	exchange->route->upload->make_room(&exchange->request, exchange->awaited_bytes);
	exchange->awaited_bytes = 0;
	sleeper_wake(&exchange->sleeper);
}

static bool has_room(const struct exchange *exchange, size_t length)
{
	const struct upload_ops *ops = exchange->dropping ? NULL : exchange->route->upload;

	return !ops || !ops->has_room || ops->has_room(&exchange->request, length);
}

/* As employ, on a disk worker. */
static bool make_room(struct exchange *exchange, size_t length)
{
	exchange->awaited_bytes = length;
	exchange->pace.ready_us = 0;
	if (!sleeper_prepare(&exchange->sleeper, NULL))
		return false;
	exchange->job.run = run_make_room;
	workers_submit_always(exchange->traffic->disk_workers, &exchange->job);
	return sleep_unanswered(exchange);
}

/* Whether the client has ended in the middle of its body. libmicrohttpd takes a short read for the last one,
 * and so would see an end that came along with these bytes only by the idle time-out. Under TLS more may be
 * read than is handed over. */
static bool is_cut_short(const struct exchange *exchange)
{
	int fd = sleeper_socket(&exchange->sleeper);
	struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};
	int waiting;

	return exchange->request.content_length > exchange->received_bytes &&
	       !exchange->traffic->settings.tls_certificate && poll(&poll_fd, 1, 0) > 0 &&
	       ioctl(fd, FIONREAD, &waiting) == 0 && waiting == 0;
}

bool exchange_pour(struct exchange *exchange, const void *bytes, size_t *length)
{
	size_t poured = *length;

	if (!has_room(exchange, poured) && make_room(exchange, poured))
		return true;
	/* The server is closing. */
	if (exchange->awaited_bytes > 0 || !keeps_pace(exchange, poured))
		return false;
	*length = 0;
	exchange->received_bytes += (int64_t)poured;
	metric_add(METRIC_RECEIVED_BYTES, (int64_t)poured);
	if (!exchange->dropping)
		pour(exchange, bytes, poured);
	else if (exchange->received_bytes > EXCHANGE_DROPPED_BODY_MAX)
		return false;
	exchange->pace.ready_us = clock_monotonic_us();
	return !is_cut_short(exchange);
}

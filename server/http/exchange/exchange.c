/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/exchange/exchange.h"

#include <assert.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/container.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/http/clientkey.h"
#include "server/http/exchange/client_end.h"
#include "server/http/problem.h"
#include "server/http/rendition.h"
#include "server/metrics.h"

void exchange_set_target(struct exchange *exchange, const char *target)
{
	const struct front_settings *settings = &exchange->in_flight->settings;

	if (settings->response_cache && strnlen(target, CACHED_TARGET_MAX + 1) <= CACHED_TARGET_MAX)
		exchange->target = mem_dup(target);
	(void)request_set_target(&exchange->request, target, settings->hub_hosts, &exchange->target_err);
}

struct exchange *exchange_create(
	struct in_flight *in_flight, const struct suspension_ops *ops, void *connection)
{
	struct exchange *exchange = mem_zero(1, sizeof *exchange);

	exchange->in_flight = in_flight;
	exchange->suspension.owner = &in_flight->suspensions;
	exchange->suspension.ops = ops;
	exchange->suspension.connection = connection;
	atomic_init(&exchange->hidden, -1);
	exchange->request.started_us = clock_monotonic_us();
	exchange->request.content_length = -1;
	reply_init(&exchange->reply);
	return exchange;
}

/* What is left of an upload, or of a wait for its end, when the client has gone: its inspector may have to be
 * joined. */
struct wreck {
	struct job job;
	void (*destroy)(void *what);
	void *what;
};

static void run_destroy(struct job *job)
{
	struct wreck *wreck = CONTAINER_OF(job, struct wreck, job);

	wreck->destroy(wreck->what);
	free(wreck);
}

static void destroy_elsewhere(struct exchange *exchange, void (*destroy)(void *what), void *what)
{
	struct wreck *wreck = mem_zero(1, sizeof *wreck);

	wreck->job.run = run_destroy;
	wreck->destroy = destroy;
	wreck->what = what;
	workers_submit_always(exchange->in_flight->disk_workers, &wreck->job);
}

void exchange_destroy(struct exchange *exchange)
{
	struct in_flight *in_flight = exchange->in_flight;
	bool running = exchange->running;

	assert(!exchange->chunked_upload);
	if (exchange->upload_open)
		destroy_elsewhere(exchange, exchange->route->upload->abort, TAKE(exchange->request.upload));
	if (exchange->reply.later && exchange->reply.later_ops->joins)
		destroy_elsewhere(exchange, exchange->reply.later_ops->destroy, TAKE(exchange->reply.later));
	chunked_finish(&exchange->offload.chunked);
	reply_finish(&exchange->reply);
	request_finish(&exchange->request);
	free(exchange->target);
	free(exchange);
	if (running)
		in_flight_leave(in_flight);
}

void exchange_enter(struct exchange *exchange)
{
	in_flight_enter(exchange->in_flight);
	exchange->running = true;
}

void exchange_refuse(struct exchange *exchange, const struct err *err)
{
	const struct front_settings *settings = &exchange->in_flight->settings;

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
	const struct front_settings *settings = &exchange->in_flight->settings;
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

/* Browsers add it by themselves once it was given: a form of another site's can only be posted. */
static bool takes_basic(const struct exchange *exchange)
{
	return exchange->route->basic || exchange->request.method != METHOD_POST;
}

static bool is_authorized(struct exchange *exchange, struct err *err)
{
	const struct front_settings *settings = &exchange->in_flight->settings;
	enum role role = exchange->route->role;

	if (takes_basic(exchange))
		request_read_basic(&exchange->request);
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
	const struct front_settings *settings = &exchange->in_flight->settings;
	bool path_known;
	char allow[64];
	struct err err;

	client_set_origin(settings->trusted_proxies, settings->proxies_write, &exchange->request);
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

static void pour(struct exchange *exchange, const void *bytes, size_t length)
{
	if (exchange->route->body == BODY_MEMORY) {
		collect(exchange, bytes, length);
	} else if (!exchange->route->upload->write(&exchange->request, bytes, length)) {
		exchange->dropping = exchange->unwanted = true;
	}
}

static struct exchange *of_suspension(struct suspension *suspension)
{
	return CONTAINER_OF(suspension, struct exchange, suspension);
}

static struct exchange *of_waiter(struct waiter *waiter)
{
	return CONTAINER_OF(waiter, struct exchange, waiter);
}

static bool leave_later(struct suspension *suspension)
{
	struct exchange *exchange = of_suspension(suspension);

	return exchange->reply.later_ops->leave(exchange->reply.later, &exchange->waiter);
}

static bool is_deserted(const struct suspension *suspension)
{
	const struct exchange *exchange = CONTAINER_OF(suspension, struct exchange, suspension);

	return client_is_gone(
		suspension_socket(suspension), exchange->called ? 0 : exchange->request.content_length);
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
	const struct in_flight *in_flight = exchange->in_flight;

	if (exchange->route->caller == CALLER_PROBER)
		return in_flight->probers;
	return exchange->slow ? in_flight->disk_workers : in_flight->workers;
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

/* Old clients know no interim answers, and some proxies take them for the answer. */
static bool is_shown_life(const struct request *request)
{
	return request->impatient && !request->http_1_0 && !request_says_proxied(request);
}

/* Brings a reply that has to wait as far as it gets here. False: it is another thread's now. */
static bool advance(struct exchange *exchange)
{
	struct reply *reply = &exchange->reply;

	while (reply->kind == REPLY_LATER) {
		bool moves = reply->later_ops->slow && !exchange->slow;

		exchange->slow |= moves;
		if (reply->later_ops->watched)
			suspension_watch_client(&exchange->suspension, leave_later, is_deserted);
		else
			suspension_set_leave(&exchange->suspension, leave_later);
		if (is_shown_life(&exchange->request))
			suspension_show_life(&exchange->suspension);
		/* From here on the exchange is another thread's, unless ready says so. */
		if (!reply->later_ops->ready(reply->later, &exchange->waiter))
			return false;
		suspension_set_leave(&exchange->suspension, NULL);
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
	suspension_resume(&exchange->suspension);
}

/* On a worker: wakes the connection once the reply can be sent, or its body can come. */
static void settle(struct exchange *exchange)
{
	struct reply *reply = &exchange->reply;

	if (!advance(exchange))
		return;
	if (exchange->request.upload && !exchange->called)
		return open_upload(exchange);
	if (exchange->in_flight->settings.adapt)
		exchange->in_flight->settings.adapt(
			exchange->in_flight->settings.services, &exchange->request, reply);
	/* The bytes of a part would not do for the whole, which is kept. */
	if (reply->reuse.ops && reply->part_of == 0)
		reply_load_file(reply, CACHED_BODY_MAX);
	else if (!reply->reuse.ops)
		rendition_finish(exchange->in_flight->renditions, &exchange->request, reply);
	exchange->answered = true;
	suspension_resume(&exchange->suspension);
}

static struct exchange *of_job(struct job *job)
{
	return CONTAINER_OF(job, struct exchange, job);
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
	struct exchange *exchange = of_waiter(waiter);

	suspension_set_leave(&exchange->suspension, NULL);
	(void)submit(exchange, run_settle, true);
}

static void run_begin(struct job *job)
{
	struct exchange *exchange = of_job(job);
	void *services = exchange->in_flight->settings.services;

	if (exchange->route->upload->begin(services, &exchange->request, &exchange->reply))
		open_upload(exchange);
	else
		settle(exchange);
}

static void run_handler(struct job *job)
{
	struct exchange *exchange = of_job(job);

	exchange->upload_open = false;
	exchange->cache_ticket = response_cache_ticket(exchange->in_flight->settings.response_cache);
	exchange->route->handle(exchange->in_flight->settings.services, &exchange->request, &exchange->reply);
	settle(exchange);
}

/* Until libmicrohttpd asks for the answer. */
static bool suspend_unanswered(struct exchange *exchange)
{
	exchange->suspension.unanswered = true;
	if (suspension_begin(&exchange->suspension))
		return true;
	exchange->suspension.unanswered = false;
	return false;
}

/* Hands the exchange to a worker and is suspended. While the server closes, nothing is begun and the
 * connection ends. */
static bool employ(struct exchange *exchange, void (*run)(struct job *job), bool admitted)
{
	if (!suspension_prepare(&exchange->suspension, NULL))
		return false;
	exchange->waiter.wake = wake_later;
	if (!submit(exchange, run, admitted)) {
		suspension_cancel(&exchange->suspension);
		refuse_busy(exchange);
		return false;
	}
	return suspend_unanswered(exchange);
}

bool exchange_begin_upload(struct exchange *exchange)
{
	return employ(exchange, run_begin, false);
}

/* Such a reply is whole at once. */
static void call_here(struct exchange *exchange)
{
	exchange->route->handle(exchange->in_flight->settings.services, &exchange->request, &exchange->reply);
	exchange->answered = true;
}

void exchange_refuse_stream(struct exchange *exchange)
{
	struct err err;

	(void)err_set(&err, ERR_INTERNAL, "a handler answered an HTTP/1.0 client with a stream");
	problem_reply(&exchange->reply, &err);
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
	exchange->found_room(exchange->room_context);
}

void exchange_make_room(struct exchange *exchange, void (*found)(void *context), void *context)
{
	exchange->pace.ready_us = 0;
	exchange->found_room = found;
	exchange->room_context = context;
	exchange->job.run = run_make_room;
	workers_submit_always(exchange->in_flight->disk_workers, &exchange->job);
}

bool exchange_has_room(const struct exchange *exchange, size_t length)
{
	const struct upload_ops *ops = exchange->dropping ? NULL : exchange->route->upload;

	return !ops || !ops->has_room || ops->has_room(&exchange->request, length);
}

static void wake(void *context)
{
	suspension_resume(&((struct exchange *)context)->suspension);
}

/* As employ, on a disk worker. */
static bool make_room(struct exchange *exchange, size_t length)
{
	exchange->awaited_bytes = length;
	if (!suspension_prepare(&exchange->suspension, NULL))
		return false;
	exchange_make_room(exchange, wake, exchange);
	return suspend_unanswered(exchange);
}

bool exchange_take(struct exchange *exchange, const void *bytes, size_t length, size_t came)
{
	if (!pace_keeps(&exchange->pace, came, exchange->in_flight->settings.upload_bytes_per_s))
		return false;
	exchange->received_bytes += (int64_t)length;
	metric_add(METRIC_RECEIVED_BYTES, (int64_t)length);
	if (!exchange->dropping && length > 0)
		pour(exchange, bytes, length);
	exchange->pace.ready_us = clock_monotonic_us();
	return !exchange->dropping || exchange->received_bytes <= EXCHANGE_DROPPED_BODY_MAX;
}

static bool leave_pause(struct suspension *suspension)
{
	struct exchange *exchange = of_suspension(suspension);

	return exchange->route->upload->leave(&exchange->request, &exchange->waiter);
}

static void wake_pause(struct waiter *waiter)
{
	struct exchange *exchange = of_waiter(waiter);

	exchange->found_room(exchange->room_context);
}

bool exchange_is_ahead(struct exchange *exchange)
{
	const struct upload_ops *ops = exchange->dropping ? NULL : exchange->route->upload;

	return ops && ops->await && ops->await(&exchange->request, NULL);
}

/* From here on it is another thread's, unless this is false. */
static bool await_turn(struct exchange *exchange, void (*found)(void *context), void *context)
{
	exchange->pace.ready_us = 0;
	exchange->found_room = found;
	exchange->room_context = context;
	exchange->waiter.wake = wake_pause;
	return exchange->route->upload->await(&exchange->request, &exchange->waiter);
}

void exchange_await(struct exchange *exchange, void (*found)(void *context), void *context)
{
	if (!await_turn(exchange, found, context))
		found(context);
}

/* Suspends a client whose bytes are ahead of what is done with them. While the server closes, nobody is. */
static bool pauses(struct exchange *exchange)
{
	if (!exchange_is_ahead(exchange) || !suspension_prepare(&exchange->suspension, leave_pause))
		return false;
	if (await_turn(exchange, wake, exchange))
		return suspend_unanswered(exchange);
	suspension_cancel(&exchange->suspension);
	return false;
}

/* Whether the client has ended in the middle of its body. libmicrohttpd takes a short read for the last one,
 * and so would see an end that came along with these bytes only by the idle time-out. */
static bool is_cut_short(const struct exchange *exchange)
{
	return exchange->request.content_length > exchange->received_bytes &&
	       client_has_ended(suspension_socket(&exchange->suspension));
}

bool exchange_pour(struct exchange *exchange, const void *bytes, size_t *length)
{
	size_t poured = *length;

	bool was_wanted = !exchange->unwanted;

	if (pauses(exchange) || (!exchange_has_room(exchange, poured) && make_room(exchange, poured)))
		return true;
	/* The server is closing. */
	if (exchange->awaited_bytes > 0 || !exchange_take(exchange, bytes, poured, poured))
		return false;
	*length = 0;
	if (exchange->unwanted && was_wanted)
		(void)exchange_call(exchange);
	return !is_cut_short(exchange);
}

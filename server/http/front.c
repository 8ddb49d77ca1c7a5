/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/front.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/thread.h"
#include "server/http/acceptor.h"
#include "server/http/exchange/chunked_upload.h"
#include "server/http/exchange/client_watch.h"
#include "server/http/exchange/exchange.h"
#include "server/http/exchange/record.h"
#include "server/http/exchange/sender_pool.h"
#include "server/http/fast/fast_path.h"
#include "server/http/fast/lingering.h"
#include "server/http/listener.h"
#include "server/http/mhd/daemon.h"
#include "server/http/mhd/guest.h"
#include "server/http/mhd/mhd_suspension.h"
#include "server/http/mhd/request_head.h"
#include "server/http/mhd/responses.h"
#include "server/http/request_line.h"
#include "server/http/tls/terminator.h"
#include "server/metrics.h"

/* Beside the connections that there may be: clients that were told the end and have not ended, a part of that
 * number and some. */
enum { LEAVING_PART = 4, LEAVING_MIN = 64 };

enum { QUEUE_PER_WORKER = 128, PROBERS = 2 };

/* While one waits for the disk, another can send. */
enum { COLD_SENDERS_MIN = 2 };

/* Whoever waits for a disk can let small requests on the same core go first. */
enum { COLD_NICENESS = 15 };

/* libmicrohttpd wipes a connection's memory after each request, but moves a body in pieces that fit into it,
 * and reads a head into one half. Above 64 KiB the C library would map and unmap it each time; so much is for
 * heads alone, whose connections have it for one request. */
enum { DAEMON_SMALL, DAEMON_BULK, DAEMON_HEADS, DAEMONS };
static const size_t connection_memory[] = {
	[DAEMON_SMALL] = 12 << 10, [DAEMON_BULK] = 60 << 10, [DAEMON_HEADS] = 256 << 10};

struct front {
	struct in_flight in_flight;
	struct daemon daemons[DAEMONS];
	struct acceptor *acceptor;
	struct terminator *terminator; /* NULL: plain HTTP */
	struct fast_path *fast_path;
	struct lingering *lingering;
	struct client_watch *client_watch;
	int dead_socket;
	char *url;
};

static struct guest *guest_of(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

/* A client that does not wait for "100 Continue" sends its body whatever we say, and many listen only when it
 * is sent. A proxy that passes Expect on may have said "100 Continue" itself, as Caddy does, and resets its
 * client if it is answered before. */
static bool sends_body_anyway(const struct request *request)
{
	return (!request_header(request, MHD_HTTP_HEADER_EXPECT) || request_says_proxied(request)) &&
	       request->content_length <= EXCHANGE_DROPPED_BODY_MAX;
}

static enum MHD_Result send_reply(struct exchange *exchange, struct MHD_Connection *connection)
{
	struct MHD_Response *response;
	enum MHD_Result queued;

	exchange->ends = guest_has_read_on(guest_of(connection), connection);
	exchange->unread |= exchange->ends;
	response = response_create(exchange);
	queued = MHD_queue_response(connection, (unsigned)exchange->reply.status, response);

	exchange->sent = queued == MHD_YES;
	response_measure(exchange);
	response_destroy(response);
	return queued;
}

/* Steps two and three, where others have read the body. libmicrohttpd answers as one that wants none. */
static enum MHD_Result answer_chunks(struct exchange *exchange, struct MHD_Connection *connection)
{
	if (chunked_upload_has_lost(exchange->chunked_upload))
		return MHD_NO;
	if (!exchange->called && exchange_call(exchange))
		return MHD_YES;
	if (!exchange->answered)
		return MHD_NO;
	if (guest_of(connection)->client)
		return mhd_suspension_settle(exchange) ? MHD_YES : MHD_NO;
	return send_reply(exchange, connection);
}

/* Has a body in chunks read by others. */
static enum MHD_Result take_chunks(struct exchange *exchange, struct MHD_Connection *connection)
{
	bool arrived;

	if (!exchange->answered && exchange->route->body == BODY_UPLOAD && !exchange->upload_open)
		return MHD_NO;
	exchange->called |= exchange->answered;
	exchange->dropping |= exchange->answered;
	if (exchange->answered && !sends_body_anyway(&exchange->request)) {
		exchange->unread = true;
		return mhd_suspension_settle(exchange) ? MHD_YES : MHD_NO;
	}
	if (!chunked_upload_begin(exchange, guest_of(connection)->client, &arrived))
		return MHD_NO;
	return arrived ? answer_chunks(exchange, connection) : MHD_YES;
}

/* Step one: match and refuse early. Called again after the suspension in which an upload is begun. */
static enum MHD_Result take_head(
	struct exchange *exchange, struct MHD_Connection *connection, const char *method, const char *version)
{
	bool is_upload;

	if (!exchange->running) {
		exchange_enter(exchange);
		request_head_read(&exchange->request, connection, method, version);
		exchange->malformed = !request_head_check_framing(connection, version, &exchange->target_err);
		exchange_match(exchange);
		is_upload = !exchange->answered && exchange->route->body == BODY_UPLOAD;
		if (is_upload && exchange_begin_upload(exchange))
			return MHD_YES;
	}
	exchange->head_taken = true;
	if (guest_of(connection)->client)
		return take_chunks(exchange, connection);
	if (!exchange->answered)
		return exchange->route->body != BODY_UPLOAD || exchange->upload_open ? MHD_YES : MHD_NO;
	exchange->called = true;
	exchange->dropping = true;
	exchange->unread = exchange->request.has_body && !exchange->malformed;
	if (exchange->malformed || (exchange->request.has_body && !sends_body_anyway(&exchange->request)))
		return send_reply(exchange, connection);
	exchange->unread = false;
	/* Answered on its first call, a request would cost its connection. */
	return MHD_YES;
}

/* Step two: pour the body into what the route asked for. */
static enum MHD_Result take_body(struct exchange *exchange, const char *bytes, size_t *length)
{
	return exchange_pour(exchange, bytes, length) ? MHD_YES : MHD_NO;
}

/* Step three: call the handler and send what it answers. Without an answer the server is closing. */
static enum MHD_Result call_and_send(struct exchange *exchange, struct MHD_Connection *connection)
{
	if (!exchange->called && exchange_call(exchange))
		return MHD_YES;
	return exchange->answered ? send_reply(exchange, connection) : MHD_NO;
}

static enum MHD_Result on_access(void *argument, struct MHD_Connection *connection, const char *url,
	const char *method, const char *version, const char *bytes, size_t *length, void **context)
{
	struct exchange *exchange = *context;

	mhd_suspension_is_over(exchange);
	/* libmicrohttpd that is stopping drops a response with a yes, and asks for it again. */
	if (exchange->sent)
		return MHD_NO;
	if (!exchange->head_taken)
		return take_head(exchange, connection, method, version);
	if (exchange->chunked_upload)
		return answer_chunks(exchange, connection);
	if (*length > 0)
		return take_body(exchange, bytes, length);
	return call_and_send(exchange, connection);
}

static void *on_target(void *argument, const char *target, struct MHD_Connection *connection)
{
	struct front *front = argument;
	struct exchange *exchange;

	thread_adopt("http", THREAD_LOOP);
	exchange = exchange_create(&front->in_flight, &mhd_suspension_ops, connection);
	exchange_set_target(exchange, target);
	guest_of(connection)->exchange = exchange;
	return exchange;
}

/* How it ended, where that was not in order. */
static const char *const endings[] = {
	[MHD_REQUEST_TERMINATED_WITH_ERROR] = "broken",
	[MHD_REQUEST_TERMINATED_TIMEOUT_REACHED] = "timeout",
	[MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN] = "shutdown",
	[MHD_REQUEST_TERMINATED_READ_ERROR] = "client gone",
	[MHD_REQUEST_TERMINATED_CLIENT_ABORT] = "client gone",
};

static void count_out(void *context)
{
	acceptor_release(((struct front *)context)->acceptor);
}

/* What its client has of it yet is the terminator's to know. */
static void release(void *context)
{
	struct front *front = context;

	if (!front->terminator)
		count_out(front);
}

static void see_off(void *context, int fd)
{
	struct front *front = context;

	if (lingering_take(front->lingering, fd))
		return;
	(void)close(fd);
	release(front);
}

/* What comes next on this connection is looked at like what came first. */
static void take_back(struct front *front, struct MHD_Connection *connection)
{
	const struct sockaddr_storage *address = guest_address(connection);
	struct guest *guest = guest_of(connection);
	int fd = guest_take_back(guest, connection, front->dead_socket);

	if (fd < 0 || fast_path_take(front->fast_path, fd, address, sizeof *address, guest->spoilt))
		return;
	(void)close(fd);
	release(front);
}

/* Where another goes on with the connection after this request. */
static void part_with(struct front *front, struct MHD_Connection *connection, const struct exchange *exchange)
{
	int fd = exchange->unread ? guest_hold(guest_of(connection), connection) : -1;

	if (fd >= 0)
		see_off(front, fd);
	else if (exchange->sent && !exchange->is_last && !in_flight_is_ending(&front->in_flight))
		take_back(front, connection);
}

/* Step four: complete. */
static void on_completed(void *argument, struct MHD_Connection *connection, void **context,
	enum MHD_RequestTerminationCode ending)
{
	struct exchange *exchange = TAKE(*(struct exchange **)context);
	const char *offloaded;

	if (!exchange)
		return;
	guest_of(connection)->exchange = NULL;
	if (ending != MHD_REQUEST_TERMINATED_COMPLETED_OK)
		response_count_sent(exchange);
	offloaded = sending_ending(exchange->offload.ending);
	record_exchange(exchange, offloaded ? offloaded : endings[ending]);
	if (ending == MHD_REQUEST_TERMINATED_COMPLETED_OK)
		part_with(argument, connection, exchange);
	chunked_upload_destroy(TAKE(exchange->chunked_upload));
	exchange_destroy(exchange);
}

/* ---- connections ---- */

/* Where the system cannot watch a connection, libmicrohttpd closes it and completes nothing. */
static void lose(struct MHD_Connection *connection, struct exchange *exchange)
{
	void *context = exchange;

	metric_add(METRIC_UNWATCHED, 1);
	log_event(LOG_LEVEL_WARN, "connection lost", "error", "libmicrohttpd cannot watch it", NULL);
	on_completed(NULL, connection, &context, MHD_REQUEST_TERMINATED_WITH_ERROR);
}

static void on_connection(void *argument, struct MHD_Connection *connection, void **context,
	enum MHD_ConnectionNotificationCode code)
{
	struct front *front = argument;
	struct guest *guest = *context;

	if (code == MHD_CONNECTION_NOTIFY_STARTED) {
		*context = guest_create(connection);
		in_flight_confirm(&front->in_flight);
		return;
	}
	if (guest->exchange)
		lose(connection, guest->exchange);
	if (!guest->left)
		release(front);
	guest_destroy(guest);
}

/* By the path as it stands there: what is written in an unusual way just goes the other way. */
static bool is_bulk(const struct front_settings *settings, const char *head)
{
	size_t empty = request_line_skip_empty(head, strlen(head));
	struct request_line line;
	AUTO_FREE char *path = NULL;
	char allow[64];
	struct request request = {0};
	const struct route *route;
	bool path_known;

	if (request_line_read(head + empty, strlen(head + empty), &line) != LINE_GOOD)
		return false;
	path = mem_dup_n(line.target, line.target_length);
	path[strcspn(path, "?")] = '\0';
	request.method = line.method;
	request.path = path;
	route = route_find(settings->routes, settings->route_count, &request, &path_known, allow);
	return route && route->bulk;
}

static struct daemon *daemon_for(struct front *front, const char *head, const struct wire_heads *heads)
{
	int number = head && is_bulk(&front->in_flight.settings, head) ? DAEMON_BULK : DAEMON_SMALL;

	while (heads && number < DAEMON_HEADS && heads->memory > connection_memory[number] / 2)
		number++;
	return &front->daemons[number];
}

/* False: it is closed. */
static bool give(struct front *front, int fd, struct sockaddr_storage *address, const char *head,
	const struct wire_heads *heads)
{
	guest_announce(address, fd, heads);
	return daemon_take(daemon_for(front, head, heads), fd, address);
}

static bool give_head(struct front *front, int fd, struct sockaddr_storage *address, const char *head,
	const struct wire_heads *heads)
{
	int peer = guest_announce_head(address, fd, heads);

	if (peer < 0) {
		(void)close(fd);
		return false;
	}
	if (daemon_take(daemon_for(front, head, heads), peer, address))
		return true;
	guest_withdraw(address);
	return false;
}

static void hand_to_daemon(void *context, int fd, const struct sockaddr_storage *address, socklen_t length,
	const char *head, const struct wire_heads *heads)
{
	struct front *front = context;
	struct sockaddr_storage announced = {0};

	memcpy(&announced, address, length);
	in_flight_hand_over(&front->in_flight);
	if (heads && heads->before_chunks ? give_head(front, fd, &announced, head, heads)
					  : give(front, fd, &announced, head, heads))
		return;
	in_flight_confirm(&front->in_flight);
	release(front);
}

static void crowded(void *context)
{
	struct front *front = context;

	if (!front->terminator || !terminator_make_room(front->terminator))
		fast_path_make_room(front->fast_path);
}

static void deliver_plain(void *context, int fd, const struct sockaddr_storage *address, socklen_t length)
{
	struct front *front = context;

	if (fast_path_take(front->fast_path, fd, address, length, ERR_NONE))
		return;
	(void)close(fd);
	release(front);
}

static void deliver(void *context, int fd, const struct sockaddr_storage *address, socklen_t length)
{
	struct front *front = context;

	if (!front->terminator) {
		deliver_plain(front, fd, address, length);
	} else if (!terminator_take(front->terminator, fd, address, length)) {
		(void)close(fd);
		count_out(front);
	}
}

static unsigned count_cores(void)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);

	return online > 0 ? (unsigned)online : 1;
}

unsigned front_worker_count(unsigned configured)
{
	unsigned cores = count_cores();

	return configured ? configured : cores < 4 ? 8 : 2 * cores;
}

static void set_defaults(struct front_settings *settings)
{
	unsigned cores = count_cores();

	if (settings->threads == 0)
		settings->threads = cores < 2 ? 2 : cores;
	settings->workers = front_worker_count(settings->workers);
	if (settings->max_connections < settings->threads)
		settings->max_connections = settings->threads;
}

static bool listen_for_all(struct front *front, struct err *err)
{
	const struct acceptor_exits exits = {deliver, crowded, front};
	const struct front_settings *settings = &front->in_flight.settings;
	AUTO_FD int fd = -1;

	if (!listener_open(settings->listen, &fd, err))
		return false;
	front->url =
		mem_printf("http%s://%s", settings->tls_certificate ? "s" : "", listener_address(fd).text);
	return acceptor_open(TAKE_FD(fd), settings->max_connections, &exits, &front->acceptor, err);
}

static bool open_fast_path(struct front *front, struct err *err)
{
	const struct fast_path_exits exits = {hand_to_daemon, see_off, release, front};

	return fast_path_open(&front->in_flight, &exits, &front->fast_path, err);
}

static bool open_terminator(struct front *front, struct err *err)
{
	const struct front_settings *settings = &front->in_flight.settings;
	const struct terminator_exits exits = {deliver_plain, see_off, count_out, front};
	const struct terminator_settings wanted = {
		.certificate = settings->tls_certificate,
		.key = settings->tls_key,
		.threads = settings->threads,
		.idle_timeout_s = settings->idle_timeout_s,
		.hello_timeout_s = settings->head_timeout_s,
		.leaving_max = LEAVING_MIN + settings->max_connections / LEAVING_PART,
	};

	return !settings->tls_certificate || terminator_open(&wanted, &exits, &front->terminator, err);
}

static bool open_sender_pools(struct front *front, struct err *err)
{
	struct in_flight *in_flight = &front->in_flight;
	unsigned threads = in_flight->settings.threads;
	unsigned idle_timeout_s = in_flight->settings.idle_timeout_s;
	unsigned cold = threads < COLD_SENDERS_MIN ? COLD_SENDERS_MIN : threads;

	return sender_pool_open(cold, COLD_NICENESS, idle_timeout_s, &in_flight->cold_senders, err) &&
	       sender_pool_open(threads, 0, idle_timeout_s, &in_flight->growing_senders, err);
}

static bool start_daemons(struct front *front, struct err *err)
{
	const struct daemon_hooks hooks = {on_target, on_access, on_completed, on_connection, front};
	const struct front_settings *settings = &front->in_flight.settings;
	bool started = true;

	for (int i = 0; i < DAEMONS && started; i++)
		started = daemon_start(&front->daemons[i], settings, connection_memory[i], &hooks, err);
	return started;
}

static bool start_workers(struct front *front, const char *name, struct workers **out, struct err *err)
{
	unsigned count = front->in_flight.settings.workers;

	return workers_create(name, count, (size_t)count * QUEUE_PER_WORKER, out, err);
}

static bool start(struct front *front, struct err *err)
{
	front->dead_socket = guest_dead_socket();
	if (front->dead_socket < 0)
		return err_errno(err, errno, "make a socket for connections that have ended");
	return listen_for_all(front, err) && lingering_open(release, front, &front->lingering, err) &&
	       client_watch_open(&front->in_flight.suspensions, &front->client_watch, err) &&
	       start_workers(front, "worker", &front->in_flight.workers, err) &&
	       start_workers(front, "disk", &front->in_flight.disk_workers, err) &&
	       workers_create("prober", PROBERS, QUEUE_PER_WORKER, &front->in_flight.probers, err) &&
	       start_daemons(front, err) && open_sender_pools(front, err) && open_fast_path(front, err) &&
	       open_terminator(front, err) && acceptor_start(front->acceptor, err);
}

bool front_open(const struct front_settings *settings, struct front **out, struct err *err)
{
	AUTO_FRONT struct front *front = mem_zero(1, sizeof *front);

	front->dead_socket = -1;
	in_flight_init(&front->in_flight, settings);
	front->in_flight.quiet_socket = guest_quiet_socket();
	set_defaults(&front->in_flight.settings);
	if (!start(front, err))
		return false;
	*out = TAKE(front);
	return true;
}

const char *front_url(const struct front *front)
{
	return front->url;
}

void front_announce_end(struct front *front)
{
	in_flight_announce_end(&front->in_flight);
}

static void let_go(struct front *front)
{
	in_flight_announce_end(&front->in_flight);
	acceptor_refuse(front->acceptor);
	fast_path_end(front->fast_path);
	in_flight_drain(&front->in_flight, front->in_flight.settings.drain_timeout_s);
	sender_pool_stop(front->in_flight.growing_senders);
	sender_pool_stop(front->in_flight.cold_senders);
	suspensions_close(&front->in_flight.suspensions);
	fast_path_stop(front->fast_path);
	in_flight_await_confirmations(&front->in_flight);
}

void front_close(struct front *front)
{
	if (!front)
		return;
	if (front->daemons[DAEMON_SMALL].threads)
		let_go(front);
	client_watch_close(front->client_watch);
	for (int i = 0; i < DAEMONS; i++)
		daemon_stop(&front->daemons[i]);
	lingering_stop(front->lingering);
	terminator_stop(front->terminator);
	terminator_destroy(front->terminator);
	fast_path_destroy(front->fast_path);
	lingering_destroy(front->lingering);
	own_close(&front->dead_socket);
	workers_destroy(front->in_flight.workers);
	workers_destroy(front->in_flight.disk_workers);
	workers_destroy(front->in_flight.probers);
	sender_pool_destroy(front->in_flight.growing_senders);
	sender_pool_destroy(front->in_flight.cold_senders);
	acceptor_close(front->acceptor);
	in_flight_finish(&front->in_flight);
	free(front->url);
	free(front);
}

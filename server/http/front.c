/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/front.h"

#include <microhttpd.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/http/accesslog.h"
#include "server/http/acceptor.h"
#include "server/http/exchange.h"
#include "server/http/express.h"
#include "server/http/listener.h"
#include "server/http/responses.h"
#include "server/metrics.h"

enum { CONNECTION_MEMORY = 16 << 10, QUEUE_PER_WORKER = 128, PEM_MAX = 1 << 20, OPTIONS_MAX = 16 };

/* AES-GCM first, and the server's order: what the processor does fastest. */
static const char tls_priorities[] =
	"NORMAL:%SERVER_PRECEDENCE:-CIPHER-ALL:+AES-128-GCM:+AES-256-GCM:+CHACHA20-POLY1305";

struct front {
	struct traffic traffic;
	struct MHD_Daemon *daemon;
	struct acceptor *acceptor;
	struct express *express; /* NULL: no hot table, or TLS */
	char *url;
	struct buffer certificate;
	struct buffer key;
};

static const struct {
	const char *name;
	enum method method;
} methods[] = {
	{"GET", METHOD_GET},
	{"HEAD", METHOD_HEAD},
	{"PUT", METHOD_PUT},
	{"POST", METHOD_POST},
	{"DELETE", METHOD_DELETE},
	{"OPTIONS", METHOD_OPTIONS},
};

static enum method parse_method(const char *name)
{
	for (size_t i = 0; i < sizeof methods / sizeof *methods; i++) {
		if (strcmp(name, methods[i].name) == 0)
			return methods[i].method;
	}
	return METHOD_OTHER;
}

static const char *find_header(const void *headers, const char *name)
{
	return MHD_lookup_connection_value((struct MHD_Connection *)headers, MHD_HEADER_KIND, name);
}

static void write_client(struct MHD_Connection *connection, char *out, size_t size)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	access_client(info ? info->client_addr : NULL, out, size);
}

static void read_head(
	struct request *request, struct MHD_Connection *connection, const char *method, const char *version)
{
	const char *length = find_header(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);
	const char *coding = find_header(connection, MHD_HTTP_HEADER_TRANSFER_ENCODING);

	request->method = parse_method(method);
	request->http_1_0 = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
	request->headers = connection;
	request->find_header = find_header;
	if (coding || !length || !number_parse(length, &request->content_length))
		request->content_length = -1;
	request->has_body = coding || request->content_length > 0;
	write_client(connection, request->client, sizeof request->client);
}

/* What of a head two servers could read in two ways (RFC 9112 sections 3.2, 6.1 and 11.2). */
struct framing {
	int lengths;
	int codings;
	int hosts;
	bool odd;
};

static enum MHD_Result count_framing(
	void *argument, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct framing *framing = argument;

	framing->lengths += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
	framing->hosts += strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0;
	if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
		framing->codings++;
		framing->odd |= !value || strcasecmp(value, "chunked") != 0;
	}
	framing->odd |= strpbrk(name, " \t") != NULL;
	return MHD_YES;
}

static bool check_framing(struct MHD_Connection *connection, struct err *err)
{
	struct framing framing = {0};

	(void)MHD_get_connection_values(connection, MHD_HEADER_KIND, count_framing, &framing);
	if (!framing.odd && framing.hosts <= 1 && framing.lengths + framing.codings <= 1)
		return true;
	return err_set(err, ERR_BAD_REQUEST,
		"the request's head can be read in two ways: one Host, and either one "
		"Content-Length or Transfer-Encoding: chunked");
}

/* Whether a field asks for something else than the whole, or for something that a kept reply knows nothing
 * of. */
static enum MHD_Result find_special(
	void *argument, enum MHD_ValueKind kind, const char *name, const char *value)
{
	static const char *const special[] = {
		"Authorization", "Range", "Content-Length", "Transfer-Encoding", "Expect"};
	bool *found = argument;

	*found = strncasecmp(name, "If-", 3) == 0;
	for (size_t i = 0; i < sizeof special / sizeof *special && !*found; i++)
		*found = strcasecmp(name, special[i]) == 0;
	return *found ? MHD_NO : MHD_YES;
}

static bool suits_hot(const struct exchange *exchange, struct MHD_Connection *connection, const char *version)
{
	bool special = false;
	struct err err;

	if (exchange->request.method != METHOD_GET && exchange->request.method != METHOD_HEAD)
		return false;
	if (strcmp(version, MHD_HTTP_VERSION_1_1) != 0 || traffic_is_ending(exchange->traffic))
		return false;
	(void)MHD_get_connection_values(connection, MHD_HEADER_KIND, find_special, &special);
	return !special && check_framing(connection, &err);
}

/* A client that does not wait for "100 Continue" sends its body whatever we say, and many listen only when it
 * is sent. */
static bool sends_body_anyway(const struct request *request)
{
	return !request_header(request, MHD_HTTP_HEADER_EXPECT) &&
	       request->content_length <= EXCHANGE_DROPPED_BODY_MAX;
}

static enum MHD_Result send_reply(struct exchange *exchange, struct MHD_Connection *connection)
{
	struct hot_reply *hot = exchange_prepare_hot(exchange);
	struct MHD_Response *response = response_create(exchange);
	enum MHD_Result queued = MHD_queue_response(connection, (unsigned)exchange->reply.status, response);

	exchange->sent = queued == MHD_YES;
	if (hot && exchange->sent) {
		exchange_keep_hot(exchange, hot, response);
	} else {
		hot_release(hot);
		response_destroy(response);
	}
	return queued;
}

/* All steps at once, where the reply is prepared. False: it is not for this request. */
static bool take_hot_head(
	struct exchange *exchange, struct MHD_Connection *connection, const char *method, const char *version)
{
	exchange->request.method = parse_method(method);
	if (!suits_hot(exchange, connection, version) || !exchange_is_still_hot(exchange)) {
		exchange_decline_hot(exchange);
		return false;
	}
	exchange_enter(exchange);
	exchange->head_taken = true;
	exchange->dropping = true;
	exchange->reply.status = exchange->hot->status;
	return true;
}

static enum MHD_Result send_hot(struct exchange *exchange, struct MHD_Connection *connection)
{
	struct hot_reply *hot = exchange->hot;
	enum MHD_Result queued = MHD_queue_response(connection, (unsigned)hot->status, hot->response);

	exchange->sent = queued == MHD_YES;
	metric_add(METRIC_PREPARED, exchange->sent);
	if (exchange->sent && exchange->request.method == METHOD_GET) {
		exchange->sent_bytes = hot->size;
		hot->reuse.ops->hit(hot->reuse.context, true);
	}
	return queued;
}

/* Step one: match and refuse early. Called again after the sleep in which an upload is begun. */
static enum MHD_Result take_head(
	struct exchange *exchange, struct MHD_Connection *connection, const char *method, const char *version)
{
	bool is_upload;

	if (!exchange->running) {
		exchange_enter(exchange);
		read_head(&exchange->request, connection, method, version);
		exchange->malformed = !check_framing(connection, &exchange->target_err);
		exchange_match(exchange);
		is_upload = !exchange->answered && exchange->route->body == BODY_UPLOAD;
		if (is_upload && exchange_begin_upload(exchange))
			return MHD_YES;
	}
	exchange->head_taken = true;
	if (!exchange->answered)
		return exchange->route->body != BODY_UPLOAD || exchange->upload_open ? MHD_YES : MHD_NO;
	exchange->called = true;
	exchange->dropping = true;
	if (exchange->malformed || (exchange->request.has_body && !sends_body_anyway(&exchange->request)))
		return send_reply(exchange, connection);
	/* Answered on its first call, a request would cost its connection. */
	return MHD_YES;
}

/* Step two: pour the body into what the route asked for. */
static enum MHD_Result take_body(struct exchange *exchange, const char *bytes, size_t *length)
{
	size_t poured = *length;

	*length = 0;
	return exchange_pour(exchange, bytes, poured) ? MHD_YES : MHD_NO;
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

	if (!exchange->head_taken && exchange->hot && take_hot_head(exchange, connection, method, version))
		return MHD_YES;
	if (!exchange->head_taken)
		return take_head(exchange, connection, method, version);
	if (*length > 0)
		return take_body(exchange, bytes, length);
	if (exchange->hot)
		return send_hot(exchange, connection);
	return call_and_send(exchange, connection);
}

static void *on_target(void *argument, const char *target, struct MHD_Connection *connection)
{
	return exchange_create(argument, connection, target);
}

/* How it ended, where that was not in order. */
static const char *const endings[] = {
	[MHD_REQUEST_TERMINATED_WITH_ERROR] = "broken",
	[MHD_REQUEST_TERMINATED_TIMEOUT_REACHED] = "timeout",
	[MHD_REQUEST_TERMINATED_DAEMON_SHUTDOWN] = "shutdown",
	[MHD_REQUEST_TERMINATED_READ_ERROR] = "client gone",
	[MHD_REQUEST_TERMINATED_CLIENT_ABORT] = "client gone",
};

static void log_exchange(const struct exchange *exchange, enum MHD_RequestTerminationCode ending)
{
	const struct request *request = &exchange->request;
	const struct reply *reply = &exchange->reply;
	const struct hot_reply *hot = exchange->hot;
	const struct access access = {
		.method = exchange->running ? access_method(request->method) : NULL,
		.path = hot ? hot->log_path : request->log_path,
		.status = exchange->sent ? reply->status : 0,
		.sent_bytes = exchange->sent_bytes,
		.started_us = request->started_us,
		.client = request->client,
		.who = request->who,
		.note = hot ? hot->note : reply->note,
		.problem = reply->problem,
		.ending = endings[ending],
	};

	access_log(&access);
}

/* Step four: complete. */
static void on_completed(void *argument, struct MHD_Connection *connection, void **context,
	enum MHD_RequestTerminationCode ending)
{
	struct exchange *exchange = TAKE(*(struct exchange **)context);

	if (!exchange)
		return;
	if (exchange->hot && access_is_logged())
		write_client(connection, exchange->request.client, sizeof exchange->request.client);
	if (access_is_logged())
		log_exchange(exchange, ending);
	metric_add(METRIC_SENT_BYTES, exchange->sent_bytes);
	if (exchange->sent)
		metric_add(METRIC_REQUESTS, 1);
	if (exchange->reply.problem)
		metric_refused(exchange->reply.problem);
	exchange_destroy(exchange);
}

/* ---- connections ---- */

static void on_connection(void *argument, struct MHD_Connection *connection, void **context,
	enum MHD_ConnectionNotificationCode code)
{
	struct front *front = argument;

	if (code == MHD_CONNECTION_NOTIFY_CLOSED)
		acceptor_release(front->acceptor);
	else
		traffic_confirm(&front->traffic);
}

static void release(void *context)
{
	acceptor_release(((struct front *)context)->acceptor);
}

static void hand_to_daemon(void *context, int fd, const struct sockaddr_storage *address, socklen_t length)
{
	struct front *front = context;

	traffic_hand_over(&front->traffic);
	if (MHD_add_connection(front->daemon, fd, (const struct sockaddr *)address, length) == MHD_YES)
		return;
	traffic_confirm(&front->traffic);
	release(front);
}

static void deliver(void *context, int fd, const struct sockaddr_storage *address, socklen_t length)
{
	struct front *front = context;

	if (front->express)
		express_take(front->express, fd, address, length);
	else
		hand_to_daemon(front, fd, address, length);
}

/* request_set_target decodes, since it must see what was sent. */
static size_t keep_escapes(void *argument, struct MHD_Connection *connection, char *text)
{
	return strlen(text);
}

static void on_log(void *argument, const char *format, va_list args)
{
	char text[240];

	if (!log_enabled(LOG_LEVEL_DEBUG))
		return;
	(void)vsnprintf(text, sizeof text, format, args);
	text[strcspn(text, "\r\n")] = '\0';
	log_event(LOG_LEVEL_DEBUG, "connection", "text", text, NULL);
}

static void set_defaults(struct front_settings *settings)
{
	long online = sysconf(_SC_NPROCESSORS_ONLN);
	unsigned cores = online > 0 ? (unsigned)online : 1;

	if (settings->threads == 0)
		settings->threads = cores < 2 ? 2 : cores;
	if (settings->workers == 0)
		settings->workers = cores < 4 ? 8 : 2 * cores;
	if (settings->max_connections < settings->threads)
		settings->max_connections = settings->threads;
}

static bool read_tls_files(struct front *front, struct err *err)
{
	const struct front_settings *settings = &front->traffic.settings;

	return !settings->tls_certificate ||
	       (file_read_all(settings->tls_certificate, PEM_MAX, &front->certificate, err) &&
		       file_read_all(settings->tls_key, PEM_MAX, &front->key, err));
}

/* epoll with TLS would burn a core whenever a client stalls in its handshake. */
static unsigned daemon_flags(const struct front *front)
{
	unsigned flags =
		MHD_ALLOW_SUSPEND_RESUME | MHD_USE_ITC | MHD_USE_ERROR_LOG | MHD_USE_NO_LISTEN_SOCKET;

	return flags | (front->traffic.settings.tls_certificate ? MHD_USE_TLS | MHD_USE_POLL_INTERNAL_THREAD
								: MHD_USE_EPOLL_INTERNAL_THREAD);
}

static size_t daemon_options(struct front *front, struct MHD_OptionItem options[OPTIONS_MAX])
{
	const struct front_settings *settings = &front->traffic.settings;
	size_t count = 0;

	options[count++] =
		(struct MHD_OptionItem){MHD_OPTION_CONNECTION_MEMORY_LIMIT, CONNECTION_MEMORY, NULL};
	/* The acceptor counts; libmicrohttpd would divide it by threads. */
	options[count++] = (struct MHD_OptionItem){
		MHD_OPTION_CONNECTION_LIMIT, (intptr_t)settings->max_connections * settings->threads, NULL};
	options[count++] =
		(struct MHD_OptionItem){MHD_OPTION_CONNECTION_TIMEOUT, settings->idle_timeout_s, NULL};
	/* One thread is no pool, says libmicrohttpd. */
	if (settings->threads > 1)
		options[count++] =
			(struct MHD_OptionItem){MHD_OPTION_THREAD_POOL_SIZE, settings->threads, NULL};
	if (settings->tls_certificate) {
		options[count++] = (struct MHD_OptionItem){
			MHD_OPTION_HTTPS_MEM_CERT, 0, (void *)buffer_string(&front->certificate)};
		options[count++] = (struct MHD_OptionItem){
			MHD_OPTION_HTTPS_MEM_KEY, 0, (void *)buffer_string(&front->key)};
		options[count++] =
			(struct MHD_OptionItem){MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)tls_priorities};
	}
	options[count++] = (struct MHD_OptionItem){MHD_OPTION_END, 0, NULL};
	return count;
}

static bool start_daemon(struct front *front, struct err *err)
{
	struct MHD_OptionItem options[OPTIONS_MAX];

	(void)daemon_options(front, options);
	/* The logger comes first, so that complaints about the other options reach it. */
	front->daemon = MHD_start_daemon(daemon_flags(front), 0, NULL, NULL, on_access, front,
		MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_URI_LOG_CALLBACK, on_target,
		&front->traffic, MHD_OPTION_NOTIFY_COMPLETED, on_completed, front,
		MHD_OPTION_NOTIFY_CONNECTION, on_connection, front, MHD_OPTION_UNESCAPE_CALLBACK,
		keep_escapes, NULL, MHD_OPTION_ARRAY, options, MHD_OPTION_END);
	return front->daemon ||
	       err_set(err, ERR_INTERNAL, "the HTTP server does not start at %s%s", front->url,
		       front->certificate.length ? ": is the certificate for that key?" : "");
}

static bool listen_for_all(struct front *front, struct err *err)
{
	const struct front_settings *settings = &front->traffic.settings;
	AUTO_FD int fd = -1;

	if (!listener_open(settings->listen, &fd, err))
		return false;
	front->url =
		mem_printf("http%s://%s", settings->tls_certificate ? "s" : "", listener_address(fd).text);
	return acceptor_open(TAKE_FD(fd), settings->max_connections, deliver, front, &front->acceptor, err);
}

static bool open_express(struct front *front, struct err *err)
{
	const struct express_exits exits = {hand_to_daemon, release, front};

	return !front->traffic.settings.hot || front->traffic.settings.tls_certificate ||
	       express_open(&front->traffic, &exits, &front->express, err);
}

static bool start(struct front *front, struct err *err)
{
	const struct front_settings *settings = &front->traffic.settings;

	return read_tls_files(front, err) && listen_for_all(front, err) &&
	       workers_create(settings->workers, (size_t)settings->workers * QUEUE_PER_WORKER,
		       &front->traffic.workers, err) &&
	       start_daemon(front, err) && open_express(front, err) && acceptor_start(front->acceptor, err);
}

bool front_open(const struct front_settings *settings, struct front **out, struct err *err)
{
	struct front *front = mem_zero(1, sizeof *front);

	traffic_init(&front->traffic, settings);
	set_defaults(&front->traffic.settings);
	if (!start(front, err)) {
		front_close(front);
		return false;
	}
	*out = front;
	return true;
}

const char *front_url(const struct front *front)
{
	return front->url;
}

static void stop_daemon(struct front *front)
{
	traffic_announce_end(&front->traffic);
	acceptor_refuse(front->acceptor);
	if (front->express)
		express_end(front->express);
	traffic_drain(&front->traffic, front->traffic.settings.drain_timeout_s);
	sleepers_close(&front->traffic.sleepers);
	express_close(front->express);
	traffic_await_confirmations(&front->traffic);
	MHD_stop_daemon(front->daemon);
}

void front_close(struct front *front)
{
	if (!front)
		return;
	if (front->daemon)
		stop_daemon(front);
	workers_destroy(front->traffic.workers);
	acceptor_close(front->acceptor);
	traffic_finish(&front->traffic);
	buffer_finish(&front->certificate);
	buffer_finish(&front->key);
	free(front->url);
	free(front);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/mhd/responses.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "common/container.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/http/delivery.h"
#include "server/http/exchange/offload.h"
#include "server/http/problem.h"
#include "server/http/response_fields.h"
#include "server/metrics.h"

enum {
	FILE_BLOCK = 256 << 10,
	/* Chunks are made in the connection's memory; the response's own block stays unused. */
	STREAM_BLOCK = 1 << 10,
	/* What is smaller is taken by the kernel as a whole. */
	MEASURED_FROM = 64 << 10,
	STATUS_AND_DATE = 100 /* with Content-Length and the empty line */
};

static bool leave_feed(struct suspension *suspension)
{
	struct exchange *exchange = CONTAINER_OF(suspension, struct exchange, suspension);

	return exchange->reply.feed_ops->leave(exchange->reply.feed, &exchange->waiter);
}

static void wake_stream(struct waiter *waiter)
{
	struct exchange *exchange = CONTAINER_OF(waiter, struct exchange, waiter);

	suspension_resume(&exchange->suspension);
}

static int socket_of(const struct exchange *exchange)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(exchange->suspension.connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info ? info->connect_fd : -1;
}

/* Resets the connection, so that no client takes what it has for the whole. Disconnecting sends the RST
 * before libmicrohttpd's shutdown() could send an orderly FIN. */
static ssize_t cut(struct exchange *exchange)
{
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};
	const struct sockaddr nowhere = {.sa_family = AF_UNSPEC};
	int fd = socket_of(exchange);

	metric_add(METRIC_CUTS, 1);
	if (fd >= 0) {
		(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
		(void)connect(fd, &nowhere, sizeof nowhere);
	}
	return MHD_CONTENT_READER_END_WITH_ERROR;
}

static ssize_t end_offload(struct exchange *exchange)
{
	switch (exchange->offload.ending) {
	case SENDING_DONE:
		return MHD_CONTENT_READER_END_OF_STREAM;
	case SENDING_GONE:
	case SENDING_LATE:
		return MHD_CONTENT_READER_END_WITH_ERROR;
	default:
		return cut(exchange);
	}
}

/* Reads until there is something to send or the connection is suspended: libmicrohttpd spins on a reader that
 * just answers 0. */
static ssize_t copy_feed(struct exchange *exchange, int64_t offset, char *bytes, size_t length)
{
	const struct reply *reply = &exchange->reply;
	enum feed_result result;
	size_t got = 0;

	do {
		if (!suspension_prepare(&exchange->suspension, leave_feed))
			return cut(exchange);
		result = reply->feed_ops->read(reply->feed, offset, bytes, length, &got, &exchange->waiter);
		if (result != FEED_WAIT)
			suspension_cancel(&exchange->suspension);
		else if (suspension_begin(&exchange->suspension))
			return 0;
	} while (result == FEED_WAIT);
	if (result == FEED_CUT)
		return cut(exchange);
	if (result == FEED_END)
		return MHD_CONTENT_READER_END_OF_STREAM;
	exchange->sent_bytes += (int64_t)got;
	return (ssize_t)got;
}

static ssize_t read_feed(void *argument, uint64_t offset, char *bytes, size_t length)
{
	struct exchange *exchange = argument;
	bool arrived = false;

	if (exchange->offload.begun)
		return end_offload(exchange);
	if (offload_feed(exchange, socket_of(exchange), &arrived))
		return arrived ? end_offload(exchange) : 0;
	exchange->waiter.wake = wake_stream;
	return copy_feed(exchange, (int64_t)offset, bytes, length);
}

static struct MHD_Response *stream_response(struct exchange *exchange)
{
	return MHD_create_response_from_callback(MHD_SIZE_UNKNOWN, STREAM_BLOCK, read_feed, exchange, NULL);
}

/* What is not in memory is brought there while the connection is suspended; then it is read, even if that
 * should wait after all. */
static ssize_t read_file(void *argument, uint64_t offset, char *bytes, size_t length)
{
	struct exchange *exchange = argument;
	const struct reply *reply = &exchange->reply;
	int64_t from = reply->offset + (int64_t)offset;
	bool arrived = exchange->offload.begun;
	bool cold = arrived;
	struct err err;
	size_t got = 0;

	exchange->offload.begun = false;
	if (!cold && !file_read_at_hand(reply->fd, bytes, length, from, &got, &cold, &err))
		return MHD_CONTENT_READER_END_WITH_ERROR;
	if (cold && !arrived && offload_warming(exchange, socket_of(exchange), from, &arrived) && !arrived)
		return 0;
	exchange->offload.begun = false;
	if (cold && !file_read_at(reply->fd, bytes, length, from, &got, &err))
		return MHD_CONTENT_READER_END_WITH_ERROR;
	return got > 0 ? (ssize_t)got : MHD_CONTENT_READER_END_WITH_ERROR;
}

/* Not by sendfile: what is not in memory, libmicrohttpd's thread would wait for within it. */
static struct MHD_Response *file_response(struct exchange *exchange)
{
	const struct reply *reply = &exchange->reply;

	exchange->sent_bytes = reply->size;
	return MHD_create_response_from_callback(
		(uint64_t)reply->size, FILE_BLOCK, read_file, exchange, NULL);
}

static struct MHD_Response *bytes_response(struct exchange *exchange)
{
	struct reply *reply = &exchange->reply;

	exchange->sent_bytes = (int64_t)reply->length;
	return MHD_create_response_from_buffer(reply->length, TAKE(reply->bytes), MHD_RESPMEM_MUST_FREE);
}

static struct MHD_Response *empty_response(struct exchange *exchange)
{
	return MHD_create_response_from_buffer(0, NULL, MHD_RESPMEM_PERSISTENT);
}

/* Never asked: these answers have no body. */
static ssize_t read_nothing(void *argument, uint64_t offset, char *bytes, size_t length)
{
	return MHD_CONTENT_READER_END_WITH_ERROR;
}

/* An answer to HEAD, or a 304: the length of a body that is not sent. libmicrohttpd cannot be silent about
 * the length and keep the connection. */
static struct MHD_Response *bodiless_response(const struct exchange *exchange)
{
	const struct reply *reply = &exchange->reply;
	bool known = reply->head_length >= 0;
	struct MHD_Response *response =
		MHD_create_response_from_callback(known ? (uint64_t)reply->head_length : MHD_SIZE_UNKNOWN,
			STREAM_BLOCK, read_nothing, NULL, NULL);

	if (response && !known)
		(void)MHD_set_response_options(response, MHD_RF_HTTP_1_0_COMPATIBLE_STRICT, MHD_RO_END);
	return response;
}

static bool is_bodiless(const struct exchange *exchange)
{
	return reply_is_bodiless(&exchange->reply, exchange->request.method == METHOD_HEAD);
}

static struct MHD_Response *body_response(struct exchange *exchange)
{
	static struct MHD_Response *(*const by_kind[])(struct exchange *) = {
		[REPLY_EMPTY] = empty_response,
		[REPLY_BYTES] = bytes_response,
		[REPLY_FILE] = file_response,
		[REPLY_STREAM] = stream_response,
		[REPLY_LATER] = empty_response,
	};
	struct MHD_Response *response;

	response =
		is_bodiless(exchange) ? bodiless_response(exchange) : by_kind[exchange->reply.kind](exchange);
	if (!response)
		abort();
	if (exchange->request.method == METHOD_HEAD)
		exchange->sent_bytes = 0;
	return response;
}

void response_measure(struct exchange *exchange)
{
	if (exchange->sent_bytes <= MEASURED_FROM)
		return;
	exchange->taken_until = delivery_taken(socket_of(exchange));
	exchange->measured = exchange->taken_until >= 0;
}

/* As libmicrohttpd writes it. */
static int64_t count_head(const struct exchange *exchange)
{
	size_t type_length;
	size_t length;

	free(response_fields(&exchange->reply, &length, &type_length));
	return STATUS_AND_DATE + (int64_t)length;
}

void response_count_sent(struct exchange *exchange)
{
	int64_t sent_bytes = exchange->sent_bytes;

	if (!exchange->measured)
		return;
	sent_bytes = delivery_confirmed(socket_of(exchange)) - exchange->taken_until - count_head(exchange);
	if (sent_bytes < 0)
		sent_bytes = 0;
	if (sent_bytes < exchange->sent_bytes)
		exchange->sent_bytes = sent_bytes;
}

void response_destroy(struct MHD_Response *response)
{
	MHD_destroy_response(response);
}

struct MHD_Response *response_create(struct exchange *exchange)
{
	const struct reply *reply = &exchange->reply;
	struct MHD_Response *response;

	if (reply->kind == REPLY_STREAM && exchange->request.http_1_0 &&
		exchange->request.method != METHOD_HEAD)
		exchange_refuse_stream(exchange);
	exchange->is_last = exchange->ends || in_flight_is_ending(exchange->in_flight) ||
			    (is_bodiless(exchange) && reply->head_length < 0);
	response = body_response(exchange);
	for (size_t i = 0; i < every_answer_count; i++)
		(void)MHD_add_response_header(response, every_answer[i].name, every_answer[i].value);
	for (size_t i = 0; i < reply->header_count; i++)
		(void)MHD_add_response_header(response, reply->headers[i].name, reply->headers[i].value);
	if (exchange->is_last)
		(void)MHD_add_response_header(response, MHD_HTTP_HEADER_CONNECTION, "close");
	return response;
}

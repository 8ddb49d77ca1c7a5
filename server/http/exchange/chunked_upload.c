/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/exchange/chunked_upload.h"

#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "common/container.h"
#include "common/mem.h"
#include "server/http/exchange/dechunk.h"
#include "server/http/exchange/exchange.h"
#include "server/http/exchange/sender_pool.h"

enum { LOOK_BYTES = 64 << 10, LOOKS_A_TURN = 8 };

struct chunked_upload {
	struct sender_job job;
	struct exchange *exchange;
	struct dechunk dechunk;
	bool lost;
	bool ahead; /* of the inspection */
};

static struct chunked_upload *of_job(struct sender_job *job)
{
	return CONTAINER_OF(job, struct chunked_upload, job);
}

static enum sending refuse(struct exchange *exchange, const struct err *err)
{
	if (!exchange->answered)
		exchange_refuse(exchange, err);
	return SENDING_DONE;
}

/* Who has ended his side may still listen. */
static enum sending refuse_end(struct exchange *exchange)
{
	struct err err;

	(void)err_set(&err, ERR_BAD_REQUEST,
		"the body has ended before its last chunk, and nothing of it is kept; send it again");
	return refuse(exchange, &err);
}

/* One stretch of framing and the data behind it. *done: how many of the bytes need not be looked at again. */
static enum sending read_on(
	struct chunked_upload *chunked_upload, const char *bytes, size_t length, size_t *done)
{
	struct exchange *exchange = chunked_upload->exchange;
	size_t data;
	struct err err;

	if (!dechunk_read(&chunked_upload->dechunk, bytes, length, done, &data, &err))
		return refuse(exchange, &err);
	chunked_upload->ahead = data > 0 && exchange_is_ahead(exchange);
	if (chunked_upload->ahead)
		return SENDING_COLD;
	if (data > 0 && !exchange_has_room(exchange, data)) {
		exchange->awaited_bytes = data;
		return SENDING_COLD;
	}
	if (!exchange_take(exchange, bytes + *done, data, *done + data))
		return SENDING_LATE;
	dechunk_take(&chunked_upload->dechunk, data);
	*done += data;
	return chunked_upload->dechunk.state == DECHUNK_END || exchange->unwanted ? SENDING_DONE
										  : SENDING_FULL;
}

static enum sending read_all(
	struct chunked_upload *chunked_upload, const char *bytes, size_t length, size_t *done)
{
	enum sending sending = SENDING_FULL;

	for (*done = 0; *done < length && sending == SENDING_FULL;) {
		size_t more = 0;

		sending = read_on(chunked_upload, bytes + *done, length - *done, &more);
		*done += more;
	}
	return sending;
}

static bool consume(int socket, char *room, size_t length)
{
	while (length > 0) {
		ssize_t taken = recv(socket, room, length, MSG_TRUNC | MSG_DONTWAIT);

		if (taken <= 0)
			return false;
		length -= (size_t)taken;
	}
	return true;
}

/* What has come is only looked at until it is known how much of it finds room. */
static enum sending move(struct sender_job *job)
{
	struct chunked_upload *chunked_upload = of_job(job);
	enum sending sending = SENDING_FULL;
	char bytes[LOOK_BYTES];

	for (int i = 0; i < LOOKS_A_TURN && sending == SENDING_FULL; i++) {
		ssize_t got = recv(job->socket, bytes, sizeof bytes, MSG_PEEK | MSG_DONTWAIT);
		size_t done;

		if (got < 0 && (errno == EAGAIN || errno == EINTR))
			return SENDING_FULL;
		if (got <= 0)
			return got == 0 ? refuse_end(chunked_upload->exchange) : SENDING_GONE;
		sending = read_all(chunked_upload, bytes, (size_t)got, &done);
		if (!consume(job->socket, bytes, done))
			return SENDING_GONE;
	}
	return sending;
}

static void end(struct chunked_upload *chunked_upload, enum sending ending)
{
	struct exchange *exchange = chunked_upload->exchange;

	chunked_upload->lost = ending != SENDING_DONE;
	exchange->offload.ending = ending;
	suspension_resume(&exchange->suspension);
}

static void load_again(void *context)
{
	struct chunked_upload *chunked_upload = context;

	if (!sender_pool_submit(chunked_upload->exchange->in_flight->growing_senders, &chunked_upload->job))
		end(chunked_upload, SENDING_STOPPED);
}

static void unload(struct sender_job *job, enum sending ending)
{
	struct chunked_upload *chunked_upload = of_job(job);

	if (ending == SENDING_COLD && chunked_upload->ahead)
		exchange_await(chunked_upload->exchange, load_again, chunked_upload);
	else if (ending == SENDING_COLD)
		exchange_make_room(chunked_upload->exchange, load_again, chunked_upload);
	else
		end(chunked_upload, ending);
}

/* libmicrohttpd does so only for those whose body it reads. */
static void say_continue(const struct exchange *exchange, int client)
{
	static const char text[] = "HTTP/1.1 100 Continue\r\n\r\n";

	if (request_header(&exchange->request, "Expect") && !exchange->request.http_1_0)
		(void)send(client, text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

bool chunked_upload_begin(struct exchange *exchange, int client, bool *arrived)
{
	static const struct sender_job_ops ops = {move, NULL, unload};
	const int from_the_first = -1;
	struct chunked_upload *chunked_upload = mem_zero(1, sizeof *chunked_upload);

	exchange->chunked_upload = chunked_upload;
	chunked_upload->exchange = exchange;
	chunked_upload->job = (struct sender_job){.ops = &ops, .socket = client, .incoming = true};
	(void)setsockopt(client, SOL_SOCKET, SO_PEEK_OFF, &from_the_first, sizeof from_the_first);
	say_continue(exchange, client);
	if (!suspension_prepare(&exchange->suspension, NULL))
		return false;
	if (!sender_pool_submit(exchange->in_flight->growing_senders, &chunked_upload->job)) {
		suspension_cancel(&exchange->suspension);
		return false;
	}
	*arrived = !suspension_begin(&exchange->suspension);
	return true;
}

bool chunked_upload_has_lost(const struct chunked_upload *chunked_upload)
{
	return chunked_upload->lost;
}

void chunked_upload_destroy(struct chunked_upload *chunked_upload)
{
	free(chunked_upload);
}

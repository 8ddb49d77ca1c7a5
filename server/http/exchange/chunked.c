/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/exchange/chunked.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>

#include "common/mem.h"

enum { COPY_BYTES = 64 << 10, COPY_FRAME = 32 };

static enum sending failure(void)
{
	if (errno == EAGAIN || errno == EINTR)
		return SENDING_FULL;
	return errno == EIO ? SENDING_BROKEN : SENDING_GONE;
}

/* The end of the chunk before, then the size of the next one, if there is one. */
static void set_frame(struct chunked *chunked)
{
	int written = snprintf(chunked->frame, sizeof chunked->frame, "%s", chunked->begun ? "\r\n" : "");

	if (chunked->left > 0)
		written += sprintf(chunked->frame + written, "%llX\r\n", (long long)chunked->left);
	chunked->frame_length = (size_t)written;
	chunked->frame_sent = 0;
	chunked->begun = true;
}

static enum sending send_frame(struct chunked *chunked, int socket)
{
	int flags = MSG_NOSIGNAL | MSG_DONTWAIT | (chunked->ended ? 0 : MSG_MORE);

	while (chunked->frame_sent < chunked->frame_length) {
		ssize_t sent = send(socket, chunked->frame + chunked->frame_sent,
			chunked->frame_length - chunked->frame_sent, flags);

		if (sent < 0)
			return failure();
		chunked->frame_sent += (size_t)sent;
	}
	return SENDING_DONE;
}

/* What is lent never ends before its time, unless somebody cut the file short. */
static enum sending send_bytes(struct chunked *chunked, int socket, const struct loan *loan)
{
	size_t length = (size_t)(chunked->left < loan->length ? chunked->left : loan->length);
	off_t offset = chunked->offset;
	ssize_t sent = sendfile(socket, loan->fd, &offset, length);

	if (sent <= 0)
		return sent < 0 ? failure() : SENDING_BROKEN;
	chunked->offset += sent;
	chunked->left -= sent;
	return SENDING_DONE;
}

static enum sending send_loan(struct chunked *chunked, int socket, const struct loan *loan)
{
	enum sending sending;

	if (chunked->left == 0) {
		chunked->left = loan->length < SENDING_TURN_BYTES ? loan->length : SENDING_TURN_BYTES;
		set_frame(chunked);
	}
	sending = send_frame(chunked, socket);
	return sending == SENDING_DONE ? send_bytes(chunked, socket, loan) : sending;
}

static enum sending end(struct chunked *chunked, int socket)
{
	if (!chunked->ended)
		set_frame(chunked);
	chunked->ended = true;
	return send_frame(chunked, socket);
}

/* ---- what is not lent ---- */

static enum sending send_copy(struct chunked *chunked, int socket)
{
	while (chunked->copy_sent < chunked->copy_length) {
		ssize_t sent = send(socket, chunked->copy + chunked->copy_sent,
			chunked->copy_length - chunked->copy_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0)
			return failure();
		chunked->copy_sent += (size_t)sent;
	}
	return SENDING_DONE;
}

/* A chunk goes out whole, as its end may be what a client waits for. */
static enum feed_result make_copy(struct chunked *chunked, struct waiter *waiter)
{
	size_t got = 0;
	enum feed_result result;
	int size;

	if (!chunked->copy)
		chunked->copy = mem_zero(COPY_BYTES + COPY_FRAME, 1);
	result = chunked->ops->read(
		chunked->feed, chunked->offset, chunked->copy + COPY_FRAME / 2, COPY_BYTES, &got, waiter);
	if (result != FEED_DATA)
		return result;
	size = snprintf(chunked->frame, sizeof chunked->frame, "%zX\r\n", got);
	chunked->copy_sent = COPY_FRAME / 2 - (size_t)size;
	memcpy(chunked->copy + chunked->copy_sent, chunked->frame, (size_t)size);
	memcpy(chunked->copy + COPY_FRAME / 2 + got, "\r\n", 2);
	chunked->copy_length = COPY_FRAME / 2 + got + 2;
	chunked->offset += (int64_t)got;
	return FEED_DATA;
}

static enum sending copy_next(struct chunked *chunked, int socket, struct waiter *waiter)
{
	int64_t turn_end = chunked->offset + SENDING_TURN_BYTES;
	enum sending sending = send_copy(chunked, socket);

	while (sending == SENDING_DONE && chunked->offset < turn_end) {
		enum feed_result result = make_copy(chunked, waiter);

		if (result == FEED_END)
			return SENDING_DONE;
		if (result != FEED_DATA)
			return result == FEED_WAIT ? SENDING_STARVED : SENDING_CUT;
		sending = send_copy(chunked, socket);
	}
	return sending == SENDING_DONE ? SENDING_FULL : sending;
}

/* ---- what is lent ---- */

static enum sending lend_next(struct chunked *chunked, int socket, struct waiter *waiter)
{
	const struct feed_ops *ops = chunked->ops;
	int64_t turn_end = chunked->offset + SENDING_TURN_BYTES;
	enum sending sending = SENDING_DONE;
	struct loan loan;

	while (sending == SENDING_DONE && chunked->offset < turn_end) {
		enum feed_result lent = ops->lend(chunked->feed, chunked->offset, &loan, waiter);

		if (lent == FEED_END)
			return end(chunked, socket);
		if (lent != FEED_DATA)
			return lent == FEED_WAIT ? SENDING_STARVED : SENDING_CUT;
		sending = send_loan(chunked, socket, &loan);
		if (!ops->repay(chunked->feed, chunked->offset))
			return SENDING_CUT;
	}
	return sending == SENDING_DONE ? SENDING_FULL : sending;
}

enum sending chunked_next(struct chunked *chunked, int socket, struct waiter *waiter)
{
	return chunked->ops->lend ? lend_next(chunked, socket, waiter) : copy_next(chunked, socket, waiter);
}

void chunked_finish(struct chunked *chunked)
{
	free(chunked->copy);
	*chunked = (struct chunked){0};
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/fast/hotsend.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/http/accesslog.h"
#include "server/http/conditions.h"
#include "server/metrics.h"

/* For who takes so much in so short a time, more may wait in the kernel than for one that may be stalled:
 * both sides wake less often. */
enum { QUICK_BYTES = 8 << 20, QUICK_US = 500 * 1000, QUICK_UNSENT_BYTES = 1 << 20 };

static const char close_field[] = "Connection: close\r\n";
static const char ok[] = "HTTP/1.1 200 OK\r\n";
static const char partial_content[] = "HTTP/1.1 206 Partial Content\r\n";
static const char not_modified[] = "HTTP/1.1 304 Not Modified\r\n";

void hotsend_set_date(struct hotsend_desk *desk, int64_t now_s)
{
	int length = snprintf(desk->date, sizeof desk->date, "Date: %s\r\n", clock_http(now_s).text);

	desk->date_length = (size_t)length;
}

/* ---- which answer ---- */

static bool select_part(
	const struct hot_reply *reply, const struct plain_head *head, struct selection *selection)
{
	const struct request request = {
		.method = head->method, .find_header = plain_head_find, .headers = head};

	*selection = (struct selection){CONDITION_WHOLE, 0, reply->size};
	if (head->condition_count == 0)
		return true;
	if (!reply->etag)
		return false;
	*selection = conditions_evaluate(&request, reply->etag, reply->modified_s, reply->size);
	return selection->condition == CONDITION_WHOLE || selection->condition == CONDITION_PART ||
	       selection->condition == CONDITION_NOT_MODIFIED;
}

bool hotsend_begin(struct hotsend *hotsend, struct hot *hot, const struct plain_head *head)
{
	static const int statuses[] = {
		[CONDITION_WHOLE] = 200, [CONDITION_PART] = 206, [CONDITION_NOT_MODIFIED] = 304};
	struct hot_reply *reply = hot_find(hot, head->target);
	struct selection selection;

	if (!reply || !select_part(reply, head, &selection)) {
		hot_release(reply);
		return false;
	}
	*hotsend = (struct hotsend){
		.reply = reply, .method = head->method, .offset = selection.first, .closes = head->closes};
	hotsend->status = statuses[selection.condition];
	hotsend->started_us = access_is_logged() ? clock_monotonic_us() : 0;
	if (head->method == METHOD_GET && hotsend->status != 304)
		hotsend->left = hotsend->length = selection.length;
	return true;
}

/* ---- its head ---- */

static char *append(char *out, const char *bytes, size_t length)
{
	memcpy(out, bytes, length);
	return out + length;
}

static char *append_part_fields(const struct hotsend *hotsend, char *out)
{
	int length = sprintf(out, "Content-Range: bytes %lld-%lld/%lld\r\nContent-Length: %lld\r\n\r\n",
		(long long)hotsend->offset, (long long)(hotsend->offset + hotsend->left - 1),
		(long long)hotsend->reply->size, (long long)hotsend->left);

	return out + length;
}

/* The type is that of a body, and a 304 has none. */
static size_t write_head(const struct hotsend *hotsend, struct hotsend_desk *desk)
{
	const struct hot_reply *reply = hotsend->reply;
	size_t skipped = hotsend->status == 304 ? reply->type_length : 0;
	char *out = desk->out;

	if (hotsend->status == 200)
		out = append(out, ok, sizeof ok - 1);
	else if (hotsend->status == 206)
		out = append(out, partial_content, sizeof partial_content - 1);
	else
		out = append(out, not_modified, sizeof not_modified - 1);
	out = append(out, desk->date, desk->date_length);
	out = append(out, reply->fields + skipped, reply->fields_length - skipped);
	if (hotsend->closes)
		out = append(out, close_field, sizeof close_field - 1);
	if (hotsend->status == 206)
		out = append_part_fields(hotsend, out);
	else
		out = append(out, reply->length_field, reply->length_field_length);
	return (size_t)(out - desk->out);
}

/* ---- sending ---- */

static bool is_full(int reason)
{
	return reason == EAGAIN || reason == EINTR;
}

/* Whose fault it is that this call sent nothing: a mapping or a file that cannot be read, or ends before its
 * time (0), or the socket. */
static enum sending failure(ssize_t sent)
{
	return sent == 0 || errno == EFAULT || errno == EIO ? SENDING_BROKEN : SENDING_GONE;
}

static int send_flags(bool more)
{
	return MSG_NOSIGNAL | MSG_DONTWAIT | (more ? MSG_MORE : 0);
}

/* Part of head and body is out; what is missing of the head is kept for later. */
static enum sending account(
	struct hotsend *hotsend, const struct hotsend_desk *desk, size_t head_length, ssize_t sent)
{
	size_t taken = sent > 0 ? (size_t)sent : 0;

	if (sent < 0 && !is_full(errno))
		return failure(sent);
	if (taken < head_length) {
		hotsend->head_length = head_length - taken;
		hotsend->head = mem_dup_n(desk->out + taken, hotsend->head_length);
		return SENDING_FULL;
	}
	hotsend->offset += (int64_t)(taken - head_length);
	hotsend->left -= (int64_t)(taken - head_length);
	return hotsend->left ? SENDING_FULL : SENDING_DONE;
}

static void count(const struct hotsend *hotsend)
{
	const struct hot_reply *reply = hotsend->reply;

	metric_add(METRIC_PREPARED, 1);
	metric_add(METRIC_EXPRESS, 1);
	if (hotsend->method == METHOD_GET)
		reply->reuse.ops->hit(reply->reuse.context, hotsend->left > 0 && hotsend->offset == 0);
}

/* What goes along with the head, in one call; NULL: nothing. The kernel copies it, so large parts of files
 * are left to sendfile; as is a file that somebody cut short, since behind its end its last page gives zeros.
 */
static const char *body_along(const struct hotsend *hotsend)
{
	const struct hot_reply *reply = hotsend->reply;

	if (!reply->body ||
		(reply->is_file && (hotsend->left > HOTSEND_MAPPED_MAX ||
					   !file_part_at_hand(reply->fd, hotsend->offset, hotsend->left))))
		return NULL;
	return reply->body + hotsend->offset;
}

/* One piece costs the kernel less than two. Mappings are not copied here: a bad disk would be a SIGBUS. */
static ssize_t send_small(
	struct hotsend_desk *desk, size_t head_length, const char *body, size_t length, int fd)
{
	memcpy(desk->out + head_length, body, length);
	return send(fd, desk->out, head_length + length, send_flags(false));
}

static ssize_t send_pieces(
	struct hotsend_desk *desk, size_t head_length, const char *body, size_t length, int fd, bool more)
{
	struct iovec pieces[] = {{desk->out, head_length}, {(void *)body, length}};
	const struct msghdr message = {.msg_iov = pieces, .msg_iovlen = body ? 2 : 1};

	return sendmsg(fd, &message, send_flags(more));
}

enum sending hotsend_first(struct hotsend *hotsend, struct hotsend_desk *desk, int fd)
{
	size_t head_length = write_head(hotsend, desk);
	size_t length = (size_t)hotsend->left;
	const char *along = length ? body_along(hotsend) : NULL;
	bool more = length && !along;
	bool small = along && !hotsend->reply->is_file && length <= sizeof desk->out - head_length;
	enum sending result;
	ssize_t sent;

	count(hotsend);
	sent = small ? send_small(desk, head_length, along, length, fd)
		     : send_pieces(desk, head_length, along, length, fd, more);
	result = account(hotsend, desk, head_length, sent);
	return result == SENDING_FULL && more && !hotsend->head ? hotsend_next(hotsend, fd) : result;
}

static enum sending send_head(struct hotsend *hotsend, int fd)
{
	ssize_t sent = send(fd, hotsend->head + hotsend->head_sent, hotsend->head_length - hotsend->head_sent,
		send_flags(hotsend->left > 0));

	if (sent < 0)
		return is_full(errno) ? SENDING_FULL : SENDING_GONE;
	hotsend->head_sent += (size_t)sent;
	return hotsend->head_sent == hotsend->head_length ? SENDING_DONE : SENDING_FULL;
}

/* False: the next turn's bytes would have to come from the disk, for which this answer is not to wait. One
 * that may wait has the disk begin with them all at once. */
static bool look_ahead(struct hotsend *hotsend)
{
	int64_t length = hotsend->left < SENDING_TURN_BYTES ? hotsend->left : SENDING_TURN_BYTES;
	int64_t until = hotsend->offset + length;

	if (!hotsend->reply->is_file || hotsend->offset < hotsend->at_hand_until)
		return true;
	if (!file_part_at_hand(hotsend->reply->fd, hotsend->offset, length)) {
		if (!hotsend->patient)
			return false;
		(void)posix_fadvise(hotsend->reply->fd, hotsend->offset, 2 * length, POSIX_FADV_WILLNEED);
	}
	hotsend->at_hand_until = until;
	return true;
}

static ssize_t send_body(const struct hotsend *hotsend, int fd)
{
	const struct hot_reply *reply = hotsend->reply;
	int64_t until = reply->is_file ? hotsend->at_hand_until : hotsend->offset + SENDING_TURN_BYTES;
	size_t length = hotsend->left < until - hotsend->offset ? (size_t)hotsend->left
								: (size_t)(until - hotsend->offset);
	off_t offset = hotsend->offset;

	return reply->is_file ? sendfile(fd, reply->fd, &offset, length)
			      : send(fd, reply->body + hotsend->offset, length, send_flags(false));
}

static void measure_pace(struct hotsend *hotsend, int fd)
{
	const int unsent_bytes = QUICK_UNSENT_BYTES;

	if (hotsend->measured_us == 0)
		hotsend->measured_us = clock_monotonic_us();
	if (hotsend->measured_us < 0 || hotsend->length - hotsend->left < QUICK_BYTES)
		return;
	if (clock_monotonic_us() - hotsend->measured_us < QUICK_US)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_bytes, sizeof unsent_bytes);
	hotsend->measured_us = -1;
}

enum sending hotsend_next(struct hotsend *hotsend, int fd)
{
	int64_t turn = SENDING_TURN_BYTES;
	ssize_t sent = 0;

	if (hotsend->head) {
		enum sending result = send_head(hotsend, fd);

		if (result != SENDING_DONE)
			return result;
		free(TAKE(hotsend->head));
	}
	for (; hotsend->left > 0 && turn > 0; turn -= sent) {
		if (!look_ahead(hotsend))
			return SENDING_COLD;
		sent = send_body(hotsend, fd);
		if (sent < 0 && is_full(errno))
			break;
		if (sent <= 0)
			return failure(sent);
		hotsend->offset += sent;
		hotsend->left -= sent;
	}
	if (hotsend->left > 0)
		measure_pace(hotsend, fd);
	return hotsend->left ? SENDING_FULL : SENDING_DONE;
}

/* ---- the end ---- */

static void log_it(
	const struct hotsend *hotsend, const struct sockaddr *client, int64_t sent_bytes, const char *ending)
{
	char address[64] = "";
	const struct access access = {
		.method = method_name(hotsend->method),
		.path = hotsend->reply->log_path,
		.status = hotsend->status,
		.sent_bytes = sent_bytes,
		.started_us = hotsend->started_us,
		.client = address,
		.note = hotsend->reply->note,
		.ending = ending,
	};

	access_client(client, address, sizeof address);
	access_log(&access);
}

void hotsend_finish(
	struct hotsend *hotsend, const struct sockaddr *client, enum sending ending, int64_t unconfirmed)
{
	int64_t taken = hotsend->length - hotsend->left;
	int64_t sent_bytes = taken > unconfirmed ? taken - unconfirmed : 0;

	if (!hotsend->reply)
		return;
	if (hotsend->started_us && access_is_logged())
		log_it(hotsend, client, sent_bytes, sending_ending(ending));
	metric_add(METRIC_REQUESTS, 1);
	metric_add(METRIC_SENT_BYTES, sent_bytes);
	metric_add(METRIC_MODULE_BYTES, sent_bytes);
	hot_release(hotsend->reply);
	free(hotsend->head);
	*hotsend = (struct hotsend){0};
}

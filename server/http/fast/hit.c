/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/fast/hit.h"

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
#include "common/invariant.h"
#include "common/mem.h"
#include "common/network.h"
#include "common/own.h"
#include "server/http/accesslog.h"
#include "server/http/conditions.h"
#include "server/http/forwarded.h"
#include "server/metrics.h"

/* For who takes so much in so short a time, more may wait in the kernel than for one that may be stalled:
 * both sides wake less often. */
enum { QUICK_BYTES = 8 << 20, QUICK_US = 500 * 1000, QUICK_UNSENT_BYTES = 1 << 20 };

static const char close_field[] = "Connection: close\r\n";
static const char partial_content[] = "HTTP/1.1 206 Partial Content\r\n";
static const char not_modified[] = "HTTP/1.1 304 Not Modified\r\n";

void hit_set_date(struct hit_desk *desk, int64_t now_s)
{
	int length = snprintf(desk->date, sizeof desk->date, "Date: %s\r\n", clock_http(now_s).text);

	desk->date_length = (size_t)length;
}

/* ---- which answer ---- */

static bool select_part(
	const struct cached_reply *reply, const struct plain_head *head, struct selection *selection)
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

bool hit_begin(struct hit *hit, struct response_cache *cache, const struct plain_head *head)
{
	AUTO_CACHED_REPLY struct cached_reply *reply = response_cache_find(cache, head->target);
	struct selection selection;

	if (!reply || !select_part(reply, head, &selection))
		return false;
	*hit = (struct hit){.reply = TAKE(reply),
		.method = head->method,
		.offset = selection.first,
		.closes = head->closes};
	hit->status = condition_status(selection.condition);
	hit->started_us = accesslog_is_on() ? clock_monotonic_us() : 0;
	if (head->method == METHOD_GET && hit->status != 304)
		hit->left = hit->length = selection.length;
	return true;
}

void hit_note_client(struct hit *hit, const struct plain_head *head, const struct sockaddr *peer,
	const struct front_settings *settings)
{
	const char *told = head->told[settings->proxies_write];
	struct forwarded forwarded;
	char address[64] = "";

	if (!hit->started_us || !settings->trusted_proxies || !told)
		return;
	accesslog_client(peer, address, sizeof address);
	if (!network_list_has(settings->trusted_proxies, address))
		return;
	forwarded_read(told, settings->proxies_write, settings->trusted_proxies, &forwarded);
	hit->client = *forwarded.client ? mem_dup(forwarded.client) : NULL;
}

void hit_begin_fresh(
	struct hit *hit, struct cached_reply *reply, enum method method, int64_t offset, bool closes)
{
	*hit = (struct hit){.reply = reply,
		.method = method,
		.status = reply->status,
		.offset = offset,
		.closes = closes,
		.fresh = true};
	if (method != METHOD_HEAD)
		hit->left = hit->length = reply->size;
}

void hit_narrow(struct hit *hit, int status, int64_t offset, int64_t length)
{
	hit->status = status;
	hit->offset = offset;
	hit->left = hit->length = length;
}

/* ---- its head ---- */

static char *append(char *out, const char *bytes, size_t length)
{
	memcpy(out, bytes, length);
	return out + length;
}

static char *append_part_fields(const struct hit *hit, char *out)
{
	int length = sprintf(out, "Content-Range: bytes %lld-%lld/%lld\r\nContent-Length: %lld\r\n\r\n",
		(long long)hit->offset, (long long)(hit->offset + hit->left - 1), (long long)hit->reply->size,
		(long long)hit->left);

	return out + length;
}

/* Whether it is less than the reply that is kept for the whole. */
static bool is_cut(const struct hit *hit, int status)
{
	return hit->status == status && hit->reply->status != status;
}

/* The type is that of a body, and a 304 has none. */
static size_t write_head(const struct hit *hit, const struct hit_desk *desk, char *out)
{
	const struct cached_reply *reply = hit->reply;
	size_t skipped = is_cut(hit, 304) ? reply->type_length : 0;
	const char *begin = out;

	if (is_cut(hit, 206))
		out = append(out, partial_content, sizeof partial_content - 1);
	else if (is_cut(hit, 304))
		out = append(out, not_modified, sizeof not_modified - 1);
	else
		out = append(out, reply->status_line, reply->status_line_length);
	out = append(out, desk->date, desk->date_length);
	out = append(out, reply->fields + skipped, reply->fields_length - skipped);
	if (hit->closes)
		out = append(out, close_field, sizeof close_field - 1);
	if (is_cut(hit, 206))
		out = append_part_fields(hit, out);
	else
		out = append(out, reply->length_field, reply->length_field_length);
	return (size_t)(out - begin);
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
static enum sending account(struct hit *hit, const struct hit_desk *desk, size_t head_length, ssize_t sent)
{
	size_t taken = sent > 0 ? (size_t)sent : 0;

	if (sent < 0 && !is_full(errno))
		return failure(sent);
	if (taken < head_length) {
		hit->head_length = head_length - taken;
		hit->head = mem_dup_n(desk->out + taken, hit->head_length);
		return SENDING_FULL;
	}
	hit->offset += (int64_t)(taken - head_length);
	hit->left -= (int64_t)(taken - head_length);
	INVARIANT(hit->left >= 0);
	return hit->left ? SENDING_FULL : SENDING_DONE;
}

static void count(const struct hit *hit)
{
	const struct cached_reply *reply = hit->reply;

	if (hit->fresh)
		return;
	metric_add(METRIC_PREPARED, 1);
	metric_add(METRIC_FAST_PATH, 1);
	if (hit->method == METHOD_GET)
		reply->reuse.ops->hit(reply->reuse.context, hit->left > 0 && hit->offset == 0);
}

/* What goes along with the head, in one call; NULL: nothing. The kernel copies it, so large parts of files
 * are left to sendfile; as is a file that somebody cut short, since behind its end its last page gives zeros.
 */
static const char *body_along(const struct hit *hit)
{
	const struct cached_reply *reply = hit->reply;

	if (!reply->body ||
		(reply->is_file && (hit->left > HIT_MAPPED_MAX ||
					   !file_part_at_hand(reply->fd, hit->offset, hit->left))))
		return NULL;
	return reply->body + hit->offset;
}

/* One piece costs the kernel less than two. Mappings are not copied here: a bad disk would be a SIGBUS. */
static ssize_t send_small(struct hit_desk *desk, size_t head_length, const char *body, size_t length, int fd)
{
	memcpy(desk->out + head_length, body, length);
	return send(fd, desk->out, head_length + length, send_flags(false));
}

static ssize_t send_pieces(
	struct hit_desk *desk, size_t head_length, const char *body, size_t length, int fd, bool more)
{
	struct iovec pieces[] = {{desk->out, head_length}, {(void *)body, length}};
	const struct msghdr message = {.msg_iov = pieces, .msg_iovlen = body ? 2 : 1};

	return sendmsg(fd, &message, send_flags(more));
}

/* What is kept has a head that fits onto the desk. */
static enum sending begin_with_long_head(struct hit *hit, const struct hit_desk *desk, int fd)
{
	hit->head = mem_zero(hit->reply->fields_length + CACHED_HEAD_MAX - CACHED_FIELDS_MAX, 1);
	hit->head_length = write_head(hit, desk, hit->head);
	return hit_next(hit, fd);
}

static enum sending begin(struct hit *hit, struct hit_desk *desk, int fd)
{
	size_t head_length = write_head(hit, desk, desk->out);
	size_t length = (size_t)hit->left;
	const char *along = length ? body_along(hit) : NULL;
	bool more = length && !along;
	bool small = along && !hit->reply->is_file && length <= sizeof desk->out - head_length;
	enum sending result;
	ssize_t sent;

	sent = small ? send_small(desk, head_length, along, length, fd)
		     : send_pieces(desk, head_length, along, length, fd, more);
	result = account(hit, desk, head_length, sent);
	return result == SENDING_FULL && more && !hit->head ? hit_next(hit, fd) : result;
}

/* Two looks at the clock are a hundredth of a small hit: where none is needed for the log, none is timed. */
static void time_it(const struct hit *hit)
{
	if (hit->started_us)
		metric_observe(HISTOGRAM_FIRST_BYTE_HIT, clock_monotonic_us() - hit->started_us);
}

enum sending hit_first(struct hit *hit, struct hit_desk *desk, int fd)
{
	if (!hit->fresh)
		time_it(hit);
	count(hit);
	return hit->reply->fields_length > CACHED_FIELDS_MAX ? begin_with_long_head(hit, desk, fd)
							     : begin(hit, desk, fd);
}

static enum sending send_head(struct hit *hit, int fd)
{
	ssize_t sent = send(
		fd, hit->head + hit->head_sent, hit->head_length - hit->head_sent, send_flags(hit->left > 0));

	if (sent < 0)
		return is_full(errno) ? SENDING_FULL : SENDING_GONE;
	hit->head_sent += (size_t)sent;
	return hit->head_sent == hit->head_length ? SENDING_DONE : SENDING_FULL;
}

/* False: the next turn's bytes would have to come from the disk, for which this answer is not to wait. One
 * that may wait has the disk begin with them all at once. */
static bool look_ahead(struct hit *hit)
{
	int64_t length = hit->left < SENDING_TURN_BYTES ? hit->left : SENDING_TURN_BYTES;
	int64_t until = hit->offset + length;

	if (!hit->reply->is_file || hit->offset < hit->at_hand_until)
		return true;
	if (!file_part_at_hand(hit->reply->fd, hit->offset, length)) {
		if (!hit->patient)
			return false;
		(void)posix_fadvise(hit->reply->fd, hit->offset, 2 * length, POSIX_FADV_WILLNEED);
	}
	hit->at_hand_until = until;
	return true;
}

static ssize_t send_body(const struct hit *hit, int fd)
{
	const struct cached_reply *reply = hit->reply;
	int64_t until = reply->is_file ? hit->at_hand_until : hit->offset + SENDING_TURN_BYTES;
	size_t length = hit->left < until - hit->offset ? (size_t)hit->left : (size_t)(until - hit->offset);
	off_t offset = hit->offset;

	return reply->is_file ? sendfile(fd, reply->fd, &offset, length)
			      : send(fd, reply->body + hit->offset, length, send_flags(false));
}

static void measure_pace(struct hit *hit, int fd)
{
	const int unsent_bytes = QUICK_UNSENT_BYTES;

	if (hit->measured_us == 0)
		hit->measured_us = clock_monotonic_us();
	if (hit->measured_us < 0 || hit->length - hit->left < QUICK_BYTES)
		return;
	if (clock_monotonic_us() - hit->measured_us < QUICK_US)
		(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_bytes, sizeof unsent_bytes);
	hit->measured_us = -1;
}

enum sending hit_next(struct hit *hit, int fd)
{
	int64_t turn = SENDING_TURN_BYTES;
	ssize_t sent = 0;

	if (hit->head) {
		enum sending result = send_head(hit, fd);

		if (result != SENDING_DONE)
			return result;
		free(TAKE(hit->head));
	}
	for (; hit->left > 0 && turn > 0; turn -= sent) {
		if (!look_ahead(hit))
			return SENDING_COLD;
		sent = send_body(hit, fd);
		if (sent < 0 && is_full(errno))
			break;
		if (sent <= 0)
			return failure(sent);
		hit->offset += sent;
		hit->left -= sent;
	}
	if (hit->left > 0)
		measure_pace(hit, fd);
	return hit->left ? SENDING_FULL : SENDING_DONE;
}

/* ---- the end ---- */

static void log_it(
	const struct hit *hit, const struct sockaddr *client, int64_t sent_bytes, const char *ending)
{
	char address[64] = "";
	const struct accesslog_line access = {
		.method = method_name(hit->method),
		.path = hit->reply->log_path,
		.status = hit->status,
		.sent_bytes = sent_bytes,
		.started_us = hit->started_us,
		.client = hit->client ? hit->client : address,
		.note = hit->reply->note,
		.ending = ending,
	};

	accesslog_client(client, address, sizeof address);
	accesslog_write(&access);
}

void hit_add_last_chunk(struct hit *hit)
{
	static const char last_chunk[] = "0\r\n\r\n";

	hit->head_length = sizeof last_chunk - 1;
	hit->head_sent = 0;
	hit->head = mem_dup_n(last_chunk, hit->head_length);
}

int64_t hit_sent_bytes(const struct hit *hit, int64_t unconfirmed)
{
	int64_t taken = hit->length - hit->left;

	return taken > unconfirmed ? taken - unconfirmed : 0;
}

static void record(
	const struct hit *hit, const struct sockaddr *client, enum sending ending, int64_t sent_bytes)
{
	if (hit->started_us && accesslog_is_on())
		log_it(hit, client, sent_bytes, sending_ending(ending));
	metric_add(METRIC_REQUESTS, 1);
	metric_add(METRIC_SENT_BYTES, sent_bytes);
	metric_add(METRIC_MODULE_BYTES, sent_bytes);
}

void hit_finish(struct hit *hit, const struct sockaddr *client, enum sending ending, int64_t unconfirmed)
{
	if (!hit->reply)
		return;
	if (!hit->fresh)
		record(hit, client, ending, hit_sent_bytes(hit, unconfirmed));
	cached_reply_release(hit->reply);
	free(hit->head);
	free(hit->client);
	*hit = (struct hit){0};
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/fast/refusal.h"

#include "common/buffer.h"
#include "common/clock.h"
#include "common/own.h"
#include "server/http/accesslog.h"
#include "server/http/problem.h"
#include "server/http/response_fields.h"
#include "server/metrics.h"

static void write_answer(const struct reply *reply, const char *date, bool is_head, struct buffer *out)
{
	size_t length;
	size_t type_length;
	AUTO_FREE char *fields = response_fields(reply, &length, &type_length);

	buffer_printf(out, "HTTP/1.1 %d %s\r\n%s", reply->status, problem_title(reply->problem), date);
	buffer_printf(out, "Connection: close\r\nContent-Length: %zu\r\n", reply->length);
	buffer_add(out, fields, length);
	buffer_add_string(out, "\r\n");
	if (!is_head)
		buffer_add(out, reply->bytes, reply->length);
}

/* What cannot be read has no method and no path. */
static void log_answer(const struct reply *reply, const struct sockaddr *client, int64_t started_us)
{
	char text[64] = "";
	const struct accesslog_line access = {
		.status = reply->status,
		.sent_bytes = (int64_t)reply->length,
		.started_us = started_us,
		.client = text,
		.problem = reply->problem,
	};

	accesslog_client(client, text, sizeof text);
	accesslog_write(&access);
}

void refusal_send(
	int fd, const struct sockaddr *client, const char *date, bool is_head, const struct err *err)
{
	int64_t started_us = clock_monotonic_us();
	AUTO_BUFFER struct buffer out = {0};
	AUTO(reply_finish) struct reply reply = {0};

	reply_init(&reply);
	problem_reply(&reply, err);
	write_answer(&reply, date, is_head, &out);
	(void)send(fd, out.data, out.length, MSG_NOSIGNAL | MSG_DONTWAIT);
	(void)shutdown(fd, SHUT_WR);
	metric_add(METRIC_REQUESTS, 1);
	metric_add(METRIC_SENT_BYTES, (int64_t)reply.length);
	metric_refused(err->code);
	if (accesslog_is_on())
		log_answer(&reply, client, started_us);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/exchange/record.h"

#include "server/http/accesslog.h"
#include "server/http/clientkey.h"
#include "server/metrics.h"

static void log_it(const struct exchange *exchange, const char *ending)
{
	const struct request *request = &exchange->request;
	const struct reply *reply = &exchange->reply;
	const struct accesslog_line access = {
		.method = exchange->running ? method_name(request->method) : NULL,
		.path = request->log_path,
		.status = exchange->sent ? reply->status : 0,
		.sent_bytes = exchange->sent_bytes,
		.started_us = request->started_us,
		.client = client_address(request),
		.who = request->who,
		.note = reply->note,
		.problem = reply->problem,
		.ending = ending,
	};

	accesslog_write(&access);
}

static void count(const struct exchange *exchange)
{
	metric_add(METRIC_SENT_BYTES, exchange->sent_bytes);
	if (exchange->reply.is_module)
		metric_add(METRIC_MODULE_BYTES, exchange->sent_bytes);
	if (exchange->sent)
		metric_add(METRIC_REQUESTS, 1);
	if (exchange->reply.problem)
		metric_refused(exchange->reply.problem);
}

void record_exchange(const struct exchange *exchange, const char *ending)
{
	if (accesslog_is_on())
		log_it(exchange, ending);
	count(exchange);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/fast/direct.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "server/http/accesslog.h"
#include "server/http/exchange/exchange.h"
#include "server/http/exchange/offload.h"
#include "server/http/exchange/record.h"
#include "server/http/fast/cached_reply.h"
#include "server/http/fast/wirefields.h"
#include "server/http/problem.h"
#include "server/metrics.h"

struct direct {
	struct exchange *exchange;
	struct wire_fields fields;
	bool closes;   /* the client wants no more on this connection */
	bool followed; /* … or has sent more along, to be served before it closes */
	bool fed;
};

bool direct_suits(const struct wire_head *head)
{
	static const bool suits[METHOD_OTHER + 1] = {
		[METHOD_GET] = true, [METHOD_HEAD] = true, [METHOD_DELETE] = true, [METHOD_OPTIONS] = true};

	return head->body == 0 && (head->stays || head->closes) && suits[head->method];
}

static void read_head(struct request *request, const struct wire_fields *fields)
{
	request->method = fields->method;
	request->http_1_0 = fields->is_1_0;
	request->headers = fields;
	request->find_header = wire_fields_find;
	request->find_last_header = wire_fields_find_last;
}

struct direct *direct_create(struct in_flight *in_flight, const char *bytes, const struct wire_head *head,
	const struct sockaddr *client, const struct suspension_ops *ops, void *connection)
{
	struct direct *direct = mem_zero(1, sizeof *direct);
	struct exchange *exchange = exchange_create(in_flight, ops, connection);

	wire_fields_read(bytes, head->length, &direct->fields);
	direct->exchange = exchange;
	direct->closes = head->closes;
	exchange_enter(exchange);
	exchange_set_target(exchange, direct->fields.target);
	read_head(&exchange->request, &direct->fields);
	accesslog_client(client, exchange->request.client, sizeof exchange->request.client);
	return direct;
}

void direct_note_followed(struct direct *direct)
{
	direct->followed = true;
}

bool direct_call(struct direct *direct)
{
	exchange_match(direct->exchange);
	return !direct->exchange->answered && exchange_call(direct->exchange);
}

/* What is kept of a part is the whole: parts alone would never be given from the cache. */
static void begin_hit(struct direct *direct, bool is_kept, struct hit *out)
{
	struct exchange *exchange = direct->exchange;
	struct reply *reply = &exchange->reply;
	struct reply_part part = {reply->status, reply->offset, reply->size};
	struct cached_reply *prepared;

	if (is_kept)
		part = reply_widen(reply);
	prepared = cached_reply_create(exchange);
	cached_reply_take_body(prepared, reply);
	hit_begin_fresh(out, prepared, exchange->request.method, reply->offset,
		direct->closes || (!direct->followed && in_flight_is_ending(exchange->in_flight)));
	if (part.status != reply->status)
		hit_narrow(out, part.status, part.offset, part.size);
	reply->status = part.status;
}

static void observe_first_byte(const struct exchange *exchange)
{
	static const struct {
		const char *note;
		enum histogram histogram;
	} kinds[] = {{"hit", HISTOGRAM_FIRST_BYTE_HIT}, {"miss", HISTOGRAM_FIRST_BYTE_MISS},
		{"collapsed", HISTOGRAM_FIRST_BYTE_COLLAPSED}};

	for (size_t i = 0; exchange->reply.is_module && i < sizeof kinds / sizeof *kinds; i++) {
		if (strcmp(exchange->reply.note, kinds[i].note) == 0)
			metric_observe(
				kinds[i].histogram, clock_monotonic_us() - exchange->request.started_us);
	}
}

bool direct_answer(struct direct *direct, struct hit *out)
{
	struct exchange *exchange = direct->exchange;
	struct response_cache *cache = exchange->in_flight->settings.response_cache;
	struct reply *reply = &exchange->reply;
	bool is_kept = cached_reply_may_be_kept(exchange);

	if (!exchange->answered)
		return false;
	if (exchange->request.http_1_0 && reply->kind == REPLY_STREAM &&
		exchange->request.method != METHOD_HEAD)
		exchange_refuse_stream(exchange);
	exchange->sent = true;
	observe_first_byte(exchange);
	begin_hit(direct, is_kept, out);
	/* An ending server may have begun to end since. */
	if (is_kept && out->reply->target)
		response_cache_keep(cache, exchange->cache_ticket, cached_reply_hold(out->reply));
	return true;
}

bool direct_is_to_feed(const struct direct *direct)
{
	const struct exchange *exchange = direct->exchange;

	return !direct->fed && exchange->reply.kind == REPLY_STREAM &&
	       exchange->request.method != METHOD_HEAD;
}

bool direct_feed(struct direct *direct, int socket, bool *arrived)
{
	direct->fed = true;
	return offload_feed(direct->exchange, socket, arrived);
}

bool direct_has_fed(const struct direct *direct)
{
	return direct->fed;
}

enum sending direct_end_feed(struct direct *direct, struct hit *out)
{
	enum sending ending = direct->exchange->offload.ending;

	if (ending == SENDING_DONE)
		hit_add_last_chunk(out);
	return ending;
}

bool direct_is_cut(const struct direct *direct, enum sending ending)
{
	bool is_clients = ending == SENDING_DONE || ending == SENDING_GONE || ending == SENDING_LATE;

	return direct->fed && !is_clients;
}

void direct_finish(struct direct *direct, const struct hit *hit, enum sending ending, int64_t unconfirmed)
{
	if (!direct)
		return;
	if (direct->fed && direct->exchange->sent_bytes > unconfirmed)
		direct->exchange->sent_bytes -= unconfirmed;
	else
		direct->exchange->sent_bytes = hit_sent_bytes(hit, unconfirmed);
	record_exchange(direct->exchange, sending_ending(ending));
	exchange_destroy(direct->exchange);
	wire_fields_finish(&direct->fields);
	free(direct);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/fills.h"

#include <inttypes.h>

#include "common/number.h"
#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/http/problem.h"

static json_t *number_or_null(int64_t number)
{
	return number >= 0 ? json_integer(number) : json_null();
}

void fill_add_refusal(json_t *object, const struct err *err)
{
	const char *detail = err->text;

	if (err->code == ERR_INTERNAL)
		detail = "Something went wrong here; the server's log has the details.";
	json_object_set_new(object, "code", json_string(err_name(err->code)));
	json_object_set_new(object, "detail", answer_text(detail));
}

json_t *fill_json(const struct fill_status *fill)
{
	const struct fill_figures *figures = &fill->figures;
	json_t *object = json_pack("{s:I, s:s, s:I, s:s, s:s, s:I, s:o, s:I, s:o, s:I, s:o, s:I, s:o}", "id",
		(json_int_t)fill->id, "handle", fill->name.handle, "version", (json_int_t)fill->name.version,
		"format", formats[fill->name.format].name, "state", fill_state_name(figures->state), "bytes",
		(json_int_t)figures->bytes, "total_bytes", number_or_null(figures->total_bytes), "rate",
		(json_int_t)figures->rate, "eta_s", number_or_null(figures->eta_s), "waiters",
		(json_int_t)fill->waiters, "upstream", answer_text(figures->upstream), "attempts",
		(json_int_t)figures->attempts, "started_at", answer_time(fill->started_at));

	if (fill->ended_at)
		json_object_set_new(object, "ended_at", answer_time(fill->ended_at));
	if (fill->err.code != ERR_NONE)
		fill_add_refusal(object, &fill->err);
	return object;
}

static json_t *fills_json(const struct fill_status *fills, size_t count)
{
	json_t *items = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(items, fill_json(&fills[i]));
	return items;
}

/* On one page: the mirror limits how many there are. */
void api_fills(void *context, struct request *request, struct reply *reply)
{
	const struct services *services = context;
	AUTO(fill_list_finish) struct fill_list list = {0};

	(void)request;
	mirror_list(services->mirror, &list);
	answer_json(reply, json_pack("{s:o, s:I, s:n, s:o}", "fills", fills_json(list.items, list.running),
				   "total", (json_int_t)list.running, "next", "recent",
				   fills_json(list.items + list.running, list.count - list.running)));
}

void api_cancel_fill(void *context, struct request *request, struct reply *reply)
{
	const struct services *services = context;
	struct err err;
	int64_t id;

	if (!number_parse(request->rest, &id))
		(void)err_set(&err, ERR_BAD_REQUEST, "the id of a fill is a number");
	else if (mirror_cancel(services->mirror, id, &err))
		return reply_empty(reply, 204);
	problem_reply(reply, &err);
}

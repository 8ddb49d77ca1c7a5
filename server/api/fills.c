/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/fills.h"

#include <inttypes.h>
#include <string.h>

#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/page.h"
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

/* ---- the list ---- */

/* Behind a fill that runs, by its id, those with higher ones; then all that have ended, latest first, or
 * behind one of them those that ended before it. */
struct place {
	int64_t running;
	int64_t ended;
};

static const char ended_prefix[] = "ended-";

static bool read_place(const char *after, struct place *out, struct err *err)
{
	size_t prefix = strlen(ended_prefix);
	bool ended = strncmp(after, ended_prefix, prefix) == 0;
	struct place place = {0, INT64_MAX};

	if (ended)
		place.running = INT64_MAX;
	if (*after && !number_parse(ended ? after + prefix : after, ended ? &place.ended : &place.running))
		return page_refuse_cursor(err);
	*out = place;
	return true;
}

static char *place_text(const struct fill_status *fill)
{
	return fill->ended_as ? mem_printf("%s%" PRId64, ended_prefix, fill->ended_as)
			      : mem_printf("%" PRId64, fill->id);
}

static bool is_behind(const struct place *place, const struct fill_status *fill)
{
	return fill->ended_as ? fill->ended_as < place->ended : fill->id > place->running;
}

/* Those of one version, where the query names one. */
static bool read_version(const struct ask *ask, struct name *out, struct err *err)
{
	const char *path = query_find(ask->query, "path");

	return !path || name_parse_versioned(path, out, err);
}

static bool is_of(const struct name *version, const struct fill_status *fill)
{
	return version->version == 0 ||
	       (fill->name.version == version->version && strcmp(fill->name.handle, version->handle) == 0);
}

static int64_t count_running(const struct fill_list *list, const struct name *version)
{
	int64_t count = 0;

	for (size_t i = 0; i < list->running; i++)
		count += is_of(version, &list->items[i]);
	return count;
}

/* Whoever follows the pages sees each fill that runs from the first to the last of them: one that ends
 * meanwhile is among those that ended, which come last. */
json_t *ask_fills(const struct ask *ask, struct err *err)
{
	AUTO(fill_list_finish) struct fill_list list = {0};
	const struct fill_status *last = NULL;
	AUTO_FREE char *next = NULL;
	json_t *running, *recent, *object;
	struct name version = {.version = 0};
	struct page page;
	struct place place = {0};

	if (!page_read(ask, &page, err) || !read_place(page.after, &place, err) ||
		!read_version(ask, &version, err))
		return NULL;
	running = json_array();
	recent = json_array();
	mirror_list(ask->services->mirror, &list);
	for (size_t i = 0, taken = 0; i < list.count; i++) {
		const struct fill_status *fill = &list.items[i];

		if (!is_behind(&place, fill) || !is_of(&version, fill))
			continue;
		if (taken++ == page.limit) {
			next = place_text(last);
			break;
		}
		json_array_append_new(i < list.running ? running : recent, fill_json(fill));
		last = fill;
	}
	object = page_json(ask, "fills", running, count_running(&list, &version), next);
	json_object_set_new(object, "recent", recent);
	return object;
}

/* ---- one ---- */

json_t *ask_fill(const struct ask *ask, struct err *err)
{
	AUTO(fill_list_finish) struct fill_list list = {0};
	int64_t id;

	if (!number_parse(ask->rest, &id)) {
		(void)err_set(err, ERR_BAD_REQUEST, "the id of a fill is a number");
		return NULL;
	}
	mirror_list(ask->services->mirror, &list);
	for (size_t i = 0; i < list.count; i++) {
		if (list.items[i].id == id)
			return fill_json(&list.items[i]);
	}
	(void)err_set(err, ERR_NOT_FOUND,
		"no fill %" PRId64 " runs or has ended lately; `larder fills` lists those that do", id);
	return NULL;
}

void api_fill(void *services, struct request *request, struct reply *reply)
{
	answer_ask(services, request, reply, ask_fill);
}

void api_fills(void *services, struct request *request, struct reply *reply)
{
	answer_ask(services, request, reply, ask_fills);
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

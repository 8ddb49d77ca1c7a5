/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/importing.h"

#include <stdio.h>
#include <string.h>

#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/import_json.h"
#include "server/api/page.h"
#include "server/http/problem.h"
#include "server/registry/imports.h"
#include "server/registry/incoming.h"

static const char *const state_names[INCOMING_STATE_COUNT] = {[INCOMING_ARRIVING] = "arriving",
	[INCOMING_READING] = "reading",
	[INCOMING_OPEN] = "open",
	[INCOMING_RECORDING] = "recording",
	[INCOMING_ENDED] = "ended"};

/* What of its remarks an import is answered with; the others have pages. */
enum { REMARKS_SHOWN = 100 };

/* ---- as JSON ---- */

static json_t *remark_json(const struct remark *remark)
{
	return json_pack("{s:o, s:o, s:s, s:o}", "name", answer_text(remark->name), "format",
		answer_text(remark->format), "remark", import_remark_name(remark->kind), "detail",
		answer_text(remark->detail));
}

/* Up to limit of them, from a place on: *place is that of the next then, or -1. */
static bool list_remarks(
	const struct remarks *remarks, int64_t *place, size_t limit, json_t *list, struct err *err)
{
	bool more = true;

	for (size_t i = 0; more && i < limit; i++) {
		AUTO(remark_finish) struct remark remark = {0};

		if (!remarks_next(remarks, place, &remark, &more, err))
			return false;
		if (more)
			json_array_append_new(list, remark_json(&remark));
	}
	if (!more)
		*place = -1;
	return true;
}

static json_t *failure_json(const struct err *failure)
{
	bool is_secret = failure->code == ERR_INTERNAL;

	if (failure->code == ERR_NONE)
		return json_null();
	return json_pack("{s:s, s:o}", "code", err_name(failure->code), "detail",
		answer_text(is_secret ? "Something went wrong here; the server's log has the details."
				      : failure->text));
}

static void add_remarks(const struct incoming_view *view, json_t *out)
{
	json_t *list = json_array();
	int64_t place = 0;
	struct err err;

	/* What cannot be read counts among the others. */
	(void)list_remarks(view->remarks, &place, REMARKS_SHOWN, list, &err);
	(void)json_object_update_new(
		out, json_pack("{s:o, s:I}", "remarks", list, "more_remarks",
			     (json_int_t)(remarks_count(view->remarks) - json_array_size(list))));
}

static json_t *report_json(const struct incoming_view *view)
{
	bool is_proved = view->has_key && view->report.is_read;
	json_t *all = import_report_json(&view->report, is_proved ? view->key_id.hex : NULL);

	add_remarks(view, all);
	return all;
}

static json_t *import_json(const struct incoming_view *view)
{
	const struct import_progress *progress = &view->progress;
	json_t *all = json_pack("{s:s, s:o, s:o, s:s, s:{s:s, s:I, s:I, s:I}, s:{s:I, s:I}, s:o}", "id",
		view->id, "by", answer_text(view->who[0] ? view->who : NULL), "opened_at",
		answer_time(view->opened_at), "state", state_names[view->state], "progress", "phase",
		import_phase_name(progress->phase), "done", (json_int_t)progress->read, "total",
		(json_int_t)progress->said, "count", (json_int_t)progress->count, "lacking", "blobs",
		(json_int_t)view->lacked, "bytes", (json_int_t)view->lacked_bytes, "failure",
		failure_json(&view->failure));

	(void)json_object_update_new(all, report_json(view));
	return all;
}

void importing_reply(struct services *services, const char *id, int status, struct reply *reply)
{
	AUTO_INCOMING_VIEW struct incoming_view view = {0};
	struct err err;

	if (!imports_show(services->imports, id, &view, &err))
		return problem_reply(reply, &err);
	reply_json(reply, status, import_json(&view));
	reply_header(reply, "Cache-Control", "no-store");
}

/* All on one page: there are few. */
void api_imports(void *context, struct request *request, struct reply *reply)
{
	const struct services *services = context;
	struct incoming_view views[IMPORTS_OPEN_MAX];
	size_t count = imports_list(services->imports, views);
	json_t *list = json_array();

	(void)request;
	for (size_t i = 0; i < count; i++) {
		json_array_append_new(list, import_json(&views[i]));
		incoming_view_finish(&views[i]);
	}
	answer_json(reply, json_pack("{s:o, s:I, s:n}", "imports", list, "total",
				   (json_int_t)json_array_size(list), "next"));
}

/* ---- what is lacking ---- */

/* The id that a request begins with, and what is behind it; NULL: it is none. */
static const char *read_id(const struct request *request, char id[INCOMING_ID_LENGTH + 1])
{
	if (strlen(request->rest) < INCOMING_ID_LENGTH)
		return NULL;
	memcpy(id, request->rest, INCOMING_ID_LENGTH);
	id[INCOMING_ID_LENGTH] = '\0';
	return request->rest + INCOMING_ID_LENGTH;
}

static void refuse_path(const struct request *request, struct reply *reply)
{
	struct err err;

	(void)err_set(&err, ERR_NOT_FOUND, "no import has %s; /api/v1/openapi.yaml tells what they have",
		request->log_path);
	problem_reply(reply, &err);
}

struct listing {
	const char *id;
	json_t *items;
	int64_t bytes;
};

static void add_lacked(void *context, const struct lacked *lacked)
{
	struct listing *listing = context;
	json_t *url = json_sprintf("/api/v1/imports/%s/blobs/sha256/%s?format=%s", listing->id,
		lacked->digest.hex, formats[lacked->name.format].name);

	json_array_append_new(listing->items,
		json_pack("{s:s, s:I, s:s, s:s+, s:I, s:o}", "handle", lacked->name.handle, "version",
			(json_int_t)lacked->name.version, "format", formats[lacked->name.format].name,
			"digest", "sha256:", lacked->digest.hex, "size_bytes", (json_int_t)lacked->size_bytes,
			"url", url));
}

/* Where the next page begins; NULL: there is none. */
static json_t *page_of(
	const struct ask *ask, const char *things, json_t *items, size_t total, int64_t next_place)
{
	char last[24];

	(void)snprintf(last, sizeof last, "%lld", (long long)next_place);
	return page_json(ask, things, items, (int64_t)total, next_place >= 0 ? last : NULL);
}

static json_t *lacking_page(const struct ask *ask, const char *id, struct err *err)
{
	struct imports *imports = ask->services->imports;
	AUTO_INCOMING_VIEW struct incoming_view view = {0};
	struct listing listing = {.id = id};
	json_auto_t *items = json_array();
	int64_t place;
	struct page page;

	listing.items = items;
	if (!page_read_position(ask, &page, &place, err) ||
		!imports_list_lacking(imports, id, &place, page.limit, add_lacked, &listing, err) ||
		!imports_show(imports, id, &view, err))
		return NULL;
	return page_of(ask, "blobs", json_incref(items), view.lacked, place);
}

static json_t *remarks_page(const struct ask *ask, const char *id, struct err *err)
{
	AUTO_INCOMING_VIEW struct incoming_view view = {0};
	json_auto_t *items = json_array();
	int64_t place;
	struct page page;

	if (!page_read_position(ask, &page, &place, err) ||
		!imports_show(ask->services->imports, id, &view, err) ||
		!list_remarks(view.remarks, &place, page.limit, items, err))
		return NULL;
	return page_of(ask, "remarks", json_incref(items), remarks_kept(view.remarks), place);
}

static void reply_page(const struct services *services, const struct request *request, const char *id,
	json_t *(*list)(const struct ask *ask, const char *id, struct err *err), struct reply *reply)
{
	AUTO_FREE char *base_url = answer_base_url(services, request);
	const struct ask ask = answer_read(services, request, base_url);
	struct err err;
	json_t *page = list(&ask, id, &err);

	if (page)
		answer_json(reply, page);
	else
		problem_reply(reply, &err);
}

void api_import(void *context, struct request *request, struct reply *reply)
{
	char id[INCOMING_ID_LENGTH + 1];
	const char *rest = read_id(request, id);

	if (rest && !*rest)
		importing_reply(context, id, 200, reply);
	else if (rest && strcmp(rest, "/lacking") == 0)
		reply_page(context, request, id, lacking_page, reply);
	else if (rest && strcmp(rest, "/remarks") == 0)
		reply_page(context, request, id, remarks_page, reply);
	else
		refuse_path(request, reply);
}

/* ---- the end ---- */

/* {"partial": true}, or nothing. */
static bool read_partial(const struct request *request, bool *out, struct err *err)
{
	const struct buffer *body = &request->body;
	json_auto_t *order = body->length > 0 ? json_loadb(body->data, body->length, 0, NULL) : json_object();
	const json_t *partial = json_object_get(order, "partial");

	if (!json_is_object(order) || (partial && !json_is_boolean(partial)))
		return err_set(err, ERR_BAD_REQUEST,
			"the body must be {\"partial\": true} where the rest is to be recorded without what "
			"is "
			"refused or faulty, or empty");
	*out = json_is_true(partial);
	return true;
}

void api_record_import(void *context, struct request *request, struct reply *reply)
{
	struct services *services = context;
	char id[INCOMING_ID_LENGTH + 1];
	const char *rest = read_id(request, id);
	bool partial = false;
	struct err err;

	if (!rest || strcmp(rest, "/record") != 0)
		refuse_path(request, reply);
	else if (read_partial(request, &partial, &err) &&
		 imports_record(services->imports, id, partial, &err))
		importing_reply(services, id, 202, reply);
	else
		problem_reply(reply, &err);
}

void api_drop_import(void *context, struct request *request, struct reply *reply)
{
	struct services *services = context;
	char id[INCOMING_ID_LENGTH + 1];
	const char *rest = read_id(request, id);
	struct err err;

	if (!rest || *rest)
		refuse_path(request, reply);
	else if (imports_drop(services->imports, id, &err))
		reply_empty(reply, 204);
	else
		problem_reply(reply, &err);
}

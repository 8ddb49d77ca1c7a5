/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/importing.h"

#include <string.h>

#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/page.h"
#include "server/http/problem.h"
#include "server/registry/imports.h"
#include "server/registry/incoming.h"

static const char *const state_names[INCOMING_STATE_COUNT] = {[INCOMING_ARRIVING] = "arriving",
	[INCOMING_READING] = "reading",
	[INCOMING_OPEN] = "open",
	[INCOMING_RECORDING] = "recording",
	[INCOMING_ENDED] = "ended"};
static const char *const phase_names[] = {[IMPORT_PROVING] = "proving",
	[IMPORT_READING] = "reading",
	[IMPORT_COPYING] = "copying",
	[IMPORT_RECORDING] = "recording",
	[IMPORT_SETTLING] = "settling"};
static const char *const remark_names[] = {
	[REMARK_REFUSED] = "refused", [REMARK_FAULTY] = "faulty", [REMARK_LEFT] = "left"};

/* ---- as JSON ---- */

static json_t *documents_json(const size_t counts[DOCS_OUTCOME_COUNT])
{
	return json_pack("{s:I, s:I, s:I}", "new", (json_int_t)counts[DOCS_NEW], "changed",
		(json_int_t)counts[DOCS_CHANGED], "left", (json_int_t)counts[DOCS_LEFT]);
}

static json_t *bundle_json(const struct incoming_view *view)
{
	const struct import_report *report = view->report;
	bool is_proved = view->key && report->is_read;

	if (!report->contents.hex[0])
		return json_null();
	return json_pack("{s:o, s:o, s:s+, s:b, s:s?}", "name",
		answer_text(report->header.name[0] ? report->header.name : NULL), "created_at",
		report->header.created_s ? answer_time(report->header.created_s) : json_null(), "digest",
		"sha256:", report->contents.hex, "signed", (int)report->is_signed, "verified_by",
		is_proved ? signing_key_id(view->key).hex : NULL);
}

static json_t *remarks_json(const struct incoming_view *view)
{
	json_t *list = json_array();

	for (size_t i = 0; i < view->remark_count; i++) {
		const struct remark *remark = &view->remarks[i];

		json_array_append_new(
			list, json_pack("{s:o, s:o, s:s, s:o}", "name", answer_text(remark->name), "format",
				      answer_text(remark->format), "remark", remark_names[remark->kind],
				      "detail", answer_text(remark->detail)));
	}
	return list;
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

static json_t *report_json(const struct incoming_view *view)
{
	const struct import_report *report = view->report;
	json_t *all = json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "bundle", bundle_json(view),
		"versions", (json_int_t)report->versions, "new", (json_int_t)report->outcomes[IMPORT_NEW],
		"changed", (json_int_t)report->outcomes[IMPORT_CHANGED], "unchanged",
		(json_int_t)report->outcomes[IMPORT_SAME], "refused",
		(json_int_t)report->outcomes[IMPORT_REFUSED], "faulty", (json_int_t)report->faulty,
		"withdrawn", (json_int_t)report->withdrawn, "wanted_bytes", (json_int_t)report->wanted_bytes);

	(void)json_object_update_new(all,
		json_pack("{s:o, s:o, s:{s:I, s:I}, s:b, s:b, s:o, s:I}", "documentation",
			documents_json(report->documents), "pages", documents_json(report->pages), "copied",
			"blobs", (json_int_t)report->copied_blobs, "bytes", (json_int_t)report->copied_bytes,
			"recorded", (int)report->recorded, "signer_recorded", (int)report->signer_noted,
			"remarks", remarks_json(view), "more_remarks", (json_int_t)view->more_remarks));
	return all;
}

static json_t *import_json(const struct incoming_view *view)
{
	const struct import_progress *progress = view->progress;
	json_t *all = json_pack("{s:s, s:o, s:o, s:s, s:{s:s, s:I, s:I, s:I}, s:{s:I, s:I}, s:o}", "id",
		view->id, "by", answer_text(view->who[0] ? view->who : NULL), "opened_at",
		answer_time(view->opened_at), "state", state_names[view->state], "progress", "phase",
		phase_names[progress->phase], "done", (json_int_t)progress->read, "total",
		(json_int_t)progress->said, "count", (json_int_t)progress->count, "lacking", "blobs",
		(json_int_t)view->lacked, "bytes", (json_int_t)view->lacked_bytes, "failure",
		failure_json(view->failure));

	(void)json_object_update_new(all, report_json(view));
	return all;
}

static void take_one(void *context, const struct incoming_view *view)
{
	*(json_t **)context = import_json(view);
}

static void take_each(void *context, const struct incoming_view *view)
{
	json_array_append_new(context, import_json(view));
}

void importing_reply(struct services *services, const char *id, int status, struct reply *reply)
{
	json_t *json = NULL;
	struct err err;

	if (!imports_show(services->imports, id, take_one, &json, &err))
		return problem_reply(reply, &err);
	reply_json(reply, status, json);
	reply_header(reply, "Cache-Control", "no-store");
}

/* All on one page: there are few. */
void api_imports(void *context, struct request *request, struct reply *reply)
{
	const struct services *services = context;
	json_t *list = json_array();

	(void)request;
	imports_each(services->imports, take_each, list);
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

static void count_lacking(void *context, const struct incoming_view *view)
{
	*(size_t *)context = view->lacked;
}

static json_t *list_lacking(const struct ask *ask, const char *id, struct err *err)
{
	struct imports *imports = ask->services->imports;
	struct listing listing = {.id = id};
	char last[24];
	size_t total = 0;
	int64_t place;
	struct page page;

	if (!page_read_position(ask, &page, &place, err))
		return NULL;
	listing.items = json_array();
	if (!imports_list_lacking(imports, id, &place, page.limit, add_lacked, &listing, err) ||
		!imports_show(imports, id, count_lacking, &total, err)) {
		json_decref(listing.items);
		return NULL;
	}
	(void)snprintf(last, sizeof last, "%lld", (long long)place);
	return page_json(ask, "blobs", listing.items, (int64_t)total, place >= 0 ? last : NULL);
}

static void reply_lacking(
	const struct services *services, const struct request *request, const char *id, struct reply *reply)
{
	AUTO_FREE char *base_url = answer_base_url(services, request);
	const struct ask ask = answer_read(services, request, base_url);
	struct err err;
	json_t *page = list_lacking(&ask, id, &err);

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
		reply_lacking(context, request, id, reply);
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
	bool partial;
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

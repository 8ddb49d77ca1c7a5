/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/api/answer.h"
#include "server/http/problem.h"
#include "server/kagglehub/errand.h"
#include "server/kagglehub/kaggle_body.h"
#include "server/kagglehub/kaggle_calls.h"
#include "server/kagglehub/kaggle_reply.h"
#include "server/kagglehub/kaggle_way.h"
#include "server/kagglehub/kagglehub.h"
#include "server/registry/access.h"
#include "server/registry/registry.h"
#include "server/registry/services.h"
#include "server/store/catalog/catalog_inspection.h"
#include "server/store/catalog/catalog_spellings.h"

/* Of more files than these a client is given one archive, as Kaggle does it. */
enum { PAGE_FILES = 25 };

/* What a bare file is called, whose name nobody keeps. */
static const char bare_name[] = "model.tflite";

/* ---- the newest version ---- */

static void tell_latest(struct services *services, const struct model_ref *ref, const struct request *request,
	const struct artifact *artifact, struct reply *reply)
{
	(void)services;
	(void)request;
	(void)artifact;
	kaggle_reply_json(reply, json_pack("{s:I}", "versionNumber", (json_int_t)ref->name.version));
}

static const struct errand_kind latest_errand = {.needs_version = true, .tell = tell_latest};

/* ---- the list of files ---- */

static json_t *file_json(const char *path, int64_t size_bytes, const struct artifact *artifact)
{
	return json_pack("{s:o, s:I, s:s}", "name", answer_text(path), "size", (json_int_t)size_bytes,
		"creationDate", clock_rfc3339(artifact->created_at).text);
}

/* No second page is ever asked for: a client that sees this word takes the archive. */
static void reply_files(struct reply *reply, json_t *files, bool are_more)
{
	kaggle_reply_json(
		reply, json_pack("{s:o, s:s}", "files", files, "nextPageToken", are_more ? "archive" : ""));
}

static void tell_files(struct services *services, const struct model_ref *ref, const struct request *request,
	const struct artifact *artifact, struct reply *reply)
{
	json_t *files = json_array();
	struct file_row *rows;
	int64_t total;
	size_t count;
	bool are_more;
	struct err err;

	if (!formats[ref->name.format].is_archive) {
		json_array_append_new(files, file_json(bare_name, artifact->size_bytes, artifact));
		return reply_files(reply, files, false);
	}
	if (!catalog_list_files(services->catalog, &ref->name, 0, PAGE_FILES, &rows, &count, &total, &err)) {
		json_decref(files);
		return problem_reply(reply, &err);
	}
	for (size_t i = 0; i < count; i++)
		json_array_append_new(files, file_json(rows[i].path, rows[i].size_bytes, artifact));
	file_rows_destroy(rows, count);
	are_more = total > PAGE_FILES || artifact->file_count > PAGE_FILES;
	/* Of more than these the archive is loaded next, which counts by itself, as does a bare file. */
	if (!are_more && request->method != METHOD_HEAD)
		registry_count_download(services->registry, &ref->name);
	reply_files(reply, files, are_more);
}

static const struct errand_kind files_errand = {.needs_listing = true, .tell = tell_files};

/* ---- downloads ---- */

static bool names_bare_file(const char *file)
{
	static const char suffix[] = ".tflite";
	size_t length = strlen(file);

	return length > strlen(suffix) && strcasecmp(file + length - strlen(suffix), suffix) == 0;
}

static void tell_way(struct services *services, const struct model_ref *ref, const struct request *request,
	const struct artifact *artifact, struct reply *reply)
{
	struct err err;

	(void)artifact;
	if (ref->file && !formats[ref->name.format].is_archive && !names_bare_file(ref->file)) {
		(void)err_set(&err, ERR_NOT_FOUND, "%.200s is one file, %s, and has no \"%.100s\"",
			name_path(&ref->name).text, bare_name, ref->file);
		return problem_reply(reply, &err);
	}
	kaggle_redirect_to_file(services, request, &ref->name, ref->file, reply);
}

/* A file's address says by itself which part of it is the version only where that is known. */
static const struct errand_kind file_errand = {.needs_listing = true, .tell = tell_way};
static const struct errand_kind archive_errand = {.tell = tell_way};

static const struct errand_kind *download_errand(const struct model_ref *ref)
{
	return ref->file ? &file_errand : &archive_errand;
}

/* ---- a model, before an upload ---- */

/* Only uploads ask, before they send a file: whoever has come to publish is told here that he may not. */
static bool may_go_on(
	const struct services *services, const struct request *request, const char *model, struct err *err)
{
	const char *token = request_token(request);
	AUTO_FREE char *beginning = mem_printf("%s/", model);
	char who[TOKEN_NAME_MAX + 1];
	struct err ignored;

	return !token ||
	       !access_check_some(services->access, token, request->origin, RIGHT_PUBLISH, who, &ignored) ||
	       access_check_below(
		       services->access, token, request->origin, RIGHT_PUBLISH, beginning, who, err);
}

static void reply_model(
	struct services *services, const struct request *request, const char *model, struct reply *reply)
{
	struct err err;
	bool any;

	if (!may_go_on(services, request, model, &err))
		return problem_reply(reply, &err);
	if (!catalog_has_below(services->catalog, model, &any, &err))
		return problem_reply(reply, &err);
	if (!any) {
		(void)err_set(&err, ERR_NOT_FOUND, "no model %.200s is here", model);
		return problem_reply(reply, &err);
	}
	kaggle_reply_json(
		reply, json_pack("{s:i, s:s, s:s}", "id", 1, "ref", model, "slug", strchr(model, '/') + 1));
}

/* ---- calls ---- */

void kaggle_get(void *context, struct request *request, struct reply *reply)
{
	AUTO_MODEL_REF struct model_ref ref = {0};
	struct services *services = context;
	enum model_call call;
	struct err err;

	if (!model_ref_read_path(request->rest, &ref, &call, &err))
		return problem_reply(reply, &err);
	switch (call) {
	case CALL_MODEL:
		return reply_model(services, request, ref.model, reply);
	case CALL_LATEST:
		return errand_run(services, &latest_errand, &ref, request, reply);
	case CALL_FILES:
		return errand_run(services, &files_errand, &ref, request, reply);
	case CALL_DOWNLOAD:
		return errand_run(services, download_errand(&ref), &ref, request, reply);
	default:
		(void)err_set(&err, ERR_NOT_FOUND,
			"kagglehub has no such call; it asks for "
			"<owner>/<model>/<framework>/<variation>/get, "
			"…/<version>/files and …/<version>/download");
		problem_reply(reply, &err);
	}
}

static bool read_ref(const struct request *request, bool with_version, struct model_ref *out, struct err *err)
{
	json_auto_t *body = NULL;

	return kaggle_read_body(request, &body, err) && model_ref_read_json(body, with_version, out, err);
}

void kaggle_latest(void *services, struct request *request, struct reply *reply)
{
	AUTO_MODEL_REF struct model_ref ref = {0};
	struct err err;

	if (read_ref(request, false, &ref, &err))
		errand_run(services, &latest_errand, &ref, request, reply);
	else
		problem_reply(reply, &err);
}

void kaggle_files(void *services, struct request *request, struct reply *reply)
{
	AUTO_MODEL_REF struct model_ref ref = {0};
	struct err err;

	if (read_ref(request, true, &ref, &err))
		errand_run(services, &files_errand, &ref, request, reply);
	else
		problem_reply(reply, &err);
}

void kaggle_download(void *services, struct request *request, struct reply *reply)
{
	AUTO_MODEL_REF struct model_ref ref = {0};
	struct err err;

	if (read_ref(request, true, &ref, &err))
		errand_run(services, download_errand(&ref), &ref, request, reply);
	else
		problem_reply(reply, &err);
}

void kaggle_model(void *services, struct request *request, struct reply *reply)
{
	json_auto_t *body = NULL;
	AUTO_FREE char *model = NULL;
	struct err err;

	if (kaggle_read_body(request, &body, &err))
		model = model_ref_model(kaggle_text(body, "ownerSlug"), kaggle_text(body, "modelSlug"), &err);
	if (model)
		reply_model(services, request, model, reply);
	else
		problem_reply(reply, &err);
}

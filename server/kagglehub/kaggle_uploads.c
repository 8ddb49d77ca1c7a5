/* SPDX-License-Identifier: Apache-2.0 */
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/api/answer.h"
#include "server/config.h"
#include "server/http/clientkey.h"
#include "server/http/problem.h"
#include "server/kagglehub/kaggle_body.h"
#include "server/kagglehub/kaggle_calls.h"
#include "server/kagglehub/kaggle_reply.h"
#include "server/kagglehub/kagglehub.h"
#include "server/kagglehub/model_ref.h"
#include "server/module/examination.h"
#include "server/registry/access.h"
#include "server/registry/assembly.h"
#include "server/registry/mirror.h"
#include "server/registry/services.h"
#include "server/registry/turns.h"

/* Whoever publishes beside it may take its number as often: as many as can be at it at once. */
enum { TRIES = 64 };

/* Of a tree of folders, as deep as names can be. */
enum { DEPTH_MAX = 64, WORDS_MAX = 4000 };

/* A version that is made of what was sent. */
struct making {
	struct services *services;
	struct question *question; /* whether an upstream has the handle; NULL: nobody is asked */
	struct name_warnings warnings;
	struct name name; /* of its first version */
	struct line_turn turn;
	struct assembly *assembly;
	int tries;
};

static void destroy_making(void *object)
{
	struct making *making = object;

	turns_exit(making->services->turns, &making->turn);
	assembly_destroy(making->assembly);
	question_release(making->question);
	free(making);
}

/* ---- the tree of files ---- */

static bool add_folder(
	struct assembly *assembly, const json_t *folder, const char *path, int depth, struct err *err);

static bool add_files(struct assembly *assembly, const json_t *folder, const char *path, struct err *err)
{
	json_t *file;
	size_t i;

	json_array_foreach(json_object_get(folder, "files"), i, file)
	{
		const char *token = kaggle_text(file, "token");

		if (!token)
			return err_set(err, ERR_BAD_REQUEST, "Each of the files must have its token.");
		if (!assembly_add(assembly, path, token, err))
			return false;
	}
	return true;
}

static bool add_folders(
	struct assembly *assembly, const json_t *folder, const char *path, int depth, struct err *err)
{
	json_t *below;
	size_t i;

	json_array_foreach(json_object_get(folder, "directories"), i, below)
	{
		const char *name = kaggle_text(below, "name");
		AUTO_FREE char *inside = NULL;

		if (!name || strchr(name, '/') || depth >= DEPTH_MAX)
			return err_set(err, ERR_INVALID_MODULE,
				"A folder needs a name without \"/\", and there may be %d of them in each "
				"other.",
				DEPTH_MAX);
		inside = mem_printf("%s%s/", path, name);
		if (!add_folder(assembly, below, inside, depth + 1, err))
			return false;
	}
	return true;
}

static bool add_folder(
	struct assembly *assembly, const json_t *folder, const char *path, int depth, struct err *err)
{
	return add_files(assembly, folder, path, err) && add_folders(assembly, folder, path, depth, err);
}

/* ---- answers ---- */

/* "rule path: message; …": without the full stop of the last sentence, since more follow. */
static void add_finding(struct buffer *words, const struct finding *finding)
{
	size_t length = strlen(finding->message);

	length -= length > 0 && finding->message[length - 1] == '.';
	buffer_printf(words, "%s%s%.200s: %.*s", finding->rule, *finding->path ? " " : "", finding->path,
		length < 400 ? (int)length : 400, finding->message);
}

/* All rules that were broken; kagglehub shows nothing else. */
static char *words_of(const struct err *err, const struct examination *examination)
{
	AUTO_BUFFER struct buffer words = {0};
	size_t count = 0;

	for (size_t i = 0; examination && i < examination->finding_count && words.length < WORDS_MAX; i++) {
		if (examination->findings[i].publishable)
			continue;
		buffer_add_string(&words, count++ ? "; " : "the module breaks rules: ");
		add_finding(&words, &examination->findings[i]);
	}
	if (count == 0)
		buffer_add_string(&words, err->text);
	return buffer_take(&words);
}

static void reply_refused(const struct err *err, const struct examination *examination, struct reply *reply)
{
	AUTO_FREE char *words = words_of(err, examination);

	/* The log has what is ours, and nobody else. */
	if (err->code == ERR_INTERNAL)
		return problem_reply(reply, err);
	kaggle_reply_failure(reply, err, words);
}

static void reply_made(const struct services *services, const struct request *request,
	const struct name *name, struct reply *reply)
{
	AUTO_FREE char *base = answer_base_url(services, request);
	AUTO_FREE char *url = mem_printf("%s/%s", base, name_path(name).text);

	kaggle_reply_json(reply,
		json_pack("{s:i, s:s, s:s, s:s}", "id", 1, "ref", name->handle, "url", url, "error", ""));
}

/* ---- its way ---- */

static bool is_made(void *object, struct waiter *waiter)
{
	struct making *making = object;

	return !assembly_await(making->assembly, waiter);
}

static bool leave_made(void *object, struct waiter *waiter)
{
	struct making *making = object;

	return assembly_leave(making->assembly, waiter);
}

static void finish(void *object, const struct request *request, struct reply *reply);

static const struct later_ops making_ops = {
	is_made, leave_made, finish, destroy_making, .slow = true, .joins = true};

static void finish(void *object, const struct request *request, struct reply *reply)
{
	AUTO_EXAMINATION struct examination *examination = NULL;
	struct making *making = object;
	struct name name;
	struct err err;

	if (assembly_finish(making->assembly, &name, &examination, &err)) {
		name_warnings_log(&making->warnings, &name, request->who);
		reply_made(making->services, request, &name, reply);
	} else if ((err.code == ERR_CONFLICT || err.code == ERR_GONE) && ++making->tries < TRIES) {
		return reply_later(reply, &making_ops, making);
	} else {
		reply_refused(&err, examination, reply);
	}
	destroy_making(making);
}

static bool has_turn(void *object, struct waiter *waiter)
{
	struct making *making = object;

	return !turns_await(making->services->turns, &making->turn, waiter);
}

static bool leave_line(void *object, struct waiter *waiter)
{
	struct making *making = object;

	(void)waiter;
	return turns_leave(making->services->turns, &making->turn);
}

static bool is_ready(void *object, struct waiter *waiter)
{
	(void)object;
	(void)waiter;
	return true;
}

static bool has_not_joined(void *object, struct waiter *waiter)
{
	(void)object;
	(void)waiter;
	return false;
}

static void start_making(void *object, const struct request *request, struct reply *reply)
{
	(void)request;
	reply_later(reply, &making_ops, object);
}

/* Waits for nothing, but is resumed on a disk worker: the first question of making_ops packs all of it. */
static const struct later_ops packing_ops = {
	is_ready, has_not_joined, start_making, destroy_making, .slow = true, .joins = true};

static void take_turn(void *object, const struct request *request, struct reply *reply)
{
	(void)request;
	reply_later(reply, &packing_ops, object);
}

static const struct later_ops turn_ops = {has_turn, leave_line, take_turn, destroy_making, .watched = true};

static void refuse(struct making *making, const struct err *err, struct reply *reply)
{
	reply_refused(err, NULL, reply);
	destroy_making(making);
}

/* ---- whose the handle is ---- */

static bool is_answered(void *object, struct waiter *waiter)
{
	struct making *making = object;

	return !question_await(making->question, waiter);
}

static bool leave_question(void *object, struct waiter *waiter)
{
	struct making *making = object;

	return question_leave(making->question, waiter);
}

static void take_answer(void *object, const struct request *request, struct reply *reply)
{
	struct making *making = object;
	struct services *services = making->services;
	bool unasked = false;
	struct err err;

	if (making->question &&
		!namesakes_answered(mirror_namesakes(services->mirror), making->question, &unasked, &err))
		return refuse(making, &err, reply);
	naming_warn(services->catalog, making->name.handle, unasked, &making->warnings);
	if (turns_enter(services->turns, request->who, &making->turn, &err))
		return reply_later(reply, &turn_ops, making);
	refuse(making, &err, reply);
}

static const struct later_ops question_ops = {
	is_answered, leave_question, take_answer, destroy_making, .watched = true};

static bool ask_whose(struct making *making, const struct request *request, struct err *err)
{
	const struct services *services = making->services;
	AUTO_FREE char *client = client_key(request);
	const struct asker asker = {client, NULL, false};

	return namesakes_ask(
		mirror_namesakes(services->mirror), &making->name, &asker, &making->question, err);
}

static void make(struct services *services, struct request *request, const struct model_ref *ref,
	const json_t *tree, struct reply *reply)
{
	struct making *making = mem_zero(1, sizeof *making);
	struct err err;

	making->services = services;
	making->name = ref->name;
	making->name.version = 1;
	making->name.format = ref->framework.format;
	making->assembly = assembly_create(services, ref->name.handle, request->who, client_address(request));
	assembly_prefer(making->assembly, ref->framework.format);
	if (!add_folder(making->assembly, tree, "", 0, &err) || !ask_whose(making, request, &err))
		return refuse(making, &err, reply);
	if (making->question)
		return reply_later(reply, &question_ops, making);
	take_answer(making, request, reply);
}

/* ---- calls ---- */

static bool may_publish(const struct services *services, struct request *request, const struct model_ref *ref,
	struct err *err)
{
	return access_check(services->access, request_token(request), request->origin, RIGHT_PUBLISH,
		ref->name.handle, request->who, err);
}

/* Its version is to be named: a handle that is here has one already. */
static void make_first(struct services *services, struct request *request, struct model_ref *ref,
	const json_t *tree, struct reply *reply)
{
	bool known;
	struct err err;

	if (!model_ref_resolve(ref, services->catalog, true, &known, &err) ||
		!may_publish(services, request, ref, &err))
		return problem_reply(reply, &err);
	if (!known)
		return make(services, request, ref, tree, reply);
	(void)err_set(&err, ERR_CONFLICT, "%.200s exists", ref->name.handle);
	kaggle_reply_failure(reply, &err, err.text);
}

static void make_next(struct services *services, struct request *request, struct model_ref *ref,
	const json_t *tree, struct reply *reply)
{
	bool known;
	struct err err;

	if (model_ref_resolve(ref, services->catalog, true, &known, &err) &&
		may_publish(services, request, ref, &err))
		make(services, request, ref, tree, reply);
	else
		problem_reply(reply, &err);
}

static bool may_publish_some(
	const struct services *services, struct request *request, const char *model, struct err *err)
{
	AUTO_FREE char *beginning = mem_printf("%s/", model);

	return access_check_below(services->access, request_token(request), request->origin, RIGHT_PUBLISH,
		beginning, request->who, err);
}

void kaggle_create_model(void *context, struct request *request, struct reply *reply)
{
	struct services *services = context;
	json_auto_t *body = NULL;
	AUTO_FREE char *model = NULL;
	struct err err;

	if (!access_check_some(services->access, request_token(request), request->origin, RIGHT_PUBLISH,
		    request->who, &err) ||
		!kaggle_read_body(request, &body, &err))
		return problem_reply(reply, &err);
	model = model_ref_model(kaggle_text(body, "ownerSlug"), kaggle_text(body, "slug"), &err);
	/* Before any of its files is sent. */
	if (!model || !model_ref_check_model(model, &err) ||
		!may_publish_some(services, request, model, &err))
		return problem_reply(reply, &err);
	/* Nothing is kept of it: a model is there as soon as a version of it is. */
	kaggle_reply_json(
		reply, json_pack("{s:i, s:s, s:s, s:s}", "id", 1, "ref", model, "url", "", "error", ""));
}

void kaggle_create_instance(void *services, struct request *request, struct reply *reply)
{
	AUTO_MODEL_REF struct model_ref ref = {0};
	AUTO_FREE char *model = NULL;
	json_auto_t *body = NULL;
	const json_t *inner;
	struct err err;

	if (!kaggle_read_body(request, &body, &err))
		return problem_reply(reply, &err);
	inner = json_object_get(body, "body");
	model = model_ref_model(kaggle_text(body, "ownerSlug"), kaggle_text(body, "modelSlug"), &err);
	if (model && model_ref_set(&ref, model, kaggle_text(inner, "framework"),
			     kaggle_text(inner, "instanceSlug"), 0, NULL, &err))
		make_first(services, request, &ref, inner, reply);
	else
		problem_reply(reply, &err);
}

void kaggle_create_version(void *services, struct request *request, struct reply *reply)
{
	AUTO_MODEL_REF struct model_ref ref = {0};
	json_auto_t *body = NULL;
	struct err err;

	if (kaggle_read_body(request, &body, &err) && model_ref_read_json(body, false, &ref, &err))
		make_next(services, request, &ref, json_object_get(body, "body"), reply);
	else
		problem_reply(reply, &err);
}

/* ---- up to 0.3: by paths ---- */

/* "<owner>/<model>/create/instance", "<owner>/<model>/<framework>/<variation>/create/version"; the other
 * parts. */
static size_t split(char *path, char *parts[6])
{
	size_t count = 0;

	while (path && count < 6)
		parts[count++] = strsep(&path, "/");
	return path ? 0 : count;
}

static bool ends(char *const parts[6], size_t count, const char *one, const char *two)
{
	return strcmp(parts[count - 2], one) == 0 && strcmp(parts[count - 1], two) == 0;
}

static void post_to_model(struct services *services, struct request *request, char *const parts[6],
	size_t count, const json_t *body, struct reply *reply)
{
	AUTO_MODEL_REF struct model_ref ref = {0};
	bool is_first = count == 4;
	const char *framework = is_first ? kaggle_text(body, "framework") : parts[2];
	const char *variation = is_first ? kaggle_text(body, "instanceSlug") : parts[3];
	struct err err;
	AUTO_FREE char *model = model_ref_model(parts[0], parts[1], &err);

	/* Up to 0.3 it waits for 15 seconds. */
	request->impatient = true;
	if (!model || !model_ref_set(&ref, model, framework, variation, 0, NULL, &err))
		problem_reply(reply, &err);
	else if (is_first)
		make_first(services, request, &ref, body, reply);
	else
		make_next(services, request, &ref, body, reply);
}

void kaggle_post(void *services, struct request *request, struct reply *reply)
{
	AUTO_FREE char *path = mem_dup(request->rest);
	json_auto_t *body = NULL;
	char *parts[6];
	size_t count = split(path, parts);
	struct err err;

	if (count == 2 && ends(parts, count, "create", "new"))
		return kaggle_create_model(services, request, reply);
	if (!(count == 4 && ends(parts, count, "create", "instance")) &&
		!(count == 6 && ends(parts, count, "create", "version")))
		(void)err_set(&err, ERR_NOT_FOUND, "kagglehub has no such call that is answered here");
	else if (kaggle_read_body(request, &body, &err))
		return post_to_model(services, request, parts, count, body, reply);
	problem_reply(reply, &err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "common/utf8.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/config.h"
#include "server/http/clientkey.h"
#include "server/http/problem.h"
#include "server/hub/form.h"
#include "server/hub/hub.h"
#include "server/hub/upload_head.h"
#include "server/module/documents/hubdoc.h"
#include "server/module/documents/renderings.h"
#include "server/registry/access.h"
#include "server/registry/mirror.h"
#include "server/registry/publisher.h"
#include "server/registry/services.h"
#include "server/registry/turns.h"
#include "server/store/catalog/catalog_keep.h"

/* What a PUT or POST pours its body into: an artifact's upload, a form, or a page of Markdown in memory. */
struct body {
	struct services *services;
	struct request *request;   /* until it is poured in */
	struct question *question; /* whether an upstream has the handle; NULL: nobody is asked */
	struct name_warnings warnings;
	struct line_turn turn;
	struct name name;
	struct declaration declaration;
	bool is_form;
	struct upload *upload;
	struct form *form;
	struct buffer markdown; /* with neither of the two */
	bool too_large;
};

/* Whatever has begun is aborted. */
static void destroy_body(struct body *body)
{
	if (body->upload)
		upload_abort(body->upload);
	if (body->form)
		form_abort(body->form);
	turns_exit(body->services->turns, &body->turn);
	question_release(body->question);
	buffer_finish(&body->markdown);
	free(body);
}

static bool authorize(const struct services *services, struct request *request, enum right right,
	const struct name *name, struct err *err)
{
	return access_check(services->access, request_token(request), request->origin, right, name->handle,
		request->who, err);
}

/* ---- the body ---- */

static bool is_documentation(const struct request *request)
{
	const char *type = request_header(request, "Content-Type");

	return type && upload_head_is_type(type, "text/markdown");
}

/* A form needs no query: it is a TF.js model. */
static bool choose_format(const struct request *request, bool is_form, struct name *name, struct err *err)
{
	if (!is_form)
		return request->method == METHOD_PUT || err_set(err, ERR_UNSUPPORTED_MEDIA,
								"POST takes multipart/form-data, as TF.js "
								"sends a model that it saves; send files "
								"by PUT");
	if (name->format != FORMAT_TFJS && query_find(&request->query, formats[name->format].query_key))
		return err_set(err, ERR_BAD_REQUEST,
			"a form is a TF.js model, and the query says %s: leave the query out, or send the "
			"file "
			"itself by PUT",
			formats[name->format].name);
	name->format = FORMAT_TFJS;
	return true;
}

static bool refuse_long_documentation(struct err *err)
{
	return err_set(err, ERR_TOO_LARGE, "documentation has at most 1 MiB");
}

/* All that can be told by the head and what is known here. */
static bool prepare(struct request *request, struct body *body, struct err *err)
{
	body->is_form = form_is_sent(request);
	if (!hub_url_read_upload(request, &body->name, err) ||
		!authorize(body->services, request, RIGHT_PUBLISH, &body->name, err) ||
		!upload_head_is_whole(request, err) ||
		!choose_format(request, body->is_form, &body->name, err))
		return false;
	if (is_documentation(request))
		return request->content_length <= HUBDOC_BYTES_MAX || refuse_long_documentation(err);
	if (!upload_head_read(request, body->is_form, &body->declaration, err))
		return false;
	(void)strcpy(body->declaration.from, client_address(request));
	return publisher_fits(body->services->publisher, body->declaration.length, err);
}

static bool begin_artifact(struct body *body, struct err *err)
{
	struct request *request = body->request;

	if (body->is_form)
		return form_begin(body->services, request, &body->name, &body->declaration, &body->form, err);
	return publisher_begin(
		body->services->publisher, &body->name, request->who, &body->declaration, &body->upload, err);
}

static bool refuse_body(struct body *body, struct reply *reply, const struct err *err)
{
	destroy_body(body);
	problem_reply(reply, err);
	return false;
}

/* Its turn has come. */
static bool start_body(struct body *body, struct reply *reply)
{
	struct err err;

	if (!begin_artifact(body, &err))
		return refuse_body(body, reply, &err);
	body->request->upload = body;
	return true;
}

static bool has_turn(void *object, struct waiter *waiter)
{
	struct body *body = object;

	return !turns_await(body->services->turns, &body->turn, waiter);
}

static bool leave_line(void *object, struct waiter *waiter)
{
	struct body *body = object;

	(void)waiter;
	return turns_leave(body->services->turns, &body->turn);
}

static void take_turn(void *object, const struct request *request, struct reply *reply)
{
	(void)request;
	(void)start_body(object, reply);
}

static void destroy_waiting(void *object)
{
	destroy_body(object);
}

static const struct later_ops turn_ops = {has_turn, leave_line, take_turn, destroy_waiting, .watched = true};

static void wait_turn(struct body *body, struct reply *reply)
{
	struct err err;

	if (turns_enter(body->services->turns, body->request->who, &body->turn, &err))
		reply_later(reply, &turn_ops, body);
	else
		(void)refuse_body(body, reply, &err);
}

/* ---- whose the handle is ---- */

static bool is_answered(void *object, struct waiter *waiter)
{
	struct body *body = object;

	return !question_await(body->question, waiter);
}

static bool leave_question(void *object, struct waiter *waiter)
{
	struct body *body = object;

	return question_leave(body->question, waiter);
}

static void take_answer(void *object, const struct request *request, struct reply *reply)
{
	struct body *body = object;
	const struct services *services = body->services;
	bool unasked = false;
	struct err err;

	(void)request;
	if (body->question &&
		!namesakes_answered(mirror_namesakes(services->mirror), body->question, &unasked, &err)) {
		(void)refuse_body(body, reply, &err);
		return;
	}
	naming_warn(services->catalog, body->name.handle, unasked, &body->warnings);
	wait_turn(body, reply);
}

static const struct later_ops question_ops = {
	is_answered, leave_question, take_answer, destroy_waiting, .watched = true};

static bool ask_whose(struct body *body, struct reply *reply)
{
	const struct services *services = body->services;
	AUTO_FREE char *client = client_key(body->request);
	const struct asker asker = {client, NULL, false};
	struct err err;

	if (!namesakes_ask(mirror_namesakes(services->mirror), &body->name, &asker, &body->question, &err))
		return refuse_body(body, reply, &err);
	if (body->question)
		reply_later(reply, &question_ops, body);
	else
		take_answer(body, body->request, reply);
	return false;
}

static bool begin(void *context, struct request *request, struct reply *reply)
{
	struct body *body = mem_zero(1, sizeof *body);
	struct err err;

	body->services = context;
	body->request = request;
	if (!prepare(request, body, &err))
		return refuse_body(body, reply, &err);
	if (is_documentation(request)) {
		request->upload = body;
		return true;
	}
	return ask_whose(body, reply);
}

static bool has_room(const struct request *request, size_t length)
{
	const struct body *body = request->upload;

	return body->upload ? upload_has_room(body->upload, length)
			    : !body->form || form_has_room(body->form, length);
}

static void make_room(struct request *request, size_t length)
{
	struct body *body = request->upload;

	if (body->upload)
		upload_make_room(body->upload, length);
	else
		form_make_room(body->form, length);
}

static bool await_inspection(struct request *request, struct waiter *waiter)
{
	struct body *body = request->upload;

	return body->upload && upload_await_inspection(body->upload, waiter);
}

static bool leave_inspection(struct request *request, struct waiter *waiter)
{
	struct body *body = request->upload;

	return body->upload && upload_leave_inspection(body->upload, waiter);
}

static bool write_piece(struct request *request, const void *bytes, size_t length)
{
	struct body *body = request->upload;

	if (body->upload)
		return upload_write(body->upload, bytes, length);
	if (body->form)
		return form_write(body->form, bytes, length);
	body->too_large = body->markdown.length + length > HUBDOC_BYTES_MAX;
	if (!body->too_large)
		buffer_add(&body->markdown, bytes, length);
	return !body->too_large;
}

static void abort_body(void *upload)
{
	destroy_body(upload);
}

const struct upload_ops hub_upload = {
	begin, has_room, make_room, await_inspection, leave_inspection, write_piece, abort_body};

/* ---- the answer ---- */

/* Beside those of the version itself. */
static void add_warnings(json_t *version, const struct name_warnings *warnings)
{
	json_t *list = json_array();

	for (size_t i = 0; i < warnings->count; i++)
		json_array_append_new(
			list, json_pack("{s:s, s:s, s:s}", "rule", warnings->items[i].rule, "path",
				      warnings->items[i].about, "message", warnings->items[i].text));
	(void)json_object_set_new(version, "warnings", list);
}

static void reply_version(void *services, const struct request *request, const struct name *name, int status,
	const struct name_warnings *warnings, struct reply *reply)
{
	AUTO_FREE char *path = mem_printf("/%s", name_path(name).text);
	AUTO_FREE char *way = request_way_to(request, path);
	struct err err;
	json_t *version = api_version_json(services, request, name, &err);

	if (!version)
		return problem_reply(reply, &err);
	if (warnings && warnings->count > 0)
		add_warnings(version, warnings);
	reply_json(reply, status, version);
	if (status == 201)
		reply_header(reply, "Location", way);
}

static bool finish_body(struct body *body, enum kept *kept, struct examination **examination, struct err *err)
{
	if (body->form)
		return form_finish(TAKE(body->form), kept, examination, err);
	return upload_finish(TAKE(body->upload), kept, examination, err);
}

/* --data-binary has the same type, and does no harm. */
static void add_hint(const struct request *request, struct err *err)
{
	const char *type = request_header(request, "Content-Type");
	size_t length = strlen(err->text);

	if (err->code == ERR_INVALID_MODULE && type && upload_head_is_type(type, UPLOAD_HEAD_FORM_TYPE))
		(void)snprintf(err->text + length, sizeof err->text - length,
			". If curl sent it with --data, which leaves out line ends and NULs, use -T or "
			"--data-binary");
}

static void finish_artifact(
	void *services, const struct request *request, struct body *body, struct reply *reply)
{
	AUTO_EXAMINATION struct examination *examination = NULL;
	struct err err;
	enum kept kept;

	if (finish_body(body, &kept, &examination, &err)) {
		bool is_new = kept != KEPT_AGAIN;

		if (is_new)
			name_warnings_log(&body->warnings, &body->name, request->who);
		return reply_version(services, request, &body->name, is_new ? 201 : 200,
			is_new ? &body->warnings : NULL, reply);
	}
	add_hint(request, &err);
	if (examination)
		problem_reply_with(reply, &err,
			err.code == ERR_UNSAFE_MODULE ? answer_findings(examination)
						      : answer_violations(examination));
	else
		problem_reply(reply, &err);
}

/* Whoever looks at it first is not to wait for what its publisher wrote. */
static void render_ahead(const struct services *services, const char *markdown)
{
	free(renderings_find(services->renderings, hubdoc_body(markdown), "", NULL, false));
	free(renderings_find(services->renderings, markdown, "", NULL, true));
}

/* ---- documentation and withdrawals ---- */

/* One that is made at once, or as soon as another process has let go of the database. */
struct change {
	struct services *services;
	struct body *body; /* of documentation; NULL: a withdrawal */
	struct name name;
	struct held held;
	bool waited;    /* since it was tried last */
	struct err err; /* why it may not wait any longer */
};

static void destroy_change(void *object)
{
	struct change *change = object;

	if (change->body)
		destroy_body(change->body);
	free(change);
}

static bool document(
	struct change *change, const struct request *request, struct reply *reply, struct err *err)
{
	const struct body *body = change->body;
	const char *markdown = buffer_string(&body->markdown);
	bool created;

	if (body->too_large)
		return refuse_long_documentation(err);
	if (!utf8_is_text(markdown, body->markdown.length))
		return err_set(err, ERR_BAD_REQUEST, "documentation must be UTF-8 text without NUL");
	if (!publisher_document(change->services->publisher, &change->name, markdown, request->who,
		    client_address(request), &created, err))
		return false;
	render_ahead(change->services, markdown);
	reply_version(change->services, request, &change->name, created ? 201 : 200, NULL, reply);
	return true;
}

static bool withdraw(
	struct change *change, const struct request *request, struct reply *reply, struct err *err)
{
	const struct name *name = &change->name;

	if (!publisher_withdraw(
		    change->services->publisher, name, request->who, client_address(request), err))
		return false;
	reply_json(reply, 200,
		json_pack("{s:s, s:I, s:s}", "handle", name->handle, "version", (json_int_t)name->version,
			"state", "withdrawn"));
	return true;
}

/* Whether there is nothing to wait for any more. Nothing of it may be touched after it has joined. */
static bool has_waited(void *object, struct waiter *waiter)
{
	struct change *change = object;
	struct err err;

	if (change->waited)
		return true;
	change->waited = true;
	if (holdup_join(publisher_holdup(change->services->publisher), &change->held, waiter, &err))
		return false;
	change->err = err;
	return true;
}

static bool leave_change(void *object, struct waiter *waiter)
{
	struct change *change = object;

	(void)waiter;
	return holdup_leave(publisher_holdup(change->services->publisher), &change->held);
}

static void make_change(void *object, const struct request *request, struct reply *reply);

/* Whose client has gone is not made any more. */
static const struct later_ops change_ops = {
	has_waited, leave_change, make_change, destroy_change, .watched = true, .slow = true};

static void make_change(void *object, const struct request *request, struct reply *reply)
{
	struct change *change = object;
	struct err err = change->err;
	bool done = err.code == ERR_NONE && (change->body ? document(change, request, reply, &err)
							  : withdraw(change, request, reply, &err));

	change->waited = false;
	if (!done && change->err.code == ERR_NONE && err.code == ERR_BUSY &&
		publisher_holdup(change->services->publisher))
		return reply_later(reply, &change_ops, change);
	if (!done)
		problem_reply(reply, &err);
	destroy_change(change);
}

static struct change *new_change(struct services *services, const struct name *name, struct body *body)
{
	struct change *change = mem_zero(1, sizeof *change);

	change->services = services;
	change->name = *name;
	change->body = body;
	return change;
}

/* ---- an artifact that is being verified ---- */

struct verifying {
	struct services *services;
	struct body *body;
};

static void destroy_verifying(void *object)
{
	struct verifying *verifying = object;

	destroy_body(verifying->body);
	free(verifying);
}

static bool is_verified(void *object, struct waiter *waiter)
{
	struct body *body = ((struct verifying *)object)->body;

	return !(body->form ? form_await(body->form, waiter) : upload_await(body->upload, waiter));
}

/* The server closes. */
static bool leave_verifying(void *object, struct waiter *waiter)
{
	struct body *body = ((struct verifying *)object)->body;

	return body->form ? form_leave(body->form, waiter) : upload_leave(body->upload, waiter);
}

static void finish_verified(void *object, const struct request *request, struct reply *reply)
{
	struct verifying *verifying = object;

	finish_artifact(verifying->services, request, verifying->body, reply);
	destroy_verifying(verifying);
}

static const struct later_ops later = {
	is_verified, leave_verifying, finish_verified, destroy_verifying, .slow = true, .joins = true};

static void verify_first(struct services *services, struct body *body, struct reply *reply)
{
	struct verifying *verifying = mem_zero(1, sizeof *verifying);

	verifying->services = services;
	verifying->body = body;
	reply_later(reply, &later, verifying);
}

void hub_publish(void *services, struct request *request, struct reply *reply)
{
	struct body *body = TAKE(request->upload);

	if (body->upload || body->form)
		return verify_first(services, body, reply);
	make_change(new_change(services, &body->name, body), request, reply);
}

void hub_withdraw(void *context, struct request *request, struct reply *reply)
{
	struct services *services = context;
	struct name name;
	struct err err;

	if (!hub_url_read_upload(request, &name, &err) ||
		!authorize(services, request, RIGHT_WITHDRAW, &name, &err))
		return problem_reply(reply, &err);
	make_change(new_change(services, &name, NULL), request, reply);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/hub/form.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/hub/multipart.h"
#include "server/registry/parts.h"
#include "server/registry/proof.h"
#include "server/registry/services.h"

static const char *const part_names[] = {"model.json", "model.weights.bin"};
enum { PART_MODEL, PART_WEIGHTS, PART_COUNT };

struct form {
	struct multipart *multipart;
	struct publisher *publisher;
	int64_t received; /* whatever belongs to it, a part or not */
	struct parts *parts;
	struct declaration declaration;
	struct sums *sums; /* of the body as it was sent, where some were told */
	bool seen[PART_COUNT];
	bool ended;
	bool failed; /* err says why */
	struct err err;
};

bool form_is_sent(const struct request *request)
{
	const char *type = request_header(request, "Content-Type");

	return type && multipart_is_form(type);
}

static void free_form(struct form *form)
{
	multipart_destroy(form->multipart);
	sums_destroy(form->sums);
	free(form);
}

static bool begin_part(void *context, const char *name, struct err *err)
{
	struct form *form = context;

	for (size_t i = 0; i < PART_COUNT; i++) {
		if (strcmp(name, part_names[i]) != 0)
			continue;
		if (form->seen[i])
			return err_set(err, ERR_BAD_REQUEST, "the form has the part \"%s\" twice", name);
		form->seen[i] = true;
		parts_add(form->parts, part_names[i]);
		return true;
	}
	return err_set(err, ERR_BAD_REQUEST,
		"the form has a part \"%.40s\"; a model sent as a form has model.json and model.weights.bin, "
		"as "
		"TF.js saves it. Publish other files with `larder publish FOLDER URL`",
		name);
}

static bool take_data(void *context, const void *bytes, size_t length, struct err *err)
{
	struct form *form = context;

	return parts_write(form->parts, bytes, length, err);
}

bool form_begin(const struct services *services, const struct request *request, const struct name *name,
	const struct declaration *declaration, struct form **out, struct err *err)
{
	struct form *form = mem_zero(1, sizeof *form);
	const struct multipart_receiver receiver = {begin_part, take_data, form};

	form->declaration = *declaration;
	form->publisher = services->publisher;
	if (!multipart_create(request_header(request, "Content-Type"), &receiver, &form->multipart, err) ||
		!parts_begin(services, name, request->who, declaration->from, declaration->length,
			&form->parts, err)) {
		free_form(form);
		return false;
	}
	if (declaration->told.count > 0)
		form->sums = sums_create(testimony_wanted(&declaration->told));
	*out = form;
	return true;
}

bool form_has_room(const struct form *form, size_t length)
{
	return form->failed || parts_has_room(form->parts, length);
}

void form_make_room(struct form *form, size_t length)
{
	form->failed = !parts_make_room(form->parts, length, &form->err);
}

bool form_write(struct form *form, const void *bytes, size_t length)
{
	if (form->failed)
		return false;
	if (form->sums)
		sums_add(form->sums, bytes, length);
	form->received += (int64_t)length;
	form->failed = !publisher_fits(form->publisher, form->received, &form->err) ||
		       !multipart_write(form->multipart, bytes, length, &form->err);
	return !form->failed;
}

static bool check_digest(struct form *form, struct err *err)
{
	uint8_t sums[SUM_COUNT][SUM_BYTES_MAX];

	if (!form->sums)
		return true;
	sums_result(form->sums, sums);
	return proof_hold_declared(&form->declaration.told, sums, err);
}

/* The digest is judged before the model: bytes that were damaged on the way are not to be called a bad one.
 */
static bool is_complete(struct form *form, struct err *err)
{
	return multipart_finish(form->multipart, err) && check_digest(form, err) &&
	       (form->seen[PART_MODEL] ||
		       err_set(err, ERR_BAD_REQUEST, "the form has no part \"%s\"", part_names[PART_MODEL]));
}

static void end(struct form *form)
{
	if (form->ended || form->failed)
		return;
	form->ended = true;
	form->failed = !is_complete(form, &form->err);
}

bool form_await(struct form *form, struct waiter *waiter)
{
	end(form);
	return !form->failed && parts_await(form->parts, waiter);
}

bool form_leave(struct form *form, struct waiter *waiter)
{
	return parts_leave(form->parts, waiter);
}

bool form_finish(struct form *form, enum kept *out, struct examination **examination, struct err *err)
{
	bool done;

	*examination = NULL;
	end(form);
	if (form->failed) {
		*err = form->err;
		form_abort(form);
		return false;
	}
	done = parts_finish(TAKE(form->parts), out, examination, err);
	free_form(form);
	return done;
}

void form_abort(struct form *form)
{
	parts_abort(TAKE(form->parts));
	free_form(form);
}

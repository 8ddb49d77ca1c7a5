/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/import_upload.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/importing.h"
#include "server/config.h"
#include "server/http/clientkey.h"
#include "server/http/problem.h"
#include "server/module/examination.h"
#include "server/registry/imports.h"
#include "server/registry/incoming.h"
#include "server/registry/publisher.h"
#include "server/registry/services.h"
#include "server/registry/turns.h"
#include "server/store/catalog/catalog_staging.h"

/* A head, or an artifact that an import lacks. */
struct parcel {
	struct services *services;
	struct request *request; /* until it is poured in */
	struct line_turn turn;
	bool is_head;
	struct signing_key *key;   /* of a head, before it is begun; NULL */
	struct incoming *incoming; /* NULL: the head is not begun */
	struct digest bundle;      /* of an artifact: its bundle's contents */
	struct lacked lacked;
	struct upload *upload; /* of an artifact */
};

/* Whatever has begun is aborted. */
static void destroy_parcel(struct parcel *parcel)
{
	struct imports *imports = parcel->services->imports;

	if (parcel->upload)
		upload_abort(parcel->upload);
	if (parcel->incoming && parcel->is_head)
		imports_abort(imports, parcel->incoming);
	else if (parcel->incoming)
		imports_release(imports, parcel->incoming);
	turns_exit(parcel->services->turns, &parcel->turn);
	signing_key_destroy(parcel->key);
	free(parcel);
}

static struct parcel *new_parcel(void *services, struct request *request, bool is_head)
{
	struct parcel *parcel = mem_zero(1, sizeof *parcel);

	parcel->services = services;
	parcel->request = request;
	parcel->is_head = is_head;
	return parcel;
}

static bool refuse(struct parcel *parcel, struct reply *reply, const struct err *err)
{
	destroy_parcel(parcel);
	problem_reply(reply, err);
	return false;
}

/* ---- its turn ---- */

static void reply_blob(const struct lacked *lacked, int status, struct reply *reply)
{
	reply_json(reply, status,
		json_pack("{s:s+, s:I, s:s}", "digest", "sha256:", lacked->digest.hex, "size_bytes",
			(json_int_t)lacked->size_bytes, "format", formats[lacked->name.format].name));
}

static bool start_parcel(struct parcel *parcel, struct err *err)
{
	const struct request *request = parcel->request;
	const struct lacked *lacked = &parcel->lacked;
	const char *from = client_address(request);
	const struct staging staging = {lacked->name.format, lacked->source, parcel->bundle};
	const struct declaration declaration = {
		.length = lacked->size_bytes, .has_sha256 = true, .sha256 = lacked->digest};

	return parcel->is_head ? imports_begin(parcel->services->imports, request->who, from,
					 request->content_length, TAKE(parcel->key), &parcel->incoming, err)
			       : publisher_begin_staged(parcel->services->publisher, &staging, request->who,
					 &declaration, &parcel->upload, err);
}

static bool has_turn(void *object, struct waiter *waiter)
{
	struct parcel *parcel = object;

	return !turns_await(parcel->services->turns, &parcel->turn, waiter);
}

static bool leave_line(void *object, struct waiter *waiter)
{
	struct parcel *parcel = object;

	(void)waiter;
	return turns_leave(parcel->services->turns, &parcel->turn);
}

static void take_turn(void *object, const struct request *request, struct reply *reply)
{
	struct parcel *parcel = object;
	struct err err;

	(void)request;
	if (start_parcel(parcel, &err))
		parcel->request->upload = parcel;
	else
		(void)refuse(parcel, reply, &err);
}

static void destroy_waiting(void *object)
{
	destroy_parcel(object);
}

static const struct later_ops turn_ops = {has_turn, leave_line, take_turn, destroy_waiting, .watched = true};

static bool wait_for_turn(struct parcel *parcel, struct reply *reply)
{
	struct err err;

	if (!turns_enter(parcel->services->turns, parcel->request->who, &parcel->turn, &err))
		return refuse(parcel, reply, &err);
	reply_later(reply, &turn_ops, parcel);
	return false;
}

/* ---- beginning ---- */

static bool begin_head(void *services, struct request *request, struct reply *reply)
{
	struct parcel *parcel = new_parcel(services, request, true);
	const char *key = query_find(&request->query, "key");
	struct err err;

	if (key && !signing_key_parse(key, &parcel->key, &err))
		return refuse(parcel, reply, &err);
	return wait_for_turn(parcel, reply);
}

/* "<id>/blobs/sha256/<hex>" */
static bool read_address(const struct request *request, char id[INCOMING_ID_LENGTH + 1],
	struct digest *digest, enum format *format, struct err *err)
{
	static const char between[] = "/blobs/sha256/";
	const char *query = query_find(&request->query, "format");

	if (strlen(request->rest) != INCOMING_ID_LENGTH + sizeof between - 1 + sizeof digest->hex - 1 ||
		memcmp(request->rest + INCOMING_ID_LENGTH, between, sizeof between - 1) != 0 ||
		!digest_parse(request->rest + INCOMING_ID_LENGTH + sizeof between - 1, digest))
		return err_set(err, ERR_NOT_FOUND,
			"what an import takes by PUT is /api/v1/imports/<id>/blobs/sha256/<64 hexadecimal "
			"digits>");
	if (!query || !format_parse(query, format))
		return err_set(err, ERR_BAD_REQUEST,
			"the query must name the format that the bundle has these bytes as: ?format= "
			"and " FORMATS_IN_WORDS);
	memcpy(id, request->rest, INCOMING_ID_LENGTH);
	id[INCOMING_ID_LENGTH] = '\0';
	return true;
}

static bool check_length(const struct request *request, const struct lacked *lacked, struct err *err)
{
	if (request->content_length < 0)
		return err_set(err, ERR_INVALID_MODULE,
			"the request must tell how long the blob is, by its Content-Length: %lld",
			(long long)lacked->size_bytes);
	return request->content_length == lacked->size_bytes ||
	       err_set(err, ERR_INVALID_MODULE,
		       "the blob sha256:%s has %lld bytes, and should have %lld: copy it again from where it "
		       "was "
		       "made",
		       lacked->digest.hex, (long long)request->content_length, (long long)lacked->size_bytes);
}

/* What is known to be wrong with it the record tells, too; of what came without a length nothing is. */
static bool hold_length(struct parcel *parcel, struct err *err)
{
	if (check_length(parcel->request, &parcel->lacked, err))
		return true;
	if (parcel->request->content_length >= 0)
		imports_note_faulty(parcel->services->imports, parcel->incoming, &parcel->lacked, err);
	return false;
}

/* An attempt before may have brought it. */
static bool find_here(const struct parcel *parcel, bool *here, struct err *err)
{
	const struct lacked *lacked = &parcel->lacked;
	const struct checksums checksums = {.sha256 = lacked->digest};
	const struct keeping keeping = {.name = &lacked->name,
		.source = lacked->source,
		.checksums = &checksums,
		.size_bytes = lacked->size_bytes,
		.staged_for = &parcel->bundle,
		.now_s = clock_now_s()};

	return catalog_hold_staged(parcel->services->catalog, &keeping, here, err);
}

static bool find_lacked(struct parcel *parcel, bool *here, struct err *err)
{
	const struct request *request = parcel->request;
	char id[INCOMING_ID_LENGTH + 1];
	struct digest digest;
	enum format format;

	return read_address(request, id, &digest, &format, err) &&
	       imports_take(parcel->services->imports, id, &digest, format, &parcel->incoming,
		       &parcel->lacked, &parcel->bundle, err) &&
	       find_here(parcel, here, err) && (*here || hold_length(parcel, err));
}

static bool begin_blob(void *services, struct request *request, struct reply *reply)
{
	struct parcel *parcel = new_parcel(services, request, false);
	bool here;
	struct err err;

	if (!find_lacked(parcel, &here, &err))
		return refuse(parcel, reply, &err);
	if (!here)
		return wait_for_turn(parcel, reply);
	reply_blob(&parcel->lacked, 200, reply);
	destroy_parcel(parcel);
	return false;
}

/* ---- the body ---- */

static bool has_room(const struct request *request, size_t length)
{
	const struct parcel *parcel = request->upload;

	return parcel->is_head ? incoming_has_room(parcel->incoming, length)
			       : upload_has_room(parcel->upload, length);
}

static void make_room(struct request *request, size_t length)
{
	struct parcel *parcel = request->upload;

	if (parcel->is_head)
		incoming_make_room(parcel->incoming, length);
	else
		upload_make_room(parcel->upload, length);
}

static bool await_inspection(struct request *request, struct waiter *waiter)
{
	struct parcel *parcel = request->upload;

	return parcel->upload && upload_await_inspection(parcel->upload, waiter);
}

static bool leave_inspection(struct request *request, struct waiter *waiter)
{
	struct parcel *parcel = request->upload;

	return parcel->upload && upload_leave_inspection(parcel->upload, waiter);
}

static bool write_piece(struct request *request, const void *bytes, size_t length)
{
	struct parcel *parcel = request->upload;

	return parcel->is_head ? incoming_write(parcel->incoming, bytes, length)
			       : upload_write(parcel->upload, bytes, length);
}

static void abort_parcel(void *upload)
{
	destroy_parcel(upload);
}

const struct upload_ops import_head_upload = {
	begin_head, has_room, make_room, NULL, NULL, write_piece, abort_parcel};
const struct upload_ops import_blob_upload = {
	begin_blob, has_room, make_room, await_inspection, leave_inspection, write_piece, abort_parcel};

/* ---- the answer ---- */

void api_begin_import(void *services, struct request *request, struct reply *reply)
{
	struct parcel *parcel = TAKE(request->upload);
	char id[INCOMING_ID_LENGTH + 1];
	struct err err;

	if (imports_read(parcel->services->imports, TAKE(parcel->incoming), id, &err)) {
		importing_reply(services, id, 202, reply);
		reply_header_printf(reply, "Location", "/api/v1/imports/%s", id);
	} else {
		problem_reply(reply, &err);
	}
	destroy_parcel(parcel);
}

static bool is_inspected(void *object, struct waiter *waiter)
{
	return !upload_await(((struct parcel *)object)->upload, waiter);
}

static bool leave_inspected(void *object, struct waiter *waiter)
{
	return upload_leave(((struct parcel *)object)->upload, waiter);
}

static void refuse_blob(const struct parcel *parcel, struct err *err, const struct examination *examination,
	struct reply *reply)
{
	/* What is not as the bundle says is the bundle's fault, not the request's. */
	if (err->code == ERR_DIGEST_MISMATCH)
		err->code = ERR_INVALID_MODULE;
	if (err->code == ERR_INVALID_MODULE)
		imports_note_faulty(parcel->services->imports, parcel->incoming, &parcel->lacked, err);
	if (examination)
		problem_reply_with(reply, err, answer_violations(examination));
	else
		problem_reply(reply, err);
}

static void finish_blob(void *object, const struct request *request, struct reply *reply)
{
	AUTO_EXAMINATION struct examination *examination = NULL;
	struct parcel *parcel = object;
	struct err err;
	enum kept kept;

	(void)request;
	if (upload_finish(TAKE(parcel->upload), &kept, &examination, &err)) {
		imports_note_staged(parcel->services->imports, parcel->incoming, &parcel->lacked);
		reply_blob(&parcel->lacked, 201, reply);
	} else {
		refuse_blob(parcel, &err, examination, reply);
	}
	destroy_parcel(parcel);
}

static const struct later_ops finishing = {
	is_inspected, leave_inspected, finish_blob, destroy_waiting, .slow = true, .joins = true};

void api_put_import(void *services, struct request *request, struct reply *reply)
{
	(void)services;
	reply_later(reply, &finishing, TAKE(request->upload));
}

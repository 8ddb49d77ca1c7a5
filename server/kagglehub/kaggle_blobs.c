/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/http/problem.h"
#include "server/kagglehub/kaggle_body.h"
#include "server/kagglehub/kaggle_reply.h"
#include "server/kagglehub/kaggle_way.h"
#include "server/kagglehub/kagglehub.h"
#include "server/registry/access.h"
#include "server/registry/capabilities.h"
#include "server/registry/parcels.h"
#include "server/registry/services.h"

static const char place[] = "/-/blobs/";

/* ---- StartBlobUpload ---- */

static void reply_begun(const struct services *services, const struct request *request,
	const struct parcel_id *id, struct reply *reply)
{
	AUTO_FREE char *path = mem_printf("%s%s", place, id->text);
	AUTO_FREE char *url = kaggle_blob_url(services, request, path, PARCELS_LIFETIME_S);

	kaggle_reply_json(reply, json_pack("{s:s, s:s}", "token", id->text, "createUrl", url));
}

void kaggle_start_blob(void *context, struct request *request, struct reply *reply)
{
	struct services *services = context;
	json_auto_t *body = NULL;
	struct parcel_id id;
	const char *name;
	const json_t *length;
	struct err err;

	if (!access_check_some(services->access, request_token(request), request->origin, RIGHT_PUBLISH,
		    request->who, &err) ||
		!kaggle_read_body(request, &body, &err))
		return problem_reply(reply, &err);
	name = kaggle_text(body, "name");
	/* What is 0 may be left out. */
	length = json_object_get(body, "contentLength");
	if (!name || !*name || json_integer_value(length) < 0 || (length && !json_is_integer(length))) {
		(void)err_set(&err, ERR_BAD_REQUEST, "A file needs a name and its contentLength.");
		return problem_reply(reply, &err);
	}
	if (parcels_begin(services->parcels, request->who, name, json_integer_value(length), &id, &err))
		reply_begun(services, request, &id, reply);
	else
		problem_reply(reply, &err);
}

/* ---- the bytes ---- */

/* One request with some of them. */
struct delivery {
	struct services *services;
	struct request *request; /* until it is poured in */
	char *id;
	int64_t first; /* of the file's bytes, the first that is sent */
	int64_t at;    /* … that comes next */
	int64_t end;   /* … that may not come any more */
	struct parcel *parcel;
	bool too_long; /* it is not what it was said to be: nothing of the file stays */
	bool failed;   /* err says why */
	struct err err;
};

static void destroy_delivery(void *object)
{
	struct delivery *delivery = object;
	struct err ignored;

	if (delivery->parcel)
		(void)parcel_flush(delivery->parcel, &ignored);
	parcels_release(delivery->services->parcels, TAKE(delivery->parcel), delivery->too_long);
	free(delivery->id);
	free(delivery);
}

/* "bytes 0-9/10", "bytes * /10" without the blank; without the header, all of it. */
struct content_range {
	bool asks; /* how much is there */
	int64_t first;
	int64_t end;   /* behind the last; INT64_MAX: not told */
	int64_t total; /* -1: not told */
};

/* Digits up to a sign, or to the text's end. */
static bool take_number(const char **text, const char *sign, int64_t *out)
{
	size_t length = strspn(*text, "0123456789");
	AUTO_FREE char *digits = mem_dup_n(*text, length);

	if (!number_parse(digits, out) || strncmp(*text + length, sign, strlen(sign)) != 0)
		return false;
	*text += length + strlen(sign);
	return true;
}

static bool parse_range(const char *text, struct content_range *out)
{
	static const char unit[] = "bytes ";
	int64_t last;

	if (strncmp(text, unit, strlen(unit)) != 0)
		return false;
	text += strlen(unit);
	out->asks = strncmp(text, "*/", 2) == 0;
	if (out->asks)
		return number_parse(text + 2, &out->total);
	if (!take_number(&text, "-", &out->first) || !take_number(&text, "/", &last) ||
		!number_parse(text, &out->total) || last < out->first || last >= out->total)
		return false;
	out->end = last + 1;
	return true;
}

static bool read_range(const struct request *request, struct content_range *out, struct err *err)
{
	const char *text = request_header(request, "Content-Range");
	int64_t length = request->content_length;

	*out = (struct content_range){.end = INT64_MAX, .total = length};
	if (!text)
		return true;
	if (!parse_range(text, out))
		return err_set(err, ERR_BAD_REQUEST,
			"Content-Range must be \"bytes <first>-<last>/<length>\", or \"bytes */<length>\" to "
			"ask");
	return out->asks || length == -1 || length == out->end - out->first ||
	       err_set(err, ERR_BAD_REQUEST, "Content-Range tells of %lld bytes, and Content-Length of %lld",
		       (long long)(out->end - out->first), (long long)length);
}

/* 308 as Google's resumable uploads have it: the bytes up to the last one are here. */
static void reply_state(struct reply *reply, int64_t received, int64_t length)
{
	if (received >= length)
		return kaggle_reply_json(reply, json_object());
	reply_empty(reply, 308);
	if (received > 0)
		reply_header_printf(reply, "Range", "bytes=0-%" PRId64, received - 1);
	reply_header(reply, "Cache-Control", "no-store");
}

static bool refuse(struct delivery *delivery, const struct err *err, struct reply *reply)
{
	destroy_delivery(delivery);
	problem_reply(reply, err);
	return false;
}

static bool is_busy(void *object, struct waiter *waiter)
{
	struct delivery *delivery = object;

	return !parcels_await(delivery->services->parcels, delivery->id, waiter);
}

static bool leave(void *object, struct waiter *waiter)
{
	struct delivery *delivery = object;

	return parcels_leave(delivery->services->parcels, delivery->id, waiter);
}

static bool start(struct delivery *delivery, struct reply *reply);

static void go_on(void *object, const struct request *request, struct reply *reply)
{
	(void)request;
	(void)start(object, reply);
}

/* Another request brings its bytes still, or its client has just gone. */
static const struct later_ops later = {is_busy, leave, go_on, destroy_delivery, .watched = true};

static bool start(struct delivery *delivery, struct reply *reply)
{
	struct err err;

	if (!parcels_hold(delivery->services->parcels, delivery->id, NULL, &delivery->parcel, &err))
		return refuse(delivery, &err, reply);
	if (!delivery->parcel) {
		reply_later(reply, &later, delivery);
		return false;
	}
	if (delivery->first > parcel_received(delivery->parcel)) {
		reply_state(reply, parcel_received(delivery->parcel), parcel_length(delivery->parcel));
		destroy_delivery(delivery);
		return false;
	}
	delivery->request->upload = delivery;
	return true;
}

static bool check_right(const struct services *services, const struct request *request, struct err *err)
{
	char who[TOKEN_NAME_MAX + 1];

	return capability_is_one(request->path_token)
		       ? capabilities_check(services->capabilities, request->path_token, CAPABILITY_PUTS,
				 request->path, who, err)
		       : err_set(err, ERR_UNAUTHORIZED,
				 "a file is sent to the address that StartBlobUpload gives");
}

/* Whether this can be answered as it is: what waits for room on the disk is written first. */
static bool is_told(const struct content_range *range, const struct parcel_state *state)
{
	if (state->received < state->length)
		return range->asks;
	return state->settled && (range->asks || state->length > 0);
}

static bool begin(void *context, struct request *request, struct reply *reply)
{
	struct services *services = context;
	struct delivery *delivery = mem_zero(1, sizeof *delivery);
	struct content_range range;
	struct parcel_state state;
	struct err err;

	delivery->services = services;
	delivery->request = request;
	delivery->id = mem_dup(request->path + strlen(place));
	if (!check_right(services, request, &err) || !read_range(request, &range, &err) ||
		!parcels_look(services->parcels, delivery->id, &state, &err))
		return refuse(delivery, &err, reply);
	if (range.total != -1 && range.total != state.length) {
		(void)err_set(&err, ERR_BAD_REQUEST, "the file has %lld bytes, as was told before",
			(long long)state.length);
		return refuse(delivery, &err, reply);
	}
	if (is_told(&range, &state)) {
		reply_state(reply, state.received, state.length);
		destroy_delivery(delivery);
		return false;
	}
	delivery->first = delivery->at = range.first;
	delivery->end = range.end < state.length ? range.end : state.length;
	return start(delivery, reply);
}

static bool has_room(const struct request *request, size_t length)
{
	const struct delivery *delivery = request->upload;

	return delivery->failed || parcel_has_room(delivery->parcel, length);
}

static void make_room(struct request *request, size_t length)
{
	struct delivery *delivery = request->upload;

	delivery->failed = !parcel_make_room(delivery->parcel, length, &delivery->err);
}

/* What is here already is passed over. */
static bool write_piece(struct request *request, const void *bytes, size_t length)
{
	struct delivery *delivery = request->upload;
	int64_t known = parcel_received(delivery->parcel) - delivery->at;
	size_t skipped = known <= 0 ? 0 : (int64_t)length < known ? length : (size_t)known;

	if (delivery->failed)
		return false;
	delivery->at += (int64_t)length;
	delivery->too_long = delivery->at > delivery->end;
	if (delivery->too_long)
		delivery->failed = !err_set(&delivery->err, ERR_BAD_REQUEST,
			"more bytes came than were told of: send the file again");
	else if (skipped < length)
		delivery->failed = !parcel_put(
			delivery->parcel, (const char *)bytes + skipped, length - skipped, &delivery->err);
	return !delivery->failed;
}

const struct upload_ops kaggle_blob_upload = {
	begin, has_room, make_room, NULL, NULL, write_piece, destroy_delivery};

void kaggle_blob(void *services, struct request *request, struct reply *reply)
{
	struct delivery *delivery = TAKE(request->upload);

	(void)services;
	if (!delivery->failed)
		delivery->failed = !parcel_flush(delivery->parcel, &delivery->err);
	if (delivery->failed)
		problem_reply(reply, &delivery->err);
	else
		reply_state(reply, parcel_received(delivery->parcel), parcel_length(delivery->parcel));
	destroy_delivery(delivery);
}

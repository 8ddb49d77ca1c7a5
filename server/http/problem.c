/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/problem.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/log.h"

struct problem_row {
	int status;
	unsigned retry_after_s; /* unless the error says otherwise; 0: trying again does not help */
	const char *title;
};

static const struct problem_row rows[ERR_CODE_COUNT] = {
	[ERR_NONE] = {500, 0, "Internal error"},
	[ERR_BAD_REQUEST] = {400, 0, "Bad request"},
	[ERR_DIGEST_MISMATCH] = {400, 0, "The digest is not the body's"},
	[ERR_UNAUTHORIZED] = {401, 0, "A token is needed"},
	[ERR_FORBIDDEN] = {403, 0, "The token does not allow this"},
	[ERR_BLOCKED_BY_POLICY] = {403, 0, "Blocked by policy"},
	[ERR_SIGNATURE_REQUIRED] = {403, 0, "A trusted signature is needed"},
	[ERR_NOT_FOUND] = {404, 0, "Not found"},
	[ERR_METHOD_NOT_ALLOWED] = {405, 0, "Method not allowed"},
	[ERR_GONE] = {410, 0, "Withdrawn"},
	[ERR_CONFLICT] = {409, 0, "Already published"},
	[ERR_RANGE_NOT_SATISFIABLE] = {416, 0, "Range not satisfiable"},
	[ERR_TOO_LARGE] = {413, 0, "Too large"},
	[ERR_HEAD_TOO_LARGE] = {431, 0, "Head too large"},
	[ERR_UNSUPPORTED_MEDIA] = {415, 0, "Unsupported media type"},
	[ERR_INVALID_MODULE] = {422, 0, "Invalid module"},
	[ERR_UNSAFE_MODULE] = {422, 0, "Unsafe module"},
	[ERR_OFFLINE] = {504, 0, "Offline"},
	[ERR_UPSTREAM_UNREACHABLE] = {504, 30, "Upstream is out of reach"},
	[ERR_UPSTREAM_FAILED] = {502, 30, "Upstream failed"},
	[ERR_LOOP_DETECTED] = {508, 0, "Loop detected"},
	[ERR_QUARANTINED] = {451, 0, "Quarantined"},
	[ERR_TOO_MANY_ATTEMPTS] = {429, 1, "Too many attempts"},
	[ERR_BUSY] = {503, 1, "Busy"},
	[ERR_STORE_UNAVAILABLE] = {503, 5, "Store unavailable"},
	[ERR_NO_SPACE] = {507, 60, "No space left"},
	[ERR_INTERNAL] = {500, 0, "Internal error"},
};

int problem_status(enum err_code code)
{
	return rows[code].status;
}

const char *problem_title(enum err_code code)
{
	return rows[code].title;
}

/* What the client may read. A sentence that is not UTF-8 (it may quote the request) is shown without its
 * foreign bytes. */
static json_t *detail_of(const struct err *err)
{
	char text[sizeof err->text];
	json_t *detail;

	if (err->code == ERR_INTERNAL)
		return json_string("Something went wrong here; the server's log has the details.");
	detail = json_string(err->text);
	if (detail)
		return detail;
	(void)snprintf(text, sizeof text, "%s", err->text);
	for (char *c = text; *c; c++)
		*c = (unsigned char)*c < 0x80 ? *c : '?';
	return json_string(text);
}

static json_t *describe(const struct err *err)
{
	const char *name = err_name(err->code);

	return json_pack("{s:s+, s:s, s:i, s:o, s:s}", "type", "urn:larder:", name, "title",
		rows[err->code].title, "status", rows[err->code].status, "detail", detail_of(err), "code",
		name);
}

static void add_headers(struct reply *reply, const struct err *err)
{
	unsigned retry_after_s = err->retry_after_s ? err->retry_after_s : rows[err->code].retry_after_s;

	reply_header(reply, "Cache-Control", "no-store");
	if (retry_after_s)
		reply_header_printf(reply, "Retry-After", "%u", retry_after_s);
	if (rows[err->code].status == 401)
		reply_header(reply, "WWW-Authenticate", "Bearer realm=\"larder\"");
}

void problem_reply_with(struct reply *reply, const struct err *err, json_t *extra)
{
	char note[sizeof reply->note];
	json_t *body = describe(err);
	char *text;

	/* Clients never see an internal error's sentence, so this is where it is told. */
	if (err->code == ERR_INTERNAL)
		log_event(LOG_LEVEL_ERROR, "internal error", "error", err->text, NULL);
	if (extra)
		(void)json_object_update_missing(body, extra);
	json_decref(extra);
	text = json_dumps(body, JSON_COMPACT);
	json_decref(body);
	memcpy(note, reply->note, sizeof note);
	reply_finish(reply);
	reply_init(reply);
	memcpy(reply->note, note, sizeof note);
	reply->problem = err->code;
	reply_take_bytes(
		reply, rows[err->code].status, "application/problem+json", text, text ? strlen(text) : 0);
	add_headers(reply, err);
}

void problem_reply(struct reply *reply, const struct err *err)
{
	problem_reply_with(reply, err, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/attestations.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/attestation_list.h"
#include "server/api/version.h"
#include "server/attest/attestation.h"
#include "server/attest/statement.h"
#include "server/config.h"
#include "server/http/clientkey.h"
#include "server/http/problem.h"
#include "server/registry/access.h"
#include "server/registry/attesting.h"
#include "server/store/catalog/catalog_versions.h"

json_t *ask_attestations(const struct ask *ask, struct err *err)
{
	AUTO(version_details_finish) struct version_details details = {0};
	struct name name;
	json_t *list;

	if (!version_named(ask, &name, err) || !version_find(ask->services, &name, &details, err))
		return NULL;
	list = attestation_list_json(ask, &details, true, err);
	return list ? json_pack("{s:o, s:I, s:n}", "attestations", list, "total",
			      (json_int_t)json_array_size(list), "next")
		    : NULL;
}

void api_attestations(void *services, struct request *request, struct reply *reply)
{
	answer_ask_with(services, request, reply, ask_attestations, "");
}

/* ---- one that comes ---- */

struct sent {
	struct name name;
	struct buffer text;
};

static void destroy_sent(void *upload)
{
	struct sent *sent = upload;

	buffer_finish(&sent->text);
	free(sent);
}

static bool check_head(const struct request *request, struct err *err)
{
	static const char *const types[] = {
		"application/json", MEDIA_DSSE, MEDIA_SIGSTORE, "application/octet-stream"};
	const char *type = request_header(request, "Content-Type");
	bool fits = !type;

	for (size_t i = 0; i < sizeof types / sizeof *types && !fits; i++)
		fits = strncasecmp(type, types[i], strlen(types[i])) == 0;
	if (!fits)
		return err_set(err, ERR_UNSUPPORTED_MEDIA,
			"send an attestation as " MEDIA_DSSE ", " MEDIA_SIGSTORE " or application/json");
	return attestation_fits(request->content_length, err);
}

static bool begin(void *context, struct request *request, struct reply *reply)
{
	struct services *services = context;
	const struct ask ask = answer_read(services, request, "");
	struct sent *sent;
	struct name name;
	struct err err;

	if (!version_named(&ask, &name, &err) ||
		!access_check(services->access, request_token(request), request->origin, RIGHT_PUBLISH,
			name.handle, request->who, &err) ||
		!check_head(request, &err)) {
		problem_reply(reply, &err);
		return false;
	}
	sent = mem_zero(1, sizeof *sent);
	sent->name = name;
	request->upload = sent;
	return true;
}

static bool write_piece(struct request *request, const void *bytes, size_t length)
{
	struct sent *sent = request->upload;

	/* One byte more than it may have tells that it has more. */
	if (sent->text.length + length > ATTESTATION_BYTES_MAX)
		length = ATTESTATION_BYTES_MAX + 1 - sent->text.length;
	buffer_add(&sent->text, bytes, length);
	return sent->text.length <= ATTESTATION_BYTES_MAX;
}

const struct upload_ops attestation_upload = {.begin = begin, .write = write_piece, .abort = destroy_sent};

static void reply_attested(const struct name *name, const struct attested *attested, struct reply *reply)
{
	json_t *object = attestation_json(&attested->row);

	(void)json_object_update_new(
		object, json_pack("{s:s, s:I, s:b, s:o}", "handle", name->handle, "version",
				(json_int_t)name->version, "created", (int)attested->created, "format",
				answer_text(attested->has_artifact ? formats[attested->format].name : NULL)));
	reply_json(reply, attested->created ? 201 : 200, object);
}

void api_put_attestation(void *context, struct request *request, struct reply *reply)
{
	struct services *services = context;
	struct sent *sent = TAKE(request->upload);
	const char *from = client_address(request);
	AUTO(attested_finish) struct attested attested = {0};
	struct err err;

	if (strlen(buffer_string(&sent->text)) != sent->text.length &&
		!err_set(&err, ERR_BAD_REQUEST, "the attestation: it is no JSON: it has NUL in it"))
		problem_reply(reply, &err);
	else if (attesting_take(services->catalog, services->trust, ARRIVAL_PUBLISHED, &sent->name,
			 buffer_string(&sent->text), request->who, from, &attested, &err))
		reply_attested(&sent->name, &attested, reply);
	else
		problem_reply(reply, &err);
	destroy_sent(sent);
}

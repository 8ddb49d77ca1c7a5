/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/signature.h"

#include <string.h>

#include "common/clock.h"
#include "server/bundle/dsse.h"
#include "server/bundle/mediatypes.h"
#include "server/bundle/strictjson.h"

static void write_payload(const struct signed_statement *statement, struct buffer *out)
{
	buffer_printf(out, "{\"contents\":{\"digest\":\"sha256:%s\",\"size\":%lld},\"created\":\"%s\"",
		statement->contents.digest.hex, (long long)statement->contents.size_bytes,
		clock_rfc3339(statement->created_s).text);
	if (statement->has_audit_head)
		buffer_printf(out, ",\"audit_head\":\"sha256:%s\"", statement->audit_head.hex);
	buffer_add_string(out, "}");
}

void signature_write(
	const struct signing_key *key, const struct signed_statement *statement, struct buffer *out)
{
	AUTO_BUFFER struct buffer payload = {0};

	write_payload(statement, &payload);
	dsse_write(key, MEDIA_SIGNED, &payload, out);
}

/* ---- verifying ---- */

static bool refuse_key(const struct signing_key *key, const struct dsse *dsse, struct err *err)
{
	AUTO_BUFFER struct buffer signers = {0};

	dsse_list_signers(dsse, &signers);
	return err_set(err, ERR_FORBIDDEN,
		"the bundle is not signed by the key %s: its signature names %s; ask who made it for the "
		"public "
		"key, by a way that you trust",
		signing_key_id(key).hex, signers.length > 0 ? buffer_string(&signers) : "no key");
}

static bool read_statement(const struct buffer *payload, struct signed_statement *out, struct err *err)
{
	json_auto_t *object = NULL;
	const json_t *contents;

	if (!strictjson_parse(payload->data, payload->length, DSSE_VALUES_MAX, &object, err))
		return false;
	contents = json_object_get(object, "contents");
	out->has_audit_head = json_object_get(object, "audit_head");
	return (strictjson_digest(contents, "digest", &out->contents.digest) &&
		       strictjson_number(contents, "size", &out->contents.size_bytes) &&
		       strictjson_time(object, "created", &out->created_s) &&
		       (!out->has_audit_head || strictjson_digest(object, "audit_head", &out->audit_head))) ||
	       err_set(err, ERR_BAD_REQUEST, "what it signs is no bundle's contents");
}

bool signature_verify(const struct signing_key *key, const char *text, size_t length,
	struct signed_statement *out, struct err *err)
{
	struct signed_statement statement = {0};
	AUTO_DSSE struct dsse dsse = {0};
	json_auto_t *envelope = NULL;

	if (length > SIGNATURE_BYTES_MAX)
		return err_set(
			err, ERR_TOO_LARGE, "the signature has more than %d KiB", SIGNATURE_BYTES_MAX >> 10);
	if (!strictjson_parse(text, length, DSSE_VALUES_MAX, &envelope, err))
		return err_prefix(err, "the signature: ");
	if (!dsse_read(envelope, &dsse, err) || strcmp(dsse.type, MEDIA_SIGNED) != 0)
		return err_set(err, ERR_BAD_REQUEST, "the signature is no DSSE envelope of a bundle");
	if (!dsse_is_signed_by(&dsse, key))
		return refuse_key(key, &dsse, err);
	if (!read_statement(&dsse.payload, &statement, err))
		return err_prefix(err, "the signature: ");
	*out = statement;
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/dsse.h"

#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/bundle/strictjson.h"

enum { SIGNERS_TOLD_MAX = 3, KEY_ID_LENGTH = 64 };

/* What is signed in truth: the type and the payload, with their lengths. */
static void write_signed_bytes(const char *type, const struct buffer *payload, struct buffer *out)
{
	buffer_printf(out, "DSSEv1 %zu %s %zu ", strlen(type), type, payload->length);
	buffer_add(out, payload->data, payload->length);
}

static json_t *base64_json(const void *bytes, size_t length)
{
	AUTO_FREE char *text = base64_text(bytes, length);

	return json_string(text);
}

void dsse_write(
	const struct signing_key *key, const char *type, const struct buffer *payload, struct buffer *out)
{
	AUTO_BUFFER struct buffer bytes = {0};
	AUTO_FREE char *text = NULL;
	uint8_t signature[SIGNATURE_LENGTH_MAX];
	struct digest id = signing_key_id(key);
	json_auto_t *envelope = NULL;
	size_t length;

	write_signed_bytes(type, payload, &bytes);
	length = signing_key_sign(key, &bytes, signature);
	envelope = json_pack("{s:o, s:s, s:[{s:s, s:o}]}", "payload",
		base64_json(payload->data, payload->length), "payloadType", type, "signatures", "keyid",
		id.hex, "sig", base64_json(signature, length));
	text = json_dumps(envelope, JSON_COMPACT);
	buffer_add_string(out, text);
}

/* ---- reading ---- */

/* The alphabet for URLs, in that of the standard; false where both are mixed. */
static bool use_standard_alphabet(char *text)
{
	bool for_urls = strpbrk(text, "-_") != NULL;

	if (for_urls && strpbrk(text, "+/"))
		return false;
	for (char *at = text; for_urls && *at; at++)
		*at = *at == '-' ? '+' : *at == '_' ? '/' : *at;
	return true;
}

/* Exactly as it is written, so that the same bytes have one text. */
static bool decode(const char *text, struct buffer *out)
{
	size_t length = text ? strlen(text) : 0;
	AUTO_FREE unsigned char *bytes = mem_zero(length / 4 * 3 + 4, 1);
	AUTO_FREE char *plain = mem_dup(text ? text : "");
	AUTO_FREE char *again = NULL;
	int decoded;

	if (length == 0 || length % 4 != 0 || !use_standard_alphabet(plain))
		return false;
	decoded = EVP_DecodeBlock(bytes, (const unsigned char *)plain, (int)length);
	ERR_clear_error();
	if (decoded < 0)
		return false;
	decoded -= (plain[length - 1] == '=') + (plain[length - 2] == '=');
	again = base64_text(bytes, (size_t)decoded);
	if (strcmp(again, plain) != 0)
		return false;
	buffer_add(out, bytes, (size_t)decoded);
	return true;
}

void dsse_finish(struct dsse *dsse)
{
	free(dsse->type);
	buffer_finish(&dsse->payload);
	buffer_finish(&dsse->signed_bytes);
	json_decref(dsse->signatures);
}

static bool are_signatures(const json_t *signatures)
{
	bool all = json_is_array(signatures);

	for (size_t i = 0; all && i < json_array_size(signatures); i++) {
		AUTO_BUFFER struct buffer value = {0};

		all = decode(strictjson_text(json_array_get(signatures, i), "sig"), &value);
	}
	return all;
}

bool dsse_read(const json_t *envelope, struct dsse *out, struct err *err)
{
	const char *type = strictjson_text(envelope, "payloadType");
	json_t *signatures = json_object_get(envelope, "signatures");
	AUTO_DSSE struct dsse dsse = {0};

	if (!type || !are_signatures(signatures) ||
		!decode(strictjson_text(envelope, "payload"), &dsse.payload))
		return err_set(err, ERR_BAD_REQUEST,
			"it is no DSSE envelope: \"payloadType\" must be a text, \"payload\" base64 with its "
			"padding, \"signatures\" a list, each with a \"sig\" in base64");
	dsse.type = mem_dup(type);
	dsse.signatures = json_incref(signatures);
	write_signed_bytes(type, &dsse.payload, &dsse.signed_bytes);
	*out = dsse;
	dsse = (struct dsse){0};
	return true;
}

/* ---- verifying ---- */

static bool is_signed_by(const struct signing_key *key, const json_t *signature, const struct buffer *bytes)
{
	AUTO_BUFFER struct buffer value = {0};

	return decode(strictjson_text(signature, "sig"), &value) && value.length <= SIGNATURE_LENGTH_MAX &&
	       signing_key_verifies(key, bytes, value.data, value.length);
}

bool dsse_is_signed_by(const struct dsse *dsse, const struct signing_key *key)
{
	for (size_t i = 0; i < json_array_size(dsse->signatures) && i < DSSE_SIGNATURES_MAX; i++) {
		if (is_signed_by(key, json_array_get(dsse->signatures, i), &dsse->signed_bytes))
			return true;
	}
	return false;
}

/* The name of a key as it is written here; NULL for other words. */
static const char *key_id(const json_t *signature)
{
	const char *id = strictjson_text(signature, "keyid");

	return id && strlen(id) == KEY_ID_LENGTH && strspn(id, "0123456789abcdef") == KEY_ID_LENGTH ? id
												    : NULL;
}

bool dsse_may_be_signed_by(const struct dsse *dsse, const struct signing_key *key)
{
	struct digest ours = signing_key_id(key);

	for (size_t i = 0; i < json_array_size(dsse->signatures) && i < DSSE_SIGNATURES_MAX; i++) {
		const char *id = key_id(json_array_get(dsse->signatures, i));

		if (!id || strcmp(id, ours.hex) == 0)
			return true;
	}
	return false;
}

/* Whoever has made the envelope may say so of any key. */
void dsse_list_signers(const struct dsse *dsse, struct buffer *out)
{
	for (size_t i = 0; i < json_array_size(dsse->signatures) && i < SIGNERS_TOLD_MAX; i++) {
		const char *id = key_id(json_array_get(dsse->signatures, i));

		if (id)
			buffer_printf(out, "%s%s", out->length > 0 ? ", " : "", id);
	}
}

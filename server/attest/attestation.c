/* SPDX-License-Identifier: Apache-2.0 */
#include "server/attest/attestation.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "server/attest/statement.h"
#include "server/bundle/strictjson.h"

/* Of a statement: a file is four. */
enum { STATEMENT_VALUES_MAX = 4 * FILE_MANIFEST_FILES_MAX + 1000, SIGNATURES_MAX = 4 };

void attestation_destroy(struct attestation *attestation)
{
	if (!attestation)
		return;
	dsse_finish(&attestation->dsse);
	json_decref(attestation->statement);
	free(attestation->predicate_type);
	file_manifest_finish(&attestation->files);
	free(attestation);
}

/* The envelope of what was sent; NULL for something else. */
static const json_t *find_envelope(const json_t *sent, bool *is_bundle)
{
	const char *type = strictjson_text(sent, "mediaType");

	*is_bundle = json_object_get(sent, "dsseEnvelope") != NULL;
	if (!*is_bundle)
		return sent;
	return type && strcmp(type, MEDIA_SIGSTORE) == 0 ? json_object_get(sent, "dsseEnvelope") : NULL;
}

static bool read_envelope(struct attestation *attestation, const char *text, size_t length, struct err *err)
{
	json_auto_t *sent = NULL;
	const json_t *envelope;

	if (!strictjson_parse(text, length, DSSE_VALUES_MAX, &sent, err))
		return false;
	envelope = find_envelope(sent, &attestation->is_bundle);
	if (!envelope)
		return err_set(
			err, ERR_BAD_REQUEST, "a Sigstore bundle must be of the media type " MEDIA_SIGSTORE);
	if (!dsse_read(envelope, &attestation->dsse, err))
		return false;
	if (strcmp(attestation->dsse.type, MEDIA_STATEMENT) != 0)
		return err_set(err, ERR_BAD_REQUEST,
			"its payloadType is \"%.80s\", and must be " MEDIA_STATEMENT, attestation->dsse.type);
	if (json_array_size(attestation->dsse.signatures) < 1 ||
		json_array_size(attestation->dsse.signatures) > SIGNATURES_MAX)
		return err_set(err, ERR_BAD_REQUEST, "it must have from 1 to %d signatures", SIGNATURES_MAX);
	return true;
}

/* Subjects of the same name and other digests would leave open what it is about. */
static bool check_subjects(const json_t *subjects, struct err *err)
{
	size_t count = json_array_size(subjects);

	if (count < 1 || count > SUBJECTS_MAX)
		return err_set(err, ERR_BAD_REQUEST, "it must have from 1 to %d subjects", SUBJECTS_MAX);
	for (size_t i = 0; i < count; i++) {
		const json_t *subject = json_array_get(subjects, i);
		const char *hex = strictjson_text(json_object_get(subject, "digest"), "sha256");
		struct digest digest;

		if (!strictjson_text(subject, "name") || !hex || strlen(hex) != 64 ||
			!digest_parse(hex, &digest))
			return err_set(err, ERR_BAD_REQUEST,
				"each of its subjects must have a name and a digest by sha256, in 64 "
				"hexadecimal "
				"digits");
	}
	return true;
}

static bool read_statement(struct attestation *attestation, struct err *err)
{
	const struct buffer *payload = &attestation->dsse.payload;
	const char *type, *predicate_type;

	if (!strictjson_parse(
		    payload->data, payload->length, STATEMENT_VALUES_MAX, &attestation->statement, err))
		return err_prefix(err, "its payload: ");
	type = strictjson_text(attestation->statement, "_type");
	predicate_type = strictjson_text(attestation->statement, "predicateType");
	if (!type || strcmp(type, STATEMENT_TYPE) != 0)
		return err_set(err, ERR_BAD_REQUEST,
			"its payload must be a statement: \"_type\": \"" STATEMENT_TYPE "\"");
	if (!predicate_type || strlen(predicate_type) > PREDICATE_TYPE_MAX)
		return err_set(err, ERR_BAD_REQUEST,
			"its payload must have a \"predicateType\" of at most %d bytes", PREDICATE_TYPE_MAX);
	if (!check_subjects(json_object_get(attestation->statement, "subject"), err))
		return false;
	attestation->predicate_type = mem_dup(predicate_type);
	attestation->is_files = strcmp(predicate_type, PREDICATE_FILES) == 0;
	return !attestation->is_files || file_manifest_read(attestation->statement, &attestation->files, err);
}

bool attestation_fits(int64_t bytes, struct err *err)
{
	return bytes <= ATTESTATION_BYTES_MAX ||
	       err_set(err, ERR_TOO_LARGE, "an attestation has at most %d KiB", ATTESTATION_BYTES_MAX >> 10);
}

bool attestation_read(const char *text, size_t length, struct attestation **out, struct err *err)
{
	AUTO_ATTESTATION struct attestation *attestation = NULL;

	if (!attestation_fits((int64_t)length, err))
		return false;
	attestation = mem_zero(1, sizeof *attestation);
	if (!read_envelope(attestation, text, length, err) || !read_statement(attestation, err))
		return err_prefix(err, "the attestation: ");
	*out = TAKE(attestation);
	return true;
}

/* ---- what it is about ---- */

static bool read_subject(
	const struct attestation *attestation, size_t number, const char **name, struct digest *out)
{
	const json_t *subject = json_array_get(json_object_get(attestation->statement, "subject"), number);

	*name = strictjson_text(subject, "name");
	return *name && digest_parse(strictjson_text(json_object_get(subject, "digest"), "sha256"), out);
}

bool attestation_find_subject(
	const struct attestation *attestation, const struct name *name, struct digest *out, struct err *err)
{
	const struct name_path path = name_path(name);
	const char *called;

	if (attestation->is_files && read_subject(attestation, 0, &called, out))
		return true;
	for (size_t i = 0; read_subject(attestation, i, &called, out); i++) {
		if (strcmp(called, path.text) == 0)
			return true;
	}
	(void)read_subject(attestation, 0, &called, out);
	return err_set(err, ERR_BAD_REQUEST,
		"the attestation is about \"%.150s\", not about %s: a subject must be called by the "
		"version's path",
		called ? called : "", path.text);
}

bool attestation_is_about(
	const struct attestation *attestation, const struct name *name, const struct digest *digest)
{
	const struct name_path path = name_path(name);
	struct digest subject;
	const char *called;

	for (size_t i = 0; !attestation->is_files && read_subject(attestation, i, &called, &subject); i++) {
		if (strcmp(called, path.text) == 0 && digest_equal(&subject, digest))
			return true;
	}
	return false;
}

bool attestation_has_byproduct(const struct attestation *attestation, const struct digest *digest)
{
	const json_t *predicate = json_object_get(attestation->statement, "predicate");
	const json_t *list = json_object_get(json_object_get(predicate, "runDetails"), "byproducts");

	for (size_t i = 0; i < json_array_size(list) && i < SUBJECTS_MAX; i++) {
		const char *hex =
			strictjson_text(json_object_get(json_array_get(list, i), "digest"), "sha256");

		if (hex && strcmp(hex, digest->hex) == 0)
			return true;
	}
	return false;
}

bool attestation_has_digest(
	const struct attestation *attestation, const struct digest *digest, const char **called)
{
	struct digest subject;

	for (size_t i = 0; !attestation->is_files && read_subject(attestation, i, called, &subject); i++) {
		if (digest_equal(&subject, digest))
			return true;
	}
	return false;
}

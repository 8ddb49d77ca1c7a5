/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/opening.h"

#include <jansson.h>
#include <string.h>

#include "common/buffer.h"
#include "common/number.h"
#include "server/bundle/mediatypes.h"
#include "server/bundle/signature.h"
#include "server/bundle/strictjson.h"

enum {
	INDEX_BYTES_MAX = 1 << 20,
	MANIFEST_BYTES_MAX = 64 << 10,
	HEAD_BYTES = 64 << 10, /* of the bundle's index: in them its first entry stands */
	EMPTY_BYTES_MAX = 1 << 10,
	VALUES_MAX = 10000
};

/* Two million versions', with what an OCI tool may add to each. */
static const int64_t entries_bytes_max = (int64_t)1 << 30;

static bool take_descriptor(const json_t *descriptor, struct bundle_blob *out, struct err *err)
{
	return (strictjson_digest(descriptor, "digest", &out->digest) &&
		       strictjson_number(descriptor, "size", &out->size_bytes)) ||
	       err_set(err, ERR_BAD_REQUEST, "a descriptor in the bundle has no digest, or no size");
}

static bool has_type(const json_t *object, const char *type)
{
	const char *value = strictjson_text(object, "mediaType");

	return value && strcmp(value, type) == 0;
}

/* ---- index.json ---- */

static bool refuse_count(size_t bundles, size_t entries, struct err *err)
{
	if (bundles > 1)
		return err_set(err, ERR_BAD_REQUEST,
			"index.json names %zu indexes: copy the bundle alone, such as with \"skopeo copy "
			"--all\"",
			bundles);
	return err_set(err, ERR_BAD_REQUEST,
		"index.json names %zu things, and none of them is an index: this is no bundle, or a part of "
		"one "
		"was copied (\"skopeo copy\" needs --all); a model of other tools is taken by --as",
		entries);
}

static bool refuse_damage(struct err *err)
{
	return err_set(err, ERR_BAD_REQUEST, "index.json is damaged: copy the bundle again");
}

/* No digest covers it, and tools write it anew, with members of their own. What export writes is known: what
 * is a bit away from that is damage. */
static bool check_keys(const json_t *object, struct err *err)
{
	static const char *const known[] = {"schemaVersion", "mediaType", "manifests", "digest", "size",
		"annotations", NOTE_CREATED, NOTE_REFERENCE};
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
	{
		for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
			if (strictjson_is_flipped(key, known[i]))
				return refuse_damage(err);
		}
	}
	return true;
}

static bool check_outer(const json_t *index, struct err *err)
{
	const json_t *type = json_object_get(index, "mediaType");
	int64_t version;

	if (!check_keys(index, err))
		return false;
	return (strictjson_number(index, "schemaVersion", &version) && version == 2 &&
		       (!type || has_type(index, MEDIA_INDEX))) ||
	       refuse_damage(err);
}

static bool take_notes(const json_t *notes, struct opening *out, struct err *err)
{
	const char *reference = strictjson_text(notes, NOTE_REFERENCE);

	out->has_time = json_object_get(notes, NOTE_CREATED);
	if (!check_keys(notes, err))
		return false;
	return ((!out->has_time || strictjson_time(notes, NOTE_CREATED, &out->created_s)) &&
		       !(reference && strictjson_is_flipped(reference, BUNDLE_REFERENCE))) ||
	       refuse_damage(err);
}

static bool take_entry(const json_t *entry, struct opening *out, struct err *err)
{
	return check_keys(entry, err) && take_descriptor(entry, &out->index, err) &&
	       take_notes(json_object_get(entry, "annotations"), out, err);
}

bool opening_check_time(const struct opening *opening, const struct bundle_header *header, struct err *err)
{
	return !opening->has_time || opening->created_s == header->created_s || refuse_damage(err);
}

static bool find_index(struct carrier *carrier, struct opening *out, struct err *err)
{
	AUTO_BUFFER struct buffer text = {0};
	json_auto_t *index = NULL;
	const json_t *manifests;
	const json_t *found = NULL;
	size_t count = 0;

	if (!carrier_read_index(carrier, INDEX_BYTES_MAX, &text, err))
		return false;
	if (!strictjson_parse(buffer_string(&text), text.length, VALUES_MAX, &index, err))
		return err_prefix(err, "index.json: ");
	manifests = json_object_get(index, "manifests");
	for (size_t i = 0; i < json_array_size(manifests); i++) {
		const json_t *entry = json_array_get(manifests, i);

		if (!has_type(entry, MEDIA_INDEX))
			continue;
		found = entry;
		count++;
	}
	if (count != 1)
		return refuse_count(count, json_array_size(manifests), err);
	return check_outer(index, err) && take_entry(found, out, err);
}

/* ---- the bundle's index ---- */

/* All of it, for its digest; of its text, the beginning. */
static bool read_head(
	struct carrier *carrier, const struct bundle_blob *index, struct buffer *out, struct err *err)
{
	AUTO_CARRIER_BLOB struct carrier_blob blob = {.fd = -1};
	const uint8_t *data;
	size_t length;

	if (index->size_bytes > entries_bytes_max)
		return err_set(err, ERR_TOO_LARGE,
			"the bundle's index is said to have %s, and none has more than %s",
			number_size(index->size_bytes).text, number_size(entries_bytes_max).text);
	if (!carrier_open_blob(carrier, index, &blob, err))
		return false;
	do {
		size_t room = HEAD_BYTES - out->length;

		if (!stream_next(&blob.stream, &data, &length, err))
			return false;
		buffer_add(out, data, length < room ? length : room);
	} while (length > 0);
	return true;
}

/* It may name a hundred thousand versions: only its first entry is read, which is that of the contents. */
static bool find_contents_manifest(
	struct carrier *carrier, const struct bundle_blob *index, struct bundle_blob *out, struct err *err)
{
	static const char list[] = "\"manifests\":[";
	AUTO_BUFFER struct buffer head = {0};
	json_auto_t *first = NULL;
	const char *at;

	if (!read_head(carrier, index, &head, err))
		return false;
	at = strstr(buffer_string(&head), list);
	if (at)
		first = json_loadb(at + sizeof list - 1,
			head.length - (size_t)(at - head.data) - sizeof list + 1, JSON_DISABLE_EOF_CHECK,
			NULL);
	if (!strictjson_text(json_object_get(first, "annotations"), NOTE_CONTENTS))
		return err_set(err, ERR_BAD_REQUEST,
			"the index sha256:%s does not begin with the contents of a bundle: it was not made "
			"by "
			"\"larder export\"",
			index->digest.hex);
	return take_descriptor(first, out, err);
}

/* ---- the contents' manifest ---- */

/* Nothing is in it, but it is not to be damaged either. */
static bool prove_config(
	struct carrier *carrier, const json_t *manifest, struct opening *out, struct err *err)
{
	const json_t *descriptor = json_object_get(manifest, "config");
	AUTO_BUFFER struct buffer text = {0};

	out->has_config = descriptor != NULL;
	return !descriptor || (take_descriptor(descriptor, &out->config, err) &&
				      carrier_read_blob(carrier, &out->config, EMPTY_BYTES_MAX, &text, err));
}

static bool take_layers(const json_t *layers, struct opening *out, struct err *err)
{
	bool has_contents = false;

	for (size_t i = 0; i < json_array_size(layers); i++) {
		const json_t *layer = json_array_get(layers, i);

		if (has_type(layer, MEDIA_CONTENTS) && !has_contents) {
			has_contents = true;
			if (!take_descriptor(layer, &out->contents, err))
				return false;
		} else if (has_type(layer, MEDIA_SIGNATURE) && !out->is_signed) {
			out->is_signed = true;
			if (!take_descriptor(layer, &out->signature, err))
				return false;
		} else {
			return err_set(err, ERR_BAD_REQUEST,
				"the manifest of the bundle's contents has a layer that is not known here: "
				"it "
				"was made by a newer Larder, or is damaged");
		}
	}
	return has_contents ||
	       err_set(err, ERR_BAD_REQUEST, "the manifest of the bundle's contents names no contents");
}

static bool take_audit_head(const json_t *notes, struct opening *out, struct err *err)
{
	out->has_audit_head = json_object_get(notes, NOTE_AUDIT_HEAD);
	return !out->has_audit_head || strictjson_digest(notes, NOTE_AUDIT_HEAD, &out->audit_head) ||
	       err_set(err, ERR_BAD_REQUEST,
		       "the manifest of the bundle's contents: \"" NOTE_AUDIT_HEAD
		       "\" must be a digest (sha256)");
}

bool opening_find(struct carrier *carrier, struct opening *out, struct err *err)
{
	AUTO_BUFFER struct buffer text = {0};
	json_auto_t *manifest = NULL;

	*out = (struct opening){0};
	if (!find_index(carrier, out, err) ||
		!find_contents_manifest(carrier, &out->index, &out->manifest, err) ||
		!carrier_read_blob(carrier, &out->manifest, MANIFEST_BYTES_MAX, &text, err))
		return false;
	if (!strictjson_parse(buffer_string(&text), text.length, VALUES_MAX, &manifest, err))
		return err_prefix(err, "the manifest of the bundle's contents: ");
	return take_layers(json_object_get(manifest, "layers"), out, err) &&
	       take_audit_head(json_object_get(manifest, "annotations"), out, err) &&
	       prove_config(carrier, manifest, out, err);
}

/* ---- the proof ---- */

bool opening_verify(struct carrier *carrier, const struct opening *opening, const struct signing_key *key,
	struct err *err)
{
	AUTO_BUFFER struct buffer text = {0};
	struct signed_statement statement;

	if (!opening->is_signed)
		return err_set(err, ERR_FORBIDDEN,
			"the bundle is not signed: have it made with \"larder export --sign\", or import it "
			"without --verify if you know where it comes from");
	if (!carrier_read_blob(carrier, &opening->signature, SIGNATURE_BYTES_MAX, &text, err) ||
		!signature_verify(key, buffer_string(&text), text.length, &statement, err))
		return false;
	if (statement.has_audit_head != opening->has_audit_head ||
		(opening->has_audit_head && !digest_equal(&statement.audit_head, &opening->audit_head)))
		return err_set(err, ERR_FORBIDDEN,
			"the signature is of another head of the audit log than the bundle has: it is not "
			"what was signed");
	return (digest_equal(&statement.contents.digest, &opening->contents.digest) &&
		       statement.contents.size_bytes == opening->contents.size_bytes) ||
	       err_set(err, ERR_FORBIDDEN,
		       "the signature is of other contents (sha256:%s) than the bundle has (sha256:%s): it "
		       "is "
		       "not what was signed",
		       statement.contents.digest.hex, opening->contents.digest.hex);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vault/identity_record.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/bundle/strictjson.h"

enum { RECORD_VERSION = 1, VALUES_MAX = 64, MD5_BYTES = 16, NONCE_BYTES = 16 };

/* jansson's own allocation, freed by free(): nobody sets another. */
static char *write_json(const json_t *value)
{
	char *text = json_dumps(value, JSON_COMPACT);

	return text ? text : mem_dup("{}");
}

static json_t *md5_value(const struct checksums *checksums)
{
	return checksums->has_md5 ? json_string(base64_encode(checksums->md5, MD5_BYTES).text) : json_null();
}

void nonce_make(char out[IDENTITY_WORD_MAX + 1])
{
	uint8_t random[NONCE_BYTES];

	random_bytes(random, sizeof random);
	(void)snprintf(out, IDENTITY_WORD_MAX + 1, "%.32s", digest_of(random, sizeof random).hex);
}

char *identity_write(const struct name *name, const struct identity *identity)
{
	json_auto_t *value = json_pack("{s:i, s:s, s:I, s:s, s:s, s:o, s:I, s:s, s:s, s:s, s:s}",
		"larder_identity", RECORD_VERSION, "handle", name->handle, "version",
		(json_int_t)name->version, "format", formats[name->format].name, "sha256",
		identity->checksums.sha256.hex, "md5", md5_value(&identity->checksums), "size_bytes",
		(json_int_t)identity->size_bytes, "source", version_source_name(identity->source), "who",
		identity->who, "at", clock_rfc3339(identity->at_s).text, "nonce", identity->nonce);

	return write_json(value);
}

static bool take_word(const json_t *object, const char *key, char out[IDENTITY_WORD_MAX + 1])
{
	const char *text = strictjson_text(object, key);

	return text && snprintf(out, IDENTITY_WORD_MAX + 1, "%s", text) <= IDENTITY_WORD_MAX;
}

static bool take_time(const json_t *object, int64_t *out)
{
	const char *text = strictjson_text(object, "at");

	return text && clock_parse_rfc3339(text, out);
}

static bool is_of(const json_t *object, const struct name *name)
{
	const char *handle = strictjson_text(object, "handle");
	const char *format = strictjson_text(object, "format");
	int64_t version;

	return handle && format && strcmp(handle, name->handle) == 0 &&
	       strcmp(format, formats[name->format].name) == 0 &&
	       strictjson_number(object, "version", &version) && version == name->version;
}

static bool take_checksums(const json_t *object, struct checksums *out)
{
	const char *sha256 = strictjson_text(object, "sha256");
	const char *md5 = strictjson_text(object, "md5");

	out->has_md5 = md5;
	return sha256 && digest_parse(sha256, &out->sha256) &&
	       (!md5 || base64_decode(md5, out->md5, MD5_BYTES));
}

static bool take_source(const json_t *object, enum version_source *out)
{
	const char *source = strictjson_text(object, "source");

	return source && version_source_parse(source, out) && *out != SOURCE_LISTED;
}

static bool is_version(const json_t *object, const char *key)
{
	int64_t version;

	return strictjson_number(object, key, &version) && version == RECORD_VERSION;
}

bool identity_read(
	const char *text, size_t length, const struct name *name, struct identity *out, struct err *err)
{
	json_auto_t *object = NULL;
	struct identity identity = {0};

	if (!strictjson_parse(text, length, VALUES_MAX, &object, err)) {
		err->code = ERR_UPSTREAM_FAILED;
		return err_prefix(err, "what the bucket has as the identity of %s: ", name_path(name).text);
	}
	if (!is_version(object, "larder_identity") || !is_of(object, name) ||
		!take_checksums(object, &identity.checksums) ||
		!strictjson_number(object, "size_bytes", &identity.size_bytes) ||
		!take_source(object, &identity.source) || !take_word(object, "who", identity.who) ||
		!take_time(object, &identity.at_s) || !take_word(object, "nonce", identity.nonce))
		return err_set(err, ERR_UPSTREAM_FAILED,
			"what the bucket has as the identity of %s (%s) is none that this version of Larder "
			"can read",
			name_path(name).text, formats[name->format].name);
	*out = identity;
	return true;
}

struct mark mark_new(const char *who)
{
	struct mark mark = {.at_s = clock_now_s()};

	nonce_make(mark.nonce);
	(void)snprintf(mark.who, sizeof mark.who, "%s", who);
	return mark;
}

char *mark_write(const struct name *name, const struct mark *mark)
{
	json_auto_t *value = json_pack("{s:i, s:s, s:I, s:s, s:s, s:s}", "larder_mark", RECORD_VERSION,
		"handle", name->handle, "version", (json_int_t)name->version, "who", mark->who, "at",
		clock_rfc3339(mark->at_s).text, "nonce", mark->nonce);

	return write_json(value);
}

bool mark_read(const char *text, size_t length, struct mark *out, struct err *err)
{
	json_auto_t *object = NULL;
	struct mark mark = {0};

	if (!strictjson_parse(text, length, VALUES_MAX, &object, err)) {
		err->code = ERR_UPSTREAM_FAILED;
		return err_prefix(err, "a mark in the bucket: ");
	}
	if (!is_version(object, "larder_mark") || !take_word(object, "who", mark.who) ||
		!take_time(object, &mark.at_s) || !take_word(object, "nonce", mark.nonce))
		return err_set(err, ERR_UPSTREAM_FAILED,
			"a mark in the bucket is none that this version of Larder can read");
	*out = mark;
	return true;
}

void note_write(const struct name *name, const struct note *note, int64_t revision, const char *nonce,
	struct buffer *out)
{
	json_auto_t *head = json_pack("{s:i, s:s, s:I, s:I, s:s, s:s, s:s}", "larder_note", RECORD_VERSION,
		"subject", name->handle, "version", (json_int_t)name->version, "revision",
		(json_int_t)revision, "who", note->who, "at", clock_rfc3339(note->at_s).text, "nonce", nonce);
	AUTO_FREE char *line = write_json(head);

	buffer_printf(out, "%s\n", line);
	buffer_add(out, note->text.data, note->text.length);
}

static bool is_about(const json_t *head, const struct name *name)
{
	const char *subject = strictjson_text(head, "subject");
	int64_t version;

	return subject && strcmp(subject, name->handle) == 0 &&
	       strictjson_number(head, "version", &version) && version == name->version;
}

bool note_read(const struct buffer *text, const struct name *name, struct note *out,
	char nonce[IDENTITY_WORD_MAX + 1], struct err *err)
{
	const char *start = buffer_string(text);
	const char *end = memchr(start, '\n', text->length);
	json_auto_t *head = NULL;
	struct note note = {0};

	if (!end || !strictjson_parse(start, (size_t)(end - start), VALUES_MAX, &head, err) ||
		!is_version(head, "larder_note") || !is_about(head, name) ||
		!strictjson_number(head, "revision", &note.revision) || note.revision < 1 ||
		!take_word(head, "who", note.who) || !take_time(head, &note.at_s) ||
		!take_word(head, "nonce", nonce))
		return err_set(err, ERR_UPSTREAM_FAILED,
			"a note in the bucket is none that this version of Larder can read: of %.200s",
			name->handle);
	buffer_add(&note.text, end + 1, text->length - (size_t)(end + 1 - start));
	*out = note;
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/contents.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/utf8.h"
#include "server/bundle/mediatypes.h"
#include "server/bundle/strictjson.h"

/* Of a line: a version has 5 + 2 * 3 + 1 + 4 * 4 of them. */
enum { VALUES_MAX = 64 };

static const char *const page_keys[CONTENTS_KIND_COUNT] = {
	[CONTENTS_PUBLISHER] = "publisher", [CONTENTS_COLLECTION] = "collection"};

bool bundle_name_is_plain(const char *text)
{
	size_t length = strlen(text);
	uint32_t code = ' ';

	if (length > BUNDLE_NAME_MAX || !utf8_is_text(text, length))
		return false;
	while (*text && !utf8_is_control(code))
		text += utf8_decode(text, &code);
	return !utf8_is_control(code);
}

void contents_line_finish(struct contents_line *line)
{
	free(line->page.name);
	free(line->page.markdown);
	*line = (struct contents_line){0};
}

/* ---- writing ---- */

static int add_bytes(const char *bytes, size_t length, void *context)
{
	buffer_add(context, bytes, length);
	return 0;
}

static void write_line(json_t *line, struct buffer *out)
{
	(void)json_dump_callback(line, add_bytes, out, JSON_COMPACT);
	buffer_add_string(out, "\n");
	json_decref(line);
}

void contents_write_header(const struct bundle_header *header, struct buffer *out)
{
	json_t *line = json_pack("{s:i, s:s, s:s, s:s}", "larder_bundle", BUNDLE_FORMAT_VERSION, "created",
		clock_rfc3339(header->created_s).text, "name", header->name, "server", header->server);

	if (header->since_s > 0)
		(void)json_object_set_new(line, "since", json_string(clock_rfc3339(header->since_s).text));
	write_line(line, out);
}

static json_t *blob_json(const struct bundle_blob *blob)
{
	return json_pack("{s:o, s:I}", "digest", strictjson_digest_value(&blob->digest), "size",
		(json_int_t)blob->size_bytes);
}

void contents_write_version(const struct bundle_version *version, struct buffer *out)
{
	json_t *artifacts = json_array();

	for (size_t i = 0; i < version->artifact_count; i++) {
		const struct bundle_artifact *artifact = &version->artifacts[i];

		(void)json_array_append_new(
			artifacts, json_pack("{s:s, s:o, s:I}", "format", formats[artifact->format].name,
					   "digest", strictjson_digest_value(&artifact->blob.digest),
					   "size_bytes", (json_int_t)artifact->blob.size_bytes));
	}
	write_line(json_pack("{s:s, s:I, s:s, s:s, s:o, s:o, s:o}", "handle", version->name.handle, "version",
			   (json_int_t)version->name.version, "source", version_source_name(version->source),
			   "state", version_state_name(version->state), "manifest",
			   blob_json(&version->manifest), "config", blob_json(&version->record), "artifacts",
			   artifacts),
		out);
}

void contents_write_page(enum contents_kind kind, const char *name, const char *markdown, struct buffer *out)
{
	write_line(json_pack("{s:s, s:s}", page_keys[kind], name, "markdown", markdown), out);
}

/* ---- reading: lines ---- */

/* Has something of the stream to be read, unless it is at its end. */
static bool fetch(struct contents_reader *reader, struct err *err)
{
	if (reader->length > 0 || reader->is_at_end)
		return true;
	if (!stream_next(reader->stream, &reader->data, &reader->length, err))
		return false;
	reader->is_at_end = reader->length == 0;
	return true;
}

/* Takes what was given, up to the end of the line. */
static bool take(struct contents_reader *reader, bool *ended, struct err *err)
{
	const uint8_t *end = memchr(reader->data, '\n', reader->length);
	size_t length = end ? (size_t)(end - reader->data) : reader->length;

	if (reader->text.length + length > CONTENTS_LINE_BYTES_MAX)
		return err_set(err, ERR_TOO_LARGE, "it is longer than %d MiB", CONTENTS_LINE_BYTES_MAX >> 20);
	buffer_add(&reader->text, reader->data, length);
	length += end ? 1 : 0;
	reader->data += length;
	reader->length -= length;
	*ended = end;
	return true;
}

/* *more is false where nothing is left. A line that does not end was cut off. */
static bool read_line(struct contents_reader *reader, bool *more, struct err *err)
{
	bool ended = false;

	reader->text.length = 0;
	reader->lines++;
	while (!ended) {
		if (!fetch(reader, err))
			return false;
		if (reader->is_at_end) {
			*more = false;
			return reader->text.length == 0 ||
			       err_set(err, ERR_BAD_REQUEST, "it has no end: the file was cut off");
		}
		if (!take(reader, &ended, err))
			return false;
	}
	*more = true;
	return reader->lines <= CONTENTS_LINES_MAX ||
	       err_set(err, ERR_TOO_LARGE, "there are more than %d lines", CONTENTS_LINES_MAX);
}

static bool read_object(struct contents_reader *reader, json_t **out, bool *more, struct err *err)
{
	json_t *object = NULL;

	if (!read_line(reader, more, err))
		return false;
	if (!*more)
		return true;
	if (!strictjson_parse(buffer_string(&reader->text), reader->text.length, VALUES_MAX, &object, err))
		return false;
	*out = object;
	return json_is_object(object) || err_set(err, ERR_BAD_REQUEST, "it must be an object");
}

/* ---- reading: the header ---- */

static bool take_word(const json_t *object, const char *key, char *out, size_t size)
{
	const char *text = strictjson_text(object, key);

	return text && (size_t)snprintf(out, size, "%s", text) < size;
}

static bool check_size(const json_t *line, size_t members, struct err *err)
{
	return json_object_size(line) == members ||
	       err_set(err, ERR_BAD_REQUEST, "it has members that format %d does not know",
		       BUNDLE_FORMAT_VERSION);
}

static bool read_header(const json_t *line, struct bundle_header *out, struct err *err)
{
	int64_t version;
	bool has_since = json_object_get(line, "since");

	out->has_audit_head = json_object_get(line, "audit_head");

	if (!strictjson_number(line, "larder_bundle", &version))
		return err_set(err, ERR_BAD_REQUEST, "it has no \"larder_bundle\" with a number");
	if (version != BUNDLE_FORMAT_VERSION)
		return err_set(err, ERR_BAD_REQUEST,
			"it is of format %" PRId64 ", and this Larder reads format %d: use a newer Larder",
			version, BUNDLE_FORMAT_VERSION);
	if (!strictjson_time(line, "created", &out->created_s) ||
		(has_since && !strictjson_time(line, "since", &out->since_s)))
		return err_set(err, ERR_BAD_REQUEST,
			"\"created\" and \"since\" must be times such as \"2026-11-28T12:00:00Z\"");
	if (!take_word(line, "name", out->name, sizeof out->name) ||
		!take_word(line, "server", out->server, sizeof out->server))
		return err_set(err, ERR_BAD_REQUEST, "\"name\" and \"server\" must be short texts");
	if (out->has_audit_head && !strictjson_digest(line, "audit_head", &out->audit_head))
		return err_set(err, ERR_BAD_REQUEST, "\"audit_head\" must be a digest (sha256)");
	return check_size(line, 4 + (size_t)has_since + (size_t)out->has_audit_head, err);
}

bool contents_open(struct contents_reader *reader, struct stream *stream, struct err *err)
{
	json_auto_t *line = NULL;
	bool more;

	*reader = (struct contents_reader){.stream = stream};
	if (!read_object(reader, &line, &more, err))
		return err_prefix(err, "the contents, line 1: ");
	if (!more)
		return err_set(err, ERR_BAD_REQUEST, "the contents are empty");
	return read_header(line, &reader->header, err) || err_prefix(err, "the contents, line 1: ");
}

void contents_close(struct contents_reader *reader)
{
	buffer_finish(&reader->text);
	free(reader->last_name);
	reader->last_name = NULL;
}

/* ---- reading: versions ---- */

static bool read_blob(const json_t *object, const char *size_key, struct bundle_blob *out)
{
	return strictjson_digest(object, "digest", &out->digest) &&
	       strictjson_number(object, size_key, &out->size_bytes);
}

static bool read_blob_member(const json_t *line, const char *key, struct bundle_blob *out)
{
	const json_t *object = json_object_get(line, key);

	return json_object_size(object) == 2 && read_blob(object, "size", out);
}

/* In the order of the formats, so that none is there twice. */
static bool read_artifacts(const json_t *array, struct bundle_version *out)
{
	if (!json_is_array(array) || json_array_size(array) > FORMAT_COUNT)
		return false;
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *object = json_array_get(array, i);
		const char *word = strictjson_text(object, "format");
		struct bundle_artifact *artifact = &out->artifacts[i];

		if (json_object_size(object) != 3 || !word || !format_parse(word, &artifact->format) ||
			!read_blob(object, "size_bytes", &artifact->blob) ||
			(i > 0 && artifact->format <= artifact[-1].format))
			return false;
	}
	out->artifact_count = json_array_size(array);
	return true;
}

/* What is held back travels nowhere, and what is withdrawn leaves its bytes. */
static bool read_state(const json_t *line, struct bundle_version *out)
{
	const char *source = strictjson_text(line, "source");
	const char *state = strictjson_text(line, "state");

	return source && version_source_parse(source, &out->source) && state &&
	       version_state_parse(state, &out->state) && out->state != STATE_QUARANTINED;
}

static bool refuse_artifacts(const struct bundle_version *version, struct err *err)
{
	return version->artifact_count == 0 || version->state == STATE_ACTIVE ||
	       err_set(err, ERR_BAD_REQUEST, "what is withdrawn has no artifacts");
}

static bool read_version(const json_t *line, struct bundle_version *out, struct err *err)
{
	if (!strictjson_name(line, &out->name, err))
		return false;
	if (!read_state(line, out))
		return err_set(err, ERR_BAD_REQUEST,
			"\"source\" must be published, mirrored or listed, \"state\" active or withdrawn");
	if (!read_blob_member(line, "manifest", &out->manifest) ||
		!read_blob_member(line, "config", &out->record))
		return err_set(err, ERR_BAD_REQUEST,
			"\"manifest\" and \"config\" must have a \"digest\" (sha256) and a \"size\"");
	if (!read_artifacts(json_object_get(line, "artifacts"), out))
		return err_set(err, ERR_BAD_REQUEST,
			"\"artifacts\" must have \"format\", \"digest\" and \"size_bytes\", each format once "
			"and in the order " FORMATS_TO_CHOOSE);
	return refuse_artifacts(out, err);
}

/* ---- reading: pages ---- */

static bool is_page_name(enum contents_kind kind, const char *name)
{
	struct err err;
	struct name parsed;
	const char *member;
	const char *slash = strchr(name, '/');
	AUTO_FREE char *path = kind == CONTENTS_PUBLISHER ? mem_printf("%.600s/x", name) : mem_dup(name);

	if (kind == CONTENTS_PUBLISHER && slash)
		return false;
	return strlen(name) <= NAME_PATH_MAX && (kind == CONTENTS_PUBLISHER || slash) &&
	       name_parse_path(path, &parsed, &member, &err) && !member;
}

static bool read_page(const json_t *line, enum contents_kind kind, struct bundle_page *out, struct err *err)
{
	const char *name = strictjson_text(line, page_keys[kind]);
	const char *markdown = strictjson_text(line, "markdown");

	if (!name || !is_page_name(kind, name))
		return err_set(err, ERR_BAD_REQUEST, "\"%s\" is no name", page_keys[kind]);
	if (!markdown || strlen(markdown) > BUNDLE_MARKDOWN_MAX)
		return err_set(err, ERR_BAD_REQUEST, "\"markdown\" must be a text of at most %d MiB",
			BUNDLE_MARKDOWN_MAX >> 20);
	out->name = mem_dup(name);
	out->markdown = mem_dup(markdown);
	return true;
}

/* ---- reading: the order ---- */

static enum contents_kind kind_of(const json_t *line)
{
	enum contents_kind kind = CONTENTS_PUBLISHER;

	while (kind < CONTENTS_KIND_COUNT && !json_object_get(line, page_keys[kind]))
		kind++;
	return kind < CONTENTS_KIND_COUNT ? kind : CONTENTS_VERSION;
}

static bool is_behind(
	const struct contents_reader *reader, enum contents_kind kind, const char *name, int64_t version)
{
	int order;

	if (!reader->last_name || kind != reader->kind)
		return !reader->last_name || kind > reader->kind;
	order = strcmp(name, reader->last_name);
	return order > 0 || (order == 0 && version > reader->last_version);
}

static bool check_order(struct contents_reader *reader, const struct contents_line *line, struct err *err)
{
	const char *name = line->kind == CONTENTS_VERSION ? line->version.name.handle : line->page.name;
	int64_t version = line->kind == CONTENTS_VERSION ? line->version.name.version : 0;

	if (!is_behind(reader, line->kind, name, version))
		return err_set(err, ERR_BAD_REQUEST,
			"it is there twice or out of order: first versions, then publishers, then "
			"collections, each by name");
	free(reader->last_name);
	reader->last_name = mem_dup(name);
	reader->last_version = version;
	reader->kind = line->kind;
	return true;
}

static bool read_kind(const json_t *object, struct contents_line *out, struct err *err)
{
	enum { VERSION_MEMBERS = 7, PAGE_MEMBERS = 2 };
	bool is_version;

	out->kind = kind_of(object);
	is_version = out->kind == CONTENTS_VERSION;
	if (is_version ? !read_version(object, &out->version, err)
		       : !read_page(object, out->kind, &out->page, err))
		return false;
	return check_size(object, is_version ? VERSION_MEMBERS : PAGE_MEMBERS, err);
}

bool contents_next(struct contents_reader *reader, struct contents_line *out, bool *more, struct err *err)
{
	AUTO(contents_line_finish) struct contents_line line = {0};
	json_auto_t *object = NULL;

	if (!read_object(reader, &object, more, err) ||
		(*more && (!read_kind(object, &line, err) || !check_order(reader, &line, err))))
		return err_prefix(err, "the contents, line %zu: ", reader->lines);
	*out = line;
	line = (struct contents_line){0};
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/layout.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/utf8.h"
#include "server/bundle/mediatypes.h"

static const char empty[] = "{}";

struct bundle_blob layout_empty_blob(void)
{
	return (struct bundle_blob){digest_of(empty, strlen(empty)), (int64_t)strlen(empty)};
}

/* ---- texts ---- */

/* As Go writes them, for which these could end a script or a line elsewhere. */
static bool is_escaped(uint32_t code)
{
	return code < ' ' || code == '<' || code == '>' || code == '&' || code == 0x2028 || code == 0x2029;
}

static void write_text(const char *text, struct buffer *out)
{
	buffer_add_string(out, "\"");
	while (*text) {
		uint32_t code = 0;
		size_t length = utf8_decode(text, &code);

		if (length == 0) {
			buffer_add_string(out, "\\ufffd");
			length = 1;
		} else if (code == '"' || code == '\\') {
			buffer_printf(out, "\\%c", (char)code);
		} else if (is_escaped(code)) {
			buffer_printf(out, "\\u%04x", (unsigned)code);
		} else {
			buffer_add(out, text, length);
		}
		text += length;
	}
	buffer_add_string(out, "\"");
}

/* An annotation; those without a value are left out. */
struct note {
	const char *key;
	const char *value;
};

/* Sorted by key, as they are given. */
static void write_notes(const struct note *notes, size_t count, struct buffer *out)
{
	const char *between = "{";

	for (size_t i = 0; i < count; i++) {
		if (!notes[i].value)
			continue;
		buffer_add_string(out, between);
		write_text(notes[i].key, out);
		buffer_add_string(out, ":");
		write_text(notes[i].value, out);
		between = ",";
	}
	buffer_add_string(out, "}");
}

#define NOTES(...) \
	(const struct note[]){__VA_ARGS__}, sizeof((const struct note[]){__VA_ARGS__}) / sizeof(struct note)

/* count 0: without annotations. */
static void write_descriptor(const char *media_type, const struct bundle_blob *blob, const struct note *notes,
	size_t count, struct buffer *out)
{
	buffer_printf(out, "{\"mediaType\":\"%s\",\"digest\":\"sha256:%s\",\"size\":%" PRId64, media_type,
		blob->digest.hex, blob->size_bytes);
	if (count > 0) {
		buffer_add_string(out, ",\"annotations\":");
		write_notes(notes, count, out);
	}
	buffer_add_string(out, "}");
}

static void begin_manifest(const char *artifact_type, const char *config_type,
	const struct bundle_blob *config, struct buffer *out)
{
	buffer_printf(out,
		"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_MANIFEST
		"\",\"artifactType\":\"%s\",\"config\":",
		artifact_type);
	write_descriptor(config_type, config, NULL, 0, out);
	buffer_add_string(out, ",\"layers\":[");
}

/* ---- versions ---- */

struct number_text {
	char text[24];
};

static struct number_text number_text(int64_t number)
{
	struct number_text text;

	(void)snprintf(text.text, sizeof text.text, "%" PRId64, number);
	return text;
}

void layout_file_name(const struct name *name, struct buffer *out)
{
	const char *slash = strrchr(name->handle, '/');

	buffer_printf(out, "%s_%" PRId64 "%s", slash ? slash + 1 : name->handle, name->version,
		formats[name->format].file_suffix);
}

static void write_layer(
	const struct bundle_version *version, const struct bundle_artifact *artifact, struct buffer *out)
{
	const struct format_row *format = &formats[artifact->format];
	AUTO_BUFFER struct buffer media_type = {0};
	AUTO_BUFFER struct buffer title = {0};
	struct name name = version->name;

	name.format = artifact->format;
	layout_file_name(&name, &title);
	buffer_printf(&media_type, MEDIA_MODULE_PREFIX "%s%s", format->name,
		format->is_archive ? MEDIA_ARCHIVE_SUFFIX : MEDIA_BARE_SUFFIX);
	write_descriptor(buffer_string(&media_type), &artifact->blob,
		NOTES({NOTE_FORMAT, format->name}, {NOTE_TITLE, buffer_string(&title)}), out);
}

void layout_write_version(const struct bundle_version *version, int64_t updated_s, struct buffer *out)
{
	struct bundle_blob none = layout_empty_blob();

	begin_manifest(MEDIA_MODULE, MEDIA_VERSION, &version->record, out);
	for (size_t i = 0; i < version->artifact_count; i++) {
		buffer_add_string(out, i > 0 ? "," : "");
		write_layer(version, &version->artifacts[i], out);
	}
	if (version->artifact_count == 0)
		write_descriptor(MEDIA_EMPTY, &none, NULL, 0, out);
	buffer_add_string(out, "],\"annotations\":");
	write_notes(NOTES({NOTE_HANDLE, version->name.handle},
			    {NOTE_SOURCE, version_source_name(version->source)},
			    {NOTE_STATE, version_state_name(version->state)},
			    {NOTE_VERSION, number_text(version->name.version).text},
			    {NOTE_CREATED, clock_rfc3339(updated_s).text}),
		out);
	buffer_add_string(out, "}");
}

void layout_write_contents(const struct bundle_blob *contents, const struct bundle_blob *signature,
	const struct digest *audit_head, struct buffer *out)
{
	struct bundle_blob none = layout_empty_blob();

	begin_manifest(MEDIA_CONTENTS_MANIFEST, MEDIA_EMPTY, &none, out);
	write_descriptor(MEDIA_CONTENTS, contents, NOTES({NOTE_TITLE, "contents.jsonl"}), out);
	if (signature) {
		buffer_add_string(out, ",");
		write_descriptor(MEDIA_SIGNATURE, signature, NOTES({NOTE_TITLE, "signature.json"}), out);
	}
	buffer_add_string(out, "]");
	/* Here an earlier Larder passes over it, which it does not in the contents. */
	if (audit_head)
		buffer_printf(
			out, ",\"annotations\":{\"" NOTE_AUDIT_HEAD "\":\"sha256:%s\"}", audit_head->hex);
	buffer_add_string(out, "}");
}

/* ---- the index ---- */

void layout_begin_index(const struct bundle_blob *contents_manifest, struct buffer *out)
{
	buffer_add_string(out, "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_INDEX "\",\"manifests\":[");
	write_descriptor(MEDIA_MANIFEST, contents_manifest,
		NOTES({NOTE_CONTENTS, number_text(BUNDLE_FORMAT_VERSION).text}), out);
}

void layout_add_to_index(const struct bundle_version *version, struct buffer *out)
{
	buffer_add_string(out, ",");
	write_descriptor(MEDIA_MANIFEST, &version->manifest,
		NOTES({NOTE_HANDLE, version->name.handle},
			{NOTE_VERSION, number_text(version->name.version).text}),
		out);
}

static const char *or_none(const char *text)
{
	return *text ? text : NULL;
}

void layout_end_index(const struct bundle_header *header, struct buffer *out)
{
	buffer_add_string(out, "],\"annotations\":");
	write_notes(NOTES({NOTE_BUNDLE, number_text(BUNDLE_FORMAT_VERSION).text},
			    {NOTE_NAME, or_none(header->name)},
			    {NOTE_CREATED, clock_rfc3339(header->created_s).text}),
		out);
	buffer_add_string(out, "}");
}

void layout_write_outer(
	const struct bundle_blob *index, const struct bundle_header *header, struct buffer *out)
{
	buffer_add_string(out, "{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_INDEX "\",\"manifests\":[");
	write_descriptor(MEDIA_INDEX, index,
		NOTES({NOTE_CREATED, clock_rfc3339(header->created_s).text},
			{NOTE_REFERENCE, BUNDLE_REFERENCE}),
		out);
	buffer_add_string(out, "]}");
}

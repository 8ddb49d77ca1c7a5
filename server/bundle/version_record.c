/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/version_record.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/bundle/contents.h"
#include "server/bundle/strictjson.h"

/* Of what is read: 13 members, formats, artifacts and attestations; the Markdown with each of its letters
 * escaped. */
enum { RECORD_FORMAT = 1, VALUES_MAX = 130, WORD_MAX = 2048, READ_BYTES_MAX = 7 << 20 };

void version_record_finish(struct version_record *record)
{
	free(record->published_by);
	free(record->upstream);
	free(record->markdown);
	free(record->documented_by);
	for (size_t i = 0; i < record->artifact_count; i++) {
		free(record->artifacts[i].published_by);
		free(record->artifacts[i].upstream);
	}
	for (size_t i = 0; i < record->attestation_count; i++)
		free(record->attestations[i]);
	*record = (struct version_record){0};
}

/* ---- writing ---- */

static json_t *word_json(const char *word)
{
	json_t *value = word ? json_string(word) : NULL;

	return value ? value : json_null();
}

static json_t *time_json(int64_t time_s)
{
	return json_string(clock_rfc3339(time_s).text);
}

static json_t *documentation_json(const struct version_record *record)
{
	if (!record->markdown)
		return json_null();
	return json_pack("{s:o, s:o, s:o}", "markdown", word_json(record->markdown), "updated_by",
		word_json(record->documented_by), "updated_at", time_json(record->documented_s));
}

static json_t *formats_json(const struct version_record *record)
{
	json_t *array = json_array();

	for (int i = 0; i < FORMAT_COUNT; i++) {
		if (record->listed[i])
			(void)json_array_append_new(array, json_string(formats[i].name));
	}
	return array;
}

static json_t *artifacts_json(const struct version_record *record)
{
	json_t *array = json_array();

	for (size_t i = 0; i < record->artifact_count; i++) {
		const struct artifact_record *artifact = &record->artifacts[i];

		(void)json_array_append_new(array,
			json_pack("{s:s, s:s, s:o, s:o, s:o}", "format", formats[artifact->format].name,
				"source", version_source_name(artifact->source), "published_by",
				word_json(artifact->published_by), "upstream", word_json(artifact->upstream),
				"created_at", time_json(artifact->created_s)));
	}
	return array;
}

static json_t *attestations_json(const struct version_record *record)
{
	json_t *array = json_array();

	for (size_t i = 0; i < record->attestation_count; i++)
		(void)json_array_append_new(array, json_string(record->attestations[i]));
	return array;
}

static json_t *record_json(const struct version_record *record)
{
	json_t *object = json_pack("{s:i, s:s, s:I, s:s, s:s}", "larder_version", RECORD_FORMAT, "handle",
		record->name.handle, "version", (json_int_t)record->name.version, "source",
		version_source_name(record->source), "state", version_state_name(record->state));

	(void)json_object_update_new(
		object, json_pack("{s:o, s:o, s:o, s:o}", "published_by", word_json(record->published_by),
				"upstream", word_json(record->upstream), "created_at",
				time_json(record->created_s), "updated_at", time_json(record->updated_s)));
	(void)json_object_update_new(
		object, json_pack("{s:o, s:o, s:o}", "documentation", documentation_json(record), "formats",
				formats_json(record), "artifacts", artifacts_json(record)));
	return object;
}

static int add_bytes(const char *bytes, size_t length, void *context)
{
	buffer_add(context, bytes, length);
	return 0;
}

void version_record_write(const struct version_record *record, json_t *shown, struct buffer *out)
{
	json_t *object = record_json(record);
	json_auto_t *attestations = attestations_json(record);

	/* What no import would read is not worth the rest: a long documentation, each letter of it escaped.
	 */
	if (record->attestation_count > 0 &&
		json_dumpb(object, NULL, 0, JSON_COMPACT) + json_dumpb(attestations, NULL, 0, JSON_COMPACT) <
			READ_BYTES_MAX - 100)
		(void)json_object_set(object, "attestations", attestations);
	if (shown && json_dumpb(shown, NULL, 0, JSON_COMPACT) <= VERSION_RECORD_SHOWN_MAX)
		(void)json_object_update_missing(object, shown);
	(void)json_dump_callback(object, add_bytes, out, JSON_COMPACT);
	json_decref(object);
	json_decref(shown);
}

/* ---- reading ---- */

/* A short text or null. */
static bool take_word(const json_t *object, const char *key, char **out)
{
	const char *text = strictjson_text(object, key);

	if (text ? strlen(text) > WORD_MAX : !json_is_null(json_object_get(object, key)))
		return false;
	*out = mem_dup(text);
	return true;
}

static bool read_origin(const json_t *object, struct version_record *out)
{
	const char *source = strictjson_text(object, "source");
	const char *state = strictjson_text(object, "state");

	return source && version_source_parse(source, &out->source) && state &&
	       version_state_parse(state, &out->state) && out->state != STATE_QUARANTINED &&
	       take_word(object, "published_by", &out->published_by) &&
	       take_word(object, "upstream", &out->upstream) &&
	       strictjson_time(object, "created_at", &out->created_s) &&
	       strictjson_time(object, "updated_at", &out->updated_s);
}

static bool read_documentation(const json_t *object, struct version_record *out)
{
	const char *markdown = strictjson_text(object, "markdown");

	if (json_is_null(object))
		return true;
	if (!markdown || strlen(markdown) > BUNDLE_MARKDOWN_MAX)
		return false;
	out->markdown = mem_dup(markdown);
	return take_word(object, "updated_by", &out->documented_by) &&
	       strictjson_time(object, "updated_at", &out->documented_s);
}

static bool read_formats(const json_t *array, struct version_record *out)
{
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *item = json_array_get(array, i);
		enum format format;

		if (!json_is_string(item) || !format_parse(json_string_value(item), &format))
			return false;
		out->listed[format] = true;
	}
	return json_is_array(array);
}

static bool read_artifact(const json_t *object, struct artifact_record *out)
{
	const char *format = strictjson_text(object, "format");
	const char *source = strictjson_text(object, "source");

	return format && format_parse(format, &out->format) && source &&
	       version_source_parse(source, &out->source) && out->source != SOURCE_LISTED &&
	       take_word(object, "published_by", &out->published_by) &&
	       take_word(object, "upstream", &out->upstream) &&
	       strictjson_time(object, "created_at", &out->created_s);
}

static bool read_artifacts(const json_t *array, struct version_record *out)
{
	if (!json_is_array(array) || json_array_size(array) > FORMAT_COUNT)
		return false;
	for (size_t i = 0; i < json_array_size(array); i++) {
		struct artifact_record *artifact = &out->artifacts[out->artifact_count++];

		if (!read_artifact(json_array_get(array, i), artifact) ||
			(i > 0 && artifact->format <= artifact[-1].format))
			return false;
	}
	return true;
}

/* Bundles of before have none. */
static bool read_attestations(const json_t *array, struct version_record *out)
{
	size_t bytes = 0;

	if (!array)
		return true;
	if (!json_is_array(array) || json_array_size(array) > VERSION_ATTESTATIONS_MAX)
		return false;
	for (size_t i = 0; i < json_array_size(array); i++) {
		const json_t *item = json_array_get(array, i);
		const char *text = json_string_value(item);

		if (!text || strlen(text) != json_string_length(item))
			return false;
		bytes += strlen(text);
		out->attestations[out->attestation_count++] = mem_dup(text);
	}
	return bytes <= VERSION_ATTESTATIONS_BYTES_MAX;
}

static bool read_record(const json_t *object, struct version_record *out, struct err *err)
{
	int64_t version;

	if (!strictjson_number(object, "larder_version", &version) || version != RECORD_FORMAT)
		return err_set(err, ERR_BAD_REQUEST, "its \"larder_version\" is not %d: use a newer Larder",
			RECORD_FORMAT);
	if (!strictjson_name(object, &out->name, err))
		return false;
	if (!read_origin(object, out))
		return err_set(err, ERR_BAD_REQUEST,
			"\"source\", \"state\", \"published_by\", \"upstream\" or a time is not as it should "
			"be");
	if (!read_documentation(json_object_get(object, "documentation"), out))
		return err_set(err, ERR_BAD_REQUEST,
			"\"documentation\" must be null, or have \"markdown\" of at most %d MiB, "
			"\"updated_by\" and \"updated_at\"",
			BUNDLE_MARKDOWN_MAX >> 20);
	if (!read_attestations(json_object_get(object, "attestations"), out))
		return err_set(err, ERR_BAD_REQUEST,
			"\"attestations\" must be at most %d texts, of at most %d MiB",
			VERSION_ATTESTATIONS_MAX, VERSION_ATTESTATIONS_BYTES_MAX >> 20);
	return (read_formats(json_object_get(object, "formats"), out) &&
		       read_artifacts(json_object_get(object, "artifacts"), out)) ||
	       err_set(err, ERR_BAD_REQUEST, "\"formats\" or \"artifacts\" is not as it should be");
}

bool version_record_read(struct buffer *text, struct version_record *out, struct err *err)
{
	static const char *const keys[] = {"larder_version", "handle", "version", "source", "state",
		"published_by", "upstream", "created_at", "updated_at", "documentation", "formats",
		"artifacts", "attestations", NULL};
	AUTO(version_record_finish) struct version_record record = {0};
	json_auto_t *object = NULL;

	strictjson_strip(text, keys);
	if (text->length > READ_BYTES_MAX)
		return err_set(err, ERR_TOO_LARGE,
			"a version's configuration has more than %d MiB of what is read of it",
			READ_BYTES_MAX >> 20);
	if (!strictjson_parse(buffer_string(text), text->length, VALUES_MAX, &object, err) ||
		!read_record(object, &record, err))
		return err_prefix(err, "a version's configuration: ");
	*out = record;
	record = (struct version_record){0};
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/formats/manifest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "common/mem.h"
#include "common/own.h"

enum { PIECE_BYTES = 16 << 10, NUMBER_LENGTH_MAX = 63 };

/* What JavaScript counts up to without leaving out numbers. */
static const double integer_max = 9007199254740992;

/* Bytes of one element in a shard (tfjs-core, io/types.ts). A string's size is in the shard itself. */
struct dtype_size {
	const char *dtype;
	int64_t bytes;
};

static const struct dtype_size dtype_sizes[] = {{"float32", 4}, {"int32", 4}, {"uint8", 1}, {"bool", 1},
	{"uint16", 2}, {"float16", 2}, {"complex64", 8}};

/* Where a value stands. */
enum place {
	NOWHERE,
	ROOT,
	TOPOLOGY,
	MANIFEST,
	GROUP,
	NAMES,
	NAME,
	WEIGHTS,
	WEIGHT,
	DTYPE,
	SHAPE,
	DIMENSION,
	QUANTIZATION,
	STORED_DTYPE
};
enum { PLACES_DEEP = 8 };

/* The key is NULL for the elements of an array. */
static const struct {
	enum place parent;
	const char *key;
	enum place place;
} ways[] = {
	{ROOT, "modelTopology", TOPOLOGY},
	{ROOT, "weightsManifest", MANIFEST},
	{MANIFEST, NULL, GROUP},
	{GROUP, "paths", NAMES},
	{NAMES, NULL, NAME},
	{GROUP, "weights", WEIGHTS},
	{WEIGHTS, NULL, WEIGHT},
	{WEIGHT, "dtype", DTYPE},
	{WEIGHT, "shape", SHAPE},
	{SHAPE, NULL, DIMENSION},
	{WEIGHT, "quantization", QUANTIZATION},
	{QUANTIZATION, "dtype", STORED_DTYPE},
};

enum kind { KIND_ARRAY, KIND_OBJECT, KIND_STRING, KIND_NUMBER, KIND_NULL, KIND_OTHER };

struct value {
	enum kind kind;
	const char *bytes; /* of strings and numbers */
	size_t length;
};

/* One weight while it is read. */
struct weight {
	bool has_dtype;
	bool has_shape;
	bool is_nonsense;
	int64_t elements;
	int64_t element_bytes; /* 0: not known */
	int64_t stored_bytes;  /* of a quantized one; -1: it is none */
};

struct reading {
	struct manifest *manifest;
	enum place places[PLACES_DEEP]; /* of the containers that are open and known */
	bool are_arrays[PLACES_DEEP];
	size_t depth;
	size_t passed_by; /* how many more are open inside of them, which nobody looks at */
	enum place next;  /* of the value behind the key that was read last */
	struct manifest_group group;
	bool has_names;
	bool has_weights;
	struct weight weight;
	size_t quiet; /* bytes since the last token */
	const char *refusal;
};

/* ---- what the values say ---- */

static int64_t size_of_dtype(const struct value *dtype)
{
	for (size_t i = 0; i < sizeof dtype_sizes / sizeof *dtype_sizes; i++) {
		if (strlen(dtype_sizes[i].dtype) == dtype->length &&
			memcmp(dtype_sizes[i].dtype, dtype->bytes, dtype->length) == 0)
			return dtype_sizes[i].bytes;
	}
	return 0;
}

/* "4.0" and "4e0" are 4. */
static bool read_dimension(const struct value *value, int64_t *out)
{
	char text[NUMBER_LENGTH_MAX + 1];
	double number;

	if (value->kind != KIND_NUMBER || value->length > NUMBER_LENGTH_MAX)
		return false;
	memcpy(text, value->bytes, value->length);
	text[value->length] = '\0';
	number = strtod(text, NULL);
	if (!(number >= 0 && number <= integer_max) || floor(number) != number)
		return false;
	*out = (int64_t)number;
	return true;
}

static void take_dimension(struct weight *weight, const struct value *value)
{
	int64_t size;

	if (!read_dimension(value, &size) ||
		__builtin_mul_overflow(weight->elements, size, &weight->elements))
		weight->is_nonsense = true;
}

static size_t bytes_in_use(const struct reading *reading)
{
	const struct manifest *manifest = reading->manifest;

	return manifest->group_count * sizeof *manifest->groups + manifest->names.length;
}

static void take_name(struct reading *reading, const struct value *value)
{
	struct buffer *names = &reading->manifest->names;
	size_t at = names->length;

	if (value->kind != KIND_STRING) {
		reading->has_names = false;
		return;
	}
	if (value->length >= MANIFEST_BYTES_MAX - bytes_in_use(reading)) {
		reading->refusal = "it names more shards than 1 MiB can hold";
		return;
	}
	buffer_add(names, value->bytes, value->length);
	/* A NUL ends no name here: no archive has a member with such a sign either. */
	for (; at < names->length; at++) {
		if (names->data[at] == '\0')
			names->data[at] = '\1';
	}
	buffer_add(names, "", 1);
	reading->group.name_count++;
}

/* ---- beginnings and ends ---- */

static void begin_group(struct reading *reading)
{
	reading->group = (struct manifest_group){.names_at = reading->manifest->names.length};
	reading->has_names = reading->has_weights = false;
}

static void end_group(struct reading *reading)
{
	struct manifest *manifest = reading->manifest;

	if (!reading->has_names || !reading->has_weights)
		reading->group.declared = DECLARED_NONSENSE;
	if (sizeof reading->group > MANIFEST_BYTES_MAX - bytes_in_use(reading)) {
		reading->refusal = "it has more groups of weights than 1 MiB can hold";
		return;
	}
	MEM_GROW(manifest->groups, manifest->group_count, manifest->group_capacity);
	manifest->groups[manifest->group_count++] = reading->group;
}

/* Quantized weights are stored as the quantization's dtype. */
static void end_weight(struct reading *reading)
{
	const struct weight *weight = &reading->weight;
	struct manifest_group *group = &reading->group;
	int64_t each = weight->stored_bytes >= 0 ? weight->stored_bytes : weight->element_bytes;
	int64_t bytes = 0;

	if (weight->is_nonsense || !weight->has_dtype || !weight->has_shape ||
		__builtin_mul_overflow(weight->elements, each, &bytes) ||
		__builtin_add_overflow(group->declared_bytes, bytes, &group->declared_bytes))
		group->declared = DECLARED_NONSENSE;
	else if (each == 0 && group->declared == DECLARED_SIZE)
		group->declared = DECLARED_UNKNOWN;
}

/* Of a key that comes again, what it said before goes. */
static void begin_manifest(struct manifest *manifest, enum kind kind)
{
	manifest->has_weights = kind != KIND_NULL;
	manifest->is_array = kind == KIND_ARRAY;
	manifest->group_count = 0;
	manifest->names.length = 0;
}

static void begin_names(struct reading *reading, enum kind kind)
{
	reading->has_names = kind == KIND_ARRAY;
	reading->manifest->names.length = reading->group.names_at;
	reading->group.name_count = 0;
}

static void begin_weights(struct reading *reading, enum kind kind)
{
	reading->has_weights = kind == KIND_ARRAY;
	reading->group.declared_bytes = 0;
	reading->group.declared = DECLARED_SIZE;
}

static void begin_shape(struct weight *weight, enum kind kind)
{
	weight->has_shape = kind == KIND_ARRAY;
	weight->is_nonsense = false;
	weight->elements = 1;
}

static void take_in_weight(struct weight *weight, enum place place, const struct value *value)
{
	bool is_string = value->kind == KIND_STRING;

	switch (place) {
	case DTYPE:
		weight->has_dtype = is_string;
		weight->element_bytes = is_string ? size_of_dtype(value) : 0;
		break;
	case SHAPE:
		begin_shape(weight, value->kind);
		break;
	case DIMENSION:
		take_dimension(weight, value);
		break;
	case QUANTIZATION:
		weight->stored_bytes = -1;
		break;
	default:
		weight->stored_bytes = is_string ? size_of_dtype(value) : -1;
	}
}

static void take(struct reading *reading, enum place place, const struct value *value)
{
	switch (place) {
	case NOWHERE:
	case ROOT:
		break;
	case TOPOLOGY:
		reading->manifest->has_topology = true;
		break;
	case MANIFEST:
		begin_manifest(reading->manifest, value->kind);
		break;
	case GROUP:
		begin_group(reading);
		if (value->kind != KIND_OBJECT)
			end_group(reading);
		break;
	case NAMES:
		begin_names(reading, value->kind);
		break;
	case NAME:
		take_name(reading, value);
		break;
	case WEIGHTS:
		begin_weights(reading, value->kind);
		break;
	case WEIGHT:
		reading->weight = (struct weight){.stored_bytes = -1, .elements = 1};
		if (value->kind != KIND_OBJECT)
			end_weight(reading);
		break;
	default:
		take_in_weight(&reading->weight, place, value);
	}
}

/* ---- where one is ---- */

static enum place find_place(enum place parent, const char *key, size_t length)
{
	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
		if (ways[i].parent != parent || !ways[i].key != !key)
			continue;
		if (!key || (strlen(ways[i].key) == length && memcmp(ways[i].key, key, length) == 0))
			return ways[i].place;
	}
	return NOWHERE;
}

static enum place place_of_value(const struct reading *reading)
{
	if (reading->passed_by > 0)
		return NOWHERE;
	if (reading->depth == 0)
		return ROOT;
	return reading->are_arrays[reading->depth - 1]
		       ? find_place(reading->places[reading->depth - 1], NULL, 0)
		       : reading->next;
}

static int add_value(struct reading *reading, const struct value *value)
{
	enum place place = place_of_value(reading);

	reading->quiet = 0;
	take(reading, place, value);
	if (value->kind == KIND_ARRAY || value->kind == KIND_OBJECT) {
		if (place == NOWHERE) {
			reading->passed_by++;
		} else {
			reading->places[reading->depth] = place;
			reading->are_arrays[reading->depth++] = value->kind == KIND_ARRAY;
		}
		if (reading->depth + reading->passed_by > MANIFEST_DEPTH_MAX)
			reading->refusal = "it is nested too deeply";
	}
	return !reading->refusal;
}

static int end_container(struct reading *reading)
{
	reading->quiet = 0;
	if (reading->passed_by > 0) {
		reading->passed_by--;
		return 1;
	}
	reading->depth--;
	if (reading->are_arrays[reading->depth])
		return 1;
	if (reading->places[reading->depth] == GROUP)
		end_group(reading);
	else if (reading->places[reading->depth] == WEIGHT)
		end_weight(reading);
	return !reading->refusal;
}

/* ---- what the library calls ---- */

static struct outline *outline_of(void *context)
{
	struct reading *reading = context;

	return &reading->manifest->outline;
}

static int on_null(void *context)
{
	outline_null(outline_of(context));
	return add_value(context, &(struct value){.kind = KIND_NULL});
}

static int on_boolean(void *context, int truth)
{
	outline_boolean(outline_of(context), truth != 0);
	return add_value(context, &(struct value){.kind = KIND_OTHER});
}

static int on_number(void *context, const char *text, size_t length)
{
	outline_number(outline_of(context), text, length);
	return add_value(context, &(struct value){KIND_NUMBER, text, length});
}

static int on_string(void *context, const unsigned char *text, size_t length)
{
	outline_text(outline_of(context), (const char *)text, length);
	return add_value(context, &(struct value){KIND_STRING, (const char *)text, length});
}

static int on_key(void *context, const unsigned char *key, size_t length)
{
	struct reading *reading = context;

	outline_key(outline_of(context), (const char *)key, length);
	reading->quiet = 0;
	reading->next = reading->passed_by > 0
				? NOWHERE
				: find_place(reading->places[reading->depth - 1], (const char *)key, length);
	return 1;
}

static int on_object(void *context)
{
	outline_begin(outline_of(context), false);
	return add_value(context, &(struct value){.kind = KIND_OBJECT});
}

static int on_array(void *context)
{
	outline_begin(outline_of(context), true);
	return add_value(context, &(struct value){.kind = KIND_ARRAY});
}

static int on_end(void *context)
{
	outline_end(outline_of(context));
	return end_container(context);
}

static const yajl_callbacks callbacks = {.yajl_null = on_null,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_object,
	.yajl_map_key = on_key,
	.yajl_end_map = on_end,
	.yajl_start_array = on_array,
	.yajl_end_array = on_end};

/* ---- the file ---- */

static void own_parser(yajl_handle *parser)
{
	yajl_free(*parser);
}

static bool refuse(const struct reading *reading, yajl_handle parser, int64_t position, struct err *err)
{
	unsigned char *words;

	if (reading->refusal)
		return err_set(err, ERR_INVALID_MODULE, "model.json cannot be read at byte %lld: %s.",
			(long long)position, reading->refusal);
	words = yajl_get_error(parser, 0, NULL, 0);
	(void)err_set(err, ERR_INVALID_MODULE, "model.json is not JSON at byte %lld: %.*s.",
		(long long)position, (int)strcspn((const char *)words, "\n"), (const char *)words);
	yajl_free_error(parser, words);
	return false;
}

static bool parse(struct reading *reading, yajl_handle parser, const uint8_t *data, size_t length,
	int64_t position, struct err *err)
{
	for (size_t at = 0, piece; at < length; at += piece) {
		piece = length - at < PIECE_BYTES ? length - at : PIECE_BYTES;
		if (yajl_parse(parser, data + at, piece) != yajl_status_ok)
			return refuse(reading, parser,
				position + (int64_t)(at + yajl_get_bytes_consumed(parser)), err);
		reading->quiet += piece;
		/* The library gathers a text until its end. */
		if (reading->quiet > MANIFEST_TEXT_BYTES_MAX) {
			reading->refusal =
				"a text in it is longer than 512 KiB; put it into a file of its own";
			return refuse(reading, parser, position + (int64_t)at, err);
		}
	}
	return true;
}

static size_t mark_length(const uint8_t *data, size_t length)
{
	return length >= 3 && memcmp(data, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

static bool read_all(struct reading *reading, struct stream *stream, yajl_handle parser, struct err *err)
{
	int64_t position = 0;
	const uint8_t *data;
	size_t length;

	for (;;) {
		size_t mark;

		if (!stream_next(stream, &data, &length, err))
			return false;
		if (length == 0)
			break;
		mark = position == 0 ? mark_length(data, length) : 0;
		if ((int64_t)length > MANIFEST_JSON_BYTES_MAX - position)
			return err_set(err, ERR_INVALID_MODULE, "model.json has more than %d bytes.",
				MANIFEST_JSON_BYTES_MAX);
		if (!parse(reading, parser, data + mark, length - mark, position + (int64_t)mark, err))
			return false;
		position += (int64_t)length;
	}
	return yajl_complete_parse(parser) == yajl_status_ok || refuse(reading, parser, position, err);
}

bool manifest_read(struct stream *stream, struct manifest **out, struct err *err)
{
	AUTO_MANIFEST struct manifest *manifest = mem_zero(1, sizeof *manifest);
	struct reading reading = {.manifest = manifest};
	AUTO(own_parser) yajl_handle parser = yajl_alloc(&callbacks, NULL, &reading);

	if (!parser)
		abort();
	/* As JavaScript, which reads what is no UTF-8 as signs of their own. */
	(void)yajl_config(parser, yajl_dont_validate_strings, 1);
	if (!read_all(&reading, stream, parser, err))
		return false;
	*out = TAKE(manifest);
	return true;
}

void manifest_destroy(struct manifest *manifest)
{
	if (!manifest)
		return;
	free(manifest->groups);
	buffer_finish(&manifest->names);
	outline_finish(&manifest->outline);
	free(manifest);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/formats/safetensors.h"

#include <stdlib.h>
#include <string.h>
#include <yajl/yajl_parse.h>

#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "common/utf8.h"
#include "server/module/savedmodel/dtype.h"
#include "server/module/savedmodel/tensor.h"

/* The longest head is the one of the format's own library. The JSON reader gathers a text until its end. */
enum {
	HEAD_BYTES_MAX = 100000000,
	LENGTH_BYTES = 8,
	PIECE_BYTES = 16 << 10,
	QUIET_BYTES_MAX = 64 << 10,
	DEPTH_MAX = 16,
	RANK_MAX = 64
};

static const struct {
	const char *theirs;
	const char *ours;
} dtypes[] = {
	{"F64", "float64"},
	{"F32", "float32"},
	{"F16", "float16"},
	{"BF16", "bfloat16"},
	{"I64", "int64"},
	{"I32", "int32"},
	{"I16", "int16"},
	{"I8", "int8"},
	{"U64", "uint64"},
	{"U32", "uint32"},
	{"U16", "uint16"},
	{"U8", "uint8"},
	{"BOOL", "bool"},
	{"C64", "complex64"},
	{"F8_E4M3", "float8_e4m3fn"},
	{"F8_E5M2", "float8_e5m2"},
	{"F8_E8M0", "float8_e8m0fnu"},
	{"F6_E2M3", "float6_e2m3fn"},
	{"F6_E3M2", "float6_e3m2fn"},
	{"F4", "float4_e2m1fn"},
};

enum told_field { FIELD_OTHER, FIELD_DTYPE, FIELD_SHAPE };

struct reading {
	struct modellist *listing;
	struct tensors *tensors;
	unsigned depth; /* 1: among the tensors' names; 2: in what one is; 3: in its shape */
	char *name;     /* the key at depth 1 */
	enum told_field field;
	bool is_tensor;
	struct tensor tensor;
	int64_t dimensions[RANK_MAX];
	size_t rank;
	size_t quiet; /* bytes since the last token */
	const char *refusal;
};

static void finish_reading(struct reading *reading)
{
	free(reading->name);
	tensor_finish(&reading->tensor);
}

static bool refuse(struct reading *reading, const char *why)
{
	if (!reading->refusal)
		reading->refusal = why;
	return false;
}

/* ---- one tensor ---- */

static void begin_tensor(struct reading *reading)
{
	reading->is_tensor = strcmp(reading->name, "__metadata__") != 0;
	reading->field = FIELD_OTHER;
	reading->rank = 0;
	reading->tensor = (struct tensor){.shape = {.kind = SHAPE_UNSET}};
}

static struct shape take_shape(const struct reading *reading)
{
	struct shape shape = {.kind = SHAPE_KNOWN, .rank = reading->rank};

	if (reading->rank > RANK_MAX)
		return (struct shape){.kind = SHAPE_UNKNOWN_RANK};
	if (shape.rank > 0) {
		shape.dimensions = mem_zero(shape.rank, sizeof *shape.dimensions);
		memcpy(shape.dimensions, reading->dimensions, shape.rank * sizeof *shape.dimensions);
	}
	return shape;
}

static void end_tensor(struct reading *reading)
{
	struct tensor *tensor = &reading->tensor;

	if (!reading->is_tensor)
		return;
	tensor->name = TAKE(reading->name);
	if (tensor->shape.kind == SHAPE_KNOWN)
		tensor->shape = take_shape(reading);
	(void)modellist_add_tensor(reading->listing, reading->tensors, tensor);
	*tensor = (struct tensor){0};
}

static void read_dtype(struct reading *reading, const char *text, size_t length)
{
	for (size_t i = 0; i < sizeof dtypes / sizeof *dtypes; i++) {
		if (strlen(dtypes[i].theirs) == length && memcmp(dtypes[i].theirs, text, length) == 0)
			(void)dtype_parse(dtypes[i].ours, &reading->tensor.dtype);
	}
}

/* ---- tokens ---- */

/* Whatever it is, it must stand within the object that the head is. */
static bool note(struct reading *reading)
{
	reading->quiet = 0;
	return reading->depth > 0 || refuse(reading, "it is no JSON object");
}

static int on_scalar(void *context)
{
	struct reading *reading = context;

	return note(reading) && (reading->depth > 1 || refuse(reading, "a tensor is described by no object"));
}

static int on_boolean(void *context, int value)
{
	(void)value;
	return on_scalar(context);
}

static int on_number(void *context, const char *text, size_t length)
{
	struct reading *reading = context;
	char digits[24];
	int64_t size;

	if (!on_scalar(context))
		return 0;
	if (reading->depth != 3 || reading->field != FIELD_SHAPE || !reading->is_tensor)
		return 1;
	if (length >= sizeof digits)
		return refuse(reading, "a dimension is no size");
	memcpy(digits, text, length);
	digits[length] = '\0';
	if (!number_parse(digits, &size))
		return refuse(reading, "a dimension is no size");
	if (reading->rank < RANK_MAX)
		reading->dimensions[reading->rank] = size;
	reading->rank++;
	return 1;
}

static int on_string(void *context, const unsigned char *text, size_t length)
{
	struct reading *reading = context;

	if (!on_scalar(context))
		return 0;
	if (reading->depth == 2 && reading->field == FIELD_DTYPE && reading->is_tensor)
		read_dtype(reading, (const char *)text, length);
	return 1;
}

static bool is_key(const char *key, size_t length, const char *expected)
{
	return strlen(expected) == length && memcmp(key, expected, length) == 0;
}

static int on_key(void *context, const unsigned char *bytes, size_t length)
{
	struct reading *reading = context;
	const char *key = (const char *)bytes;

	reading->quiet = 0;
	if (reading->depth == 1) {
		if (length > SAVED_MODEL_STRING_MAX)
			return refuse(reading, "a tensor's name is longer than 4096 bytes");
		free(reading->name);
		reading->name = mem_dup_n(key, length);
		if (!utf8_is_text(reading->name, length))
			return refuse(reading, "a tensor's name is no text");
	} else if (reading->depth == 2) {
		reading->field = is_key(key, length, "dtype")   ? FIELD_DTYPE
				 : is_key(key, length, "shape") ? FIELD_SHAPE
								: FIELD_OTHER;
	}
	return 1;
}

static int on_object(void *context)
{
	struct reading *reading = context;

	reading->quiet = 0;
	if (reading->depth >= DEPTH_MAX)
		return refuse(reading, "it is nested too deep");
	if (++reading->depth == 2)
		begin_tensor(reading);
	return 1;
}

static int on_array(void *context)
{
	struct reading *reading = context;

	if (!on_scalar(context))
		return 0;
	if (reading->depth >= DEPTH_MAX)
		return refuse(reading, "it is nested too deep");
	if (++reading->depth == 3 && reading->field == FIELD_SHAPE) {
		reading->tensor.shape.kind = SHAPE_KNOWN;
		reading->rank = 0;
	}
	return 1;
}

static int on_object_end(void *context)
{
	struct reading *reading = context;

	reading->quiet = 0;
	if (reading->depth-- == 2)
		end_tensor(reading);
	return 1;
}

static int on_array_end(void *context)
{
	struct reading *reading = context;

	reading->quiet = 0;
	reading->depth--;
	return 1;
}

static const yajl_callbacks callbacks = {.yajl_null = on_scalar,
	.yajl_boolean = on_boolean,
	.yajl_number = on_number,
	.yajl_string = on_string,
	.yajl_start_map = on_object,
	.yajl_map_key = on_key,
	.yajl_end_map = on_object_end,
	.yajl_start_array = on_array,
	.yajl_end_array = on_array_end};

/* ---- the head ---- */

static void own_parser(yajl_handle *parser)
{
	yajl_free(*parser);
}

static bool fail(const struct reading *reading, struct err *err)
{
	return err_set(err, ERR_INVALID_MODULE, "Its head cannot be read: %s.",
		reading->refusal ? reading->refusal : "it is no JSON");
}

static bool parse(
	struct reading *reading, yajl_handle parser, const uint8_t *data, size_t length, struct err *err)
{
	for (size_t at = 0, piece; at < length; at += piece) {
		piece = length - at < PIECE_BYTES ? length - at : PIECE_BYTES;
		if (yajl_parse(parser, data + at, piece) != yajl_status_ok)
			return fail(reading, err);
		reading->quiet += piece;
		if (reading->quiet > QUIET_BYTES_MAX) {
			(void)refuse(reading, "a text or blank in it is longer than 64 KiB");
			return fail(reading, err);
		}
	}
	return true;
}

/* Where the content stands. */
struct source {
	struct stream *stream;
	const uint8_t *data;
	size_t length;
};

static bool pull(struct source *source, struct err *err)
{
	while (source->length == 0) {
		if (!stream_next(source->stream, &source->data, &source->length, err))
			return false;
		if (source->length == 0)
			return err_set(err, ERR_INVALID_MODULE, "It ends within its head.");
	}
	return true;
}

static bool read_length(struct source *source, int64_t size, uint64_t *out, struct err *err)
{
	*out = 0;
	for (unsigned i = 0; i < LENGTH_BYTES; i++) {
		if (!pull(source, err))
			return false;
		*out |= (uint64_t)*source->data++ << 8 * i;
		source->length--;
	}
	if (*out > HEAD_BYTES_MAX)
		return err_set(err, ERR_INVALID_MODULE, "Its head is said to have more than 100 MB.");
	return (int64_t)*out <= size - LENGTH_BYTES ||
	       err_set(err, ERR_INVALID_MODULE, "Its head is said to be longer than the file.");
}

static bool read_head(
	struct reading *reading, yajl_handle parser, struct source *source, uint64_t left, struct err *err)
{
	while (left > 0) {
		size_t length;

		if (!pull(source, err))
			return false;
		length = source->length < left ? source->length : (size_t)left;
		if (!parse(reading, parser, source->data, length, err))
			return false;
		source->data += length;
		source->length -= length;
		left -= length;
	}
	return yajl_complete_parse(parser) == yajl_status_ok || fail(reading, err);
}

static int by_name(const void *left, const void *right)
{
	return strcmp(((const struct tensor *)left)->name, ((const struct tensor *)right)->name);
}

bool safetensors_read(struct stream *content, int64_t size, struct modellist *listing,
	struct signature *signature, struct err *err)
{
	AUTO(finish_reading)
	struct reading reading = {.listing = listing, .tensors = &signature->outputs};
	AUTO(own_parser) yajl_handle parser = yajl_alloc(&callbacks, NULL, &reading);
	struct source source = {.stream = content};
	uint64_t length;

	if (!parser)
		abort();
	if (!read_length(&source, size, &length, err) || !read_head(&reading, parser, &source, length, err))
		return false;
	if (signature->outputs.count > 1)
		qsort(signature->outputs.items, signature->outputs.count, sizeof(struct tensor), by_name);
	return true;
}

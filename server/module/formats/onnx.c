/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/formats/onnx.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "common/utf8.h"
#include "server/module/savedmodel/dtype.h"
#include "server/module/savedmodel/tensor.h"
#include "server/module/savedmodel/wire.h"

/* Fields of onnx.proto, by message. */
enum { ONNX_MODEL_GRAPH = 7 };
enum { ONNX_GRAPH_NODE = 1, ONNX_GRAPH_INITIALIZER = 5, ONNX_GRAPH_INPUT = 11, ONNX_GRAPH_OUTPUT = 12 };
enum { ONNX_NODE_OP = 4, ONNX_INITIALIZER_NAME = 8 };
enum { ONNX_VALUE_NAME = 1, ONNX_VALUE_TYPE = 2 };
enum {
	ONNX_TYPE_TENSOR = 1,
	ONNX_TYPE_SEQUENCE = 4,
	ONNX_TYPE_MAP = 5,
	ONNX_TYPE_SPARSE = 8,
	ONNX_TYPE_OPTIONAL = 9
};
enum { ONNX_TENSOR_ELEMENT = 1, ONNX_TENSOR_SHAPE = 2, ONNX_SHAPE_DIMENSION = 1, ONNX_DIMENSION_VALUE = 1 };

enum { RANK_MAX = 64, INITIALIZERS_MAX = 16384 };

/* By the number of TensorProto.DataType. */
static const char *const dtypes[] = {NULL, "float32", "uint8", "int8", "uint16", "int16", "int32", "int64",
	"string", "bool", "float16", "float64", "uint32", "uint64", "complex64", "complex128", "bfloat16",
	"float8_e4m3fn", "float8_e4m3fnuz", "float8_e5m2", "float8_e5m2fnuz", "uint4", "int4",
	"float4_e2m1fn", "float8_e8m0fnu", "uint2", "int2"};
enum { DTYPE_COUNT = sizeof dtypes / sizeof *dtypes };

struct reading {
	struct wire wire;
	struct modellist *listing;
	struct signature *signature;
	bool has_graph;
	uint64_t *initializers; /* hashes of their names: old models list these among the inputs */
	size_t initializer_count;
	size_t initializer_capacity;
};

static void finish_reading(struct reading *reading)
{
	free(reading->initializers);
}

/* FNV-1a. Who makes names that are alike hides an input of its own. */
static uint64_t hash_of(const char *text)
{
	uint64_t hash = 0xcbf29ce484222325u;

	for (; *text; text++)
		hash = (hash ^ (uint8_t)*text) * 0x100000001b3u;
	return hash;
}

/* A text that is too long to be kept counts as none. */
static bool read_text(struct wire *wire, const struct wire_field *field, char **out, struct err *err)
{
	AUTO_FREE char *text = NULL;

	if (field->type != WIRE_BYTES || field->value > SAVED_MODEL_STRING_MAX)
		return true;
	text = mem_zero((size_t)field->value + 1, 1);
	if (!wire_read(wire, text, (size_t)field->value, err))
		return false;
	if (!utf8_is_text(text, (size_t)field->value))
		return err_set(err, ERR_INVALID_MODULE, "A name in it is no UTF-8 text.");
	free(*out);
	*out = TAKE(text);
	return true;
}

/* The text that the current field's message has under this number; NULL where there is none. */
static bool read_inner_text(struct wire *wire, uint32_t number, char **out, struct err *err)
{
	struct wire_field field;
	bool found = true;

	if (!wire_enter(wire, err))
		return false;
	while (!*out && found) {
		if (!wire_next(wire, &field, &found, err) ||
			(found && field.number == number && !read_text(wire, &field, out, err)))
			return false;
	}
	wire_leave(wire);
	return true;
}

/* Opens the current field's message and shows each of its fields to the visitor, which may read it or not. */
static bool read_message(struct wire *wire,
	bool (*visit)(void *context, struct wire *wire, const struct wire_field *field, struct err *err),
	void *context, struct err *err)
{
	struct wire_field field;
	bool found = true;

	if (!wire_enter(wire, err))
		return false;
	while (found) {
		if (!wire_next(wire, &field, &found, err) || (found && !visit(context, wire, &field, err)))
			return false;
	}
	wire_leave(wire);
	return true;
}

/* ---- types ---- */

/* What was read of an input or output so far. The last of each kind counts. */
struct value {
	char *name;
	const char *dtype;
	const char *composite; /* what it is, where it is no tensor */
	enum shape_kind kind;
	size_t rank;
	int64_t dimensions[RANK_MAX];
};

static void finish_value(struct value *value)
{
	free(value->name);
}

static bool visit_dimension(void *context, struct wire *wire, const struct wire_field *field, struct err *err)
{
	int64_t *size = context;

	(void)wire;
	(void)err;
	if (field->number == ONNX_DIMENSION_VALUE && field->type == WIRE_VARINT)
		*size = (int64_t)field->value < 0 ? -1 : (int64_t)field->value;
	return true;
}

static bool visit_shape(void *context, struct wire *wire, const struct wire_field *field, struct err *err)
{
	struct value *value = context;

	if (field->number != ONNX_SHAPE_DIMENSION || field->type != WIRE_BYTES)
		return true;
	if (value->rank == RANK_MAX)
		return err_set(err, ERR_INVALID_MODULE, "A shape has more than %d dimensions.", RANK_MAX);
	value->dimensions[value->rank] = -1;
	return read_message(wire, visit_dimension, &value->dimensions[value->rank++], err);
}

static bool visit_tensor_type(
	void *context, struct wire *wire, const struct wire_field *field, struct err *err)
{
	struct value *value = context;

	if (field->number == ONNX_TENSOR_ELEMENT && field->type == WIRE_VARINT &&
		field->value < DTYPE_COUNT && dtypes[field->value])
		value->dtype = dtypes[field->value];
	if (field->number != ONNX_TENSOR_SHAPE || field->type != WIRE_BYTES)
		return true;
	value->kind = SHAPE_KNOWN;
	value->rank = 0;
	return read_message(wire, visit_shape, value, err);
}

static bool visit_type(void *context, struct wire *wire, const struct wire_field *field, struct err *err)
{
	static const struct {
		uint32_t field;
		const char *type;
	} others[] = {{ONNX_TYPE_SEQUENCE, "sequence"}, {ONNX_TYPE_MAP, "map"},
		{ONNX_TYPE_SPARSE, "sparse_tensor"}, {ONNX_TYPE_OPTIONAL, "optional"}};
	struct value *value = context;

	if (field->type != WIRE_BYTES)
		return true;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		if (field->number == others[i].field)
			value->composite = others[i].type;
	}
	if (field->number != ONNX_TYPE_TENSOR)
		return true;
	if (value->kind == SHAPE_UNSET)
		value->kind = SHAPE_UNKNOWN_RANK;
	return read_message(wire, visit_tensor_type, value, err);
}

/* ---- the graph ---- */

static bool visit_value(void *context, struct wire *wire, const struct wire_field *field, struct err *err)
{
	struct value *value = context;

	if (field->number == ONNX_VALUE_NAME)
		return read_text(wire, field, &value->name, err);
	return field->number != ONNX_VALUE_TYPE || field->type != WIRE_BYTES ||
	       read_message(wire, visit_type, value, err);
}

static void take_value(struct value *value, struct tensor *tensor)
{
	tensor->name = value->name ? TAKE(value->name) : mem_dup("");
	if (value->dtype)
		(void)dtype_parse(value->dtype, &tensor->dtype);
	if (value->composite) {
		tensor->encoding = TENSOR_COMPOSITE;
		tensor->type = mem_dup(value->composite);
	}
	tensor->shape = (struct shape){.kind = value->kind, .rank = value->rank};
	if (value->rank > 0) {
		tensor->shape.dimensions = mem_zero(value->rank, sizeof *value->dimensions);
		memcpy(tensor->shape.dimensions, value->dimensions, value->rank * sizeof *value->dimensions);
	}
}

static bool list_value(struct reading *reading, struct tensors *tensors, struct err *err)
{
	AUTO(finish_value) struct value value = {0};
	struct tensor tensor = {0};

	if (!read_message(&reading->wire, visit_value, &value, err))
		return false;
	take_value(&value, &tensor);
	(void)modellist_add_tensor(reading->listing, tensors, &tensor);
	return true;
}

static bool read_value(struct reading *reading, struct tensors *tensors, struct err *err)
{
	if (!modellist_is_full(reading->listing))
		return list_value(reading, tensors, err);
	modellist_pass_tensor(reading->listing);
	return true;
}

static bool read_node(struct reading *reading, struct err *err)
{
	AUTO_FREE char *op = NULL;

	if (!read_inner_text(&reading->wire, ONNX_NODE_OP, &op, err))
		return false;
	modellist_count_op(reading->listing, op ? op : "");
	return true;
}

static bool read_initializer(struct reading *reading, struct err *err)
{
	AUTO_FREE char *name = NULL;

	if (!read_inner_text(&reading->wire, ONNX_INITIALIZER_NAME, &name, err))
		return false;
	if (!name || reading->initializer_count == INITIALIZERS_MAX)
		return true;
	MEM_GROW(reading->initializers, reading->initializer_count, reading->initializer_capacity);
	reading->initializers[reading->initializer_count++] = hash_of(name);
	return true;
}

static bool visit_graph(void *context, struct wire *wire, const struct wire_field *field, struct err *err)
{
	struct reading *reading = context;

	(void)wire;
	if (field->type != WIRE_BYTES)
		return true;
	switch (field->number) {
	case ONNX_GRAPH_NODE:
		return read_node(reading, err);
	case ONNX_GRAPH_INITIALIZER:
		return read_initializer(reading, err);
	case ONNX_GRAPH_INPUT:
		return read_value(reading, &reading->signature->inputs, err);
	case ONNX_GRAPH_OUTPUT:
		return read_value(reading, &reading->signature->outputs, err);
	default:
		return true;
	}
}

static bool read_graph(struct reading *reading, struct err *err)
{
	reading->has_graph = true;
	return read_message(&reading->wire, visit_graph, reading, err);
}

static int by_hash(const void *left, const void *right)
{
	uint64_t a = *(const uint64_t *)left, b = *(const uint64_t *)right;

	return (a > b) - (a < b);
}

static void drop_initialized(struct reading *reading)
{
	struct tensors *inputs = &reading->signature->inputs;
	size_t kept = 0;

	if (reading->initializer_count == 0)
		return;
	qsort(reading->initializers, reading->initializer_count, sizeof(uint64_t), by_hash);
	for (size_t i = 0; i < inputs->count; i++) {
		uint64_t hash = hash_of(inputs->items[i].name);

		if (bsearch(&hash, reading->initializers, reading->initializer_count, sizeof hash, by_hash))
			reading->listing->model->counts.tensors--, tensor_finish(&inputs->items[i]);
		else
			inputs->items[kept++] = inputs->items[i];
	}
	inputs->count = kept;
}

bool onnx_read(struct stream *content, int64_t size, struct modellist *listing, struct signature *signature,
	struct err *err)
{
	AUTO(finish_reading) struct reading reading = {.listing = listing, .signature = signature};
	struct wire_field field;
	bool found = true;

	(void)size;
	wire_init(&reading.wire, content);
	while (found) {
		if (!wire_next(&reading.wire, &field, &found, err) ||
			(found && field.number == ONNX_MODEL_GRAPH && field.type == WIRE_BYTES &&
				!read_graph(&reading, err)))
			return false;
	}
	if (!reading.has_graph)
		return err_set(err, ERR_INVALID_MODULE, "It is no ONNX model: it has no graph.");
	drop_initialized(&reading);
	return true;
}

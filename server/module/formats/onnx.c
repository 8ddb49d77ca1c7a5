/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/formats/onnx.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
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

/* ---- types ---- */

static bool read_dimension(struct wire *wire, int64_t *out, struct err *err)
{
	struct wire_field field;
	bool found;

	*out = -1;
	if (!wire_enter(wire, err))
		return false;
	for (;;) {
		if (!wire_next(wire, &field, &found, err))
			return false;
		if (!found)
			break;
		if (field.number == ONNX_DIMENSION_VALUE && field.type == WIRE_VARINT)
			*out = (int64_t)field.value < 0 ? -1 : (int64_t)field.value;
	}
	wire_leave(wire);
	return true;
}

static bool read_shape(struct wire *wire, struct shape *shape, struct err *err)
{
	int64_t dimensions[RANK_MAX];
	struct wire_field field;
	size_t rank = 0;
	bool found;

	if (!wire_enter(wire, err))
		return false;
	for (;;) {
		if (!wire_next(wire, &field, &found, err))
			return false;
		if (!found)
			break;
		if (field.number != ONNX_SHAPE_DIMENSION || field.type != WIRE_BYTES)
			continue;
		if (rank == RANK_MAX)
			return err_set(
				err, ERR_INVALID_MODULE, "A shape has more than %d dimensions.", RANK_MAX);
		if (!read_dimension(wire, &dimensions[rank++], err))
			return false;
	}
	wire_leave(wire);
	free(shape->dimensions);
	*shape = (struct shape){.kind = SHAPE_KNOWN, .rank = rank};
	if (rank > 0) {
		shape->dimensions = mem_zero(rank, sizeof *dimensions);
		memcpy(shape->dimensions, dimensions, rank * sizeof *dimensions);
	}
	return true;
}

static bool read_tensor_type(struct wire *wire, struct tensor *tensor, struct err *err)
{
	struct wire_field field;
	bool found;

	if (tensor->shape.kind == SHAPE_UNSET)
		tensor->shape.kind = SHAPE_UNKNOWN_RANK;
	if (!wire_enter(wire, err))
		return false;
	for (;;) {
		if (!wire_next(wire, &field, &found, err))
			return false;
		if (!found)
			break;
		if (field.number == ONNX_TENSOR_ELEMENT && field.type == WIRE_VARINT &&
			field.value < DTYPE_COUNT && dtypes[field.value])
			(void)dtype_parse(dtypes[field.value], &tensor->dtype);
		if (field.number == ONNX_TENSOR_SHAPE && field.type == WIRE_BYTES &&
			!read_shape(wire, &tensor->shape, err))
			return false;
	}
	wire_leave(wire);
	return true;
}

static void set_composite(struct tensor *tensor, const char *type)
{
	tensor->encoding = TENSOR_COMPOSITE;
	free(tensor->type);
	tensor->type = mem_dup(type);
}

static bool read_type(struct wire *wire, struct tensor *tensor, struct err *err)
{
	static const struct {
		uint32_t field;
		const char *type;
	} others[] = {{ONNX_TYPE_SEQUENCE, "sequence"}, {ONNX_TYPE_MAP, "map"},
		{ONNX_TYPE_SPARSE, "sparse_tensor"}, {ONNX_TYPE_OPTIONAL, "optional"}};
	struct wire_field field;
	bool found;

	if (!wire_enter(wire, err))
		return false;
	for (;;) {
		if (!wire_next(wire, &field, &found, err))
			return false;
		if (!found)
			break;
		if (field.number == ONNX_TYPE_TENSOR && field.type == WIRE_BYTES &&
			!read_tensor_type(wire, tensor, err))
			return false;
		for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
			if (field.number == others[i].field)
				set_composite(tensor, others[i].type);
		}
	}
	wire_leave(wire);
	return true;
}

/* ---- the graph ---- */

static bool read_value(struct reading *reading, struct tensors *tensors, struct err *err)
{
	AUTO(tensor_finish) struct tensor tensor = {0};
	struct wire_field field;
	bool found;

	if (!wire_enter(&reading->wire, err))
		return false;
	for (;;) {
		if (!wire_next(&reading->wire, &field, &found, err))
			return false;
		if (!found)
			break;
		if ((field.number == ONNX_VALUE_NAME &&
			    !read_text(&reading->wire, &field, &tensor.name, err)) ||
			(field.number == ONNX_VALUE_TYPE && field.type == WIRE_BYTES &&
				!read_type(&reading->wire, &tensor, err)))
			return false;
	}
	wire_leave(&reading->wire);
	if (!tensor.name)
		tensor.name = mem_dup("");
	(void)modellist_add_tensor(reading->listing, tensors, &tensor);
	tensor = (struct tensor){0};
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

static bool read_graph_field(struct reading *reading, uint32_t number, struct err *err)
{
	switch (number) {
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
	struct wire_field field;
	bool found = true;

	if (!wire_enter(&reading->wire, err))
		return false;
	reading->has_graph = true;
	while (found) {
		if (!wire_next(&reading->wire, &field, &found, err) ||
			(found && field.type == WIRE_BYTES && !read_graph_field(reading, field.number, err)))
			return false;
	}
	wire_leave(&reading->wire);
	return true;
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/formats/tflitelisting.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "server/module/formats/flatbuffer.h"
#include "server/module/formats/modellist.h"
#include "server/module/savedmodel/tensor.h"

/* Slots of the tables (tensorflow/compiler/mlir/lite/schema/schema.fbs). */
enum { MODEL_SUBGRAPHS = 2, MODEL_SIGNATURES = 7 };
enum { SUBGRAPH_TENSORS, SUBGRAPH_INPUTS, SUBGRAPH_OUTPUTS, SUBGRAPH_NAME = 4 };
enum { SIGDEF_INPUTS, SIGDEF_OUTPUTS, SIGDEF_KEY, SIGDEF_SUBGRAPH = 4 };
enum { MAP_NAME, MAP_INDEX };
enum {
	TENSOR_SHAPE,
	TENSOR_TYPE,
	TENSOR_NAME = 3,
	TENSOR_QUANTIZATION,
	TENSOR_SHAPE_SIGNATURE = 7,
	TENSOR_HAS_RANK
};
enum { QUANTIZATION_SCALE = 2, QUANTIZATION_ZERO_POINT };

/* TensorFlow's DataType of each of the schema's TensorType. */
static const uint8_t dtypes[] = {1, 19, 3, 4, 9, 7, 10, 5, 8, 6, 2, 18, 23, 20, 21, 22, 17, 29, 14};

enum { RANK_MAX = 256 };

struct reading {
	struct flat_reader *reader;
	struct modellist listing;
	struct flat_vector subgraphs;
};

static void finish_reading(struct reading *reading)
{
	flat_reader_destroy(reading->reader);
	modellist_finish(&reading->listing);
}

static bool read_dimensions(struct reading *reading, const struct flat_vector *vector, struct shape *out)
{
	if (vector->count > RANK_MAX) {
		out->kind = SHAPE_UNKNOWN_RANK;
		return true;
	}
	out->kind = SHAPE_KNOWN;
	out->rank = (size_t)vector->count;
	out->dimensions = out->rank > 0 ? mem_zero(out->rank, sizeof *out->dimensions) : NULL;
	for (size_t i = 0; i < out->rank; i++) {
		uint64_t size;

		if (!flat_vector_number(reading->reader, vector, i, 4, &size))
			return false;
		out->dimensions[i] = (int32_t)(uint32_t)size < 0 ? -1 : (int64_t)size;
	}
	return true;
}

/* The shape has 1 where a size is unknown, its signature -1; older models have the first alone. */
static bool read_shape(struct reading *reading, const struct flat_table *table, struct shape *out)
{
	struct flat_vector shape;
	struct flat_vector signature;
	uint64_t has_rank = 0;

	if (!flat_vector(reading->reader, table, TENSOR_SHAPE, 4, &shape) ||
		!flat_vector(reading->reader, table, TENSOR_SHAPE_SIGNATURE, 4, &signature) ||
		!flat_number(reading->reader, table, TENSOR_HAS_RANK, 1, &has_rank))
		return false;
	if (shape.first == 0 && !has_rank) {
		out->kind = SHAPE_UNKNOWN_RANK;
		return true;
	}
	return read_dimensions(
		reading, signature.count == shape.count && signature.count > 0 ? &signature : &shape, out);
}

static bool read_quantization(
	struct reading *reading, const struct flat_table *table, struct quantization *out)
{
	struct flat_table quantization;
	struct flat_vector scales;
	struct flat_vector zeros;
	uint64_t bits;
	uint64_t zero = 0;
	uint32_t word;
	float scale;
	bool found;

	if (!flat_child(reading->reader, table, TENSOR_QUANTIZATION, &quantization, &found))
		return false;
	if (!found)
		return true;
	if (!flat_vector(reading->reader, &quantization, QUANTIZATION_SCALE, 4, &scales) ||
		!flat_vector(reading->reader, &quantization, QUANTIZATION_ZERO_POINT, 8, &zeros))
		return false;
	if (scales.count == 0)
		return true;
	if (!flat_vector_number(reading->reader, &scales, 0, 4, &bits) ||
		(zeros.count > 0 && !flat_vector_number(reading->reader, &zeros, 0, 8, &zero)))
		return false;
	word = (uint32_t)bits;
	memcpy(&scale, &word, sizeof scale);
	/* Infinities and what is no number cannot be written as JSON, nor computed with. */
	if (!(scale > 0 && scale <= __FLT_MAX__))
		return true;
	*out = (struct quantization){
		true, (double)scale, (int64_t)zero, scales.count > 1 ? (int64_t)scales.count : 0};
	return true;
}

static bool fill_tensor(struct reading *reading, const struct flat_table *table, struct tensor *tensor)
{
	uint64_t type = 0;

	if (!flat_text(reading->reader, table, TENSOR_NAME, SAVED_MODEL_STRING_MAX, &tensor->tensor) ||
		!flat_number(reading->reader, table, TENSOR_TYPE, 1, &type) ||
		!read_shape(reading, table, &tensor->shape) ||
		!read_quantization(reading, table, &tensor->quantization))
		return false;
	tensor->dtype = type < sizeof dtypes ? dtypes[type] : 0;
	return true;
}

/* The tensor of a subgraph at this index; one that is not there has no type. */
static bool add_tensor(struct reading *reading, const struct flat_vector *tensors, uint64_t index, char *name,
	struct tensors *out)
{
	struct tensor tensor = {.name = name};
	struct flat_table table;

	if (index < tensors->count && (!flat_vector_table(reading->reader, tensors, index, &table) ||
					      !fill_tensor(reading, &table, &tensor))) {
		tensor_finish(&tensor);
		return false;
	}
	if (!tensor.name)
		tensor.name = mem_dup(tensor.tensor ? tensor.tensor : "");
	(void)modellist_add_tensor(&reading->listing, out, &tensor);
	return true;
}

/* ---- the first subgraph ---- */

static bool read_ends(struct reading *reading, const struct flat_table *subgraph, uint16_t slot,
	const struct flat_vector *tensors, struct tensors *out)
{
	struct flat_vector ends;

	if (!flat_vector(reading->reader, subgraph, slot, 4, &ends))
		return false;
	for (uint64_t i = 0; i < ends.count && !reading->listing.model->truncated; i++) {
		uint64_t index;

		if (!flat_vector_number(reading->reader, &ends, i, 4, &index) ||
			!add_tensor(reading, tensors, index, NULL, out))
			return false;
	}
	return true;
}

static bool fill_from_subgraph(struct reading *reading, struct signature *signature)
{
	struct flat_table subgraph;
	struct flat_vector tensors;

	if (!flat_vector_table(reading->reader, &reading->subgraphs, 0, &subgraph) ||
		!flat_vector(reading->reader, &subgraph, SUBGRAPH_TENSORS, 4, &tensors) ||
		!flat_text(
			reading->reader, &subgraph, SUBGRAPH_NAME, SAVED_MODEL_STRING_MAX, &signature->name))
		return false;
	if (!signature->name)
		signature->name = mem_dup("main");
	signature->method = mem_dup("");
	return read_ends(reading, &subgraph, SUBGRAPH_INPUTS, &tensors, &signature->inputs) &&
	       read_ends(reading, &subgraph, SUBGRAPH_OUTPUTS, &tensors, &signature->outputs);
}

/* ---- signatures ---- */

static bool read_map(struct reading *reading, const struct flat_table *map, const struct flat_vector *tensors,
	struct tensors *out)
{
	AUTO_FREE char *name = NULL;
	uint64_t index = 0;

	if (!flat_text(reading->reader, map, MAP_NAME, SAVED_MODEL_STRING_MAX, &name) ||
		!flat_number(reading->reader, map, MAP_INDEX, 4, &index))
		return false;
	return add_tensor(reading, tensors, index, TAKE(name), out);
}

static int by_name(const void *left, const void *right)
{
	return strcmp(((const struct tensor *)left)->name, ((const struct tensor *)right)->name);
}

static bool read_maps(struct reading *reading, const struct flat_table *table, uint16_t slot,
	const struct flat_vector *tensors, struct tensors *out)
{
	struct flat_vector maps;

	if (!flat_vector(reading->reader, table, slot, 4, &maps))
		return false;
	for (uint64_t i = 0; i < maps.count && !reading->listing.model->truncated; i++) {
		struct flat_table map;

		if (!flat_vector_table(reading->reader, &maps, i, &map) ||
			!read_map(reading, &map, tensors, out))
			return false;
	}
	if (out->count > 1)
		qsort(out->items, out->count, sizeof *out->items, by_name);
	return true;
}

static bool fill_from_signature(
	struct reading *reading, const struct flat_table *table, struct signature *signature)
{
	struct flat_table subgraph;
	struct flat_vector tensors = {0};
	uint64_t index = 0;

	if (!flat_text(reading->reader, table, SIGDEF_KEY, SAVED_MODEL_STRING_MAX, &signature->name) ||
		!flat_number(reading->reader, table, SIGDEF_SUBGRAPH, 4, &index))
		return false;
	if (!signature->name)
		signature->name = mem_dup("");
	signature->method = mem_dup("");
	if (index < reading->subgraphs.count &&
		(!flat_vector_table(reading->reader, &reading->subgraphs, index, &subgraph) ||
			!flat_vector(reading->reader, &subgraph, SUBGRAPH_TENSORS, 4, &tensors)))
		return false;
	return read_maps(reading, table, SIGDEF_INPUTS, &tensors, &signature->inputs) &&
	       read_maps(reading, table, SIGDEF_OUTPUTS, &tensors, &signature->outputs);
}

/* ---- the model ---- */

static bool add_signature(struct reading *reading, const struct flat_vector *signatures, uint64_t i)
{
	AUTO(signature_finish) struct signature signature = {0};
	struct flat_table table;

	if (!flat_vector_table(reading->reader, signatures, i, &table) ||
		!fill_from_signature(reading, &table, &signature))
		return false;
	modellist_add_signature(&reading->listing, &signature);
	return true;
}

static bool add_subgraph(struct reading *reading)
{
	AUTO(signature_finish) struct signature signature = {0};

	if (!fill_from_subgraph(reading, &signature))
		return false;
	reading->listing.model->kind = MODEL_SUBGRAPH;
	modellist_add_signature(&reading->listing, &signature);
	return true;
}

static bool read_model(struct reading *reading)
{
	struct flat_vector signatures;
	struct flat_table model;
	bool *truncated = &reading->listing.model->truncated;

	if (!flat_root(reading->reader, &model) ||
		!flat_vector(reading->reader, &model, MODEL_SUBGRAPHS, 4, &reading->subgraphs) ||
		!flat_vector(reading->reader, &model, MODEL_SIGNATURES, 4, &signatures))
		return false;
	for (uint64_t i = 0; i < signatures.count && !*truncated; i++) {
		if (!add_signature(reading, &signatures, i))
			return false;
	}
	/* What was not looked at counts as well. */
	if (*truncated)
		reading->listing.model->counts.signatures = (int64_t)signatures.count;
	return signatures.count > 0 || reading->subgraphs.count == 0 || add_subgraph(reading);
}

bool tflite_listing_read(struct stream *stream, int64_t size, struct saved_model **out, struct err *err)
{
	AUTO(finish_reading) struct reading reading = {0};

	reading.reader = flat_reader_create(stream, size, err);
	modellist_init(&reading.listing, MODEL_TFLITE);
	if (!read_model(&reading))
		return false;
	*out = modellist_take(&reading.listing);
	return true;
}

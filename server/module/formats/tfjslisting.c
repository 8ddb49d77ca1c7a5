/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/formats/tfjslisting.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/number.h"
#include "server/module/formats/layers.h"
#include "server/module/formats/modellist.h"
#include "server/module/savedmodel/tensor.h"

enum { RANK_MAX = 256, DT_FLOAT = 1 };

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

/* ---- what protobuf's JSON says ---- */

/* "DT_FLOAT", or the number of it. */
static int64_t read_dtype(const json_t *value)
{
	int64_t dtype = 0;

	if (json_is_string(value) && dtype_parse_symbol(json_string_value(value), &dtype))
		return dtype;
	return json_is_integer(value) ? json_integer_value(value) : 0;
}

/* {"size": "-1"}; of an unknown one there may be nothing at all, and 0 is written as nothing as well. */
static int64_t read_size(const json_t *dimension)
{
	const json_t *value = json_object_get(dimension, "size");
	int64_t size = 0;

	if (json_is_integer(value))
		size = json_integer_value(value);
	else if (json_is_string(value) && !number_parse(json_string_value(value), &size))
		size = -1;
	return size < 0 ? -1 : size;
}

static struct shape read_shape(const json_t *message)
{
	const json_t *dimensions = json_object_get(message, "dim");
	size_t rank = json_array_size(dimensions);
	struct shape shape = {.kind = SHAPE_KNOWN};

	if (!json_is_object(message))
		return (struct shape){.kind = SHAPE_UNSET};
	if (json_is_true(json_object_get(message, "unknownRank")) || rank > RANK_MAX)
		return (struct shape){.kind = SHAPE_UNKNOWN_RANK};
	shape.rank = rank;
	shape.dimensions = rank > 0 ? mem_zero(rank, sizeof *shape.dimensions) : NULL;
	for (size_t i = 0; i < rank; i++)
		shape.dimensions[i] = read_size(json_array_get(dimensions, i));
	return shape;
}

/* ---- a graph's signature ---- */

static int by_name(const void *left, const void *right)
{
	return strcmp(((const struct tensor *)left)->name, ((const struct tensor *)right)->name);
}

static void take_infos(struct modellist *listing, const json_t *infos, struct tensors *out)
{
	const char *key;
	json_t *info;

	json_object_foreach((json_t *)infos, key, info)
	{
		struct tensor tensor = {.name = mem_dup(key),
			.tensor = mem_dup(text_of(info, "name")),
			.dtype = read_dtype(json_object_get(info, "dtype")),
			.shape = read_shape(json_object_get(info, "tensorShape"))};

		if (!modellist_add_tensor(listing, out, &tensor))
			break;
	}
	if (out->count > 1)
		qsort(out->items, out->count, sizeof *out->items, by_name);
}

/* ---- a graph without one ---- */

static const json_t *attribute(const json_t *node, const char *key)
{
	return json_object_get(json_object_get(node, "attr"), key);
}

static void add_node(struct modellist *listing, const json_t *node, struct tensors *out)
{
	const json_t *dtype = json_object_get(attribute(node, "dtype"), "type");
	struct tensor tensor = {.name = mem_dup(text_of(node, "name")),
		.tensor = mem_dup(text_of(node, "name")),
		.shape = read_shape(json_object_get(attribute(node, "shape"), "shape"))};

	tensor.dtype = read_dtype(dtype ? dtype : json_object_get(attribute(node, "T"), "type"));
	(void)modellist_add_tensor(listing, out, &tensor);
}

static bool is_placeholder(const json_t *node)
{
	return strncmp(text_of(node, "op"), "Placeholder", strlen("Placeholder")) == 0;
}

/* "^node", "node:1" and "node" all need the node. */
static void note_fed(json_t *fed, const json_t *input)
{
	const char *text = json_string_value(input);
	AUTO_FREE char *name = NULL;

	if (!text)
		return;
	text += *text == '^';
	name = mem_dup_n(text, strcspn(text, ":"));
	(void)json_object_set_new(fed, name, json_null());
}

/* The names that some node has among its inputs. */
static json_t *find_fed(const json_t *nodes)
{
	json_t *fed = json_object();
	const json_t *node;
	const json_t *input;
	size_t i;
	size_t j;

	json_array_foreach((json_t *)nodes, i, node)
		json_array_foreach(json_object_get(node, "input"), j, input) note_fed(fed, input);
	return fed;
}

static void take_ends(struct modellist *listing, const json_t *nodes, struct signature *signature)
{
	json_auto_t *fed = find_fed(nodes);
	const json_t *node;
	size_t i;

	json_array_foreach((json_t *)nodes, i, node)
	{
		if (is_placeholder(node))
			add_node(listing, node, &signature->inputs);
		else if (!json_object_get(fed, text_of(node, "name")))
			add_node(listing, node, &signature->outputs);
	}
}

static void count_ops(struct modellist *listing, const json_t *nodes)
{
	const json_t *node;
	size_t i;

	json_array_foreach((json_t *)nodes, i, node) modellist_count_op(listing, text_of(node, "op"));
}

static void count_library(struct modellist *listing, const json_t *library)
{
	const json_t *function;
	size_t i;

	json_array_foreach(json_object_get(library, "function"), i, function)
		count_ops(listing, json_object_get(function, "nodeDef"));
}

/* As TF.js chooses between them: each of the two lists by itself. */
static void list_graph(struct modellist *listing, const json_t *root, struct signature *signature)
{
	const json_t *topology = json_object_get(root, "modelTopology");
	const json_t *nodes = json_object_get(topology, "node");
	const json_t *told = json_object_get(json_object_get(root, "userDefinedMetadata"), "signature");
	struct signature ends = {0};

	if (!json_is_object(told))
		told = json_object_get(root, "signature");
	take_infos(listing, json_object_get(told, "inputs"), &signature->inputs);
	take_infos(listing, json_object_get(told, "outputs"), &signature->outputs);
	if (signature->inputs.count == 0 || signature->outputs.count == 0) {
		take_ends(listing, nodes, &ends);
		if (signature->inputs.count == 0)
			signature->inputs = ends.inputs, ends.inputs = (struct tensors){0};
		if (signature->outputs.count == 0)
			signature->outputs = ends.outputs, ends.outputs = (struct tensors){0};
	}
	signature_finish(&ends);
	listing->model->counts.tensors = (int64_t)(signature->inputs.count + signature->outputs.count);
	count_ops(listing, nodes);
	count_library(listing, json_object_get(topology, "library"));
}

/* ---- layers ---- */

static void take_layers(struct modellist *listing, const struct layer_ends *ends, struct tensors *out)
{
	for (size_t i = 0; i < ends->count; i++) {
		const struct layer_end *end = &ends->items[i];
		struct tensor tensor = {.name = mem_dup(end->name), .dtype = DT_FLOAT};

		(void)dtype_parse(end->dtype, &tensor.dtype);
		tensor.shape.kind = end->shape.is_known ? SHAPE_KNOWN : SHAPE_UNKNOWN_RANK;
		tensor.shape.rank = end->shape.is_known ? end->shape.rank : 0;
		if (tensor.shape.rank > 0) {
			tensor.shape.dimensions = mem_zero(tensor.shape.rank, sizeof(int64_t));
			memcpy(tensor.shape.dimensions, end->shape.sizes,
				tensor.shape.rank * sizeof(int64_t));
		}
		if (!modellist_add_tensor(listing, out, &tensor))
			return;
	}
}

static void list_layers(struct modellist *listing, const json_t *model, struct signature *signature)
{
	AUTO(layer_ends_finish) struct layer_ends inputs = {0};
	AUTO(layer_ends_finish) struct layer_ends outputs = {0};

	layers_find_ends(model, &inputs, &outputs);
	take_layers(listing, &inputs, &signature->inputs);
	take_layers(listing, &outputs, &signature->outputs);
}

/* {"class_name", "config"}, which Keras puts one level deeper. */
static const json_t *find_layers_model(const json_t *root)
{
	const json_t *topology = json_object_get(root, "modelTopology");
	const json_t *inner = json_object_get(topology, "model_config");

	if (json_is_object(inner))
		return inner;
	return json_object_get(topology, "config") ? topology : NULL;
}

/* ---- the model ---- */

struct saved_model *tfjs_listing_make(const struct outline *outline)
{
	const json_t *layers = find_layers_model(outline->root);
	bool is_graph =
		json_is_array(json_object_get(json_object_get(outline->root, "modelTopology"), "node"));
	AUTO(signature_finish) struct signature signature = {0};
	AUTO_MODELLIST struct modellist listing = {0};

	if (!is_graph && !layers)
		return NULL;
	modellist_init(&listing, is_graph ? MODEL_GRAPH : MODEL_LAYERS);
	listing.model->truncated = outline->truncated;
	signature.name = mem_dup("predict");
	signature.method = mem_dup("");
	if (is_graph)
		list_graph(&listing, outline->root, &signature);
	else
		list_layers(&listing, layers, &signature);
	modellist_add_signature(&listing, &signature);
	return modellist_take(&listing);
}

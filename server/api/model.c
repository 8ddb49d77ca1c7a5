/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/model.h"

#include "server/api/answer.h"

static void set_text(json_t *object, const char *key, const char *text)
{
	if (text)
		json_object_set_new(object, key, answer_text(text));
}

static void set_shape(json_t *object, const struct shape *shape)
{
	json_t *dimensions;

	if (shape->kind == SHAPE_UNSET)
		return;
	dimensions = shape->kind == SHAPE_UNKNOWN_RANK ? json_null() : json_array();
	for (size_t i = 0; shape->kind == SHAPE_KNOWN && i < shape->rank; i++)
		json_array_append_new(dimensions, json_integer(shape->dimensions[i]));
	json_object_set_new(object, "shape", dimensions);
}

static void set_quantization(json_t *object, const struct quantization *quantization)
{
	json_t *value;

	if (!quantization->is_known)
		return;
	value = json_pack("{s:f, s:I}", "scale", quantization->scale, "zero_point",
		(json_int_t)quantization->zero_point);
	if (quantization->channels > 0)
		json_object_set_new(value, "channels", json_integer(quantization->channels));
	json_object_set_new(object, "quantization", value);
}

static void set_type(json_t *object, const struct tensor *tensor)
{
	/* Not every composite type has one dtype for all of its parts. */
	if (tensor->dtype != 0 || tensor->encoding != TENSOR_COMPOSITE)
		set_text(object, "dtype", dtype_name(tensor->dtype).text);
	set_shape(object, &tensor->shape);
	set_quantization(object, &tensor->quantization);
}

static const char *const encodings[] = {
	[TENSOR_DENSE] = NULL, /* the usual one is not named */
	[TENSOR_COO] = "coo",
	[TENSOR_COMPOSITE] = "composite",
	[TENSOR_LITERAL] = "literal",
};

static json_t *tensor_json(const struct tensor *tensor)
{
	json_t *object = json_object();

	set_text(object, "name", tensor->name);
	set_text(object, "encoding", encodings[tensor->encoding]);
	if (tensor->encoding == TENSOR_LITERAL) {
		set_text(object, "value", tensor->type);
		return object;
	}
	set_text(object, "tensor", tensor->tensor);
	set_text(object, "values", tensor->values);
	set_text(object, "indices", tensor->indices);
	set_text(object, "dense_shape", tensor->dense_shape);
	set_text(object, "type", tensor->type);
	set_type(object, tensor);
	return object;
}

json_t *model_tensor_type_json(const struct tensor *tensor)
{
	json_t *object = json_object();

	if (tensor->encoding != TENSOR_LITERAL)
		set_type(object, tensor);
	set_text(object, "encoding", encodings[tensor->encoding]);
	set_text(object, tensor->encoding == TENSOR_LITERAL ? "value" : "type", tensor->type);
	return object;
}

static json_t *tensors_json(const struct tensors *tensors)
{
	json_t *array = json_array();

	for (size_t i = 0; i < tensors->count; i++)
		json_array_append_new(array, tensor_json(&tensors->items[i]));
	return array;
}

json_t *model_tags_json(const struct meta_graph *graph)
{
	json_t *array = json_array();

	for (size_t i = 0; i < graph->tag_count; i++)
		json_array_append_new(array, answer_text(graph->tags[i]));
	return array;
}

static json_t *signatures_json(const struct meta_graph *graph)
{
	json_t *array = json_array();

	for (size_t i = 0; i < graph->signature_count; i++) {
		const struct signature *signature = &graph->signatures[i];

		json_array_append_new(array,
			json_pack("{s:o, s:o, s:o, s:o}", "name", answer_text(signature->name), "method",
				answer_text(signature->method), "inputs", tensors_json(&signature->inputs),
				"outputs", tensors_json(&signature->outputs)));
	}
	return array;
}

static json_t *callables_json(const struct meta_graph *graph)
{
	json_t *array = json_array();

	for (size_t i = 0; i < graph->callable_count; i++) {
		const struct callable *callable = &graph->callables[i];

		json_array_append_new(array, json_pack("{s:o, s:o, s:o}", "name", answer_text(callable->name),
						     "inputs", tensors_json(&callable->inputs), "outputs",
						     tensors_json(&callable->outputs)));
	}
	return array;
}

static json_t *ops_json(const struct meta_graph *graph)
{
	json_t *array = json_array();

	for (size_t i = 0; i < graph->op_count; i++)
		json_array_append_new(array, json_pack("{s:o, s:I}", "op", answer_text(graph->ops[i].op),
						     "count", (json_int_t)graph->ops[i].count));
	return array;
}

static json_t *listing_json(const struct meta_graph *graph)
{
	return json_pack("{s:o, s:o, s:o}", "tags", model_tags_json(graph), "signatures",
		signatures_json(graph), "callables", callables_json(graph));
}

static json_t *meta_graph_json(const struct meta_graph *graph)
{
	json_t *object = listing_json(graph);

	set_text(object, "tensorflow_version", graph->tensorflow_version);
	json_object_set_new(object, "ops", ops_json(graph));
	return object;
}

static json_t *graphs_json(
	const struct saved_model *model, json_t *(*graph_json)(const struct meta_graph *graph))
{
	json_t *array = json_array();

	for (size_t i = 0; i < model->meta_graph_count; i++)
		json_array_append_new(array, graph_json(&model->meta_graphs[i]));
	return array;
}

static json_t *counts_json(const struct saved_model *model)
{
	const struct saved_model_counts *counts = &model->counts;

	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "meta_graphs", (json_int_t)counts->meta_graphs,
		"tags", (json_int_t)counts->tags, "signatures", (json_int_t)counts->signatures, "tensors",
		(json_int_t)counts->tensors, "callables", (json_int_t)counts->callables, "nodes",
		(json_int_t)counts->nodes);
}

void model_tell_truncated(json_t *object, const struct saved_model *model)
{
	if (!model->truncated)
		return;
	json_object_set_new(object, "truncated", json_true());
	/* What was read before there were counts has none. */
	if (model->counts.meta_graphs > 0)
		json_object_set_new(object, "counts", counts_json(model));
}

json_t *model_signatures_json(const struct saved_model *model)
{
	return graphs_json(model, listing_json);
}

static const char *const kinds[] = {[MODEL_SAVED_MODEL] = "saved-model",
	[MODEL_TFLITE] = "tflite",
	[MODEL_SUBGRAPH] = "tflite-subgraph",
	[MODEL_GRAPH] = "graph-model",
	[MODEL_LAYERS] = "layers-model",
	[MODEL_FILES] = "files"};

json_t *model_json(const struct saved_model *model)
{
	bool is_saved = model && model->kind == MODEL_SAVED_MODEL;
	json_t *object;

	if (!model)
		return json_null();
	object = json_pack("{s:s, s:o}", "kind", model->tf1_hub ? "tf1-hub" : kinds[model->kind],
		"meta_graphs", graphs_json(model, meta_graph_json));
	if (is_saved) {
		set_text(object, "format", model->is_text ? "pbtxt" : "pb");
		set_text(object, "tensorflow_version",
			model->meta_graph_count > 0 ? model->meta_graphs[0].tensorflow_version : "");
	}
	model_tell_truncated(object, model);
	return object;
}

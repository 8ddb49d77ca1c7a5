/* SPDX-License-Identifier: Apache-2.0
 *
 * What our reader finds in SavedModels, as JSON for tests/oracle/test_savedmodel.py: for each line of
 * standard input, "binary PATH" or "text PATH", one line. {"error": sentence} where the reader refuses the
 * file. */
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/file.h"
#include "common/own.h"
#include "server/module/savedmodel/savedmodel.h"

static json_t *shape_json(const struct shape *shape)
{
	json_t *dimensions;

	if (shape->kind == SHAPE_UNSET)
		return json_string("unset");
	if (shape->kind == SHAPE_UNKNOWN_RANK)
		return json_null();
	dimensions = json_array();
	for (size_t i = 0; i < shape->rank; i++)
		json_array_append_new(dimensions, json_integer(shape->dimensions[i]));
	return dimensions;
}

static void set_string(json_t *object, const char *key, const char *value)
{
	if (value)
		json_object_set_new(object, key, json_string(value));
}

static json_t *tensors_json(const struct tensors *tensors)
{
	static const char *const encodings[] = {"dense", "coo", "composite", "literal"};
	json_t *array = json_array();

	for (size_t i = 0; i < tensors->count; i++) {
		const struct tensor *tensor = &tensors->items[i];
		json_t *object = json_object();

		set_string(object, "name", tensor->name);
		set_string(object, "encoding", encodings[tensor->encoding]);
		set_string(object, "tensor", tensor->tensor);
		set_string(object, "values", tensor->values);
		set_string(object, "indices", tensor->indices);
		set_string(object, "dense_shape", tensor->dense_shape);
		set_string(object, "type", tensor->type);
		set_string(object, "dtype", dtype_name(tensor->dtype).text);
		json_object_set_new(object, "shape", shape_json(&tensor->shape));
		json_array_append_new(array, object);
	}
	return array;
}

static json_t *signatures_json(const struct meta_graph *graph)
{
	json_t *array = json_array();

	for (size_t i = 0; i < graph->signature_count; i++) {
		const struct signature *signature = &graph->signatures[i];

		json_array_append_new(
			array, json_pack("{s:s, s:s, s:o, s:o}", "name", signature->name, "method",
				       signature->method, "inputs", tensors_json(&signature->inputs),
				       "outputs", tensors_json(&signature->outputs)));
	}
	return array;
}

static json_t *callables_json(const struct meta_graph *graph)
{
	json_t *array = json_array();

	for (size_t i = 0; i < graph->callable_count; i++) {
		const struct callable *callable = &graph->callables[i];

		json_array_append_new(array, json_pack("{s:s, s:o, s:o}", "name", callable->name, "inputs",
						     tensors_json(&callable->inputs), "outputs",
						     tensors_json(&callable->outputs)));
	}
	return array;
}

static json_t *meta_graph_json(const struct meta_graph *graph)
{
	json_t *tags = json_array();
	json_t *ops = json_object();

	for (size_t i = 0; i < graph->tag_count; i++)
		json_array_append_new(tags, json_string(graph->tags[i]));
	for (size_t i = 0; i < graph->op_count; i++)
		json_object_set_new(ops, graph->ops[i].op, json_integer(graph->ops[i].count));
	return json_pack("{s:o, s:s, s:o, s:o, s:o}", "tags", tags, "tensorflow_version",
		graph->tensorflow_version, "signatures", signatures_json(graph), "callables",
		callables_json(graph), "ops", ops);
}

static json_t *model_json(const struct saved_model *model)
{
	json_t *graphs = json_array();

	for (size_t i = 0; i < model->meta_graph_count; i++)
		json_array_append_new(graphs, meta_graph_json(&model->meta_graphs[i]));
	return json_pack("{s:I, s:b, s:s, s:o}", "schema_version", (json_int_t)model->schema_version,
		"truncated", (int)model->truncated, "odd_name", model->odd_name, "meta_graphs", graphs);
}

static json_t *dump(const char *path, bool is_text)
{
	AUTO_BUFFER struct buffer file = {0};
	struct memory_stream memory;
	struct saved_model *model;
	struct err err;
	json_t *json;

	if (!file_read_all(path, 1 << 30, &file, &err) ||
		!(is_text ? saved_model_read_text : saved_model_read)(
			memory_stream_init(&memory, file.data, file.length), NULL, &model, &err))
		return json_pack("{s:s}", "error", err.text);
	json = model_json(model);
	saved_model_destroy(model);
	return json;
}

int main(void)
{
	AUTO_FREE char *line = NULL;
	size_t room = 0;
	ssize_t length;

	while ((length = getline(&line, &room, stdin)) > 0) {
		char *path = strchr(line, ' ');

		line[length - 1] = '\0';
		if (!path)
			return 2;
		json_t *json = dump(path + 1, strncmp(line, "text ", 5) == 0);

		(void)json_dumpf(json, stdout, JSON_SORT_KEYS | JSON_COMPACT);
		(void)putchar('\n');
		(void)fflush(stdout);
		json_decref(json);
	}
	return 0;
}

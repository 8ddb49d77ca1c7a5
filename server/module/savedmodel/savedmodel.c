/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/savedmodel/savedmodel.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/module/safety/safety_ops.h"
#include "server/module/savedmodel/callables.h"
#include "server/module/savedmodel/message.h"
#include "server/module/savedmodel/tensor.h"
#include "server/module/savedmodel/textproto.h"

#define INIT_SIGNATURE "__saved_model_init_op"

/* What each costs where it is listed, beside its texts and tensors: as a value of JSON in memory. */
enum { GRAPH_COST = 1024, TAG_COST = 96, SIGNATURE_COST = 512, OP_COST = 384 };

struct reading {
	struct pool pool;
	size_t listed_left; /* of SAVED_MODEL_LISTED_BYTES_MAX */
	int64_t callables;
	struct saved_model *model;
	struct meta_graph graph; /* the one whose elements stream by */
	struct objects objects;  /* of the same */
	const struct saved_model_watch *watch;
	/* The node whose attributes stream by, and the function that it is in. */
	char function[FIELD_BYTES_MAX];
	unsigned saver_ops; /* of it so far: its name may come behind its nodes */
	struct safety_values values;
	bool was_truncated; /* as of the node before */
};

/* Whether there is room to list something of this cost. */
static bool may_list(struct reading *reading, size_t cost)
{
	if (cost > reading->listed_left) {
		reading->pool.truncated = true;
		return false;
	}
	reading->listed_left -= cost;
	return true;
}

/* The index of the first row that does not sort before op. */
static size_t op_position(const struct meta_graph *graph, const char *op)
{
	size_t low = 0;
	size_t high = graph->op_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(graph->ops[middle].op, op) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

bool meta_graph_count_op(struct meta_graph *graph, const char *op, int64_t count, size_t *listed_left)
{
	size_t at = op_position(graph, op);
	size_t cost = OP_COST + text_cost(op);

	if (*op == '\0')
		return true;
	if (at < graph->op_count && strcmp(graph->ops[at].op, op) == 0) {
		graph->ops[at].count += count;
		return true;
	}
	if (graph->op_count == SAVED_MODEL_OPS_MAX || cost > *listed_left)
		return false;
	*listed_left -= cost;
	MEM_GROW(graph->ops, graph->op_count, graph->op_capacity);
	memmove(&graph->ops[at + 1], &graph->ops[at], (graph->op_count - at) * sizeof *graph->ops);
	graph->ops[at] = (struct op_count){mem_dup(op), count};
	graph->op_count++;
	return true;
}

static void count_op(struct reading *reading, const char *op)
{
	if (!meta_graph_count_op(&reading->graph, op, 1, &reading->listed_left))
		reading->pool.truncated = true;
}

static int by_string(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static void take_info(struct reading *reading, const struct message *info)
{
	struct meta_graph *graph = &reading->graph;

	graph->tensorflow_version = mem_dup(message_string(info, META_INFO_TENSORFLOW_VERSION));
	for (const struct item *tag = message_items(info, META_INFO_TAGS); tag; tag = tag->next) {
		if (!may_list(reading, TAG_COST + text_cost(tag->string)))
			break;
		MEM_GROW(graph->tags, graph->tag_count, graph->tag_capacity);
		graph->tags[graph->tag_count++] = mem_dup(tag->string);
	}
	if (graph->tag_count > 0)
		qsort(graph->tags, graph->tag_count, sizeof *graph->tags, by_string);
}

static bool take_tensors(
	struct pool *pool, const struct message *signature, uint32_t number, struct tensors *out)
{
	size_t count;
	AUTO_FREE const struct message **entries = message_map(signature, number, &count);

	for (size_t i = 0; i < count; i++) {
		struct tensor tensor = {.name = mem_dup(message_string(entries[i], ENTRY_KEY))};

		tensor_from_info(&tensor, message_inner(entries[i], ENTRY_VALUE));
		if (!tensors_add(out, &tensor, pool))
			return false;
	}
	return true;
}

void signature_finish(struct signature *signature)
{
	free(signature->name);
	free(signature->method);
	tensors_finish(&signature->inputs);
	tensors_finish(&signature->outputs);
	*signature = (struct signature){0};
}

static bool take_signature(struct pool *pool, const struct message *entry, struct signature *out)
{
	const struct message *message = message_inner(entry, ENTRY_VALUE);
	const char *name = message_string(entry, ENTRY_KEY);
	const char *method = message_string(message, SIGNATURE_METHOD);

	*out = (struct signature){.name = mem_dup(name), .method = mem_dup(method)};
	if (take_tensors(pool, message, SIGNATURE_INPUTS, &out->inputs) &&
		take_tensors(pool, message, SIGNATURE_OUTPUTS, &out->outputs))
		return true;
	signature_finish(out);
	return false;
}

static size_t signature_cost(const struct signature *signature)
{
	return SIGNATURE_COST + text_cost(signature->name) + text_cost(signature->method) +
	       tensors_cost(&signature->inputs) + tensors_cost(&signature->outputs);
}

static void add_signature(struct reading *reading, const struct message *entry)
{
	struct meta_graph *graph = &reading->graph;
	struct signature signature;

	if (!take_signature(&reading->pool, entry, &signature))
		return;
	if (!may_list(reading, signature_cost(&signature))) {
		signature_finish(&signature);
		return;
	}
	MEM_GROW(graph->signatures, graph->signature_count, graph->signature_capacity);
	graph->signatures[graph->signature_count++] = signature;
}

static void take_signatures(struct reading *reading, const struct message *message)
{
	size_t count;
	AUTO_FREE const struct message **entries = message_map(message, META_GRAPH_SIGNATURES, &count);

	for (size_t i = 0; i < count; i++) {
		if (strcmp(message_string(entries[i], ENTRY_KEY), INIT_SIGNATURE) == 0)
			reading->pool.tallies[TALLY_SIGNATURES]--;
		else
			add_signature(reading, entries[i]);
	}
}

static void meta_graph_finish(struct meta_graph *graph)
{
	for (size_t i = 0; i < graph->tag_count; i++)
		free(graph->tags[i]);
	for (size_t i = 0; i < graph->signature_count; i++)
		signature_finish(&graph->signatures[i]);
	for (size_t i = 0; i < graph->callable_count; i++)
		callable_finish(&graph->callables[i]);
	for (size_t i = 0; i < graph->op_count; i++)
		free(graph->ops[i].op);
	free(graph->tags);
	free(graph->tensorflow_version);
	free(graph->signatures);
	free(graph->callables);
	free(graph->ops);
	*graph = (struct meta_graph){0};
}

static void take_meta_graph(struct reading *reading, const struct message *message)
{
	struct saved_model *model = reading->model;
	struct meta_graph *graph = &reading->graph;

	if (message_string(message_inner(message, META_GRAPH_SAVER), SAVER_RESTORE)[0])
		model->restores_variables = true;
	if (model->meta_graph_count == SAVED_MODEL_META_GRAPHS_MAX || !may_list(reading, GRAPH_COST)) {
		reading->pool.truncated = true;
		meta_graph_finish(graph);
	} else {
		take_info(reading, message_inner(message, META_GRAPH_INFO));
		take_signatures(reading, message);
		reading->callables += callables_find(&reading->pool, &reading->objects,
			message_inner(message, META_GRAPH_OBJECTS), graph, &reading->listed_left);
		MEM_GROW(model->meta_graphs, model->meta_graph_count, model->meta_graph_capacity);
		model->meta_graphs[model->meta_graph_count++] = *graph;
		*graph = (struct meta_graph){0};
	}
	objects_finish(&reading->objects);
}

/* ---- what the safety rules ask for ---- */

static void take_attribute(struct reading *reading, const struct message *entry)
{
	const char *key = message_string(entry, ENTRY_KEY);
	const struct message *value = message_inner(entry, ENTRY_VALUE);
	const struct item *item = message_items(message_inner(value, ATTR_LIST), ATTR_LIST_BYTES);

	if (!safety_values_want(key))
		return;
	safety_values_note(&reading->values, key, message_string(value, ATTR_BYTES));
	/* Whoever calls the function gives it. */
	if (message_has(value, ATTR_PLACEHOLDER))
		safety_values_note(&reading->values, key, "what its function is called with");
	for (; item; item = item->next)
		safety_values_note(&reading->values, key, item->string);
}

static void judge_node(struct reading *reading, const struct message *node, bool is_in_function)
{
	const struct safety_node seen = {.op = message_string(node, NODE_OP),
		.name = message_string(node, NODE_NAME),
		.values = &reading->values,
		.is_unread = reading->pool.truncated && !reading->was_truncated};

	if (is_in_function && safety_saver_op(seen.op) >= 0)
		reading->saver_ops |= 1U << safety_saver_op(seen.op);
	else
		safety_ops_judge(reading->watch->findings, reading->watch->where, &seen);
	for (size_t i = 0; i < SAFETY_ATTRIBUTES_MAX; i++)
		reading->values.texts[i][0] = '\0';
	reading->was_truncated = reading->pool.truncated;
}

static void end_function(struct reading *reading)
{
	safety_ops_judge_saver(
		reading->watch->findings, reading->watch->where, reading->saver_ops, reading->function);
	reading->function[0] = '\0';
	reading->saver_ops = 0;
}

/* Clients look for it below assets/. */
static void judge_asset(struct reading *reading, const struct message *asset)
{
	const char *name = message_string(asset, ASSET_FILENAME);

	if (name[0] == '/' || strchr(name, '\\') || strstr(name, "://") || strcmp(name, "..") == 0 ||
		strncmp(name, "../", 3) == 0 || strstr(name, "/../") ||
		(strlen(name) > 3 && strcmp(name + strlen(name) - 3, "/..") == 0))
		safety_findings_add(
			reading->watch->findings, SAFETY_ASSET_PATH, reading->watch->where, "%s", name);
}

static void watch_element(
	struct reading *reading, const struct message_type *type, const struct message *element)
{
	if (type == &attr_entry_type)
		take_attribute(reading, element);
	else if (type == &node_type || type == &function_node_type)
		judge_node(reading, element, type == &function_node_type);
	else if (type == &op_def_type)
		(void)snprintf(reading->function, sizeof reading->function, "%s",
			message_string(element, OP_DEF_NAME));
	else if (type == &function_def_type)
		end_function(reading);
	else if (type == &asset_type)
		judge_asset(reading, element);
}

static bool take_element(void *listener, const struct message_type *type, const struct message *element)
{
	struct reading *reading = listener;

	if (reading->watch)
		watch_element(reading, type, element);
	if (type == &object_type && message_has(element, OBJECT_VARIABLE))
		reading->model->restores_variables = true;
	if (type == &object_type)
		return objects_add(&reading->objects, element);
	if (type == &concrete_entry_type)
		return objects_want(&reading->objects, element);
	if (type == &node_type || type == &function_node_type)
		count_op(reading, message_string(element, NODE_OP));
	else if (type == &meta_graph_type && element)
		take_meta_graph(reading, element);
	return false;
}

static struct saved_model_counts counts_of(const struct reading *reading)
{
	const int64_t *tallies = reading->pool.tallies;

	return (struct saved_model_counts){.meta_graphs = tallies[TALLY_META_GRAPHS],
		.tags = tallies[TALLY_TAGS],
		.signatures = tallies[TALLY_SIGNATURES],
		.tensors = tallies[TALLY_TENSORS],
		.callables = reading->callables,
		.nodes = tallies[TALLY_NODES]};
}

static bool read_model(struct stream *stream, const struct saved_model_watch *watch,
	bool (*read)(struct pool *pool, struct message *message, struct stream *stream, struct err *err),
	struct saved_model **out, struct err *err)
{
	AUTO_SAVED_MODEL struct saved_model *model = mem_zero(1, sizeof *model);
	struct reading reading = {.model = model, .watch = watch};
	struct message *root;
	bool done;

	reading.listed_left = SAVED_MODEL_LISTED_BYTES_MAX;
	reading.pool = (struct pool){.element = take_element,
		.listener = &reading,
		.schema = &proto_saved_model,
		.bytes_left = SAVED_MODEL_WORKING_BYTES_MAX,
		.visits_left = SAVED_MODEL_VISITS_MAX};
	root = message_create(&reading.pool, &saved_model_type);
	done = read(&reading.pool, root, stream, err);
	model->schema_version = message_integer(root, SAVED_MODEL_SCHEMA_VERSION);
	model->truncated = reading.pool.truncated;
	model->counts = counts_of(&reading);
	(void)snprintf(model->odd_name, sizeof model->odd_name, "%s", reading.pool.odd_name);
	model->odd_is_value = reading.pool.odd_is_value;
	meta_graph_finish(&reading.graph);
	objects_finish(&reading.objects);
	pool_finish(&reading.pool);
	if (!done)
		return false;
	if (model->meta_graph_count == 0)
		return err_set(err, ERR_INVALID_MODULE, "The SavedModel has no meta graph.");
	*out = TAKE(model);
	return true;
}

bool saved_model_read(struct stream *stream, const struct saved_model_watch *watch, struct saved_model **out,
	struct err *err)
{
	return read_model(stream, watch, message_read, out, err);
}

bool saved_model_read_text(struct stream *stream, const struct saved_model_watch *watch,
	struct saved_model **out, struct err *err)
{
	if (!read_model(stream, watch, textproto_read, out, err))
		return false;
	(*out)->is_text = true;
	return true;
}

void saved_model_destroy(struct saved_model *model)
{
	if (!model)
		return;
	for (size_t i = 0; i < model->meta_graph_count; i++)
		meta_graph_finish(&model->meta_graphs[i]);
	free(model->meta_graphs);
	free(model);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/formats/modellist.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "server/module/savedmodel/tensor.h"

/* What one costs beside its texts and tensors, as savedmodel.c has it. */
enum { SIGNATURE_COST = 512 };

void modellist_init(struct modellist *listing, enum model_kind kind)
{
	struct saved_model *model = mem_zero(1, sizeof *model);

	MEM_GROW(model->meta_graphs, model->meta_graph_count, model->meta_graph_capacity);
	model->meta_graphs[model->meta_graph_count++] =
		(struct meta_graph){.tensorflow_version = mem_dup("")};
	model->kind = kind;
	model->counts.meta_graphs = 1;
	*listing = (struct modellist){model, &model->meta_graphs[0], SAVED_MODEL_LISTED_BYTES_MAX};
}

void modellist_finish(struct modellist *listing)
{
	saved_model_destroy(TAKE(listing->model));
}

static bool may_list(struct modellist *listing, size_t cost)
{
	if (cost > listing->left) {
		listing->model->truncated = true;
		return false;
	}
	listing->left -= cost;
	return true;
}

bool modellist_add_tensor(struct modellist *listing, struct tensors *tensors, struct tensor *tensor)
{
	struct tensors alone = {.items = tensor, .count = 1};

	listing->model->counts.tensors++;
	if (!may_list(listing, tensors_cost(&alone))) {
		tensor_finish(tensor);
		return false;
	}
	MEM_GROW(tensors->items, tensors->count, tensors->capacity);
	tensors->items[tensors->count++] = *tensor;
	*tensor = (struct tensor){0};
	return true;
}

bool modellist_is_full(const struct modellist *listing)
{
	struct tensor least = {.name = (char *)""};

	return tensors_cost(&(struct tensors){.items = &least, .count = 1}) > listing->left;
}

void modellist_pass_tensor(struct modellist *listing)
{
	listing->model->counts.tensors++;
	listing->model->truncated = true;
}

void modellist_add_signature(struct modellist *listing, struct signature *signature)
{
	struct meta_graph *graph = listing->graph;

	listing->model->counts.signatures++;
	if (!may_list(listing, SIGNATURE_COST + text_cost(signature->name) + text_cost(signature->method))) {
		signature_finish(signature);
		return;
	}
	MEM_GROW(graph->signatures, graph->signature_count, graph->signature_capacity);
	graph->signatures[graph->signature_count++] = *signature;
	*signature = (struct signature){0};
}

void modellist_count_op(struct modellist *listing, const char *op)
{
	listing->model->counts.nodes++;
	if (!meta_graph_count_op(listing->graph, op, 1, &listing->left))
		listing->model->truncated = true;
}

void modellist_add_counts(struct modellist *listing, const struct modellist *other)
{
	struct saved_model *model = listing->model;

	model->counts.tensors += other->model->counts.tensors;
	model->counts.nodes += other->model->counts.nodes;
	model->truncated = model->truncated || other->model->truncated;
	for (size_t i = 0; i < other->graph->op_count; i++) {
		const struct op_count *op = &other->graph->ops[i];

		if (!meta_graph_count_op(listing->graph, op->op, op->count, &listing->left))
			model->truncated = true;
	}
}

static int by_name(const void *left, const void *right)
{
	return strcmp(((const struct signature *)left)->name, ((const struct signature *)right)->name);
}

struct saved_model *modellist_take(struct modellist *listing)
{
	struct meta_graph *graph = listing->graph;

	if (graph->signature_count > 1)
		qsort(graph->signatures, graph->signature_count, sizeof *graph->signatures, by_name);
	return TAKE(listing->model);
}

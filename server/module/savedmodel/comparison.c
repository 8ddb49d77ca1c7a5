/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/savedmodel/comparison.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"

enum { TRACES_MAX = 256 };

static const char *const change_names[CHANGE_COUNT] = {
	[CHANGE_ADDED] = "added", [CHANGE_REMOVED] = "removed", [CHANGE_CHANGED] = "changed"};

const char *change_name(enum change change)
{
	return change_names[change];
}

static bool same_text(const char *a, const char *b)
{
	return strcmp(a ? a : "", b ? b : "") == 0;
}

/* ---- shapes ---- */

/* Whether every tensor that fits into the one shape fits into the other, too. */
static bool admits(const struct shape *wide, const struct shape *narrow)
{
	if (wide->kind != SHAPE_KNOWN)
		return true;
	if (narrow->kind != SHAPE_KNOWN || narrow->rank != wide->rank)
		return false;
	for (size_t i = 0; i < wide->rank; i++) {
		if (wide->dimensions[i] >= 0 && wide->dimensions[i] != narrow->dimensions[i])
			return false;
	}
	return true;
}

static bool same_shape(const struct shape *a, const struct shape *b)
{
	return a->kind == b->kind && admits(a, b) && admits(b, a);
}

/* ---- tensors ---- */

static bool same_kind(const struct tensor *a, const struct tensor *b)
{
	return a->dtype == b->dtype && a->encoding == b->encoding && same_text(a->type, b->type);
}

/* What a tensor is called within the graph is nobody's business. */
static bool same_tensor(const struct tensor *a, const struct tensor *b)
{
	return same_text(a->name, b->name) && same_kind(a, b) && same_shape(&a->shape, &b->shape);
}

static bool same_tensors(const struct tensors *a, const struct tensors *b)
{
	if (a->count != b->count)
		return false;
	for (size_t i = 0; i < a->count; i++) {
		if (!same_tensor(&a->items[i], &b->items[i]))
			return false;
	}
	return true;
}

/* Tensors by name, of which a stranger may have very many. */
struct lookup {
	const struct tensors *tensors;
	const struct tensor **sorted; /* those that have a name */
	size_t count;
};

static void finish_lookup(struct lookup *lookup)
{
	free(lookup->sorted);
}

static int compare_tensor_names(const void *a, const void *b)
{
	return strcmp((*(const struct tensor *const *)a)->name, (*(const struct tensor *const *)b)->name);
}

static struct lookup lookup_init(const struct tensors *tensors)
{
	struct lookup lookup = {tensors, mem_zero(tensors->count + 1, sizeof *lookup.sorted), 0};

	for (size_t i = 0; i < tensors->count; i++) {
		if (tensors->items[i].name)
			lookup.sorted[lookup.count++] = &tensors->items[i];
	}
	qsort(lookup.sorted, lookup.count, sizeof *lookup.sorted, compare_tensor_names);
	return lookup;
}

/* By name, or by its place where it has none. */
static const struct tensor *counterpart(const struct lookup *lookup, const struct tensor *of, size_t place)
{
	const struct tensors *tensors = lookup->tensors;
	const struct tensor **found;

	if (!of->name)
		return place < tensors->count && !tensors->items[place].name ? &tensors->items[place] : NULL;
	found = bsearch(&of, lookup->sorted, lookup->count, sizeof *lookup->sorted, compare_tensor_names);
	return found ? *found : NULL;
}

/* Callers break when an input takes less than it did, or an output gives what it did not. */
static bool breaks(const struct tensor *from, const struct tensor *to, bool is_input)
{
	if (!from || !to)
		return is_input || !to;
	return !same_kind(from, to) ||
	       !(is_input ? admits(&to->shape, &from->shape) : admits(&from->shape, &to->shape));
}

static void note_tensor(
	struct tensor_changes *out, const struct tensor *from, const struct tensor *to, bool is_input)
{
	MEM_GROW(out->items, out->count, out->capacity);
	out->items[out->count++] = (struct tensor_change){.change = !from ? CHANGE_ADDED
								    : !to ? CHANGE_REMOVED
									  : CHANGE_CHANGED,
		.breaking = breaks(from, to, is_input),
		.from = from,
		.to = to};
}

static void compare_tensors(
	const struct tensors *from, const struct tensors *to, bool is_input, struct tensor_changes *out)
{
	AUTO(finish_lookup) struct lookup old = lookup_init(from);
	AUTO(finish_lookup) struct lookup new = lookup_init(to);

	for (size_t i = 0; i < from->count; i++) {
		const struct tensor *other = counterpart(&new, &from->items[i], i);

		if (!other || !same_tensor(&from->items[i], other))
			note_tensor(out, &from->items[i], other, is_input);
	}
	for (size_t i = 0; i < to->count; i++) {
		if (!counterpart(&old, &to->items[i], i))
			note_tensor(out, NULL, &to->items[i], is_input);
	}
}

static bool any_breaks(const struct tensor_changes *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		if (changes->items[i].breaking)
			return true;
	}
	return false;
}

/* ---- signatures and callables ---- */

/* What both are. */
struct function {
	const char *name;
	const struct tensors *inputs;
	const struct tensors *outputs;
};

struct functions {
	const struct meta_graph *graph;
	struct function *items;
	size_t count;
	bool *done; /* has found its counterpart, or was told of */
};

static const struct tensors no_tensors;

static void finish_functions(struct functions *functions)
{
	free(functions->items);
	free(functions->done);
}

static struct functions signatures_of(const struct meta_graph *graph)
{
	struct functions functions = {.graph = graph, .count = graph ? graph->signature_count : 0};

	functions.items = mem_zero(functions.count + 1, sizeof *functions.items);
	functions.done = mem_zero(functions.count + 1, sizeof *functions.done);
	for (size_t i = 0; i < functions.count; i++) {
		const struct signature *signature = &graph->signatures[i];

		functions.items[i] =
			(struct function){signature->name, &signature->inputs, &signature->outputs};
	}
	return functions;
}

static struct functions callables_of(const struct meta_graph *graph)
{
	struct functions functions = {.graph = graph, .count = graph ? graph->callable_count : 0};

	functions.items = mem_zero(functions.count + 1, sizeof *functions.items);
	functions.done = mem_zero(functions.count + 1, sizeof *functions.done);
	for (size_t i = 0; i < functions.count; i++) {
		const struct callable *callable = &graph->callables[i];

		functions.items[i] = (struct function){callable->name, &callable->inputs, &callable->outputs};
	}
	return functions;
}

/* Where the functions of this name begin: both are sorted by name. */
static size_t find_name(const struct functions *functions, const char *name)
{
	size_t low = 0, high = functions->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (strcmp(functions->items[middle].name, name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

/* The first one of this name that is not done, which with `equal` is the same in all; count if there is none.
 * Of very many traces only some are looked at. */
static size_t find_function(const struct functions *functions, const struct function *wanted, bool equal)
{
	size_t looked_at = 0;

	for (size_t i = find_name(functions, wanted->name);
		i < functions->count && strcmp(functions->items[i].name, wanted->name) == 0; i++) {
		const struct function *here = &functions->items[i];

		if (functions->done[i])
			continue;
		if (!equal || (same_tensors(here->inputs, wanted->inputs) &&
				      same_tensors(here->outputs, wanted->outputs)))
			return i;
		if (++looked_at == TRACES_MAX)
			break;
	}
	return functions->count;
}

/* Nobody calls yet what is new. */
static void forgive(struct function_change *change)
{
	for (size_t i = 0; i < change->inputs.count; i++)
		change->inputs.items[i].breaking = false;
}

static void note_function(struct function_changes *out, const struct meta_graph *graph,
	const struct function *from, const struct function *to)
{
	struct function_change *change;

	MEM_GROW(out->items, out->count, out->capacity);
	change = &out->items[out->count++];
	*change = (struct function_change){.graph = graph,
		.name = from ? from->name : to->name,
		.change = !from ? CHANGE_ADDED
			  : !to ? CHANGE_REMOVED
				: CHANGE_CHANGED};
	compare_tensors(
		from ? from->inputs : &no_tensors, to ? to->inputs : &no_tensors, true, &change->inputs);
	compare_tensors(
		from ? from->outputs : &no_tensors, to ? to->outputs : &no_tensors, false, &change->outputs);
	if (!from)
		forgive(change);
	change->breaking = !to || any_breaks(&change->inputs) || any_breaks(&change->outputs);
}

/* Of several traces under one name those that are equal belong together, the others in their order. */
static void compare_functions(struct functions *from, struct functions *to, struct function_changes *out)
{
	for (int equal = 1; equal >= 0; equal--) {
		for (size_t i = 0; i < from->count; i++) {
			size_t other = from->done[i] ? to->count : find_function(to, &from->items[i], equal);

			if (other == to->count)
				continue;
			from->done[i] = to->done[other] = true;
			if (!equal)
				note_function(out, to->graph, &from->items[i], &to->items[other]);
		}
	}
	for (size_t i = 0; i < from->count; i++) {
		if (!from->done[i])
			note_function(out, from->graph, &from->items[i], NULL);
	}
	for (size_t i = 0; i < to->count; i++) {
		if (!to->done[i])
			note_function(out, to->graph, NULL, &to->items[i]);
	}
}

/* ---- meta graphs ---- */

static bool same_tags(const struct meta_graph *a, const struct meta_graph *b)
{
	if (a->tag_count != b->tag_count)
		return false;
	for (size_t i = 0; i < a->tag_count; i++) {
		if (strcmp(a->tags[i], b->tags[i]) != 0)
			return false;
	}
	return true;
}

static const struct meta_graph *find_graph(const struct saved_model *model, const struct meta_graph *like)
{
	for (size_t i = 0; i < model->meta_graph_count; i++) {
		if (same_tags(&model->meta_graphs[i], like))
			return &model->meta_graphs[i];
	}
	return NULL;
}

/* Either may be NULL. */
static void compare_graphs(const struct meta_graph *from, const struct meta_graph *to, struct comparison *out)
{
	AUTO(finish_functions) struct functions old_signatures = signatures_of(from);
	AUTO(finish_functions) struct functions new_signatures = signatures_of(to);
	AUTO(finish_functions) struct functions old_callables = callables_of(from);
	AUTO(finish_functions) struct functions new_callables = callables_of(to);

	compare_functions(&old_signatures, &new_signatures, &out->signatures);
	compare_functions(&old_callables, &new_callables, &out->callables);
}

/* ---- ops ---- */

static int compare_ops(const void *a, const void *b)
{
	return strcmp(((const struct op_change *)a)->op, ((const struct op_change *)b)->op);
}

static void gather_ops(
	const struct saved_model *model, bool is_to, struct op_change **all, size_t *count, size_t *capacity)
{
	for (size_t graph = 0; graph < model->meta_graph_count; graph++) {
		const struct meta_graph *here = &model->meta_graphs[graph];

		for (size_t i = 0; i < here->op_count; i++) {
			MEM_GROW(*all, *count, *capacity);
			(*all)[(*count)++] = (struct op_change){here->ops[i].op,
				is_to ? 0 : here->ops[i].count, is_to ? here->ops[i].count : 0};
		}
	}
}

/* Sums up what has one name, and leaves out what is as often as it was. */
static size_t merge_ops(struct op_change *ops, size_t count)
{
	size_t kept = 0;

	for (size_t i = 0; i < count;) {
		struct op_change sum = ops[i++];

		for (; i < count && strcmp(ops[i].op, sum.op) == 0; i++) {
			sum.from += ops[i].from;
			sum.to += ops[i].to;
		}
		if (sum.from != sum.to)
			ops[kept++] = sum;
	}
	return kept;
}

/* ---- all of it ---- */

static bool any_function_breaks(const struct function_changes *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		if (changes->items[i].breaking)
			return true;
	}
	return false;
}

void compare_models(const struct saved_model *from, const struct saved_model *to, struct comparison *out)
{
	size_t count = 0, capacity = 0;

	*out = (struct comparison){0};
	for (size_t i = 0; i < from->meta_graph_count; i++)
		compare_graphs(&from->meta_graphs[i], find_graph(to, &from->meta_graphs[i]), out);
	for (size_t i = 0; i < to->meta_graph_count; i++) {
		if (!find_graph(from, &to->meta_graphs[i]))
			compare_graphs(NULL, &to->meta_graphs[i], out);
	}
	gather_ops(from, false, &out->ops, &count, &capacity);
	gather_ops(to, true, &out->ops, &count, &capacity);
	if (count > 0)
		qsort(out->ops, count, sizeof *out->ops, compare_ops);
	out->op_count = merge_ops(out->ops, count);
	out->breaking = any_function_breaks(&out->signatures) || any_function_breaks(&out->callables);
}

static void finish_changes(struct function_changes *changes)
{
	for (size_t i = 0; i < changes->count; i++) {
		free(changes->items[i].inputs.items);
		free(changes->items[i].outputs.items);
	}
	free(changes->items);
}

void comparison_finish(struct comparison *comparison)
{
	finish_changes(&comparison->signatures);
	finish_changes(&comparison->callables);
	free(comparison->ops);
	*comparison = (struct comparison){0};
}

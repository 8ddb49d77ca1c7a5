/* SPDX-License-Identifier: Apache-2.0
 *
 * What the root object of a TF2 SavedModel lets itself be called with: the functions among its children, one
 * callable for each distinct trace. */
#ifndef SERVER_MODULE_SAVEDMODEL_CALLABLES_H
#define SERVER_MODULE_SAVEDMODEL_CALLABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/module/savedmodel/message.h"
#include "server/module/savedmodel/model_facts.h"

/* The objects of one graph that matter here, out of all that stream by: the root, which comes first, and the
 * functions among its children. */
struct objects {
	const struct message *root;
	int64_t *wanted; /* ids of the root's children, sorted */
	size_t wanted_count;
	size_t wanted_capacity;
	struct function_object {
		int64_t id;
		const struct message *function;
	} * functions; /* sorted by id */
	size_t function_count;
	size_t function_capacity;
	int64_t next_id;
	bool is_collected; /* traces has what the functions name, sorted: as of the first concrete function */
	bool is_disordered; /* functions came behind concrete functions */
	bool has_dropped;   /* entries that a function behind them may name */
	size_t spare_count; /* entries that were kept although nothing names them */
	const char **traces;
	size_t trace_count;
	size_t trace_capacity;
};

/* Looks at the next SavedObject (NULL: one that there is no room for); says whether the pool must keep it. */
bool objects_add(struct objects *objects, const struct message *object);

/* Whether one of the functions names this entry of the concrete functions, so that the pool must keep it. */
bool objects_want(struct objects *objects, const struct message *entry);
void objects_finish(struct objects *objects);

/* Adds the callables to the meta graph, sorted, as far as the pool has bytes left for them and *listed_left,
 * of which it takes what they cost, reaches. Gives how many there are, those included that are alike. */
int64_t callables_find(struct pool *pool, const struct objects *objects, const struct message *object_graph,
	struct meta_graph *graph, size_t *listed_left);

void callable_finish(struct callable *callable);

#endif

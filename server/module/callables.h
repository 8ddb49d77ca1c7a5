/* SPDX-License-Identifier: Apache-2.0
 *
 * What the root object of a TF2 SavedModel lets itself be called with: the functions among its children, one
 * callable for each distinct trace. */
#ifndef SERVER_MODULE_CALLABLES_H
#define SERVER_MODULE_CALLABLES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/module/message.h"
#include "server/module/savedmodel.h"

/* The objects of one graph that matter here, out of all that stream by. */
struct objects {
	const struct message *root;
	struct function_object {
		int64_t id;
		const struct message *function;
	} * functions; /* sorted by id */
	size_t function_count;
	size_t function_capacity;
	int64_t next_id;
};

/* Looks at the next SavedObject; says whether the pool must keep it. */
bool objects_add(struct objects *objects, const struct message *object);
void objects_finish(struct objects *objects);

/* Adds the callables to the meta graph, sorted, as far as the pool has bytes left for them. */
void callables_find(struct pool *pool, const struct objects *objects, const struct message *object_graph,
	struct meta_graph *graph);

void callable_finish(struct callable *callable);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * What differs between two SavedModels as far as callers notice, and whether code that was written for the
 * one breaks with the other. */
#ifndef SERVER_MODULE_SAVEDMODEL_COMPARISON_H
#define SERVER_MODULE_SAVEDMODEL_COMPARISON_H

#include "server/module/savedmodel/model_facts.h"

enum change { CHANGE_ADDED, CHANGE_REMOVED, CHANGE_CHANGED, CHANGE_COUNT };
const char *change_name(enum change change); /* "added" … */

/* An input or output; the side that lacks it is NULL. */
struct tensor_change {
	enum change change;
	bool breaking;
	const struct tensor *from;
	const struct tensor *to;
};

struct tensor_changes {
	struct tensor_change *items;
	size_t count;
	size_t capacity;
};

/* A signature or callable; of one that was added or removed all of its tensors are. */
struct function_change {
	const struct meta_graph *graph; /* that it is in, or was */
	const char *name;
	enum change change;
	bool breaking;
	struct tensor_changes inputs;
	struct tensor_changes outputs;
};

struct function_changes {
	struct function_change *items;
	size_t count;
	size_t capacity;
};

struct op_change {
	const char *op;
	int64_t from; /* of all meta graphs; 0: none */
	int64_t to;
};

/* Only what differs. */
struct comparison {
	bool breaking;
	struct function_changes signatures;
	struct function_changes callables;
	struct op_change *ops; /* by op */
	size_t op_count;
};

/* Meta graphs are held against each other by their tags. Both models must outlive what comes of it. */
void compare_models(const struct saved_model *from, const struct saved_model *to, struct comparison *out);
void comparison_finish(struct comparison *comparison);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Judges the nodes of a graph, one after another: which of TensorFlow's ops can reach out of it, and which
 * are not TensorFlow's. */
#ifndef SERVER_MODULE_SAFETY_SAFETY_OPS_H
#define SERVER_MODULE_SAFETY_SAFETY_OPS_H

#include <stdbool.h>

#include "server/module/safety/safety_findings.h"

/* What one node says in attributes that a rule asks for; zeroed, nothing. */
struct safety_values {
	char texts[SAFETY_ATTRIBUTES_MAX][SAFETY_TEXT_MAX + 1];
};

/* Notes one, where a rule asks for it; of several what can do harm. */
void safety_values_note(struct safety_values *values, const char *attribute, const char *value);

/* Whether a rule asks for an attribute of this name. */
bool safety_values_want(const char *attribute);

/* One node, as far as it was read. */
struct safety_node {
	const char *op;
	const char *name;
	const struct safety_values *values;
	bool is_unread; /* it has more than there was room for */
};

/* Adds what the rules say of it. */
void safety_ops_judge(struct safety_findings *findings, const char *where, const struct safety_node *node);

/* Which of the ops of savers this is; -1: none. There are fewer than 16. */
int safety_saver_op(const char *op);

/* Of a function of this name that has those of them whose bits are set. */
void safety_ops_judge_saver(
	struct safety_findings *findings, const char *where, unsigned ops, const char *function);

/* Of an op that stands in another kind of graph, such as TF.js's. False where TensorFlow has none of this
 * name. */
bool safety_ops_judge_name(struct safety_findings *findings, const char *where, const char *op);

#endif

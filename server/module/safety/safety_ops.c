/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/safety/safety_ops.h"

#include <stdio.h>
#include <string.h>

#include "common/globs.h"
#include "server/module/safety/safety_rules.h"

/* What attributes that a rule asks for say where nothing reaches out. */
static bool is_harmless(const char *value)
{
	return value[0] == '\0' ||
	       globs_match("stderr,stdout,log(info),log(warning),log(error),local://,bytes://*", value);
}

/* Where it is kept; -1: no rule asks for it. */
static int index_of(const char *attribute)
{
	for (size_t i = 0; i < safety_attribute_count; i++) {
		if (strcmp(safety_attributes[i], attribute) == 0)
			return (int)i;
	}
	return -1;
}

bool safety_values_want(const char *attribute)
{
	return index_of(attribute) >= 0;
}

void safety_values_note(struct safety_values *values, const char *attribute, const char *value)
{
	int index = index_of(attribute);

	if (index >= 0 && is_harmless(values->texts[index]))
		(void)snprintf(values->texts[index], sizeof values->texts[index], "%s", value);
}

static const char *const saver_ops[] = {"DTensorRestoreV2", "MergeV2Checkpoints", "Restore", "RestoreSlice",
	"RestoreV2", "Save", "SaveSlices", "SaveV2"};

int safety_saver_op(const char *op)
{
	for (size_t i = 0; i < sizeof saver_ops / sizeof *saver_ops; i++) {
		if (strcmp(saver_ops[i], op) == 0)
			return (int)i;
	}
	return -1;
}

static void add_saver_op(
	struct safety_findings *findings, const char *where, const char *op, bool is_of_saver)
{
	enum safety_rule_id rule = is_of_saver             ? SAFETY_OP_SAVER
				   : strstr(op, "Restore") ? SAFETY_OP_FILE_READ
							   : SAFETY_OP_FILE_WRITE;

	safety_findings_add(findings, rule, where, "%s", op);
}

/* As tf.saved_model.save names what it adds. */
void safety_ops_judge_saver(
	struct safety_findings *findings, const char *where, unsigned ops, const char *function)
{
	bool is_of_saver = globs_match("__inference__traced_save_*,__inference__traced_restore_*", function);

	for (size_t i = 0; i < sizeof saver_ops / sizeof *saver_ops; i++) {
		if (ops >> i & 1)
			add_saver_op(findings, where, saver_ops[i], is_of_saver);
	}
}

static void judge_listed(struct safety_findings *findings, const char *where, const struct safety_op *op,
	const struct safety_node *node)
{
	int index = index_of(op->attribute);
	const char *value = index >= 0 ? node->values->texts[index] : "";

	if (index >= 0 && !is_harmless(value))
		safety_findings_add(findings, op->rule, where, "%s, %s = %s", node->op, op->attribute, value);
	else if (index < 0 || node->is_unread)
		safety_findings_add(findings, op->rule, where, "%s", node->op);
}

void safety_ops_judge(struct safety_findings *findings, const char *where, const struct safety_node *node)
{
	const struct safety_op *op = safety_op_find(node->op);

	if (node->op[0] == '\0')
		safety_findings_add(findings, SAFETY_OP_HIDDEN_GRAPH, where,
			"a node whose op is too long, or has no room, to be looked at");
	else if (safety_saver_op(node->op) >= 0)
		/* As tf.train.Saver names what it adds. */
		add_saver_op(
			findings, where, node->op, globs_match("save/*,save_[0-9]*/*,*/save/*", node->name));
	else if (op)
		judge_listed(findings, where, op, node);
	else if (!safety_op_is_known(node->op))
		safety_findings_add(findings, SAFETY_OP_CUSTOM, where, "%s", node->op);
}

bool safety_ops_judge_name(struct safety_findings *findings, const char *where, const char *op)
{
	const struct safety_op *listed = safety_op_find(op);

	if (listed && !listed->attribute[0] && safety_saver_op(op) < 0)
		safety_findings_add(findings, listed->rule, where, "%s", op);
	return listed || safety_op_is_known(op);
}

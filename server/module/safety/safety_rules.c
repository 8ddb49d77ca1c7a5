/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/safety/safety_rules.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"

/* Of a dotted name that is imported. */
enum { IMPORT_PARTS_MAX = 5 };

static const char *const severity_names[SAFETY_SEVERITY_COUNT] = {
	[SAFETY_SEVERITY_INFO] = "info",
	[SAFETY_SEVERITY_LOW] = "low",
	[SAFETY_SEVERITY_MEDIUM] = "medium",
	[SAFETY_SEVERITY_HIGH] = "high",
	[SAFETY_SEVERITY_CRITICAL] = "critical",
};

bool safety_rule_find(const char *name, enum safety_rule_id *out)
{
	for (int id = 0; id < SAFETY_RULE_COUNT; id++) {
		if (strcmp(safety_rules[id].name, name) == 0) {
			*out = (enum safety_rule_id)id;
			return true;
		}
	}
	return false;
}

const char *safety_severity_name(enum safety_severity severity)
{
	return severity_names[severity];
}

bool safety_severity_find(const char *name, enum safety_severity *out)
{
	for (int severity = 0; severity < SAFETY_SEVERITY_COUNT; severity++) {
		if (strcmp(severity_names[severity], name) == 0) {
			*out = (enum safety_severity)severity;
			return true;
		}
	}
	return false;
}

static int by_name(const void *name, const void *op)
{
	return strcmp(name, ((const struct safety_op *)op)->name);
}

static bool begins_so(const struct safety_op *op, const char *name)
{
	size_t length = strlen(op->name);

	return op->name[length - 1] == '*' && strncmp(op->name, name, length - 1) == 0;
}

const struct safety_op *safety_op_find(const char *name)
{
	const struct safety_op *found =
		bsearch(name, safety_ops, safety_op_count, sizeof *safety_ops, by_name);

	if (found || safety_op_is_known(name))
		return found;
	for (size_t i = 0; i < safety_op_count; i++) {
		/* Of those that fit, the longest says most of it. */
		if (begins_so(&safety_ops[i], name) &&
			(!found || strlen(safety_ops[i].name) > strlen(found->name)))
			found = &safety_ops[i];
	}
	return found;
}

bool safety_op_is_known(const char *name)
{
	size_t low = 0;
	size_t high = safety_op_name_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;
		int order = strcmp(safety_op_names + safety_op_offsets[middle], name);

		if (order == 0)
			return true;
		if (order < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return false;
}

bool safety_keras_has(const char *name)
{
	for (size_t i = 0; i < safety_keras_class_count; i++) {
		if (strcmp(safety_keras_classes[i], name) == 0)
			return true;
	}
	return false;
}

/* How much of the module's name the row speaks of; 0: it does not fit. */
static size_t import_fit(const struct safety_import *row, const char *module, const char *name)
{
	size_t length = strlen(row->module);
	bool is_wide = length > 2 && strcmp(row->module + length - 2, ".*") == 0;
	size_t stem = is_wide ? length - 2 : length;

	if (strncmp(row->module, module, stem) != 0 ||
		!(module[stem] == '\0' || (is_wide && module[stem] == '.')))
		return 0;
	if (strcmp(row->name, name) == 0)
		return 2 * stem + 1;
	return strcmp(row->name, "*") == 0 ? 2 * stem : 0;
}

/* They are sorted by module. */
static size_t first_import(char letter)
{
	size_t low = 0;
	size_t high = safety_import_count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (safety_imports[middle].module[0] < letter)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static enum safety_verdict judge_rows(const char *module, const char *name)
{
	enum safety_verdict verdict = SAFETY_UNKNOWN;
	size_t best = 0;

	for (size_t i = first_import(module[0]);
		i < safety_import_count && safety_imports[i].module[0] == module[0]; i++) {
		size_t fit = import_fit(&safety_imports[i], module, name);

		if (fit > best || (fit == best && fit > 0 && safety_imports[i].is_denied)) {
			best = fit;
			verdict = safety_imports[i].is_denied ? SAFETY_DENIED : SAFETY_ALLOWED;
		}
	}
	return verdict;
}

/* A module has its twin in C, or imports it so that it stays its own: by the same name with "_" before it. */
static enum safety_verdict judge_plain(const char *module, const char *name)
{
	enum safety_verdict verdict = judge_rows(module, name);

	if (verdict == SAFETY_UNKNOWN && module[0] == '_' &&
		judge_rows(module + strspn(module, "_"), name) == SAFETY_DENIED)
		verdict = SAFETY_DENIED;
	return verdict;
}

/* What every object and module has, and by which others are reached; or more dots than any class has. */
static bool is_far_reaching(const char *name)
{
	unsigned parts = 0;

	for (const char *at = name; *at; at += strspn(at, ".")) {
		size_t length = strcspn(at, ".");

		if (++parts > IMPORT_PARTS_MAX ||
			(length > 4 && memcmp(at, "__", 2) == 0 && memcmp(at + length - 2, "__", 2) == 0))
			return true;
		at += length;
	}
	return false;
}

/* Whether some cut of the dotted path makes a module that is denied, and what it has. */
static bool is_denied_at_a_dot(const char *path)
{
	AUTO_FREE char *cut = mem_dup(path);
	bool is_denied = judge_plain(path, "*") == SAFETY_DENIED;

	for (char *dot = strchr(cut, '.'); dot && !is_denied; dot = strchr(dot + 1, '.')) {
		*dot = '\0';
		is_denied = judge_plain(cut, dot + 1) == SAFETY_DENIED;
		*dot = '.';
	}
	return is_denied;
}

/* Names with dots go through what modules have imported themselves, so all of their parts are looked at. */
static enum safety_verdict judge_dotted(const char *module, const char *name)
{
	AUTO_FREE char *path = mem_printf("%s.%s", module, name);
	bool is_denied = is_denied_at_a_dot(path);

	for (const char *tail = name; tail && !is_denied; tail = strchr(tail, '.')) {
		tail += *tail == '.';
		is_denied = is_denied_at_a_dot(tail);
	}
	return is_denied ? SAFETY_DENIED : SAFETY_UNKNOWN;
}

enum safety_verdict safety_import_judge(const char *module, const char *name)
{
	if (is_far_reaching(name))
		return SAFETY_DENIED;
	return strchr(name, '.') ? judge_dotted(module, name) : judge_plain(module, name);
}

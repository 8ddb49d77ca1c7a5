/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/safety/safety_findings.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/utf8.h"

static_assert(SAFETY_RULE_COUNT <= 64, "rules has a bit for each");
static_assert((int)SAFETY_RULE_COUNT <= (int)SAFETY_FINDINGS_MAX, "each has room for one");

static void finding_finish(struct safety_finding *finding)
{
	free(finding->where);
	free(finding->detail);
}

void safety_findings_finish(struct safety_findings *findings)
{
	for (size_t i = 0; i < findings->count; i++)
		finding_finish(&findings->items[i]);
	free(findings->items);
	*findings = (struct safety_findings){0};
}

/* A copy that people can read, of no more than SAFETY_TEXT_MAX bytes. */
static char *legible(const char *text)
{
	AUTO_BUFFER struct buffer out = {0};
	uint32_t code;

	while (*text && out.length < SAFETY_TEXT_MAX) {
		size_t length = utf8_decode(text, &code);

		if (length == 0 || utf8_is_control(code)) {
			buffer_printf(&out, "\\x%02x", (unsigned char)*text);
			text++;
		} else {
			buffer_add(&out, text, length);
			text += length;
		}
	}
	if (*text)
		buffer_add_string(&out, "…");
	return buffer_take(&out);
}

static char *format_detail(const char *format, va_list args)
{
	AUTO_FREE char *text = NULL;

	if (vasprintf(&text, format, args) < 0)
		abort();
	return legible(text);
}

static bool is_there(const struct safety_findings *findings, const struct safety_finding *wanted)
{
	for (size_t i = 0; i < findings->count; i++) {
		const struct safety_finding *finding = &findings->items[i];

		if (finding->rule == wanted->rule && strcmp(finding->where, wanted->where) == 0 &&
			strcmp(finding->detail, wanted->detail) == 0)
			return true;
	}
	return false;
}

/* Of the rules that have more than one; NULL: none has. */
static struct safety_finding *find_least(const struct safety_findings *findings)
{
	struct safety_finding *least = NULL;

	for (size_t i = 0; i < findings->count; i++) {
		struct safety_finding *finding = &findings->items[i];

		if (findings->of_rule[finding->rule] > 1 &&
			(!least ||
				safety_rules[finding->rule].severity <= safety_rules[least->rule].severity))
			least = finding;
	}
	return least;
}

/* Where the next one of this rule goes, or NULL. The first of a rule has more right than any further one, as
 * the policy may ask for it alone. */
static struct safety_finding *find_room(struct safety_findings *findings, enum safety_rule_id rule)
{
	struct safety_finding *least;

	if (findings->count < SAFETY_FINDINGS_MAX) {
		MEM_GROW(findings->items, findings->count, findings->capacity);
		return &findings->items[findings->count++];
	}
	least = find_least(findings);
	if (!least || (findings->of_rule[rule] > 0 &&
			      safety_rules[least->rule].severity >= safety_rules[rule].severity))
		return NULL;
	findings->of_rule[least->rule]--;
	finding_finish(least);
	return least;
}

void safety_findings_add(struct safety_findings *findings, enum safety_rule_id rule, const char *where,
	const char *format, ...)
{
	struct safety_finding made = {.rule = rule};
	struct safety_finding *room;
	va_list args;

	findings->rules |= UINT64_C(1) << rule;
	if (findings->of_rule[rule] >= SAFETY_FINDINGS_OF_RULE_MAX)
		return;
	made.where = legible(where);
	va_start(args, format);
	made.detail = format_detail(format, args);
	va_end(args);
	room = is_there(findings, &made) ? NULL : find_room(findings, rule);
	if (!room) {
		finding_finish(&made);
		return;
	}
	findings->of_rule[rule]++;
	*room = made;
}

bool safety_findings_has(const struct safety_findings *findings, enum safety_rule_id rule)
{
	return findings->rules >> rule & 1;
}

static int by_weight(const void *left, const void *right)
{
	const struct safety_finding *a = left;
	const struct safety_finding *b = right;
	int order = (int)safety_rules[b->rule].severity - (int)safety_rules[a->rule].severity;

	if (order == 0)
		order = (int)a->rule - (int)b->rule;
	if (order == 0)
		order = strcmp(a->where, b->where);
	return order ? order : strcmp(a->detail, b->detail);
}

void safety_findings_sort(struct safety_findings *findings)
{
	if (findings->count > 1)
		qsort(findings->items, findings->count, sizeof *findings->items, by_weight);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * What the safety rules have found in one artifact: each of it once, and a bounded number of it. */
#ifndef SERVER_MODULE_SAFETY_SAFETY_FINDINGS_H
#define SERVER_MODULE_SAFETY_SAFETY_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/module/safety/safety_tables.h"

/* How many are kept of one artifact, how many of one rule, and how much of a place or a detail. */
enum { SAFETY_FINDINGS_MAX = 100, SAFETY_FINDINGS_OF_RULE_MAX = 20, SAFETY_TEXT_MAX = 240 };

struct safety_finding {
	enum safety_rule_id rule;
	char *where; /* the member; within a zip, that of it behind ": " */
	char *detail;
};

/* What the zips of one artifact have, and what was unpacked of them. */
struct safety_unzipped {
	int64_t packed;
	int64_t unpacked;
};

/* Zeroed, it is empty. */
struct safety_findings {
	struct safety_finding *items;
	size_t count;
	size_t capacity;
	uint64_t rules;                  /* a bit for each that was broken */
	struct safety_unzipped unzipped; /* while it is looked for them */
	size_t of_rule[SAFETY_RULE_COUNT];
};
void safety_findings_finish(struct safety_findings *findings);

/* Adds a finding, unless it is there already. Each rule that was broken keeps one: where there are as many as
 * are kept the first of a rule takes the place of a further one of another, and a further one that of one
 * that is less severe. What is not printable UTF-8 is written as \xNN. */
void safety_findings_add(struct safety_findings *findings, enum safety_rule_id rule, const char *where,
	const char *format, ...) __attribute__((format(printf, 4, 5)));

bool safety_findings_has(const struct safety_findings *findings, enum safety_rule_id rule);

/* The most severe first, those of one severity by rule and place. */
void safety_findings_sort(struct safety_findings *findings);

#endif

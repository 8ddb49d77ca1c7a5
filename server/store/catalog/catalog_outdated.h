/* SPDX-License-Identifier: Apache-2.0
 *
 * What is here and was judged by an older version of the safety rules: which inspections, and what this one
 * has found in place of that. */
#ifndef SERVER_STORE_CATALOG_CATALOG_OUTDATED_H
#define SERVER_STORE_CATALOG_CATALOG_OUTDATED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/module/name.h"
#include "server/module/safety/safety_findings.h"
#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_holds.h"

/* An inspection of a blob that is in the store. */
struct outdated {
	int64_t id; /* 0: there is none */
	int64_t blob_id;
	enum format format;
	struct digest digest;
};

/* How many there are; takes no scan. What an earlier release has left counts once it was counted. */
bool catalog_count_outdated(struct catalog *catalog, int64_t *out, struct err *err);

/* Counts some of what an earlier release has left; *more: there were any. */
bool catalog_count_on(struct catalog *catalog, bool *more, struct err *err);

/* The next one behind this, by id; zeroed, it is before all. Those that were judged meanwhile are none any
 * more. */
bool catalog_find_outdated(
	struct catalog *catalog, const struct outdated *behind, struct outdated *out, struct err *err);

/* An artifact that is not withdrawn and has these bytes in this format. */
struct outdated_name {
	struct name name;
	bool is_published;
	enum hold_decision decision;
};
struct outdated_names {
	struct outdated_name *items;
	size_t count;
	size_t capacity;
};
bool catalog_list_outdated_names(
	struct catalog *catalog, const struct outdated *item, struct outdated_names *out, struct err *err);
void outdated_names_finish(struct outdated_names *names);

/* What is to be held back for these findings. */
struct late_hold {
	const struct name *name;
	char reason[200];
	bool held; /* on return: nobody has decided of it before */
};

/* Writes down the findings in place of what an older version has found, and holds back what is to be, with a
 * row in the audit log each: all of it or nothing. The inspection stays outdated until it is settled. */
bool catalog_judge_anew(struct catalog *catalog, const struct outdated *item,
	const struct safety_findings *findings, struct late_hold *holds, size_t count, int64_t now_s,
	struct err *err);

/* From now on it counts as judged by this version of the rules. */
bool catalog_settle_outdated(struct catalog *catalog, const struct outdated *item, struct err *err);

#endif

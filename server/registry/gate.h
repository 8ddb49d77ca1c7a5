/* SPDX-License-Identifier: Apache-2.0
 *
 * The gate of what comes from elsewhere: whether it is a module at all, what the safety policy says of it,
 * and whether it is given out once it is kept. */
#ifndef SERVER_REGISTRY_GATE_H
#define SERVER_REGISTRY_GATE_H

#include <stdbool.h>

#include "common/err.h"
#include "server/module/examination.h"
#include "server/module/name.h"
#include "server/module/safety/safety_policy.h"
#include "server/registry/committer.h"
#include "server/store/catalog/catalog_safety.h"

/* Whether it breaks a rule with which nothing is served; ERR_UPSTREAM_FAILED tells the first. */
bool gate_finds_violation(const struct examination *examination, struct err *err);

/* Judges what was examined under this name, and says in *origin why it is to be held back; the words live in
 * *out. ERR_UPSTREAM_FAILED where the policy (or NULL) refuses it. */
bool gate_judge(const struct safety_policy *policy, const struct name *name,
	const struct examination *examination, struct origin *origin, struct safety_judgement *out,
	struct err *err);

/* Judges what was written down of an examination; rules that this release does not have count for nothing. */
struct safety_judgement gate_judge_rows(const struct safety_policy *policy, bool is_published,
	const char *handle, const struct safety_rows *rows);

/* Whether what was kept so is given out: unless it is held back, and nobody has approved it before. What
 * passes through is not kept, and so nobody could. ERR_QUARANTINED tells why. */
bool gate_is_open(struct catalog *catalog, const struct name *name, const struct origin *origin,
	bool passes_through, struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/gate.h"

#include "common/mem.h"
#include "common/own.h"
#include "common/utf8.h"
#include "server/module/safety/safety_rules.h"
#include "server/store/catalog/catalog_artifacts.h"

enum { TOLD_PATH_MAX = 64 };

/* A long path is told in part, lest it crowd out what is wrong and what to do. */
static void tell_violation(const struct finding *finding, struct err *err)
{
	size_t length = utf8_cut(finding->path, TOLD_PATH_MAX);

	(void)err_set(err, ERR_UPSTREAM_FAILED, "it answered with something that is no module: %.*s%s%s%s",
		(int)length, finding->path, finding->path[length] ? "…" : "", length > 0 ? ": " : "",
		finding->message);
}

bool gate_finds_violation(const struct examination *examination, struct err *err)
{
	for (size_t i = 0; i < examination->finding_count; i++) {
		const struct finding *finding = &examination->findings[i];

		if (finding->severity == SEVERITY_VIOLATION) {
			tell_violation(finding, err);
			return true;
		}
	}
	return false;
}

bool gate_judge(const struct safety_policy *policy, const struct name *name,
	const struct examination *examination, struct origin *origin, struct safety_judgement *out,
	struct err *err)
{
	*out = (struct safety_judgement){0};
	if (policy)
		*out = safety_policy_judge(
			policy, origin->source == SOURCE_PUBLISHED, name->handle, &examination->safety);
	origin->held_for = out->action == SAFETY_QUARANTINE ? out->text : NULL;
	return out->action != SAFETY_REFUSE ||
	       err_set(err, ERR_UPSTREAM_FAILED, "the safety rules refuse what it answered with: %s",
		       out->text);
}

struct safety_judgement gate_judge_rows(const struct safety_policy *policy, bool is_published,
	const char *handle, const struct safety_rows *rows)
{
	AUTO_FREE struct safety_finding *items = mem_zero(rows->count + 1, sizeof *items);
	struct safety_findings findings = {.items = items};

	for (size_t i = 0; i < rows->count; i++) {
		struct safety_finding *finding = &items[findings.count];

		if (!safety_rule_find(rows->items[i].rule, &finding->rule))
			continue;
		finding->where = rows->items[i].where;
		finding->detail = rows->items[i].detail;
		findings.count++;
	}
	return safety_policy_judge(policy, is_published, handle, &findings);
}

bool gate_is_open(struct catalog *catalog, const struct name *name, const struct origin *origin,
	bool passes_through, struct err *err)
{
	struct artifact artifact;
	bool found;

	if (!origin->held_for)
		return true;
	if (passes_through)
		return err_set(err, ERR_QUARANTINED,
			"%.150s is held back, and there is no room to keep it: %s", name_path(name).text,
			origin->held_for);
	return catalog_find_artifact(catalog, name, &artifact, &found, err) &&
	       (!found || artifact_check_state(&artifact, err));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/import_gate.h"

#include <stdio.h>

#include "common/own.h"
#include "server/registry/gate.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_safety.h"

bool import_gate_judge(const struct importer *importer, const struct name *name,
	struct imported_artifact *artifact, struct err *err)
{
	AUTO(safety_rows_finish) struct safety_rows rows = {0};
	struct safety_judgement judgement;

	artifact->held_for[0] = '\0';
	if (!importer->safety)
		return true;
	if (!catalog_find_safety(importer->catalog, &artifact->digest, artifact->format, &rows, err))
		return false;
	judgement =
		gate_judge_rows(importer->safety, artifact->source == SOURCE_PUBLISHED, name->handle, &rows);
	if (judgement.action >= SAFETY_QUARANTINE)
		(void)snprintf(artifact->held_for, sizeof artifact->held_for, "%s", judgement.text);
	return judgement.action != SAFETY_REFUSE ||
	       err_set(err, ERR_UNSAFE_MODULE, "the safety rules refuse it: %s", judgement.text);
}

static bool is_recorded(const struct importer *importer, const struct name *version, enum format format)
{
	struct name name = *version;
	struct artifact artifact;
	struct err unused;
	bool found;

	name.format = format;
	return catalog_find_artifact(importer->catalog, &name, &artifact, &found, &unused) && found &&
	       artifact.recorded;
}

bool import_gate_check(const struct importer *importer, const struct name *name,
	struct imported_artifact *artifact, bool lacked, struct err *err)
{
	return (!lacked && is_recorded(importer, name, artifact->format)) ||
	       import_gate_judge(importer, name, artifact, err);
}

bool import_gate_judge_all(const struct importer *importer, struct imported_version *version, struct err *err)
{
	for (size_t i = 0; i < version->artifact_count; i++) {
		if (!import_gate_judge(importer, &version->name, &version->artifacts[i], err) &&
			err->code != ERR_UNSAFE_MODULE)
			return false;
	}
	return true;
}

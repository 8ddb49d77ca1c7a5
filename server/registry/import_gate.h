/* SPDX-License-Identifier: Apache-2.0
 *
 * What the safety policy says of what a bundle brings, by what was found in its bytes, which lie in the store
 * by then. Of an approval at the other side a bundle says nothing. */
#ifndef SERVER_REGISTRY_IMPORT_GATE_H
#define SERVER_REGISTRY_IMPORT_GATE_H

#include <stdbool.h>

#include "common/err.h"
#include "server/registry/import_tools.h"
#include "server/store/catalog/catalog_import.h"

/* Writes down in *artifact why it is to be held back, or that it is not. ERR_UNSAFE_MODULE where the policy
 * refuses it; other codes where it cannot be found out. */
bool import_gate_judge(const struct importer *importer, const struct name *name,
	struct imported_artifact *artifact, struct err *err);

/* Whether the policy takes it; what is on record under this name, and was not lacking, stays in any case. */
bool import_gate_check(const struct importer *importer, const struct name *name,
	struct imported_artifact *artifact, bool lacked, struct err *err);

/* Judges all artifacts of a version that is to be recorded, of which none is refused any more: what would
 * be is held back. */
bool import_gate_judge_all(
	const struct importer *importer, struct imported_version *version, struct err *err);

#endif

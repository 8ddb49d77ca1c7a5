/* SPDX-License-Identifier: Apache-2.0
 *
 * Which model, version and file a call of kagglehub is about: as words of a path, or as fields of JSON. */
#ifndef SERVER_KAGGLEHUB_MODEL_REF_H
#define SERVER_KAGGLEHUB_MODEL_REF_H

#include <jansson.h>
#include <stdbool.h>

#include "common/err.h"
#include "server/module/framework.h"
#include "server/module/name.h"

struct catalog;

struct model_ref {
	char *model; /* "google/nnlm" */
	char *variation;
	char *written; /* the framework, as it was asked for */
	struct framework framework;
	struct name name; /* version 0 where none is given; format: the one that it comes in first of all */
	char *file;       /* NULL: all of it */
};
void model_ref_finish(struct model_ref *ref);
#define AUTO_MODEL_REF AUTO(model_ref_finish)

/* What stands behind a path's variation. */
enum model_call { CALL_MODEL, CALL_LATEST, CALL_FILES, CALL_DOWNLOAD, CALL_UNKNOWN };

/* Reads "<owner>/<model>/get", "<owner>/<model>/<framework>/<variation>/get", "…/<version>/files" and
 * "…/<version>/download[/<file>]". CALL_UNKNOWN for anything else. ERR_BAD_REQUEST. */
bool model_ref_read_path(const char *rest, struct model_ref *out, enum model_call *call, struct err *err);

/* The pieces one by one; version 0, file NULL: none. ERR_BAD_REQUEST. */
bool model_ref_set(struct model_ref *out, const char *model, const char *framework, const char *variation,
	int64_t version, const char *file, struct err *err);

/* Reads ownerSlug, modelSlug, framework, instanceSlug, versionNumber and path. ERR_BAD_REQUEST. */
bool model_ref_read_json(const json_t *body, bool with_version, struct model_ref *out, struct err *err);

/* "<owner>/<model>", of a body or of what a path begins with; NULL with ERR_BAD_REQUEST. free() it. */
char *model_ref_model(const char *owner, const char *model, struct err *err);

/* Whether a handle can begin with it. ERR_BAD_REQUEST. */
bool model_ref_check_model(const char *model, struct err *err);

/* Takes the handle that the spelling stands for (catalog_find_spelling), if one is known here; *known tells.
 */
bool model_ref_resolve(
	struct model_ref *ref, struct catalog *catalog, bool for_upload, bool *known, struct err *err);

#endif

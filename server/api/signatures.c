/* SPDX-License-Identifier: Apache-2.0 */
#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/model.h"
#include "server/api/version.h"
#include "server/store/catalog/catalog_versions.h"

json_t *ask_signatures(const struct ask *ask, struct err *err)
{
	AUTO(version_details_finish) struct version_details details = {0};
	struct name name;
	json_t *object;

	if (!version_named(ask, &name, err) || !version_find(ask->services, &name, &details, err))
		return NULL;
	if (!details.saved_model) {
		(void)err_set(err, ERR_NOT_FOUND,
			"Version %s has no SavedModel here, and so no signatures; "
			"/api/v1/modules/… tells which formats it has.",
			name_path(&name).text);
		return NULL;
	}
	object = json_pack("{s:s, s:I, s:o}", "handle", name.handle, "version", (json_int_t)name.version,
		"meta_graphs", model_signatures_json(details.saved_model));
	model_tell_truncated(object, details.saved_model);
	return object;
}

void api_signatures(void *services, struct request *request, struct reply *reply)
{
	answer_ask_with(services, request, reply, ask_signatures, "");
}

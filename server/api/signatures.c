/* SPDX-License-Identifier: Apache-2.0 */
#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/model.h"
#include "server/api/version.h"
#include "server/store/catalog/catalog_versions.h"

/* The format that is asked for, or the first that lists anything. */
static bool choose_format(
	const struct ask *ask, const struct version_details *details, enum format *out, struct err *err)
{
	const char *word = query_find(ask->query, "format");

	if (word)
		return format_parse(word, out) ||
		       err_set(err, ERR_BAD_REQUEST, "There is no format \"%s\".", word);
	for (int format = 0; format < FORMAT_COUNT; format++) {
		*out = (enum format)format;
		if (version_model(details, *out))
			return true;
	}
	*out = FORMAT_TF_HUB;
	return true;
}

json_t *ask_signatures(const struct ask *ask, struct err *err)
{
	AUTO(version_details_finish) struct version_details details = {0};
	const struct saved_model *model;
	enum format format;
	struct name name;
	json_t *object;

	if (!version_named(ask, &name, err) || !version_find(ask->services, &name, &details, err) ||
		!choose_format(ask, &details, &format, err))
		return NULL;
	model = version_model(&details, format);
	if (!model) {
		(void)err_set(err, ERR_NOT_FOUND,
			"Version %.80s has no model here whose signatures are known. /api/v1/modules/%.80s "
			"tells which formats it has.",
			name_path(&name).text, name_path(&name).text);
		return NULL;
	}
	object = json_pack("{s:s, s:I, s:s, s:o}", "handle", name.handle, "version", (json_int_t)name.version,
		"format", formats[format].name, "meta_graphs", model_signatures_json(model));
	model_tell_truncated(object, model);
	return object;
}

void api_signatures(void *services, struct request *request, struct reply *reply)
{
	answer_ask_with(services, request, reply, ask_signatures, "format");
}

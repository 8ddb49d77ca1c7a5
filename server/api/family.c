/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/family.h"

#include <string.h>

#include "common/own.h"
#include "server/api/modules.h"
#include "server/store/catalog/catalog_deployments.h"
#include "server/store/catalog/catalog_versions.h"

enum { DEPLOYMENTS_MAX = 100 };

bool family_read_fold(const struct ask *ask, bool *out, struct err *err)
{
	const char *fold = query_find(ask->query, "fold");

	*out = fold && strcmp(fold, "true") == 0;
	return !fold || *out || strcmp(fold, "false") == 0 ||
	       err_set(err, ERR_BAD_REQUEST, "The parameter \"fold\" must be true or false.");
}

json_t *family_row_json(const struct module_summary *summary, const struct deployments *deployments)
{
	json_t *object = module_summary_json(summary);

	(void)json_object_set_new(object, "deployments", family_list_json(deployments));
	(void)json_object_set_new(object, "deployment_count", json_integer((json_int_t)deployments->total));
	return object;
}

json_t *family_parent_json(const struct version_details *details)
{
	struct name parent = {.format = FORMAT_TF_HUB};
	struct err err;

	for (size_t i = 0; i < details->tags.count; i++) {
		const struct tag *tag = &details->tags.items[i];

		if (strcmp(tag->kind, "parent_model") == 0 && name_parse_versioned(tag->value, &parent, &err))
			return json_pack(
				"{s:s, s:I}", "handle", parent.handle, "version", (json_int_t)parent.version);
	}
	return json_null();
}

static json_t *formats_json(const char *words)
{
	json_t *array = json_array();

	while (*words) {
		size_t length = strcspn(words, ",");

		json_array_append_new(array, json_stringn(words, length));
		words += length + (words[length] == ',');
	}
	return array;
}

json_t *family_list_json(const struct deployments *deployments)
{
	json_t *array = json_array();

	for (size_t i = 0; i < deployments->count; i++) {
		const struct deployment *one = &deployments->items[i];

		json_array_append_new(
			array, json_pack("{s:s, s:I, s:o}", "handle", one->handle, "version",
				       (json_int_t)one->version, "formats", formats_json(one->formats)));
	}
	return array;
}

json_t *family_deployments_json(const struct services *services, const struct name *name, struct err *err)
{
	AUTO(deployments_finish) struct deployments deployments = {0};

	if (!catalog_list_deployments(services->catalog, name, DEPLOYMENTS_MAX, &deployments, err))
		return NULL;
	return family_list_json(&deployments);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/export_description.h"

#include "server/api/answer.h"
#include "server/api/model.h"

static json_t *findings_json(const struct version_details *details)
{
	json_t *array = json_array();

	for (size_t i = 0; i < details->artifact_count; i++) {
		const struct artifact_details *artifact = &details->artifacts[i];

		for (size_t j = 0; j < artifact->warning_count; j++)
			(void)json_array_append_new(
				array, json_pack("{s:s, s:o, s:o, s:o}", "format",
					       formats[artifact->artifact.name.format].name, "rule",
					       answer_text(artifact->warnings[j].rule), "path",
					       answer_text(artifact->warnings[j].path), "message",
					       answer_text(artifact->warnings[j].message)));
	}
	return array;
}

json_t *export_description(const struct version_details *details)
{
	json_t *tags = json_array();

	for (size_t i = 0; i < details->tags.count; i++)
		(void)json_array_append_new(
			tags, json_pack("{s:o, s:o}", "kind", answer_text(details->tags.items[i].kind),
				      "value", answer_text(details->tags.items[i].value)));
	return json_pack("{s:o, s:o, s:o, s:o}", "description", answer_text(details->description), "tags",
		tags, "findings", findings_json(details), "saved_model", model_json(details->saved_model));
}

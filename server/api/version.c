/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/version.h"

#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/api_address.h"
#include "server/api/attestation_list.h"
#include "server/api/family.h"
#include "server/api/fills.h"
#include "server/api/model.h"
#include "server/api/modules.h"
#include "server/registry/mirror.h"
#include "server/module/safety/safety_rules.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_listing.h"
#include "server/store/catalog/catalog_versions.h"

bool version_named(const struct ask *ask, struct name *out, struct err *err)
{
	out->format = FORMAT_TF_HUB;
	return name_parse_versioned(ask->rest, out, err);
}

/* Where its module is known, that has others. */
static bool refuse_unknown(const struct services *services, const struct name *name, struct err *err)
{
	AUTO(module_summary_finish) struct module_summary module = {0};
	AUTO_FREE char *sentence = mem_printf("Version %.90s is not known here.", name_path(name).text);
	bool found;

	if (!catalog_find_module(services->catalog, name->handle, &module, &found, err))
		return false;
	if (!found || strlen(name->handle) > 80)
		return api_address_refuse_unknown(sentence, name->handle, err);
	return err_set(err, ERR_NOT_FOUND,
		"Version %s is not known here. /api/v1/modules/%s lists the versions that are.",
		name_path(name).text, name->handle);
}

static bool refuse_withdrawn(const struct name *name, struct err *err)
{
	return version_check_state(name, STATE_WITHDRAWN, err);
}

bool version_look(const struct services *services, const struct name *name, struct version_details *out,
	struct err *err)
{
	struct version_details details = {0};
	bool found;

	if (!catalog_find_version(services->catalog, name, &details, &found, err))
		return false;
	if (!found)
		return refuse_unknown(services, name, err);
	*out = details;
	return true;
}

bool version_find(const struct services *services, const struct name *name, struct version_details *out,
	struct err *err)
{
	AUTO(version_details_finish) struct version_details details = {0};

	if (!version_look(services, name, &details, err))
		return false;
	if (details.state == STATE_WITHDRAWN)
		return refuse_withdrawn(name, err);
	*out = details;
	details = (struct version_details){0};
	return true;
}

const struct saved_model *version_model(const struct version_details *details, enum format format)
{
	if (format == FORMAT_TF_HUB)
		return details->saved_model;
	for (size_t i = 0; i < details->artifact_count; i++) {
		if (details->artifacts[i].artifact.name.format == format)
			return details->artifacts[i].model;
	}
	return NULL;
}

bool version_find_artifact(
	const struct services *services, const struct name *name, struct artifact *out, struct err *err)
{
	struct artifact artifact;
	bool found;

	if (!catalog_find_artifact(services->catalog, name, &artifact, &found, err))
		return false;
	if (!found)
		return refuse_unknown(services, name, err);
	if (artifact.state == STATE_WITHDRAWN)
		return refuse_withdrawn(name, err);
	*out = artifact;
	return true;
}

static json_t *warnings_json(const struct artifact_details *details)
{
	json_t *array = json_array();

	for (size_t i = 0; i < details->warning_count; i++) {
		const struct finding *warning = &details->warnings[i];

		json_array_append_new(
			array, json_pack("{s:o, s:o, s:o}", "rule", answer_text(warning->rule), "path",
				       answer_text(warning->path), "message", answer_text(warning->message)));
	}
	return array;
}

/* What asking for it would be refused with; NULL where it is here, or would be fetched. */
static json_t *unavailable_json(const struct services *services, const struct name *name)
{
	struct outlook outlook;
	struct err err;
	json_t *object;

	if (!mirror_consider(services->mirror, name, &outlook, &err) || outlook.prospect != PROSPECT_REFUSED)
		return NULL;
	object = json_object();
	fill_add_refusal(object, &outlook.refusal);
	return object;
}

static json_t *import_json(const struct imported_from *from)
{
	if (!from->name)
		return json_null();
	return json_pack("{s:o, s:s+, s:o, s:o}", "bundle", answer_text(from->name), "digest",
		"sha256:", from->digest.hex, "verified_by", answer_text(from->signer), "at",
		answer_time(from->at));
}

/* What is not known is null. */
static json_t *number_if(bool known, int64_t number)
{
	return known ? json_integer(number) : json_null();
}

static json_t *artifact_json(
	const struct services *services, const struct artifact_details *details, const char *version_url)
{
	const struct artifact *artifact = &details->artifact;
	const struct format_row *format = &formats[artifact->name.format];
	AUTO_FREE char *url = mem_printf("%s?%s=%s", version_url, format->query_key, format->query_value);
	bool examined = artifact_is_examined(artifact);
	json_t *object = json_pack("{s:s, s:s+, s:I, s:o, s:o}", "format", format->name, "digest",
		"sha256:", artifact->checksums.sha256.hex, "size_bytes", (json_int_t)artifact->size_bytes,
		"unpacked_bytes", number_if(examined, artifact->unpacked_bytes), "files",
		number_if(examined, artifact->file_count));

	(void)json_object_update_new(
		object, json_pack("{s:s, s:s, s:s, s:b, s:I}", "state", version_state_name(artifact->state),
				"media_type", format->media_type, "url", url, "cached", (int)artifact->cached,
				"downloads", (json_int_t)artifact->downloads));
	(void)json_object_update_new(
		object, json_pack("{s:s, s:o, s:o, s:o}", "source", version_source_name(artifact->source),
				"published_by", answer_text(details->published_by), "upstream",
				answer_text(details->upstream), "imported_from",
				import_json(&details->imported_from)));
	if (details->model)
		json_object_set_new(object, "model", model_json(details->model));
	if (details->warning_count > 0)
		json_object_set_new(object, "warnings", warnings_json(details));
	if (!artifact->cached && artifact->state == STATE_ACTIVE)
		(void)json_object_set_new(object, "unavailable", unavailable_json(services, &artifact->name));
	return object;
}

static json_t *artifacts_json(
	const struct services *services, const struct version_details *details, const char *version_url)
{
	json_t *array = json_array();

	for (size_t i = 0; i < details->artifact_count; i++) {
		if (details->artifacts[i].artifact.recorded)
			json_array_append_new(
				array, artifact_json(services, &details->artifacts[i], version_url));
	}
	return array;
}

static json_t *finding_json(enum format format, const struct safety_row *finding)
{
	enum safety_rule_id id;
	json_t *object = json_pack("{s:s, s:o, s:o, s:o, s:o}", "format", formats[format].name, "rule",
		answer_text(finding->rule), "severity", answer_text(finding->severity), "where",
		answer_text(finding->where), "detail", answer_text(finding->detail));

	if (safety_rule_find(finding->rule, &id))
		(void)json_object_update_new(
			object, json_pack("{s:s, s:s}", "meaning", safety_rules[id].meaning, "reference",
					safety_rules[id].reference));
	return object;
}

/* What the safety rules have found in each of its artifacts. */
static json_t *findings_json(const struct version_details *details)
{
	json_t *array = json_array();

	for (size_t i = 0; i < details->artifact_count; i++) {
		const struct artifact_details *artifact = &details->artifacts[i];

		for (size_t j = 0; j < artifact->safety.count; j++)
			json_array_append_new(array,
				finding_json(artifact->artifact.name.format, &artifact->safety.items[j]));
	}
	return array;
}

static json_t *details_json(
	const struct services *services, const struct version_details *details, const char *version_url)
{
	json_t *object = json_pack("{s:s, s:I, s:s, s:s, s:s}", "handle", details->name.handle, "version",
		(json_int_t)details->name.version, "url", version_url, "source",
		version_source_name(details->source), "state", version_state_name(details->state));

	(void)json_object_update_new(object,
		json_pack("{s:o, s:o, s:o, s:o, s:o}", "published_by", answer_text(details->published_by),
			"upstream", answer_text(details->upstream), "created_at",
			answer_time(details->created_at), "description",
			answer_text(details->description ? details->description : ""), "tags",
			tags_json(&details->tags)));
	json_object_set_new(object, "artifacts", artifacts_json(services, details, version_url));
	json_object_set_new(object, "findings", findings_json(details));
	if (details->artifact_count == 0 && details->state == STATE_ACTIVE)
		(void)json_object_set_new(object, "unavailable", unavailable_json(services, &details->name));
	json_object_set_new(object, "saved_model", model_json(details->saved_model));
	return object;
}

json_t *version_json(const struct ask *ask, const struct name *name, struct err *err)
{
	AUTO(version_details_finish) struct version_details details = {0};
	AUTO_FREE char *url = mem_printf("%s/%s", ask->base_url, name_path(name).text);
	json_t *attestations, *deployments;
	json_t *object;

	if (!version_look(ask->services, name, &details, err))
		return NULL;
	deployments = family_deployments_json(ask->services, name, err);
	attestations = deployments ? attestation_list_json(ask, &details, false, err) : NULL;
	if (!attestations) {
		json_decref(deployments);
		return NULL;
	}
	object = details_json(ask->services, &details, url);
	json_object_set_new(object, "parent", family_parent_json(&details));
	json_object_set_new(object, "deployments", deployments);
	json_object_set_new(object, "attestations", attestations);
	return object;
}

json_t *ask_deployments(const struct ask *ask, struct err *err)
{
	struct name name;

	return version_named(ask, &name, err) ? family_deployments_json(ask->services, &name, err) : NULL;
}

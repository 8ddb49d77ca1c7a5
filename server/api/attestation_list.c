/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/attestation_list.h"

#include "server/api/answer.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_attestations.h"
#include "server/store/catalog/catalog_versions.h"

json_t *attestation_json(const struct attestation_row *row)
{
	return json_pack("{s:s+, s:s, s:s+, s:o, s:o, s:o, s:o}", "digest", "sha256:", row->digest.hex,
		"predicate_type", row->predicate_type, "artifact", "sha256:", row->subject.hex, "signed_by",
		answer_text(row->signed_by), "key_id", answer_text(row->key_id), "sent_by",
		answer_text(row->who), "created_at", answer_time(row->created_at));
}

/* The format of the artifact with this digest; NULL where the version has none. */
static const char *find_format(const struct version_details *details, const struct digest *digest)
{
	for (size_t i = 0; i < details->artifact_count; i++) {
		const struct artifact *artifact = &details->artifacts[i].artifact;

		if (artifact->recorded && digest_equal(&artifact->checksums.sha256, digest))
			return formats[artifact->name.format].name;
	}
	return NULL;
}

static void add_envelope(json_t *object, const char *text)
{
	json_t *sent = json_loads(text, 0, NULL);
	json_t *envelope = json_object_get(sent, "dsseEnvelope");

	(void)json_object_set(object, "envelope", envelope ? envelope : sent);
	if (envelope)
		(void)json_object_set(object, "bundle", sent);
	json_decref(sent);
}

json_t *attestation_list_json(
	const struct ask *ask, const struct version_details *details, bool with_texts, struct err *err)
{
	struct attestation_row *rows;
	json_t *list;
	size_t count;

	if (!catalog_list_attestations(
		    ask->services->catalog, &details->name, with_texts, &rows, &count, err))
		return NULL;
	list = json_array();
	for (size_t i = 0; i < count; i++) {
		const char *format = find_format(details, &rows[i].subject);
		json_t *object = format ? attestation_json(&rows[i]) : NULL;

		if (!format)
			continue;
		(void)json_object_set_new(object, "format", json_string(format));
		if (with_texts)
			add_envelope(object, rows[i].text);
		(void)json_array_append_new(list, object);
	}
	attestation_rows_destroy(rows, count);
	return list;
}

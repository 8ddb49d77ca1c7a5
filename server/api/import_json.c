/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/import_json.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "server/api/answer.h"

enum { NAMES = 8 };

static const char *const remark_names[NAMES] = {
	[REMARK_REFUSED] = "refused", [REMARK_FAULTY] = "faulty", [REMARK_LEFT] = "left"};
static const char *const phase_names[NAMES] = {[IMPORT_PROVING] = "proving",
	[IMPORT_READING] = "reading",
	[IMPORT_COPYING] = "copying",
	[IMPORT_SHARING] = "sharing",
	[IMPORT_RECORDING] = "recording",
	[IMPORT_SETTLING] = "settling"};
static const char *const outcome_names[NAMES] = {[IMPORT_NEW] = "new",
	[IMPORT_CHANGED] = "changed",
	[IMPORT_SAME] = "unchanged",
	[IMPORT_REFUSED] = "refused"};
static const char *const document_names[NAMES] = {
	[DOCS_NEW] = "new", [DOCS_CHANGED] = "changed", [DOCS_LEFT] = "left"};

/* ---- words ---- */

static int find_name(const char *const names[NAMES], const char *word, int otherwise)
{
	for (int i = 0; i < NAMES; i++) {
		if (names[i] && strcmp(names[i], word) == 0)
			return i;
	}
	return otherwise;
}

const char *import_remark_name(enum import_remark remark)
{
	return remark_names[remark];
}

enum import_remark import_remark_parse(const char *word)
{
	return (enum import_remark)find_name(remark_names, word, REMARK_REFUSED);
}

const char *import_phase_name(enum import_phase phase)
{
	return phase_names[phase];
}

enum import_phase import_phase_parse(const char *word)
{
	return (enum import_phase)find_name(phase_names, word, IMPORT_PROVING);
}

/* ---- writing ---- */

static void add_count(json_t *object, const char *key, int64_t count)
{
	(void)json_object_set_new(object, key, json_integer(count));
}

static json_t *counts_json(const char *const names[NAMES], const size_t *counts)
{
	json_t *object = json_object();

	for (size_t i = 0; i < NAMES; i++) {
		if (names[i])
			add_count(object, names[i], (int64_t)counts[i]);
	}
	return object;
}

static json_t *bundle_json(const struct import_report *report, const char *verified_by)
{
	if (!report->contents.hex[0])
		return json_null();
	return json_pack("{s:o, s:o, s:s+, s:b, s:s?}", "name",
		answer_text(report->header.name[0] ? report->header.name : NULL), "created_at",
		report->header.created_s ? answer_time(report->header.created_s) : json_null(), "digest",
		"sha256:", report->contents.hex, "signed", (int)report->is_signed, "verified_by",
		verified_by);
}

json_t *import_report_json(const struct import_report *report, const char *verified_by)
{
	json_t *all = json_pack("{s:o, s:I}", "bundle", bundle_json(report, verified_by), "versions",
		(json_int_t)report->versions);

	(void)json_object_update_new(all, counts_json(outcome_names, report->outcomes));
	add_count(all, "faulty", (int64_t)report->faulty);
	add_count(all, "withdrawn", (int64_t)report->withdrawn);
	add_count(all, "wanted_bytes", report->wanted_bytes);
	(void)json_object_update_new(all,
		json_pack("{s:o, s:o, s:{s:I, s:I}, s:b, s:b}", "documentation",
			counts_json(document_names, report->documents), "pages",
			counts_json(document_names, report->pages), "copied", "blobs",
			(json_int_t)report->copied_blobs, "bytes", (json_int_t)report->copied_bytes,
			"recorded", (int)report->recorded, "signer_recorded", (int)report->signer_noted));
	return all;
}

/* ---- reading ---- */

static size_t count_of(const json_t *object, const char *key)
{
	json_int_t value = json_integer_value(json_object_get(object, key));

	return value > 0 ? (size_t)value : 0;
}

static void read_counts(const char *const names[NAMES], const json_t *object, size_t *out)
{
	for (size_t i = 0; i < NAMES; i++) {
		if (names[i])
			out[i] = count_of(object, names[i]);
	}
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

static void read_bundle(const json_t *bundle, struct import_report *out)
{
	(void)snprintf(out->header.name, sizeof out->header.name, "%s", text_of(bundle, "name"));
	(void)clock_parse_rfc3339(text_of(bundle, "created_at"), &out->header.created_s);
	(void)digest_parse(text_of(bundle, "digest"), &out->contents);
	out->is_signed = json_is_true(json_object_get(bundle, "signed"));
}

void import_report_read(const json_t *object, struct import_report *out)
{
	const json_t *copied = json_object_get(object, "copied");

	*out = (struct import_report){0};
	read_bundle(json_object_get(object, "bundle"), out);
	read_counts(outcome_names, object, out->outcomes);
	read_counts(document_names, json_object_get(object, "documentation"), out->documents);
	read_counts(document_names, json_object_get(object, "pages"), out->pages);
	out->versions = count_of(object, "versions");
	out->faulty = count_of(object, "faulty");
	out->withdrawn = count_of(object, "withdrawn");
	out->wanted_bytes = (int64_t)count_of(object, "wanted_bytes");
	out->copied_blobs = count_of(copied, "blobs");
	out->copied_bytes = (int64_t)count_of(copied, "bytes");
	out->recorded = json_is_true(json_object_get(object, "recorded"));
	out->signer_noted = json_is_true(json_object_get(object, "signer_recorded"));
}

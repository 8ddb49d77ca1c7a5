/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/export_report.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/api/answer.h"
#include "server/command/export_gaps.h"

/* ---- for programs ---- */

static json_t *digest_json(const struct digest *digest)
{
	return json_sprintf("sha256:%s", digest->hex);
}

static json_t *counts_json(const struct export_report *report)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "versions",
		(json_int_t)report->versions, "withdrawn", (json_int_t)report->withdrawn, "listed",
		(json_int_t)report->listed, "artifacts", (json_int_t)report->artifacts, "blobs",
		(json_int_t)report->blobs, "blob_bytes", (json_int_t)report->blob_bytes, "other_bytes",
		(json_int_t)report->other_bytes, "publishers", (json_int_t)report->publishers, "collections",
		(json_int_t)report->collections, "unchanged", (json_int_t)report->unchanged, "quarantined",
		(json_int_t)report->quarantined);
}

/* Digests are told where a bundle has them. */
static void add_digests(const struct export_telling *telling, json_t *object)
{
	bool is_there = telling->ending >= EXPORT_WRITTEN;
	struct digest id = telling->key ? signing_key_id(telling->key) : (struct digest){0};

	(void)json_object_update_new(
		object, json_pack("{s:o, s:o, s:o}", "contents",
				is_there ? digest_json(&telling->report->contents.digest) : json_null(),
				"index", is_there ? digest_json(&telling->report->index.digest) : json_null(),
				"key", telling->key ? digest_json(&id) : json_null()));
}

/* What is there of it under which name. */
static json_t *files_json(const struct export_telling *telling)
{
	json_t *array = json_array();

	if (telling->ending < EXPORT_WRITTEN)
		return array;
	if (telling->pieces == 0)
		(void)json_array_append_new(array, answer_text(telling->path));
	for (int i = 1; i <= telling->pieces; i++) {
		AUTO_FREE char *piece = mem_printf("%s.%03d", telling->path, i);

		(void)json_array_append_new(array, answer_text(piece));
	}
	if (telling->pieces > 0) {
		AUTO_FREE char *list = mem_printf("%s.pieces", telling->path);

		(void)json_array_append_new(array, answer_text(list));
	}
	return array;
}

static void print_json(const struct export_telling *telling)
{
	json_t *object = json_pack("{s:o, s:b, s:b, s:b}", "path",
		telling->path ? answer_text(telling->path) : json_null(), "written",
		(int)(telling->ending >= EXPORT_WRITTEN), "was_there",
		(int)(telling->ending == EXPORT_WAS_THERE), "dry_run", (int)telling->dry_run);

	(void)json_object_update_new(object, counts_json(telling->report));
	add_digests(telling, object);
	(void)json_object_set_new(object, "files", files_json(telling));
	(void)json_object_set_new(object, "missing", export_gaps_json(telling->selection));
	(void)json_object_set_new(object, "damaged", export_damages_json(telling->damages));
	(void)json_object_set_new(
		object, "failure", telling->failure ? answer_text(telling->failure->text) : json_null());
	(void)json_dumpf(object, stdout, JSON_INDENT(2));
	(void)putchar('\n');
	json_decref(object);
}

/* ---- for people ---- */

struct counted {
	char text[64];
};

static struct counted counted(int64_t count, const char *what)
{
	struct counted counted;

	(void)snprintf(
		counted.text, sizeof counted.text, "%" PRId64 " %s%s", count, what, count == 1 ? "" : "s");
	return counted;
}

static void print_counts(const struct export_telling *telling)
{
	const struct export_report *report = telling->report;

	(void)printf("%s%s: %" PRId64 " with bytes, %" PRId64 " only listed, %" PRId64 " withdrawn\n",
		telling->dry_run ? "would write " : "", counted(report->versions, "version").text,
		report->versions - report->listed - report->withdrawn, report->listed, report->withdrawn);
	(void)printf("%s of %s, and %s that tell of them\n", counted(report->artifacts, "artifact").text,
		number_size(report->blob_bytes).text, number_size(report->other_bytes).text);
	if (report->publishers + report->collections > 0)
		(void)printf("%s, %s\n", counted(report->publishers, "publisher").text,
			counted(report->collections, "collection").text);
	if (report->unchanged > 0)
		(void)printf("not new, and left out: %s\n", counted(report->unchanged, "version").text);
	if (report->quarantined > 0)
		(void)printf(
			"quarantined, and stay here: %s\n", counted(report->quarantined, "version").text);
}

static void print_place(const struct export_telling *telling)
{
	if (telling->pieces == 0)
		(void)printf("%s: ", telling->path);
	else if (telling->pieces == 1)
		(void)printf("%s.001, which %s.pieces names: ", telling->path, telling->path);
	else
		(void)printf("%s.001 to %s.%03d, %d pieces, which %s.pieces names: ", telling->path,
			telling->path, telling->pieces, telling->pieces, telling->path);
}

static void print_words(const struct export_telling *telling)
{
	static const char *const words[] = {[EXPORT_WRITTEN] = "",
		[EXPORT_MENDED] = "had it, but not whole, and is mended: ",
		[EXPORT_WAS_THERE] = "has it already: "};

	print_counts(telling);
	if (telling->ending < EXPORT_WRITTEN)
		return;
	print_place(telling);
	(void)printf("%sbundle sha256:%s, contents sha256:%s", words[telling->ending],
		telling->report->index.digest.hex, telling->report->contents.digest.hex);
	if (telling->key)
		(void)printf(", signed by key sha256:%s", signing_key_id(telling->key).hex);
	(void)putchar('\n');
	if (!telling->key)
		(void)fputs("larder: it is not signed: \"larder import --verify\" refuses it\n", stderr);
}

void export_report_print(const struct export_telling *telling, bool as_json)
{
	if (as_json)
		print_json(telling);
	else if (telling->ending != EXPORT_FAILED)
		print_words(telling);
}

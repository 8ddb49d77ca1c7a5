/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/cache_export.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/api/answer.h"
#include "server/command/export_gaps.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog_export.h"
#include "server/store/catalog/catalog_versions.h"

enum { VERSIONS_AT_ONCE = 200 };

struct caching {
	const struct cache_export *options;
	struct client_cache *cache;
	struct blobs *blobs; /* NULL: it is only looked */
	struct cache_report report;
	struct export_progress progress;
};

static void finish(struct caching *caching)
{
	client_cache_close(caching->cache);
	blobs_close(caching->blobs);
}

/* ---- a version ---- */

static bool make(
	struct caching *caching, const struct name *name, const struct artifact *artifact, struct err *err)
{
	const struct digest *digest = &artifact->checksums.sha256;
	AUTO_FD int fd = -1;
	int64_t size;

	if (!blobs_read(caching->blobs, digest, &fd, &size, err))
		return err_set(err, ERR_DIGEST_MISMATCH,
			"the file of blob sha256:%s in the data folder is missing, or cannot be opened",
			digest->hex);
	return client_cache_add(caching->cache, name, fd, digest, &caching->report.folders, err);
}

static bool take(
	struct caching *caching, const struct name *name, const struct artifact *artifact, struct err *err)
{
	struct export_watch *watch = caching->options->watch;

	if (!caching->blobs) {
		caching->report.modules++;
		caching->report.bytes += artifact->size_bytes;
		return client_cache_count(caching->cache, name, &caching->report.folders, err);
	}
	if (make(caching, name, artifact, err)) {
		caching->report.modules++;
		caching->report.bytes += artifact->size_bytes;
	} else if (err->code == ERR_DIGEST_MISMATCH) {
		const struct err why = *err;

		if (!damages_add(caching->options->damages, &artifact->checksums.sha256, name_path(name).text,
			    why.text, err))
			return false;
	} else {
		return err_prefix(err, "%.200s: ", name_path(name).text);
	}
	caching->progress.count++;
	caching->progress.bytes += artifact->size_bytes;
	return watch->progressed(watch, &caching->progress, err);
}

static const struct artifact *find_loadable(
	const struct version_details *details, const bool taken[FORMAT_COUNT])
{
	for (size_t i = 0; i < details->artifact_count; i++) {
		const struct artifact *artifact = &details->artifacts[i].artifact;

		if (artifact->name.format == FORMAT_TF_HUB && taken[FORMAT_TF_HUB])
			return artifact;
	}
	return NULL;
}

static void leave_out(struct caching *caching, const struct name *name)
{
	caching->report.unsuited++;
	if (!caching->blobs)
		(void)fprintf(stderr,
			"larder: %s is left out: it is here without a SavedModel, the only thing "
			"that tensorflow_hub loads\n",
			name_path(name).text);
}

static bool judge(struct caching *caching, const struct name *name, struct err *err)
{
	AUTO(version_details_finish) struct version_details details = {0};
	const struct artifact *artifact;
	bool taken[FORMAT_COUNT];
	bool found;

	if (!catalog_find_version(caching->options->catalog, name, &details, &found, err))
		return false;
	if (!found)
		return true;
	selection_judge(caching->options->selection, &details, false, taken, &found);
	artifact = find_loadable(&details, taken);
	if (artifact)
		return take(caching, name, artifact, err);
	if (found && details.state == STATE_ACTIVE)
		leave_out(caching, name);
	return true;
}

/* ---- all versions ---- */

static bool see_row(struct caching *caching, const struct export_row *row, struct err *err)
{
	struct export_watch *watch = caching->options->watch;
	struct name name = {.version = row->version, .format = FORMAT_TF_HUB};

	(void)snprintf(name.handle, sizeof name.handle, "%s", row->handle);
	caching->progress.count += !caching->progress.copies;
	if (!watch->progressed(watch, &caching->progress, err))
		return false;
	if (!selection_means(caching->options->selection, row->handle, row->version))
		return true;
	if (row->state != STATE_QUARANTINED)
		return judge(caching, &name, err);
	caching->report.quarantined++;
	return true;
}

static bool see_page(struct caching *caching, struct name *after, bool *more, struct err *err)
{
	AUTO(export_rows_finish) struct export_rows rows = {0};

	if (!catalog_list_exports(
		    caching->options->catalog, after->handle, after->version, VERSIONS_AT_ONCE, &rows, err))
		return false;
	for (size_t i = 0; i < rows.count; i++) {
		if (!see_row(caching, &rows.items[i], err))
			return false;
	}
	*more = rows.count == VERSIONS_AT_ONCE;
	if (*more) {
		(void)snprintf(after->handle, sizeof after->handle, "%s", rows.items[rows.count - 1].handle);
		after->version = rows.items[rows.count - 1].version;
	}
	return true;
}

static bool see_all(struct caching *caching, struct err *err)
{
	const struct cache_export *options = caching->options;
	struct name after = {.handle = ""};
	bool more = true;

	if (!client_cache_open(
		    options->folder, options->origins, options->origin_count, &caching->cache, err))
		return false;
	while (more) {
		if (!see_page(caching, &after, &more, err))
			return false;
	}
	return true;
}

bool cache_export_look(const struct cache_export *options, struct cache_report *out, struct err *err)
{
	AUTO(finish) struct caching caching = {.options = options};

	if (!see_all(&caching, err))
		return false;
	*out = caching.report;
	return out->modules > 0 ||
	       err_set(err, ERR_NOT_FOUND,
		       "nothing is here that tensorflow_hub could load and was asked for");
}

bool cache_export_run(const struct cache_export *options, struct cache_report *out, struct err *err)
{
	AUTO(finish)
	struct caching caching = {.options = options,
		.progress = {.copies = true, .total_count = out->modules, .total_bytes = out->bytes}};

	if (!blobs_open(options->data_dir, &caching.blobs, err) || !see_all(&caching, err))
		return false;
	*out = caching.report;
	return true;
}

/* ---- the report ---- */

void cache_report_print(const struct cache_telling *telling)
{
	const struct cache_report *report = telling->report;

	(void)printf("%s: %s%" PRId64 " module%s of %s, packed; %zu folders made, %zu were there\n",
		telling->folder, telling->dry_run ? "would take " : "", report->modules,
		report->modules == 1 ? "" : "s", number_size(report->bytes).text, report->folders.made,
		report->folders.here);
	if (report->folders.hollow > 0)
		(void)printf("%zu of those that were there have no saved_model.pb, and fail in every client: "
			     "remove them, and export again\n",
			report->folders.hollow);
	if (report->quarantined > 0)
		(void)printf("%" PRId64 " versions are quarantined, and stay here\n", report->quarantined);
	if (!telling->dry_run)
		(void)printf("use it with TFHUB_CACHE_DIR=%s\n", telling->folder);
}

void cache_report_print_json(const struct cache_telling *telling)
{
	const struct cache_report *report = telling->report;
	json_t *object = json_pack("{s:o, s:b, s:I, s:I, s:I, s:I, s:I, s:I}", "path",
		answer_text(telling->folder), "dry_run", (int)telling->dry_run, "modules",
		(json_int_t)report->modules, "archive_bytes", (json_int_t)report->bytes, "made",
		(json_int_t)report->folders.made, "already_here", (json_int_t)report->folders.here,
		"unsuited", (json_int_t)report->unsuited, "quarantined", (json_int_t)report->quarantined);

	(void)json_object_update_new(
		object, json_pack("{s:o, s:o, s:o}", "missing", export_gaps_json(telling->selection),
				"damaged", export_damages_json(telling->damages), "failure",
				telling->failure ? answer_text(telling->failure->text) : json_null()));
	(void)json_dumpf(object, stdout, JSON_INDENT(2));
	(void)putchar('\n');
	json_decref(object);
}

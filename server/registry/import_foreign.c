/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/import_foreign.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/number.h"
#include "server/bundle/foreign.h"
#include "server/module/examination.h"
#include "server/registry/import_blob.h"
#include "server/registry/import_gate.h"
#include "server/registry/import_sharing.h"
#include "server/store/catalog/catalog_staging.h"

struct job {
	const struct importer *importer;
	const struct import_order *order;
	struct import_report *report;
	struct carrier *carrier;
	struct imported_version version;
	struct import_progress progress;
};

static void note_read(void *context, int64_t bytes)
{
	struct job *job = context;

	job->progress.done_bytes += bytes;
	job->progress.total_bytes = job->report->wanted_bytes;
	job->order->show(job->order->context, &job->progress);
}

static void leave(struct job *job, const struct foreign_layer *layer, const char *why,
	const struct examination *examination)
{
	job->order->tell(job->order->context, &(struct import_told){.remark = REMARK_LEFT,
						      .name = name_path(&job->version.name).text,
						      .format = layer->title,
						      .detail = why,
						      .examination = examination});
}

static bool has_format(const struct imported_version *version, enum format format)
{
	for (size_t i = 0; i < version->artifact_count; i++) {
		if (version->artifacts[i].format == format)
			return true;
	}
	return false;
}

static void take(struct job *job, const struct imported_artifact *artifact)
{
	job->version.artifacts[job->version.artifact_count++] = *artifact;
}

/* It may be this version's already, or an attempt before may have brought it. */
static bool find_here(struct job *job, const struct imported_artifact *artifact, bool *held, struct err *err)
{
	const struct checksums checksums = {.sha256 = artifact->digest};
	const struct name name = {.format = artifact->format};
	const struct keeping keeping = {.name = &name,
		.source = artifact->source,
		.checksums = &checksums,
		.size_bytes = artifact->size_bytes,
		.staged_for = &job->report->contents,
		.now_s = clock_now_s()};
	struct imported_version alone = job->version;
	struct import_result result;

	alone.artifacts[0] = *artifact;
	alone.artifact_count = 1;
	if (!catalog_judge_import(
		    job->importer->catalog, &job->report->contents, &alone, false, &result, err))
		return false;
	*held = result.outcome == IMPORT_SAME;
	return *held || catalog_hold_staged(job->importer->catalog, &keeping, held, err);
}

/* False where nothing more can be taken. *taken: it is a module of this format. */
static bool try_format(struct job *job, const struct foreign_layer *layer, enum format format, bool *taken,
	struct examination **examination, struct err *why)
{
	struct imported_artifact artifact = {.format = format,
		.digest = layer->blob.digest,
		.size_bytes = layer->blob.size_bytes,
		.source = SOURCE_PUBLISHED};
	enum blob_fate fate;

	if (!find_here(job, &artifact, taken, why))
		return false;
	if (!*taken) {
		fate = import_blob(job->importer, job->carrier, &job->report->contents, &artifact, note_read,
			job, examination, why);
		if (fate == BLOB_FAILED)
			return false;
		*taken = fate == BLOB_STAGED;
		job->report->copied_blobs += *taken;
		job->report->copied_bytes += *taken ? artifact.size_bytes : 0;
	}
	*taken = *taken && import_gate_judge(job->importer, &job->version.name, &artifact, why);
	if (*taken)
		take(job, &artifact);
	return true;
}

/* The formats that a layer may have, first the likeliest; of each the version has one. */
static const struct trial {
	enum foreign_kind kind;
	enum format format;
} trials[] = {
	{FOREIGN_ARCHIVE, FORMAT_TF_HUB}, {FOREIGN_ARCHIVE, FORMAT_TFJS}, {FOREIGN_FILE, FORMAT_TFLITE}};

static bool try_layer(struct job *job, const struct foreign_layer *layer, struct err *err)
{
	AUTO_EXAMINATION struct examination *first = NULL;
	struct err why = {.text = "there is another layer of its format, which was taken"};
	bool taken = false;

	for (size_t i = 0; i < sizeof trials / sizeof *trials && !taken; i++) {
		AUTO_EXAMINATION struct examination *examination = NULL;

		if (trials[i].kind != layer->kind || has_format(&job->version, trials[i].format))
			continue;
		if (!try_format(job, layer, trials[i].format, &taken, &examination, &why)) {
			*err = why;
			return false;
		}
		if (!first)
			first = TAKE(examination);
	}
	if (!taken)
		leave(job, layer, why.text, first);
	return true;
}

static bool take_layer(struct job *job, const struct foreign_layer *layer, struct err *err)
{
	if (layer->kind == FOREIGN_OTHER)
		leave(job, layer, "it has no weights", NULL);
	else if (layer->kind == FOREIGN_TAR)
		leave(job, layer, "it is a tar without gzip: unpack it, and use \"larder publish\"", NULL);
	else if (layer->blob.size_bytes > job->importer->max_upload_bytes)
		leave(job, layer, "it is larger than publish.max_upload_bytes", NULL);
	else
		return try_layer(job, layer, err);
	return true;
}

static bool take_layers(struct job *job, const struct foreign_model *model, struct err *err)
{
	for (size_t i = 0; i < model->count; i++) {
		bool is_file =
			model->layers[i].kind == FOREIGN_ARCHIVE || model->layers[i].kind == FOREIGN_FILE;

		if (is_file && model->layers[i].blob.size_bytes <= job->importer->max_upload_bytes)
			job->report->wanted_bytes += model->layers[i].blob.size_bytes;
	}
	for (size_t i = 0; i < model->count; i++) {
		if (!take_layer(job, &model->layers[i], err))
			return false;
	}
	return job->version.artifact_count > 0 || err_set(err, ERR_INVALID_MODULE,
							  "none of its %zu layers is a module: an archive of "
							  "a SavedModel or of a TF.js model, or a "
							  "TF Lite file",
							  model->count);
}

static bool record(struct job *job, struct err *err)
{
	struct import_report *report = job->report;
	const struct import_origin origin = {report->contents, report->header.name, report->header.created_s,
		NULL, clock_now_s(), job->order->who, job->order->from};
	AUTO_IMPORT struct import *import = NULL;
	struct import_result result;

	if (!import_begin(job->importer->catalog, &origin, &import, err) ||
		!import_add_version(import, &job->version, &result, err))
		return false;
	report->outcomes[result.outcome]++;
	if (result.outcome == IMPORT_REFUSED) {
		*err = result.why;
		return false;
	}
	return import_commit(import, &report->recorded, err);
}

/* Other nodes are to have it first. */
static bool share(struct job *job, struct err *err)
{
	const struct import_sharing sharing = {
		committer_vault(job->importer->committer), job->importer->blobs, job->order->who};
	struct import_result result;
	bool refused;

	if (!catalog_judge_import(
		    job->importer->catalog, &job->report->contents, &job->version, false, &result, err) ||
		!import_sharing_judge(committer_vault(job->importer->committer), &job->version, &result, err))
		return false;
	if (result.outcome == IMPORT_REFUSED) {
		job->report->outcomes[IMPORT_REFUSED]++;
		*err = result.why;
		return false;
	}
	if (!import_sharing_send(&sharing, &job->version, &result, &refused, err))
		return false;
	job->report->outcomes[IMPORT_REFUSED] += refused;
	return !refused;
}

static void describe(struct import_report *report, const struct foreign_model *model, const char *path)
{
	const char *slash = strrchr(path, '/');

	*report = (struct import_report){.contents = model->manifest.digest, .versions = 1};
	report->header.created_s = model->created_s > 0 ? model->created_s : clock_now_s();
	(void)snprintf(report->header.name, sizeof report->header.name, "%.*s", BUNDLE_NAME_MAX,
		slash && slash[1] ? slash + 1 : path);
}

bool import_foreign(const struct importer *importer, const struct import_order *order,
	const struct name *name, struct import_report *report, struct err *err)
{
	AUTO_CARRIER struct carrier *carrier = NULL;
	AUTO_FOREIGN_MODEL struct foreign_model model = {0};
	struct job job = {.importer = importer,
		.order = order,
		.report = report,
		.progress = {.phase = IMPORT_COPYING}};

	*report = (struct import_report){0};
	if (!carrier_open(order->path, &importer->scratch, &carrier, err) ||
		!carrier_prove_pieces(carrier, NULL, NULL, err) || !foreign_find(carrier, &model, err))
		return false;
	describe(report, &model, order->path);
	job.carrier = carrier;
	job.version = (struct imported_version){.name = *name, .source = SOURCE_PUBLISHED};
	return take_layers(&job, &model, err) && share(&job, err) && record(&job, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/import_blob.h"

#include "common/number.h"
#include "server/module/examination.h"
#include "server/registry/inspector.h"

/* A draft that is being filled. */
struct copy {
	const struct importer *importer;
	const struct digest *bundle;
	const struct imported_artifact *artifact;
	struct claim claim;
	struct spool *spool;
	struct inspector *inspector;
	struct inspection inspection;
	void (*show)(void *context, int64_t bytes);
	void *context;
};

static void finish_copy(struct copy *copy)
{
	struct err over;

	if (copy->spool) {
		/* Unless it was kept: so that the inspector ends. */
		(void)err_set(&over, ERR_INTERNAL, "the import of this blob is over");
		spool_refuse(copy->spool, &over);
	}
	inspector_destroy(copy->inspector);
	spool_release(copy->spool);
	space_release(copy->importer->space, &copy->claim);
	inspection_finish(&copy->inspection);
}

static bool open_copy(struct copy *copy, struct err *err)
{
	const struct importer *importer = copy->importer;
	const struct imported_artifact *artifact = copy->artifact;

	/* What is published counts for no limit, as when it is uploaded. */
	copy->claim.unlimited = artifact->source == SOURCE_PUBLISHED;
	return space_claim(importer->space, &copy->claim, artifact->size_bytes > 0 ? artifact->size_bytes : 1,
		       err) &&
	       blobs_begin(importer->blobs, &copy->spool, err) &&
	       inspector_start(copy->spool, artifact->format, &importer->limits,
		       committer_places(importer->committer), &copy->inspector, err);
}

/* Which of the two has failed decides what is worth going on with. */
static enum blob_fate pour(struct copy *copy, struct carrier_blob *blob, struct err *err)
{
	const uint8_t *data;
	size_t length;

	do {
		if (!stream_next(&blob->stream, &data, &length, err))
			return BLOB_FAULTY;
		if (length > 0 && !spool_append(copy->spool, data, length, err))
			return BLOB_FAILED;
		(void)space_note_covered(copy->importer->space, &copy->claim, blob->done_bytes);
		copy->show(copy->context, (int64_t)length);
	} while (length > 0);
	spool_complete(copy->spool);
	return BLOB_STAGED;
}

/* What was mirrored there hampers some clients here as it did there; what is published must follow the
 * rules. */
static bool is_broken(const struct finding *finding, enum version_source source)
{
	return source == SOURCE_PUBLISHED ? !finding->publishable : finding->severity == SEVERITY_VIOLATION;
}

bool import_check_rules(const struct examination *examination, enum version_source source, struct err *err)
{
	size_t broken = 0;

	for (size_t i = 0; i < examination->finding_count; i++)
		broken += is_broken(&examination->findings[i], source);
	return broken == 0 || err_set(err, ERR_INVALID_MODULE, "it breaks %zu of the rules for %s modules",
				      broken, source == SOURCE_PUBLISHED ? "published" : "mirrored");
}

/* Damage first: it is not to be called a bad module. */
static enum blob_fate judge(
	struct copy *copy, const struct carrier_blob *blob, struct examination **examination, struct err *err)
{
	struct inspection *inspection = &copy->inspection;

	if (!inspector_wait(copy->inspector, inspection, err))
		return BLOB_FAILED;
	if (inspection->whole && !digest_equal(&inspection->checksums.sha256, &copy->artifact->digest)) {
		(void)carrier_blob_refuse(blob, err);
		return BLOB_FAULTY;
	}
	if (import_check_rules(inspection->examination, copy->artifact->source, err))
		return BLOB_STAGED;
	*examination = TAKE(inspection->examination);
	return BLOB_FAULTY;
}

static enum blob_fate run(
	struct copy *copy, struct carrier_blob *blob, struct examination **examination, struct err *err)
{
	const struct importer *importer = copy->importer;
	const struct staging staging = {copy->artifact->format, copy->artifact->source, *copy->bundle};
	enum blob_fate fate;

	if (!open_copy(copy, err))
		return BLOB_FAILED;
	/* The inspector hashes. */
	blob->trusting = true;
	fate = pour(copy, blob, err);
	if (fate == BLOB_STAGED)
		fate = judge(copy, blob, examination, err);
	if (fate != BLOB_STAGED)
		return fate;
	return committer_stage(importer->committer, copy->spool, &staging, &copy->inspection, true, err)
		       ? BLOB_STAGED
		       : BLOB_FAILED;
}

enum blob_fate import_blob(const struct importer *importer, struct carrier *carrier,
	const struct digest *bundle, const struct imported_artifact *artifact,
	void (*show)(void *context, int64_t bytes), void *context, struct examination **examination,
	struct err *err)
{
	AUTO(finish_copy)
	struct copy copy = {.importer = importer,
		.bundle = bundle,
		.artifact = artifact,
		.show = show,
		.context = context};
	AUTO_CARRIER_BLOB struct carrier_blob blob = {.fd = -1};
	const struct bundle_blob named = {artifact->digest, artifact->size_bytes};

	*examination = NULL;
	return carrier_open_blob(carrier, &named, &blob, err) ? run(&copy, &blob, examination, err)
							      : BLOB_FAULTY;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/import_work.h"

#include "common/log.h"
#include "common/mem.h"
#include "server/store/catalog/catalog_opening.h"

static void tell(void *context, const struct import_told *told)
{
	const struct import_work *work = context;

	remarks_add(work->remarks, told);
}

static void show(void *context, const struct import_progress *progress)
{
	struct import_work *work = context;
	LOCKED(work->mutex);

	work->incoming->progress = *progress;
}

static bool note_lacking(
	struct import_work *work, const struct name *name, const struct imported_artifact *artifact)
{
	struct lacked lacked = {*name, artifact->source, artifact->digest, artifact->size_bytes};
	struct err err;

	lacked.name.format = artifact->format;
	if (work->failure.code == ERR_NONE && !lacking_add(work->incoming->lacking, &lacked, &err))
		work->failure = err;
	return true;
}

static bool tell_missing(struct import_work *work, const struct imported_artifact *artifact, struct err *err)
{
	LOCKED(work->mutex);
	const char *fault = incoming_find_fault(work->incoming, &artifact->digest, artifact->format);

	if (fault)
		return err_set(err, ERR_INVALID_MODULE, "%s", fault);
	return err_set(err, ERR_NOT_FOUND,
		"its blob sha256:%s has not come: send it, and have it recorded then", artifact->digest.hex);
}

static bool lacks(
	void *context, const struct name *name, const struct imported_artifact *artifact, struct err *err)
{
	struct import_work *work = context;

	return work->records ? tell_missing(work, artifact, err) : note_lacking(work, name, artifact);
}

/* With a catalog of its own: the transaction is long, and for the daemon's writers another process'. */
static bool run_import(struct import_work *work, struct err *err)
{
	struct incoming *incoming = work->incoming;
	AUTO_CATALOG struct catalog *catalog = NULL;
	struct importer importer = *work->importer;
	const struct import_distant distant = {spool_fd(incoming->head.spool), lacks, &incoming->stop};
	const struct import_order order = {"the bundle", &distant, incoming->who, incoming->from,
		incoming->key, !work->records, incoming->partial, tell, show, work};

	if (!catalog_open(work->importer->scratch.folder, &catalog, err))
		return false;
	importer.catalog = catalog;
	return importer_run(&importer, &order, &work->report, err);
}

/* Those of the attempt before stay with who reads them. */
static bool begin_remarks(struct import_work *work, struct err *err)
{
	struct remarks *before;

	if (!remarks_create(&work->importer->scratch, &work->remarks, err))
		return false;
	{
		LOCKED(work->mutex);

		before = work->incoming->remarks;
		work->incoming->remarks = work->remarks;
	}
	remarks_release(before);
	return true;
}

static bool run_work(struct import_work *work, struct err *err)
{
	const struct importer *importer = work->importer;

	if (!begin_remarks(work, err))
		return false;
	if (!work->records && !lacking_create(&importer->scratch, &work->incoming->lacking, err))
		return false;
	if (!run_import(work, err))
		return false;
	if (work->failure.code != ERR_NONE)
		*err = work->failure;
	return work->failure.code == ERR_NONE;
}

static void tell_recorded(const struct import_work *work, const struct err *err)
{
	const struct import_report *report = &work->report;
	AUTO_FREE char *versions = mem_printf("%zu", report->versions);
	bool failed = err->code != ERR_NONE && !report->recorded;

	if (work->records)
		log_event(failed ? LOG_LEVEL_WARN : LOG_LEVEL_INFO,
			report->recorded ? "imported"
			: failed         ? "import not recorded"
					 : "imported again: nothing changed",
			"bundle", report->header.name, "by", work->incoming->who, "versions", versions, "why",
			err->code == ERR_NONE ? "" : err->text, NULL);
}

static void note_result(struct import_work *work, const struct err *err)
{
	struct incoming *incoming = work->incoming;
	LOCKED(work->mutex);

	if (work->failure.code != ERR_NONE)
		work->report.is_read = false;
	/* A record that failed before it knew its bundle leaves what is known of that. */
	if (!work->records || work->report.contents.hex[0])
		incoming->report = work->report;
	incoming->report.copied_blobs = incoming->copied_blobs;
	incoming->report.copied_bytes = incoming->copied_bytes;
	incoming->failure = *err;
	incoming->state = work->records || !work->report.is_read ? INCOMING_ENDED : INCOMING_OPEN;
}

void import_work_do(struct import_work *work)
{
	struct err err;

	if (run_work(work, &err))
		err = (struct err){0};
	/* What it says of itself was read before, whatever has failed now. */
	work->report.is_read = work->report.is_read || work->records;
	tell_recorded(work, &err);
	note_result(work, &err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/publisher.h"

#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/metrics.h"
#include "server/registry/depositing.h"
#include "server/registry/import_blob.h"
#include "server/registry/inflow.h"
#include "server/registry/notices.h"
#include "server/registry/proof.h"
#include "server/registry/shared_documents.h"
#include "server/registry/trust.h"
#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_artifacts.h"

struct publisher {
	struct publisher_settings settings;
	struct catalog *catalog;
	struct blobs *blobs;
	struct committer *committer;
	struct space *space;
};

struct upload {
	struct publisher *publisher;
	struct name name;
	char *who;
	bool is_staged; /* for an import, as: */
	struct staging staging;
	struct declaration declaration;
	struct inflow inflow;
	struct inspector *inspector;
	bool sealed; /* all that will come is in the spool */
	bool failed; /* err says why; the rest of the body is not wanted */
	struct err err;
	struct held held;              /* where another process holds the commit up */
	bool inspected;                /* and may be kept */
	struct depositing *depositing; /* NULL: not begun, or all share nothing */
	bool deposited;                /* … and has come to its end: */
	enum deposited deposit;
	bool decided; /* kept, or failed */
	struct inspection inspection;
	struct safety_judgement safety;
	enum kept kept;
};

struct publisher *publisher_create(const struct publisher_settings *settings, struct catalog *catalog,
	struct blobs *blobs, struct committer *committer, struct space *space)
{
	struct publisher *publisher = mem_zero(1, sizeof *publisher);

	publisher->settings = *settings;
	publisher->catalog = catalog;
	publisher->blobs = blobs;
	publisher->committer = committer;
	publisher->space = space;
	return publisher;
}

void publisher_destroy(struct publisher *publisher)
{
	free(publisher);
}

bool publisher_fits(const struct publisher *publisher, int64_t bytes, struct err *err)
{
	return bytes <= publisher->settings.max_upload_bytes ||
	       err_set(err, ERR_TOO_LARGE, "the upload is larger than %s (publish.max_upload_bytes)",
		       number_size(publisher->settings.max_upload_bytes).text);
}

static bool refuse_conflict(const struct name *name, const struct digest *ours, struct err *err)
{
	return err_set(err, ERR_CONFLICT,
		"%s is there with other bytes (sha256 %.12s…), and a version never changes: publish a new "
		"one",
		name_path(name).text, ours->hex);
}

/* What the catalog says of the name already decides some uploads. */
static bool check_name(struct publisher *publisher, const struct name *name,
	const struct declaration *declaration, struct err *err)
{
	struct artifact artifact;
	bool found, settled;

	if (!catalog_find_artifact(publisher->catalog, name, &artifact, &found, err))
		return false;
	if (!artifact_check_state(&artifact, err))
		return false;
	if (found && artifact.recorded && declaration->has_sha256 &&
		!digest_equal(&artifact.checksums.sha256, &declaration->sha256))
		return refuse_conflict(name, &artifact.checksums.sha256, err);
	return naming_check(&publisher->settings.naming, publisher->catalog, name->handle, &settled, err);
}

static bool check_signed_early(const struct publisher *publisher, const struct name *name,
	const struct declaration *declaration, struct err *err)
{
	return !publisher->settings.trust ||
	       trust_check_early(publisher->settings.trust, name,
		       declaration->has_sha256 ? &declaration->sha256 : NULL, err);
}

static void free_upload(struct upload *upload)
{
	struct err over;

	if (upload->inflow.spool) {
		/* Unless it was kept: so that the inspector ends. */
		(void)err_set(&over, ERR_INTERNAL, "the upload is over");
		spool_refuse(upload->inflow.spool, &over);
	}
	inspector_destroy(upload->inspector);
	depositing_destroy(upload->depositing);
	inflow_finish(&upload->inflow);
	metric_add(METRIC_UPLOADS_RUNNING, -1);
	inspection_finish(&upload->inspection);
	free(upload->who);
	free(upload);
}

static bool open_spool(struct upload *upload, struct err *err)
{
	struct publisher *publisher = upload->publisher;
	struct inflow *inflow = &upload->inflow;

	/* What is published counts for no limit, unless others have it too, and it may go here. */
	if (!inflow_open(inflow, publisher->space, upload->declaration.length,
		    upload->staging.source == SOURCE_PUBLISHED && !committer_is_shared(publisher->committer),
		    err) ||
		!blobs_begin(publisher->blobs, &inflow->spool, err) ||
		!inspector_start(inflow->spool, upload->name.format, &publisher->settings.limits,
			committer_places(publisher->committer), &upload->inspector, err))
		return false;
	inspector_want(upload->inspector, testimony_wanted(&upload->declaration.told));
	return true;
}

static struct upload *new_upload(
	struct publisher *publisher, const char *who, const struct declaration *declaration)
{
	struct upload *upload = mem_zero(1, sizeof *upload);

	metric_add(METRIC_UPLOADS_RUNNING, 1);
	upload->publisher = publisher;
	upload->who = mem_dup(who);
	upload->declaration = *declaration;
	upload->staging.source = SOURCE_PUBLISHED;
	return upload;
}

static bool start(struct upload *upload, struct upload **out, struct err *err)
{
	if (!open_spool(upload, err)) {
		free_upload(upload);
		return false;
	}
	*out = upload;
	return true;
}

bool publisher_begin(struct publisher *publisher, const struct name *name, const char *who,
	const struct declaration *declaration, struct upload **out, struct err *err)
{
	struct upload *upload;

	if (!check_name(publisher, name, declaration, err) ||
		!check_signed_early(publisher, name, declaration, err) ||
		!publisher_fits(publisher, declaration->length, err))
		return false;
	upload = new_upload(publisher, who, declaration);
	upload->name = *name;
	return start(upload, out, err);
}

bool publisher_begin_staged(struct publisher *publisher, const struct staging *staging, const char *who,
	const struct declaration *declaration, struct upload **out, struct err *err)
{
	struct upload *upload;

	if (!publisher_fits(publisher, declaration->length, err))
		return false;
	upload = new_upload(publisher, who, declaration);
	upload->name.format = staging->format;
	upload->is_staged = true;
	upload->staging = *staging;
	return start(upload, out, err);
}

static bool has_digest(const struct upload *upload)
{
	return upload->declaration.has_sha256 || upload->declaration.told.count > 0;
}

/* Where a digest was declared the whole body is wanted: only it tells damage on the way from a bad module. */
static bool wants_more(const struct upload *upload)
{
	return !upload->failed && (!inspector_has_given_up(upload->inspector) || has_digest(upload));
}

bool upload_has_room(const struct upload *upload, size_t length)
{
	return !wants_more(upload) || inflow_has_room(&upload->inflow, length);
}

static bool fits(struct upload *upload, size_t length)
{
	return publisher_fits(upload->publisher, upload->inflow.length + (int64_t)length, &upload->err);
}

void upload_make_room(struct upload *upload, size_t length)
{
	upload->failed = !fits(upload, length) || !inflow_make_room(&upload->inflow, length, &upload->err);
}

bool upload_await_inspection(struct upload *upload, struct waiter *waiter)
{
	return wants_more(upload) && spool_await_readers(upload->inflow.spool, waiter);
}

bool upload_leave_inspection(struct upload *upload, struct waiter *waiter)
{
	return spool_leave_readers(upload->inflow.spool, waiter);
}

bool upload_write(struct upload *upload, const void *bytes, size_t length)
{
	if (!wants_more(upload))
		return false;
	upload->failed = !fits(upload, length) || !inflow_put(&upload->inflow, bytes, length, &upload->err);
	return !upload->failed;
}

static bool refuse_damaged(const struct digest *digest, struct err *err)
{
	return err_set(err, ERR_DIGEST_MISMATCH,
		"the blob sha256:%s has other bytes than it is named by: the copy is damaged; make it again",
		digest->hex);
}

static bool check_digests(const struct upload *upload, struct inspection *inspection, struct err *err)
{
	const struct declaration *declared = &upload->declaration;

	if (upload->is_staged)
		return digest_equal(&declared->sha256, &inspection->checksums.sha256) ||
		       refuse_damaged(&declared->sha256, err);
	if (declared->has_sha256 && !digest_equal(&declared->sha256, &inspection->checksums.sha256))
		return err_set(err, ERR_DIGEST_MISMATCH, "the body's sha256 is %s, the header says %s",
			inspection->checksums.sha256.hex, declared->sha256.hex);
	return proof_hold_declared(&declared->told, inspection->sums.values, err);
}

static bool check_rules(const struct examination *examination, struct err *err)
{
	size_t broken = 0;

	for (size_t i = 0; i < examination->finding_count; i++)
		broken += !examination->findings[i].publishable;
	if (broken > 0)
		return err_set(err, ERR_INVALID_MODULE,
			"the module breaks %zu rule%s; each is listed in violations", broken,
			broken == 1 ? "" : "s");
	return true;
}

static bool check_safety(struct upload *upload, struct err *err)
{
	const struct safety_policy *policy = upload->publisher->settings.safety;
	bool is_published = upload->staging.source == SOURCE_PUBLISHED;

	/* What is staged has no name yet. */
	if (!policy || upload->is_staged)
		return true;
	upload->safety = safety_policy_judge(
		policy, is_published, upload->name.handle, &upload->inspection.examination->safety);
	return upload->safety.action != SAFETY_REFUSE ||
	       err_set(err, ERR_UNSAFE_MODULE, "the safety rules refuse it: %s; all is listed in findings",
		       upload->safety.text);
}

/* What is staged is a bundle's, which is believed or not as a whole. */
static bool check_signed(struct upload *upload, struct err *err)
{
	struct trust *trust = upload->publisher->settings.trust;

	return !trust || upload->is_staged ||
	       trust_check_published(trust, &upload->name, &upload->inspection.checksums.sha256, err);
}

/* The digest is judged first: bytes that were damaged on the way are not to be called a bad module. */
static bool judge(struct inspection *inspection, const struct upload *upload, struct err *err)
{
	if (inspection->whole && !check_digests(upload, inspection, err))
		return false;
	return upload->is_staged ? import_check_rules(inspection->examination, upload->staging.source, err)
				 : check_rules(inspection->examination, err);
}

static bool stage(struct upload *upload)
{
	return committer_stage(upload->publisher->committer, upload->inflow.spool, &upload->staging,
		&upload->inspection, false, &upload->err);
}

static struct origin origin_of(const struct upload *upload)
{
	return (struct origin){.source = SOURCE_PUBLISHED,
		.who = upload->who,
		.is_new = upload->declaration.is_new,
		.held_for = upload->safety.action == SAFETY_QUARANTINE ? upload->safety.text : NULL,
		.from = upload->declaration.from};
}

/* Nobody waits for it who holds a thread, unless he has not waited before. */
static bool deposit(struct upload *upload)
{
	const struct origin origin = origin_of(upload);

	if (!upload->deposited)
		upload->deposited =
			upload->depositing
				? depositing_result(upload->depositing, &upload->deposit, &upload->err)
				: committer_deposit(upload->publisher->committer, upload->inflow.spool,
					  &upload->name, &origin, &upload->inspection, &upload->deposit,
					  &upload->err);
	return upload->deposited;
}

static bool keep(struct upload *upload)
{
	const struct origin origin = origin_of(upload);
	const struct inspection *inspection = &upload->inspection;

	if (!committer_commit(upload->publisher->committer, upload->inflow.spool, &upload->name, &origin,
		    upload->deposit, inspection, &upload->kept, &upload->err))
		return false;
	/* Others had it before, and may hold it back. */
	if (upload->deposit == DEPOSITED_BEFORE)
		committer_take_decision(upload->publisher->committer, &upload->name);
	if (upload->kept != KEPT_AGAIN)
		metric_add(METRIC_PUBLISHED, 1);
	log_event(LOG_LEVEL_NOTICE, upload->kept == KEPT_AGAIN ? "published again" : "published", "name",
		name_path(&upload->name).text, "format", formats[upload->name.format].name, "by", upload->who,
		"sha256", inspection->checksums.sha256.hex, NULL);
	spool_mark_kept(upload->inflow.spool);
	return true;
}

static void seal(struct upload *upload)
{
	if (upload->sealed || upload->failed)
		return;
	upload->sealed = true;
	upload->failed = !inflow_flush(&upload->inflow, &upload->err);
	if (!upload->failed)
		spool_complete(upload->inflow.spool);
}

/* A fill may have brought another's version of the handle while the bytes came. */
static bool check_still_free(const struct upload *upload, struct err *err)
{
	const struct publisher *publisher = upload->publisher;
	bool settled;

	return upload->is_staged || naming_check(&publisher->settings.naming, publisher->catalog,
					    upload->name.handle, &settled, err);
}

static bool inspect(struct upload *upload)
{
	if (!upload->inspected)
		upload->inspected = inspector_wait(upload->inspector, &upload->inspection, &upload->err) &&
				    judge(&upload->inspection, upload, &upload->err) &&
				    check_safety(upload, &upload->err) &&
				    check_signed(upload, &upload->err) &&
				    check_still_free(upload, &upload->err);
	return upload->inspected;
}

static void decide(struct upload *upload)
{
	if (upload->decided)
		return;
	seal(upload);
	upload->failed = upload->failed || !inspect(upload) ||
			 !(upload->is_staged ? stage(upload) : deposit(upload) && keep(upload));
	upload->decided = true;
}

/* Nothing of it may be touched after it has joined: it may be another thread's then. */
static bool join_holdup(struct upload *upload, struct waiter *waiter)
{
	struct err err;

	upload->failed = upload->decided = false;
	if (holdup_join(upload->publisher->settings.holdup, &upload->held, waiter, &err))
		return true;
	upload->err = err;
	upload->failed = upload->decided = true;
	return false;
}

/* Whether another process holds the commit up. */
static bool is_held_up(struct upload *upload, struct waiter *waiter)
{
	struct holdup *holdup = upload->publisher->settings.holdup;

	if (holdup && (upload->held.over || holdup_is_on(holdup)))
		return join_holdup(upload, waiter);
	decide(upload);
	return holdup && upload->failed && upload->inspected && upload->err.code == ERR_BUSY &&
	       join_holdup(upload, waiter);
}

static bool is_shared(const struct upload *upload)
{
	return !upload->is_staged && committer_is_shared(upload->publisher->committer);
}

static bool begin_deposit(struct upload *upload)
{
	struct origin origin;

	if (upload->depositing)
		return true;
	if (!inspect(upload))
		return false;
	/* Only now it is known whether it is held back. */
	origin = origin_of(upload);
	return depositing_start(upload->publisher->committer, upload->inflow.spool, &upload->name, &origin,
		&upload->inspection, &upload->depositing, &upload->err);
}

/* Whether it is still being deposited. What comes of that decides, where it fails: no other process of this
 * machine is to blame. */
static bool is_depositing(struct upload *upload, struct waiter *waiter)
{
	if (!is_shared(upload) || upload->deposited)
		return false;
	if (begin_deposit(upload) && depositing_await(upload->depositing, waiter))
		return true;
	upload->failed = upload->decided = !upload->inspected || !upload->depositing || !deposit(upload);
	return false;
}

bool upload_await(struct upload *upload, struct waiter *waiter)
{
	seal(upload);
	return !upload->failed && !upload->decided &&
	       (inspector_await(upload->inspector, waiter) || is_depositing(upload, waiter) ||
		       (!upload->decided && is_held_up(upload, waiter)));
}

bool upload_leave(struct upload *upload, struct waiter *waiter)
{
	struct holdup *holdup = upload->publisher->settings.holdup;

	return inspector_leave(upload->inspector, waiter) ||
	       (upload->depositing && depositing_leave(upload->depositing, waiter)) ||
	       (holdup && holdup_leave(holdup, &upload->held));
}

bool upload_finish(struct upload *upload, enum kept *out, struct examination **examination, struct err *err)
{
	bool done;

	*examination = NULL;
	decide(upload);
	done = !upload->failed;
	if (done)
		*out = upload->kept;
	else
		*err = upload->err;
	if (!done && (err->code == ERR_INVALID_MODULE || err->code == ERR_UNSAFE_MODULE))
		*examination = TAKE(upload->inspection.examination);
	free_upload(upload);
	return done;
}

void upload_abort(struct upload *upload)
{
	metric_add(METRIC_UPLOADS_ABORTED, 1);
	free_upload(upload);
}

struct holdup *publisher_holdup(const struct publisher *publisher)
{
	return publisher->settings.holdup;
}

bool publisher_withdraw(struct publisher *publisher, const struct name *name, const char *who,
	const char *from, struct err *err)
{
	if (!committer_withdraw(publisher->committer, name, who, from, err))
		return false;
	metric_add(METRIC_WITHDRAWN, 1);
	log_event(LOG_LEVEL_NOTICE, "withdrawn", "name", name_path(name).text, "by", who, NULL);
	return true;
}

/* Whether others have kept it, and it is on record here only now. */
static bool is_unheard(struct publisher *publisher, const struct name *name, struct err *err)
{
	const struct notices notices = {
		committer_vault(publisher->committer), publisher->catalog, publisher->committer};

	return err->code == ERR_NOT_FOUND && committer_is_shared(publisher->committer) &&
	       notices_bring(&notices, name, err);
}

bool publisher_decide(struct publisher *publisher, const struct name *name, const struct decision *decision,
	struct err *err)
{
	if (!committer_decide(publisher->committer, name, decision, err) &&
		!(is_unheard(publisher, name, err) &&
			committer_decide(publisher->committer, name, decision, err)))
		return false;
	log_event(LOG_LEVEL_NOTICE, decision->approves ? "approved" : "rejected", "name",
		name_path(name).text, "by", decision->who, "why", decision->reason, NULL);
	return true;
}

bool publisher_document(struct publisher *publisher, const struct name *name, const char *markdown,
	const char *who, const char *from, bool *created, struct err *err)
{
	struct vault *vault = committer_vault(publisher->committer);

	return shared_documents_set(vault, publisher->catalog, name, markdown, who, from, created, err) ||
	       (is_unheard(publisher, name, err) && shared_documents_set(vault, publisher->catalog, name,
							    markdown, who, from, created, err));
}

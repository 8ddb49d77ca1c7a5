/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/importer.h"

#include <stdatomic.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/number.h"
#include "server/bundle/opening.h"
#include "server/bundle/signature.h"
#include "server/module/examination.h"
#include "server/registry/import_blob.h"
#include "server/registry/import_gate.h"
#include "server/registry/import_sharing.h"
#include "server/registry/import_walk.h"
#include "server/store/catalog/catalog_staging.h"

/* Four walks: what would come of each version; the bytes of those that would; the transaction; and what the
 * daemon is to forget. Where nodes share a bucket there is one more before the transaction: what it is about
 * becomes theirs. */

enum { UNREAD_MAX = 8, RENEW_MS = 3600 * 1000 };

struct job {
	const struct importer *importer;
	const struct import_order *order;
	struct import_report *report;
	struct carrier *carrier;
	struct opening opening;
	struct import_notes notes;
	char *signer;    /* NULL: nobody has checked */
	uint8_t *faulty; /* a bit for each line that is not to be recorded */
	size_t faulty_bytes;
	struct import_progress progress;
	size_t lines;     /* once they have been counted */
	size_t unread;    /* lines in a row that the medium has failed at */
	int64_t renew_ms; /* when what is staged is to be renewed */
	bool has_pages;   /* only the third walk tells whether these are new */
};

static void finish_job(struct job *job)
{
	import_notes_finish(&job->notes);
	carrier_close(job->carrier);
	free(job->signer);
	free(job->faulty);
}

/* ---- what is told ---- */

static void tell(struct job *job, const struct import_walk *walk, const struct import_told *told)
{
	struct import_told named = *told;
	struct name_path path = name_path(&walk->version.name);

	named.name = walk->is_version ? path.text : walk->line.page.name;
	job->order->tell(job->order->context, &named);
}

static void mark_faulty(struct job *job, size_t place)
{
	size_t needed = place / 8 + 1;

	if (needed > job->faulty_bytes) {
		size_t before = job->faulty_bytes;

		job->faulty_bytes = 2 * needed;
		job->faulty = mem_resize(job->faulty, job->faulty_bytes, 1);
		for (size_t i = before; i < job->faulty_bytes; i++)
			job->faulty[i] = 0;
	}
	job->faulty[place / 8] |= (uint8_t)(1u << place % 8);
}

static bool is_faulty(const struct job *job, size_t place)
{
	return place / 8 < job->faulty_bytes && (job->faulty[place / 8] >> place % 8 & 1);
}

/* Once for each line, however much is wrong with it. */
static void note_fault(struct job *job, const struct import_walk *walk, enum format format,
	const struct examination *examination, const struct err *why)
{
	if (is_faulty(job, walk->place))
		return;
	mark_faulty(job, walk->place);
	job->report->faulty++;
	job->unread += why->code == ERR_INTERNAL;
	tell(job, walk,
		&(struct import_told){.remark = REMARK_FAULTY,
			.format = format < FORMAT_COUNT ? formats[format].name : NULL,
			.detail = why->text,
			.examination = examination});
}

static void count_result(struct job *job, const struct import_walk *walk, const struct import_result *result)
{
	struct import_report *report = job->report;

	report->outcomes[result->outcome]++;
	report->withdrawn += result->withdrawn;
	report->documents[result->documentation]++;
	if (result->outcome != IMPORT_REFUSED)
		return;
	/* So that no other walk comes back to it. */
	mark_faulty(job, walk->place);
	tell(job, walk, &(struct import_told){.remark = REMARK_REFUSED, .detail = result->why.text});
}

/* What has turned out to be faulty is that, and nothing else. */
static void uncount_faulty(
	struct job *job, const struct import_walk *walk, const struct import_result *result)
{
	struct import_report *report = job->report;

	if (!is_faulty(job, walk->place) || result->outcome == IMPORT_REFUSED)
		return;
	report->outcomes[result->outcome]--;
	report->withdrawn -= result->withdrawn;
	report->documents[result->documentation]--;
}

static void tell_what_stays(
	struct job *job, const struct import_walk *walk, const struct import_result *result)
{
	if (result->documentation == DOCS_LEFT)
		tell(job, walk,
			&(struct import_told){.remark = REMARK_LEFT,
				.detail = "the documentation that is here stays: somebody has sent it, or it "
					  "is "
					  "newer than the bundle's"});
}

/* ---- first: what would come of it ---- */

/* Nothing is in it but the digests of a version's formats. */
enum { MANIFEST_BYTES_MAX = 64 << 10 };

static bool check_manifest(struct job *job, const struct bundle_blob *manifest, struct err *err)
{
	if (manifest->size_bytes > MANIFEST_BYTES_MAX)
		return err_set(err, ERR_TOO_LARGE, "its manifest sha256:%s has %s, and none has more than %s",
			manifest->digest.hex, number_size(manifest->size_bytes).text,
			number_size(MANIFEST_BYTES_MAX).text);
	return carrier_prove_blob(job->carrier, manifest, err);
}

static bool check_artifact(
	struct job *job, const struct name *name, const struct imported_artifact *artifact, struct err *err)
{
	const struct bundle_blob blob = {artifact->digest, artifact->size_bytes};
	const struct import_order *order = job->order;

	if (artifact->size_bytes > job->importer->max_upload_bytes)
		return err_set(err, ERR_TOO_LARGE, "it is larger than %s (publish.max_upload_bytes)",
			number_size(job->importer->max_upload_bytes).text);
	return order->distant ? order->distant->lacks(order->context, name, artifact, err)
			      : carrier_check(job->carrier, &blob, err);
}

/* By what was found in the bytes, once they are here. What was kept before stays. */
static void check_gate(struct job *job, const struct import_walk *walk, size_t place, bool lacked)
{
	struct imported_artifact artifact = walk->version.artifacts[place];
	struct err why;

	if (!import_gate_check(job->importer, &walk->version.name, &artifact, lacked, &why))
		note_fault(job, walk, artifact.format, NULL, &why);
}

static void look_at_bytes(struct job *job, const struct import_walk *walk, const struct import_result *result)
{
	const struct imported_version *version = &walk->version;
	struct err why;

	if (!check_manifest(job, &walk->line.version.manifest, &why))
		note_fault(job, walk, FORMAT_COUNT, NULL, &why);
	for (size_t i = 0; i < version->artifact_count; i++) {
		if (!result->lacks[i]) {
			check_gate(job, walk, i, false);
			continue;
		}
		if (check_artifact(job, &version->name, &version->artifacts[i], &why))
			job->report->wanted_bytes += version->artifacts[i].size_bytes;
		else
			note_fault(job, walk, version->artifacts[i].format, NULL, &why);
	}
}

static bool is_to_come(const struct import_result *result)
{
	return result->outcome == IMPORT_NEW || result->outcome == IMPORT_CHANGED;
}

static bool judge(struct job *job, const struct import_walk *walk, struct import_result *out, struct err *err)
{
	return catalog_judge_import(job->importer->catalog, &job->report->contents, &walk->version,
		job->signer != NULL, out, err);
}

/* The same by what other nodes have as well. */
static bool judge_for_all(
	struct job *job, const struct import_walk *walk, struct import_result *out, struct err *err)
{
	return judge(job, walk, out, err) &&
	       import_sharing_judge(committer_vault(job->importer->committer), &walk->version, out, err);
}

static bool foresee(struct job *job, const struct import_walk *walk, struct err *err)
{
	struct import_result result;

	job->report->versions += walk->is_version;
	job->has_pages = job->has_pages || !walk->is_version;
	if (!walk->usable) {
		note_fault(job, walk, FORMAT_COUNT, NULL, &walk->why);
		return true;
	}
	if (!walk->is_version)
		return true;
	if (!judge_for_all(job, walk, &result, err))
		return false;
	count_result(job, walk, &result);
	tell_what_stays(job, walk, &result);
	if (is_to_come(&result))
		look_at_bytes(job, walk, &result);
	uncount_faulty(job, walk, &result);
	return true;
}

static void show_place(struct job *job, const struct import_walk *walk)
{
	job->progress.count = walk->place + 1;
	job->progress.read = job->lines > 0 ? (int64_t)job->progress.count : walk->stream.offset;
	if (job->lines > 0)
		job->progress.said = (int64_t)job->lines;
	job->progress.total_bytes = job->report->wanted_bytes;
	job->order->show(job->order->context, &job->progress);
}

/* What is on record is settled all the same: the daemon may go on. */
static bool check_stop(const struct job *job, struct err *err)
{
	const struct import_distant *distant = job->order->distant;

	return !distant || job->progress.phase == IMPORT_SETTLING || !atomic_load(distant->stop) ||
	       err_set(err, ERR_BUSY,
		       "it was ended, by its client or with the daemon: begun again it goes on");
}

/* Bad sectors are told of each; once it is pulled out, nobody wants to read that of all that was on it. */
static bool check_medium(struct job *job, const struct import_walk *walk, struct err *err)
{
	if (!is_faulty(job, walk->place))
		job->unread = 0;
	return job->unread < UNREAD_MAX || job->order->partial ||
	       err_set(err, ERR_INTERNAL,
		       "%.200s: the medium could not be read %d times in a row: was it pulled out? Nothing "
		       "was "
		       "recorded; put it in, and the same command goes on where it was",
		       job->order->path, UNREAD_MAX);
}

static bool go(struct job *job, enum import_phase phase, void *context,
	bool (*visit)(struct job *job, const struct import_walk *walk, void *context, struct err *err),
	struct err *err)
{
	AUTO_IMPORT_WALK struct import_walk walk = {0};
	struct carrier *carrier = phase == IMPORT_READING ? job->carrier : NULL;
	bool more = true;

	job->progress.phase = phase;
	if (!import_walk_open(&walk, &job->notes, carrier, err))
		return false;
	job->report->header = walk.reader.header;
	if (job->opening.has_audit_head) {
		job->report->header.has_audit_head = true;
		job->report->header.audit_head = job->opening.audit_head;
	}
	if (!opening_check_time(&job->opening, &walk.reader.header, err))
		return false;
	while (more) {
		if (!check_stop(job, err) || !import_walk_next(&walk, &more, err) ||
			(more && !visit(job, &walk, context, err)))
			return false;
		if (more && !check_medium(job, &walk, err))
			return false;
		if (more)
			show_place(job, &walk);
	}
	job->lines = job->progress.count;
	return true;
}

static bool visit_first(struct job *job, const struct import_walk *walk, void *context, struct err *err)
{
	(void)context;
	return foresee(job, walk, err);
}

/* ---- second: the bytes ---- */

static void note_read(void *context, int64_t bytes)
{
	struct job *job = context;

	job->progress.done_bytes += bytes;
	job->order->show(job->order->context, &job->progress);
}

static bool copy_artifact(struct job *job, const struct import_walk *walk,
	const struct imported_artifact *artifact, struct err *err)
{
	AUTO_EXAMINATION struct examination *examination = NULL;

	switch (import_blob(job->importer, job->carrier, &job->report->contents, artifact, note_read, job,
		&examination, err)) {
	case BLOB_STAGED:
		job->report->copied_blobs++;
		job->report->copied_bytes += artifact->size_bytes;
		return true;
	case BLOB_FAULTY:
		note_fault(job, walk, artifact->format, examination, err);
		return true;
	default:
		return err_prefix(err, "%.150s: ", name_path(&walk->version.name).text);
	}
}

/* Another version, or an attempt before, may have brought it. */
static bool bring_artifact(struct job *job, const struct import_walk *walk,
	const struct imported_artifact *artifact, struct err *err)
{
	const struct checksums checksums = {.sha256 = artifact->digest};
	struct name name = walk->version.name;
	const struct keeping keeping = {.name = &name,
		.source = artifact->source,
		.checksums = &checksums,
		.size_bytes = artifact->size_bytes,
		.staged_for = &job->report->contents,
		.now_s = clock_now_s()};
	bool held;

	name.format = artifact->format;
	return catalog_hold_staged(job->importer->catalog, &keeping, &held, err) &&
	       (held || copy_artifact(job, walk, artifact, err));
}

/* An earlier attempt may have brought it a week ago, and this one may take that long. */
static bool renew(struct job *job, struct err *err)
{
	int64_t now_ms = clock_monotonic_ms();

	if (job->renew_ms > now_ms)
		return true;
	job->renew_ms = now_ms + RENEW_MS;
	return catalog_renew_staged(job->importer->catalog, &job->report->contents, clock_now_s(), err);
}

static bool visit_second(struct job *job, const struct import_walk *walk, void *context, struct err *err)
{
	struct import_result result;

	(void)context;
	if (!renew(job, err))
		return false;
	if (!walk->is_version || !walk->usable || is_faulty(job, walk->place))
		return true;
	if (!judge(job, walk, &result, err))
		return false;
	for (size_t i = 0; is_to_come(&result) && i < walk->version.artifact_count; i++) {
		if (!bring_artifact(job, walk, &walk->version.artifacts[i], err))
			return false;
		check_gate(job, walk, i, result.lacks[i]);
	}
	uncount_faulty(job, walk, &result);
	return true;
}

/* ---- for all nodes ---- */

static bool share(struct job *job, const struct import_walk *walk, void *context, struct err *err)
{
	const struct import_sharing sharing = {
		committer_vault(job->importer->committer), job->importer->blobs, job->order->who};
	struct imported_version version = walk->version;
	struct import_result result;
	bool refused;

	(void)context;
	if (!renew(job, err))
		return false;
	if (!walk->is_version || !walk->usable || is_faulty(job, walk->place))
		return true;
	if (!judge(job, walk, &result, err) || !import_gate_judge_all(job->importer, &version, err) ||
		!import_sharing_send(&sharing, &version, &result, &refused, err))
		return err_prefix(err, "%.150s: ", name_path(&walk->version.name).text);
	if (refused) {
		job->report->outcomes[result.outcome]--;
		result.outcome = IMPORT_REFUSED;
		result.why = *err;
		count_result(job, walk, &result);
	}
	return true;
}

/* ---- third: the record ---- */

/* What was refused is not looked at again. */
static void forget_counts(struct import_report *report)
{
	for (size_t i = 0; i < IMPORT_REFUSED; i++)
		report->outcomes[i] = 0;
	for (size_t i = 0; i < DOCS_OUTCOME_COUNT; i++)
		report->documents[i] = report->pages[i] = 0;
	report->withdrawn = 0;
}

static bool visit_third(struct job *job, const struct import_walk *walk, void *context, struct err *err)
{
	struct import *import = context;
	struct import_result result;
	enum docs_outcome outcome;

	if (!walk->usable || is_faulty(job, walk->place))
		return true;
	if (walk->is_version) {
		struct imported_version version = walk->version;

		if (!import_gate_judge_all(job->importer, &version, err) ||
			!import_add_version(import, &version, &result, err))
			return false;
		count_result(job, walk, &result);
		return true;
	}
	if (!import_add_page(import, walk->head, walk->line.page.markdown, &outcome, err))
		return false;
	job->report->pages[outcome]++;
	return true;
}

static bool is_whole(const struct import_report *report)
{
	return report->outcomes[IMPORT_REFUSED] == 0 && report->faulty == 0;
}

static bool record(struct job *job, struct err *err)
{
	struct import_report *report = job->report;
	AUTO_FREE char *name = mem_dup(
		report->header.name[0] ? report->header.name : clock_rfc3339(report->header.created_s).text);
	const struct import_origin origin = {report->contents, name, report->header.created_s, job->signer,
		clock_now_s(), job->order->who, job->order->from,
		report->header.has_audit_head ? &report->header.audit_head : NULL};
	AUTO_IMPORT struct import *import = NULL;
	bool changed = false;

	forget_counts(report);
	if (!import_begin(job->importer->catalog, &origin, &import, err) ||
		!go(job, IMPORT_RECORDING, import, visit_third, err))
		return false;
	if (!is_whole(report) && !job->order->partial)
		return true;
	if (!import_commit(import, &changed, err))
		return false;
	report->recorded = changed;
	return true;
}

/* ---- fourth: the daemon ---- */

static bool visit_fourth(struct job *job, const struct import_walk *walk, void *context, struct err *err)
{
	(void)context;
	(void)err;
	if (walk->is_version && walk->usable && walk->version.state == STATE_WITHDRAWN)
		committer_forget(job->importer->committer, name_path(&walk->version.name).text);
	return true;
}

static bool settle(struct job *job, struct err *err)
{
	static const _Atomic bool never = false;
	const struct import_distant *distant = job->order->distant;

	return job->report->withdrawn == 0 || (go(job, IMPORT_SETTLING, NULL, visit_fourth, err) &&
						      committer_sweep_blobs(job->importer->committer,
							      distant ? distant->stop : &never, err));
}

/* ---- all of it ---- */

static bool open_carrier(struct job *job, struct err *err)
{
	const struct import_order *order = job->order;
	const struct scratch_place *scratch = &job->importer->scratch;
	const struct import_distant *distant = order->distant;

	return distant ? carrier_open_file(
				 distant->head_fd, order->path, scratch, distant->stop, &job->carrier, err)
		       : carrier_open(order->path, scratch, &job->carrier, err);
}

static void show_proof(void *context, int64_t done, int64_t total)
{
	struct job *job = context;

	job->progress.phase = IMPORT_PROVING;
	job->progress.read = done;
	job->progress.said = total;
	job->order->show(job->order->context, &job->progress);
}

/* Where the rest is to come all the same, each blob is proved by its own digest. */
static bool prove_pieces(struct job *job, struct err *err)
{
	return job->order->partial || carrier_prove_pieces(job->carrier, show_proof, job, err);
}

static bool open_bundle(struct job *job, struct err *err)
{
	const struct import_order *order = job->order;
	struct opening *opening = &job->opening;

	if (!open_carrier(job, err) || !prove_pieces(job, err) || !opening_find(job->carrier, opening, err))
		return false;
	job->report->is_signed = opening->is_signed;
	job->report->contents = opening->contents.digest;
	job->progress.said = opening->contents.size_bytes;
	if (order->key) {
		if (!opening_verify(job->carrier, opening, order->key, err))
			return false;
		job->signer = mem_dup(signing_key_id(order->key).hex);
	}
	return import_notes_open(&job->notes, &job->importer->scratch, job->carrier, &opening->contents, err);
}

static bool may_change(const struct job *job)
{
	const size_t *outcomes = job->report->outcomes;

	/* With a signature that was checked, it vouches for what is here already. */
	return job->has_pages || job->signer || outcomes[IMPORT_NEW] + outcomes[IMPORT_CHANGED] > 0;
}

static const char *what_of_the_others(const struct import_order *order)
{
	if (order->partial)
		return order->dry_run ? "only the others would be" : "only the others are on record";
	return "nothing was recorded; --partial records the others";
}

static bool refuse(const struct import_report *report, const struct import_order *order, struct err *err)
{
	size_t count = report->faulty + report->outcomes[IMPORT_REFUSED];

	return err_set(err, ERR_CONFLICT,
		"%zu thing%s cannot be recorded as the bundle has %s, each told by name: %s", count,
		count == 1 ? "" : "s", count == 1 ? "it" : "them", what_of_the_others(order));
}

/* Who has once imported it without a key can make good for it. */
static bool note_signer(struct job *job, struct err *err)
{
	return !job->signer || job->order->dry_run ||
	       catalog_note_signer(job->importer->catalog, &job->report->contents, job->signer,
		       &job->report->signer_noted, err);
}

bool importer_run(const struct importer *importer, const struct import_order *order,
	struct import_report *report, struct err *err)
{
	AUTO(finish_job)
	struct job job = {.importer = importer,
		.order = order,
		.report = report,
		.notes = {.contents_fd = -1, .records_fd = -1}};
	bool goes_on;

	*report = (struct import_report){0};
	if (!open_bundle(&job, err) || !go(&job, IMPORT_READING, NULL, visit_first, err))
		return false;
	report->is_read = true;
	goes_on = !order->dry_run && (is_whole(report) || order->partial) && may_change(&job);
	if (goes_on && !go(&job, IMPORT_COPYING, NULL, visit_second, err))
		return false;
	goes_on = goes_on && (is_whole(report) || order->partial);
	if (goes_on && committer_is_shared(importer->committer) &&
		!go(&job, IMPORT_SHARING, NULL, share, err))
		return false;
	goes_on = goes_on && (is_whole(report) || order->partial);
	if (goes_on && (!record(&job, err) || (report->recorded && !settle(&job, err))))
		return false;
	return is_whole(report) ? note_signer(&job, err) : refuse(report, order, err);
}

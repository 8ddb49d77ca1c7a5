/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/verify_store.h"

#include <jansson.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/resource.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/command/data_folder.h"
#include "server/command/interruption.h"
#include "server/command/listing.h"
#include "server/command/mending.h"
#include "server/command/neighbour.h"
#include "server/command/progress_bar.h"
#include "server/registry/committer.h"
#include "server/registry/verification.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog_opening.h"
#include "server/store/folder_lock.h"
#include "server/vault/vault_alone.h"

enum { NICENESS = 10 };

/* What became of a blob that is not whole. */
enum fate { FATE_HELD, FATE_DROPPED, FATE_STAYS, FATE_RESTORED, FATE_FETCHED, FATE_COUNT };
static const char *const fates[FATE_COUNT] = {[FATE_HELD] = "held",
	[FATE_DROPPED] = "dropped",
	[FATE_STAYS] = "unreadable",
	[FATE_RESTORED] = "restored",
	[FATE_FETCHED] = "fetched"};

struct stores {
	struct catalog *catalog;
	struct blobs *blobs;
	struct members *members;
	struct committer *committer;
	int lock_fd;
};

static void finish_stores(struct stores *stores)
{
	committer_destroy(stores->committer);
	members_close(stores->members);
	blobs_close(stores->blobs);
	catalog_close(stores->catalog);
	own_close(&stores->lock_fd);
}

struct run {
	const struct verify_store_options *options;
	struct stores *stores;
	struct read_rate rate;
	struct blob_losses losses;
	struct mending mending;
	struct progress_bar bar;
	int64_t total_bytes;
	int64_t total_blobs;
	size_t counts[FATE_COUNT]; /* of blobs, in this run */
	json_t *artifacts;         /* NULL: lines are printed */
};

static void finish_run(struct run *run)
{
	progress_bar_finish(&run->bar);
	mending_close(&run->mending);
	json_decref(run->artifacts);
}

/* ---- what is told ---- */

static void tell_one(struct run *run, const struct pass_blob *blob, const char *path, const char *format,
	const char *fault, enum fate fate, const char *detail)
{
	if (run->artifacts) {
		AUTO_FREE char *digest = mem_printf("sha256:%s", blob->digest.hex);

		(void)json_array_append_new(run->artifacts,
			json_pack("{s:s, s:s?, s:s, s:I, s:s, s:s, s:s, s:s}", "path", path, "format", format,
				"digest", digest, "size_bytes", (json_int_t)blob->size_bytes, "source",
				blob->is_published ? "published" : "mirrored", "fault", fault, "outcome",
				fates[fate], "detail", detail));
		return;
	}
	progress_bar_finish(&run->bar);
	(void)printf("%s\t%s%s%s%s\t%s: %s\n", fates[fate], path, format ? " (" : "", format ? format : "",
		format ? ")" : "", fault, detail);
	(void)fflush(stdout);
}

static void tell(struct run *run, const struct pass_blob *blob, const struct name *names, size_t count,
	const char *fault, enum fate fate, const char *detail)
{
	AUTO_FREE char *digest = mem_printf("sha256:%s", blob->digest.hex);

	run->counts[fate]++;
	if (count == 0)
		tell_one(run, blob, digest, NULL, fault, fate, detail);
	for (size_t i = 0; i < count; i++)
		tell_one(run, blob, name_path(&names[i]).text, formats[names[i].format].name, fault, fate,
			detail);
}

/* What has to be done by somebody, or will be. */
static const char *advice(const struct run *run, const struct pass_blob *blob)
{
	if (!blob->is_published)
		return "fetched again when it is asked for, and must have the same digest";
	return run->options->repair
		       ? "clients get 451 until it is restored from a backup or a peer that has it"
		       : "clients get 451: restore it with --repair --from a backup or a peer";
}

/* ---- one blob ---- */

static enum fate fate_of(enum mended mended, const struct pass_blob *blob)
{
	if (mended != MENDED_NOT)
		return mended == MENDED_RESTORED ? FATE_RESTORED : FATE_FETCHED;
	return blob->is_published ? FATE_HELD : FATE_DROPPED;
}

static bool handle(
	struct run *run, const struct pass_blob *blob, const char *fault, const char *detail, struct err *err)
{
	AUTO_FREE struct name *names = NULL;
	AUTO_FREE char *words = NULL;
	enum mended mended = MENDED_NOT;
	struct err why = {0};
	size_t count;

	if (!catalog_list_blob_names(run->stores->catalog, blob->id, &names, &count, err))
		return false;
	if (run->options->repair)
		mended = mending_try(&run->mending, blob, names, count, &why);
	words = mended != MENDED_NOT
			? mem_dup(detail)
			: mem_printf("%s; %s%s%s%s", detail, advice(run, blob),
				  why.code != ERR_NONE ? " (" : "", why.code != ERR_NONE ? why.text : "",
				  why.code != ERR_NONE ? ")" : "");
	tell(run, blob, names, count, fault, fate_of(mended, blob), words);
	return true;
}

static bool found(void *context, const struct pass_blob *blob, enum blob_fault fault, const char *detail,
	struct err *err)
{
	struct run *run = context;
	AUTO_FREE struct name *names = NULL;
	size_t count;

	if (fault != FAULT_UNREADABLE)
		return handle(run, blob, blob_fault_name(fault), detail, err);
	if (!catalog_list_blob_names(run->stores->catalog, blob->id, &names, &count, err))
		return false;
	tell(run, blob, names, count, blob_fault_name(fault), FATE_STAYS, detail);
	return true;
}

/* What was lost before this run, and is not restored yet. */
static bool handle_lost(struct run *run, struct err *err)
{
	struct pass_blob blob = {0};

	for (;;) {
		if (!catalog_next_lost(run->stores->catalog, blob.id ? &blob.digest : NULL, &blob, err))
			return false;
		if (blob.id == 0)
			return true;
		if (!handle(run, &blob, "lost", "it was found to be damaged or gone before", err))
			return false;
	}
}

static void pace(void *context, const struct pass *pass)
{
	struct run *run = context;
	const struct progress_work work = {
		pass->sums.bytes, run->total_bytes, pass->sums.blobs, run->total_blobs, "blobs"};

	progress_bar_work(&run->bar, "verifying", &work);
}

/* ---- the end ---- */

static bool is_faultless(const struct run *run)
{
	return run->counts[FATE_HELD] + run->counts[FATE_DROPPED] + run->counts[FATE_STAYS] == 0;
}

static void print_json(const struct run *run, const struct pass *pass, const struct err *failure)
{
	json_auto_t *report = json_pack("{s:I, s:I, s:I, s:s?}", "blobs", (json_int_t)pass->last.blobs,
		"bytes", (json_int_t)pass->last.bytes, "damaged", (json_int_t)pass->last.damaged, "error",
		failure ? failure->text : NULL);

	(void)json_object_set_new(
		report, "started_at", json_string(clock_rfc3339(pass->last_started_s).text));
	(void)json_object_set(report, "artifacts", run->artifacts);
	for (size_t i = 0; i < FATE_COUNT; i++)
		(void)json_object_set_new(report, fates[i], json_integer((json_int_t)run->counts[i]));
	listing_print_json(report);
}

static int finish(struct run *run, const struct pass *pass, const struct err *failure)
{
	const size_t *counts = run->counts;

	progress_bar_finish(&run->bar);
	if (run->artifacts)
		print_json(run, pass, failure);
	else if (!failure)
		(void)printf("read %lld blobs (%s) since %s, %lld damaged or missing; now %zu restored, %zu "
			     "fetched again, %zu dropped, %zu held back, %zu unreadable\n",
			(long long)pass->last.blobs, number_size(pass->last.bytes).text,
			clock_rfc3339(pass->last_started_s).text, (long long)pass->last.damaged,
			counts[FATE_RESTORED], counts[FATE_FETCHED], counts[FATE_DROPPED], counts[FATE_HELD],
			counts[FATE_STAYS]);
	if (failure)
		return command_fail(failure);
	return is_faultless(run) ? COMMAND_DONE : COMMAND_FAILED;
}

static bool open_stores(
	const char *data_dir, struct neighbour *neighbour, struct stores *stores, struct err *err)
{
	static const struct archive_limits unpacks_nothing;

	if (!data_folder_check(data_dir, err) ||
		!folder_lock_take_reading(data_dir, "verify", &stores->lock_fd, err) ||
		!catalog_open(data_dir, &stores->catalog, err) ||
		!blobs_open(data_dir, &stores->blobs, err) || !blobs_hold_drafts(stores->blobs, err) ||
		!members_open(data_dir, &unpacks_nothing, 0, &stores->members, err))
		return false;
	stores->committer = committer_create(stores->catalog, stores->blobs, stores->members, vault_alone());
	committer_set_forget(stores->committer, neighbour_forget, neighbour);
	return true;
}

static bool work(struct run *run, struct pass *pass, struct err *err)
{
	static const atomic_bool never = false;
	const struct verification_order order = {.kind = PASS_VERIFY,
		.anew = run->options->anew,
		.rate = &run->rate,
		.stop = &never,
		.pace = pace,
		.found = found,
		.context = run};

	return catalog_measure_blobs(run->stores->catalog, &run->total_blobs, &run->total_bytes, err) &&
	       handle_lost(run, err) && verification_run(&run->losses, &order, pass, err);
}

int verify_store(const struct verify_store_options *options)
{
	AUTO_CONFIG struct config *config = NULL;
	AUTO(finish_stores) struct stores stores = {.lock_fd = -1};
	AUTO(finish_run) struct run run = {.options = options, .stores = &stores};
	struct neighbour neighbour = {0};
	struct pass pass = {0};
	struct err err;

	if (!command_load_config(&options->place, &config, &err))
		return command_fail(&err);
	neighbour.data_dir = config->storage.data_dir;
	if (!open_stores(config->storage.data_dir, &neighbour, &stores, &err))
		return command_fail(&err);
	log_configure(LOG_LEVEL_WARN, config->log.format);
	run.rate.bytes_per_s = options->bytes_per_s;
	run.losses = (struct blob_losses){stores.catalog, stores.blobs, stores.committer};
	run.mending.losses = &run.losses;
	run.mending.rate = &run.rate;
	if (options->repair &&
		!mending_open(&run.mending, options->from, options->from_token_file, &options->daemon, &err))
		return command_fail(&err);
	if (options->json)
		run.artifacts = json_array();
	progress_bar_init(&run.bar, "verifying");
	interruption_watch(INTERRUPTED_VERIFY);
	/* A daemon's clients go before it. */
	(void)setpriority(PRIO_PROCESS, 0, NICENESS);
	return finish(&run, &pass, work(&run, &pass, &err) ? NULL : &err);
}

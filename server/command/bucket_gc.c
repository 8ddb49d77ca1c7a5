/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/bucket_gc.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/command/bucket_proof.h"
#include "server/command/command.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_space.h"
#include "server/upstream/s3/bucket.h"
#include "server/vault/bucket_sweep.h"
#include "server/vault/vault.h"
#include "server/vault/vault_bucket.h"

enum { LOOKS_A_TTL = 10, MS_A_S = 1000 };

static const struct {
	const char *word;
	const char *things;
} reasons[SWEEP_REASON_COUNT] = {
	[SWEEP_UNNAMED] = {"unnamed", "blobs of the bucket that no identity names"},
	[SWEEP_WITHDRAWN] = {"withdrawn", "blobs of the bucket whose versions were withdrawn"},
	[SWEEP_LIMIT] = {"max_bytes", "mirrored blobs of the bucket over storage.max_bytes"},
	[SWEEP_LEASE] = {"old lease", "leases older than 7 days"},
	[SWEEP_HINT] = {"old hint", "hints older than 7 days"},
};

struct work {
	struct catalog *catalog;
	bool dry_run;
	int64_t counts[SWEEP_REASON_COUNT];
	int64_t bytes[SWEEP_REASON_COUNT];
};

/* ---- what the sweep asks and tells ---- */

static bool look(void *context, const struct name *name, int64_t *used_s, bool *stays, struct err *err)
{
	struct work *work = context;
	AUTO_FREE char *pattern = NULL;
	struct artifact artifact;
	bool found;

	if (!work->catalog)
		return true;
	if (!catalog_find_artifact(work->catalog, name, &artifact, &found, err) ||
		!catalog_find_pin(work->catalog, name, &pattern, err))
		return false;
	*used_s = found && artifact.recorded ? artifact.last_used_at : 0;
	*stays = pattern;
	return true;
}

static void tell(void *context, const struct sweep_item *item)
{
	struct work *work = context;

	work->counts[item->reason]++;
	work->bytes[item->reason] += item->size_bytes;
	(void)printf("%s\t%s\t%s, written %lld hours ago\n", reasons[item->reason].word, item->key,
		number_size(item->size_bytes).text, (long long)item->age_s / 3600);
}

static void print_totals(const struct work *work)
{
	for (int i = 0; i < SWEEP_REASON_COUNT; i++)
		(void)printf("%s%lld %s (%s)\n", work->dry_run ? "would remove " : "removed ",
			(long long)work->counts[i], reasons[i].things, number_size(work->bytes[i]).text);
}

/* ---- the lease ---- */

static bool refuse_second(const struct lease_holder *holder, struct err *err)
{
	return err_set(err, ERR_BUSY,
		"another node sweeps the bucket now (%.100s): what it leaves is for the next time",
		holder->node);
}

/* Whose it is may be dead: he is waited for as long as that takes to show. The name is no module's. */
static bool acquire(struct vault *vault, int64_t ttl_s, struct lease **out, struct err *err)
{
	static const struct name janitor = {.handle = "!janitor", .version = 1};
	struct lease_holder us = {.work = {.total_bytes = -1}};
	struct lease_watch watch = {0};
	struct lease_answer answer;
	int64_t until_ms = clock_monotonic_ms() + (ttl_s + 2 * ttl_s / LOOKS_A_TTL + 1) * MS_A_S;
	char host[64] = "";

	(void)gethostname(host, sizeof host - 1);
	(void)snprintf(us.node, sizeof us.node, "%s, larder gc, process %ld", host, (long)getpid());
	for (;;) {
		if (!vault_acquire(vault, &janitor, &us, &watch, &answer, err))
			return false;
		*out = answer.lease;
		if (answer.standing != LEASE_THEIRS)
			return true;
		if (clock_monotonic_ms() >= until_ms)
			return refuse_second(&answer.holder, err);
		clock_sleep_ms(ttl_s * MS_A_S / LOOKS_A_TTL);
	}
}

/* ---- the sweep ---- */

static bool run(const struct config *config, struct bucket *bucket, struct work *work, int64_t grace_s,
	struct err *err)
{
	AUTO_VAULT struct vault *vault = vault_bucket_create(bucket, config->store.lease_ttl_s);
	const struct sweep sweep = {
		bucket, grace_s, config->storage.max_bytes, work->dry_run, look, tell, work};
	struct lease *lease = NULL;
	bool swept;

	if (!work->dry_run && !acquire(vault, config->store.lease_ttl_s, &lease, err))
		return false;
	swept = bucket_sweep_run(&sweep, err);
	vault_release(vault, lease, swept ? LEASE_END_DONE : LEASE_END_FAILED);
	return swept;
}

int bucket_gc(const struct config *config, struct catalog *catalog, int64_t grace_s, bool dry_run)
{
	AUTO_BUCKET struct bucket *bucket = bucket_create(&config->store.bucket);
	struct work work = {.catalog = catalog, .dry_run = dry_run};
	int status = bucket_proof_run(bucket);
	struct err err;
	bool swept;

	if (status != COMMAND_DONE)
		return status;
	swept = run(config, bucket, &work, grace_s, &err);
	print_totals(&work);
	return swept ? COMMAND_DONE : command_fail(&err);
}

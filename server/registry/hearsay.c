/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/hearsay.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "server/metrics.h"
#include "server/registry/committer.h"
#include "server/store/catalog/catalog_keep.h"
#include "server/store/catalog/catalog_known.h"

/* What this process has deposited it is about to record with all that it knows of it. */
enum { TOGETHER_MAX = 64, PATIENCE_MS = 250, OWN_S = 300 };

/* A store that gave no answer is left alone for two seconds, in which it is not asked. */
enum { PROBES = 3, PROBE_PAUSE_MS = 1100 };

struct hearsay {
	struct vault *vault;
	struct catalog *catalog;
	struct committer *committer;
	size_t count;
	struct name names[TOGETHER_MAX];
	struct identity identities[TOGETHER_MAX];
};

struct hearsay *hearsay_create(struct vault *vault, struct catalog *catalog, struct committer *committer)
{
	struct hearsay *hearsay = mem_zero(1, sizeof *hearsay);

	hearsay->vault = vault;
	hearsay->catalog = catalog;
	hearsay->committer = committer;
	return hearsay;
}

void hearsay_destroy(struct hearsay *hearsay)
{
	free(hearsay);
}

/* ---- writing ---- */

static struct keeping keeping_of(const struct name *name, const struct identity *identity)
{
	bool published = identity->source == SOURCE_PUBLISHED;

	return (struct keeping){.name = name,
		.source = identity->source,
		.published_by = published ? identity->who : NULL,
		.upstream = published ? NULL : identity->who,
		.checksums = &identity->checksums,
		.size_bytes = identity->size_bytes,
		.is_settled = true,
		.is_elsewhere = true,
		.now_s = identity->at_s};
}

static void note(const struct recording *row)
{
	enum err_code code = row->err.code;

	if (row->done)
		metric_add(METRIC_HEARSAY, 1);
	else if (code != ERR_GONE && code != ERR_QUARANTINED)
		log_event(LOG_LEVEL_WARN, "what another node has kept is not listed here", "name",
			name_path(row->keeping->name).text, "why", row->err.text, NULL);
}

bool hearsay_flush(struct hearsay *hearsay, struct err *err)
{
	struct keeping keepings[TOGETHER_MAX];
	struct recording rows[TOGETHER_MAX] = {0};
	struct recording *all[TOGETHER_MAX];
	size_t count = hearsay->count;

	hearsay->count = 0;
	for (size_t i = 0; i < count; i++) {
		keepings[i] = keeping_of(&hearsay->names[i], &hearsay->identities[i]);
		rows[i].keeping = &keepings[i];
		all[i] = &rows[i];
	}
	if (count > 0 && !catalog_keep_all(hearsay->catalog, all, count, PATIENCE_MS, err))
		return false;
	for (size_t i = 0; i < count; i++)
		note(&rows[i]);
	return true;
}

/* ---- taking ---- */

static bool is_news(const struct hearsay *hearsay, enum vault_change change, const struct name *name,
	bool *out, struct err *err)
{
	struct known known;
	const struct artifact *artifact = &known.artifact;

	if (!catalog_look(hearsay->catalog, name, clock_now_s(), &known, err))
		return false;
	*out = artifact->state != STATE_WITHDRAWN &&
	       (!artifact->recorded || (change == CHANGE_PUBLISHED && artifact->source != SOURCE_PUBLISHED));
	return true;
}

bool hearsay_store_is_away(struct vault *vault)
{
	static const struct name nobody = {.handle = "larder/ready", .version = 1};
	struct identity identity;
	struct err err;
	bool found;

	for (int i = 0; i < PROBES; i++) {
		if (i > 0)
			clock_sleep_ms(PROBE_PAUSE_MS);
		if (vault_describe(vault, &nobody, &found, &identity, &err))
			return false;
	}
	return true;
}

/* Asks once more where the store was away for no more than a moment. */
static bool read_identity(const struct hearsay *hearsay, const struct name *name, bool *found,
	struct identity *out, bool *away, struct err *err)
{
	*away = false;
	if (vault_describe(hearsay->vault, name, found, out, err))
		return true;
	if (err->code != ERR_STORE_UNAVAILABLE)
		return false;
	*away = hearsay_store_is_away(hearsay->vault);
	return !*away && vault_describe(hearsay->vault, name, found, out, err);
}

/* *found: it is somebody's, can be read, and is not being recorded here at this moment. */
static bool describe(
	struct hearsay *hearsay, const struct name *name, bool *found, struct identity *out, struct err *err)
{
	bool away;

	if (!read_identity(hearsay, name, found, out, &away, err)) {
		if (away)
			return false;
		log_event(LOG_LEVEL_WARN, "what another node has kept is not listed here", "name",
			name_path(name).text, "why", err->text, NULL);
		*found = false;
	}
	if (*found && committer_made(hearsay->committer, out) && clock_now_s() - out->at_s < OWN_S)
		*found = false;
	return true;
}

bool hearsay_take(struct hearsay *hearsay, enum vault_change change, const struct name *name, struct err *err)
{
	bool news, found;

	if (hearsay->count == TOGETHER_MAX && !hearsay_flush(hearsay, err))
		return false;
	if (!is_news(hearsay, change, name, &news, err))
		return false;
	if (!news)
		return true;
	if (!describe(hearsay, name, &found, &hearsay->identities[hearsay->count], err))
		return false;
	if (found)
		hearsay->names[hearsay->count++] = *name;
	return true;
}

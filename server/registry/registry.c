/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/registry.h"

#include <stdlib.h>
#include <string.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/metrics.h"
#include "server/registry/notices.h"
#include "server/registry/store_waits.h"
#include "server/registry/unheard.h"
#include "server/store/catalog/catalog_known.h"
#include "server/store/catalog/catalog_paths.h"

struct registry {
	struct catalog *catalog;
	struct blobs *blobs;
	struct committer *committer;
	struct mirror *mirror;
	struct download_counters *counters;
	struct wants *wants;
	bool strict; /* and there are others */
	struct store_waits *waits;
	struct unheard *unheard;
};

struct registry *registry_create(struct catalog *catalog, struct blobs *blobs, struct committer *committer,
	struct mirror *mirror, struct download_counters *counters, struct wants *wants,
	const struct registry_sharing *sharing)
{
	struct registry *registry = mem_zero(1, sizeof *registry);

	*registry = (struct registry){catalog, blobs, committer, mirror, counters, wants,
		sharing->strict && committer_is_shared(committer), store_waits_create(sharing->workers),
		unheard_create(sharing->poll_interval_s)};
	return registry;
}

void registry_destroy(struct registry *registry)
{
	if (!registry)
		return;
	unheard_destroy(registry->unheard);
	store_waits_destroy(registry->waits);
	free(registry);
}

bool registry_is_strict(const struct registry *registry)
{
	return registry->strict;
}

void holding_finish(struct holding *holding)
{
	own_close(&holding->fd);
	spool_release(holding->spool);
	*holding = (struct holding){.fd = -1};
}

/* The blob of a row that counts it as cached. It may have been evicted meanwhile; a file that is gone
 * although a row claims it (lost by the disk, removed by hand) is told loudly and forgotten, so that it is
 * fetched again. */
static bool open_blob(struct registry *registry, const struct artifact *artifact, struct holding *out,
	bool *found, struct err *err)
{
	const struct digest *digest = &artifact->checksums.sha256;
	int64_t size_bytes;
	bool lost;

	*found = true;
	if (blobs_read(registry->blobs, digest, &out->fd, &size_bytes, err))
		return true;
	*found = false;
	if (err->code != ERR_NOT_FOUND)
		return false;
	if (!committer_check_lost(registry->committer, digest, &lost, err))
		return false;
	if (lost)
		log_event(LOG_LEVEL_ERROR, "a blob is missing from the disk", "name",
			name_path(&artifact->name).text, "sha256", digest->hex, NULL);
	return true;
}

static bool ask_gone(struct registry *registry, const struct name *name, bool *gone, struct err *err)
{
	size_t place;
	bool asked;

	if (!store_waits_enter(registry->waits, &place, err))
		return false;
	asked = vault_is_gone(committer_vault(registry->committer), name, gone, err);
	store_waits_leave(registry->waits, place);
	return asked;
}

/* Others may have withdrawn it since this node heard of them last. */
static bool confirm(struct registry *registry, const struct name *name, struct err *err)
{
	struct err why;
	bool gone = false;

	if (registry->strict && !ask_gone(registry, name, &gone, err))
		return false;
	if (!gone)
		return true;
	if (!committer_entomb(registry->committer, name, &why) && why.code != ERR_GONE)
		log_event(LOG_LEVEL_WARN, "a withdrawal is noted later", "name", name_path(name).text, "why",
			why.text, NULL);
	return version_check_state(name, STATE_WITHDRAWN, err);
}

/* What is here of a name. Where *found is false, *out has what the catalog told, in *snapshot as well. */
static bool find(struct registry *registry, const struct name *name, struct snapshot *snapshot,
	struct holding *out, bool *found, struct err *err)
{
	*out = (struct holding){.fd = -1};
	if (!mirror_look(registry->mirror, name, snapshot, err) ||
		!mirror_check_known(registry->mirror, &snapshot->known, err) || !confirm(registry, name, err))
		return false;
	out->artifact = snapshot->known.artifact;
	*found = known_is_here(&snapshot->known);
	return !*found || open_blob(registry, &out->artifact, out, found, err);
}

bool registry_find(
	struct registry *registry, const struct name *name, struct holding *out, bool *found, struct err *err)
{
	struct snapshot snapshot;

	return find(registry, name, &snapshot, out, found, err);
}

/* Looks again where a fill ended, or a blob was found to be lost, since the last look. */
enum { LOOKS_MAX = 3 };

static bool refuse_unsteady(const struct name *name, struct err *err)
{
	return err_set(err, ERR_BUSY, "%s is coming and going; try again", name_path(name).text);
}

static void count_opened(const struct holding *holding)
{
	metric_add(!holding->spool ? METRIC_HITS : holding->collapsed ? METRIC_COLLAPSED : METRIC_MISSES, 1);
}

/* What would have been fetched, had this site a way out. */
static void note_want(
	struct registry *registry, const struct name *name, const struct asker *asker, const struct err *err)
{
	if (err->code == ERR_OFFLINE)
		wants_note(registry->wants, name, asker->client);
}

static bool open_or_join(struct registry *registry, const struct name *name, const struct asker *asker,
	struct holding *out, struct err *err)
{
	struct holding holding;
	struct snapshot snapshot;
	bool found;

	for (int look = 0; look < LOOKS_MAX; look++) {
		if (!find(registry, name, &snapshot, &holding, &found, err))
			return false;
		if (!found && !mirror_join(registry->mirror, &snapshot, asker, &holding.spool,
				      &holding.collapsed, err))
			return false;
		if (found || holding.spool) {
			count_opened(&holding);
			*out = holding;
			return true;
		}
	}
	return refuse_unsteady(name, err);
}

bool registry_open(struct registry *registry, const struct name *name, const struct asker *asker,
	struct holding *out, struct err *err)
{
	if (open_or_join(registry, name, asker, out, err))
		return true;
	note_want(registry, name, asker, err);
	return false;
}

static bool find_or_start(struct registry *registry, const struct name *name, const struct asker *asker,
	int64_t *fill_id, struct err *err)
{
	struct snapshot snapshot;
	bool found;

	for (int look = 0; look < LOOKS_MAX; look++) {
		AUTO_HOLDING struct holding holding = {.fd = -1};

		if (!find(registry, name, &snapshot, &holding, &found, err))
			return false;
		if (found)
			return true;
		if (!mirror_start(registry->mirror, &snapshot, asker, fill_id, err))
			return false;
		if (*fill_id > 0)
			return true;
	}
	return refuse_unsteady(name, err);
}

bool registry_prefetch(struct registry *registry, const struct name *name, const struct asker *asker,
	int64_t *fill_id, struct err *err)
{
	*fill_id = 0;
	if (find_or_start(registry, name, asker, fill_id, err))
		return true;
	note_want(registry, name, asker, err);
	return false;
}

static bool find_or_glance(struct registry *registry, const struct name *name, const struct asker *asker,
	struct holding *out, bool *found, struct glance *glance, struct err *err)
{
	struct snapshot snapshot;

	for (int look = 0; look < LOOKS_MAX; look++) {
		if (!find(registry, name, &snapshot, out, found, err))
			return false;
		if (!*found && !mirror_glance(registry->mirror, &snapshot, asker, glance, err))
			return false;
		if (*found || !glance->is_stale)
			return true;
	}
	return refuse_unsteady(name, err);
}

bool registry_look(struct registry *registry, const struct name *name, const struct asker *asker,
	struct holding *out, bool *found, struct glance *glance, struct err *err)
{
	if (find_or_glance(registry, name, asker, out, found, glance, err))
		return true;
	note_want(registry, name, asker, err);
	return false;
}

/* ---- what others have kept under another spelling ---- */

static bool is_known(struct registry *registry, const struct name *name)
{
	struct artifact artifact;
	struct err err;
	bool found;

	return !catalog_find_artifact(registry->catalog, name, &artifact, &found, &err) || found;
}

/* Whoever finds all places taken goes on as if nobody had it. */
static bool is_heard_of(struct registry *registry, const struct name *name)
{
	const struct notices notices = {
		committer_vault(registry->committer), registry->catalog, registry->committer};
	struct err err = {0};
	size_t place;
	bool heard;

	if (unheard_has(registry->unheard, name) || !store_waits_try(registry->waits, &place))
		return false;
	heard = notices_bring(&notices, name, &err) || err.code == ERR_GONE;
	store_waits_leave(registry->waits, place);
	if (!heard && err.code == ERR_NOT_FOUND)
		unheard_add(registry->unheard, name);
	return heard;
}

void registry_hear(struct registry *registry, struct name *name, const char *written)
{
	struct name other = *name;

	if (name->version == 0 || strcmp(name->handle, written) == 0 ||
		!committer_is_shared(registry->committer) || is_known(registry, name))
		return;
	(void)strcpy(other.handle, written);
	if (is_heard_of(registry, &other))
		*name = other;
}

/* ---- without a version ---- */

/* The newest that may be had, or where upstream could not be asked, that is here; what asking failed with
 * where there is none. A loop is never answered from what is here: who asked would take it for upstream's
 * word. */
static bool fall_back(const struct name *name, const struct newest *newest, const struct err *why,
	int64_t *out_version, struct err *err)
{
	bool asked = why->code == ERR_NONE || why->code == ERR_NOT_FOUND;
	int64_t version = newest->here && !asked ? newest->here : newest->known;

	if (version > 0 && why->code != ERR_LOOP_DETECTED) {
		*out_version = version;
		return true;
	}
	if (why->code != ERR_NONE)
		*err = *why;
	else
		(void)err_set(err, ERR_NOT_FOUND, "no version of %s is here as %s", name->handle,
			formats[name->format].name);
	return false;
}

/* Upstream's word, unless that version is withdrawn or held back here, or one was published meanwhile. */
static bool take_word(struct registry *registry, const struct name *name, int64_t version,
	const struct newest *newest, int64_t *out_version, struct err *err)
{
	struct name latest = *name;
	struct err none = {0};
	bool may;

	latest.version = version;
	if (!catalog_may_be_latest(registry->catalog, &latest, &may, err))
		return false;
	if (!may || newest->published)
		return fall_back(name, newest, &none, out_version, err);
	*out_version = version;
	return true;
}

/* Of the site's own names what is not published is not given out. */
static bool find_newest(
	struct registry *registry, const struct name *name, struct newest *out, struct err *err)
{
	return catalog_find_newest(registry->catalog, name->handle, name->format, out, err) &&
	       (out->published || mirror_check_source(registry->mirror, name, SOURCE_MIRRORED, err));
}

bool registry_latest(struct registry *registry, const struct name *name, const struct asker *asker,
	int64_t *out_version, struct question **out, struct err *err)
{
	struct newest newest;
	int64_t version = 0;
	struct err why = {0};

	*out = NULL;
	if (!find_newest(registry, name, &newest, err))
		return false;
	if (newest.published ||
		!latest_ask(mirror_latest(registry->mirror), name, asker, &version, out, &why))
		return fall_back(name, &newest, &why, out_version, err);
	return *out || take_word(registry, name, version, &newest, out_version, err);
}

bool registry_latest_answered(
	struct registry *registry, struct question *question, int64_t *out_version, struct err *err)
{
	const struct name *name = question_name(question);
	struct newest newest;
	int64_t version;
	struct err why = {0};

	if (!find_newest(registry, name, &newest, err))
		return false;
	if (!question_result(question, &version, &why))
		return fall_back(name, &newest, &why, out_version, err);
	return take_word(registry, name, version, &newest, out_version, err);
}

bool registry_latest_known(
	struct registry *registry, const struct name *name, int64_t *out_version, bool *asks, struct err *err)
{
	struct latest *latest = mirror_latest(registry->mirror);
	int64_t version = latest_recall(latest, name);
	struct newest newest;
	struct err why = {0};

	*asks = false;
	if (!find_newest(registry, name, &newest, err))
		return false;
	if (version > 0)
		return take_word(registry, name, version, &newest, out_version, err);
	*asks = !newest.published && latest_may_ask(latest, name, NULL, &why);
	return fall_back(name, &newest, &why, out_version, err);
}

void registry_count_download(struct registry *registry, const struct name *name)
{
	download_counters_count(registry->counters, name);
}

void registry_touch(struct registry *registry, const struct name *name)
{
	download_counters_touch(registry->counters, name);
}

struct download_counter *registry_open_counter(struct registry *registry, const struct name *name)
{
	return download_counters_open(registry->counters, name);
}

void registry_count_hit(struct download_counter *counter, bool download)
{
	metric_add(METRIC_HITS, 1);
	if (download)
		download_counter_add(counter);
}

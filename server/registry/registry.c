/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/registry.h"

#include <stdlib.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/metrics.h"

struct registry {
	struct catalog *catalog;
	struct blobs *blobs;
	struct keeper *keeper;
	struct mirror *mirror;
	struct ledger *ledger;
};

struct registry *registry_create(struct catalog *catalog, struct blobs *blobs, struct keeper *keeper,
	struct mirror *mirror, struct ledger *ledger)
{
	struct registry *registry = mem_zero(1, sizeof *registry);

	*registry = (struct registry){catalog, blobs, keeper, mirror, ledger};
	return registry;
}

void registry_destroy(struct registry *registry)
{
	free(registry);
}

void holding_finish(struct holding *holding)
{
	own_close(&holding->fd);
	spool_release(holding->spool);
	*holding = (struct holding){.fd = -1};
}

static bool check_state(const struct artifact *artifact, struct err *err)
{
	switch (artifact->state) {
	case STATE_WITHDRAWN:
		return err_set(err, ERR_GONE, "%s was withdrawn", name_path(&artifact->name).text);
	case STATE_QUARANTINED:
		return err_set(err, ERR_QUARANTINED, "%s is held back", name_path(&artifact->name).text);
	default:
		return true;
	}
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
	if (!keeper_check_lost(registry->keeper, digest, &lost, err))
		return false;
	if (lost)
		log_event(LOG_LEVEL_ERROR, "a blob is missing from the disk", "name",
			name_path(&artifact->name).text, "sha256", digest->hex, NULL);
	return true;
}

/* What is here of the name; *found false where it has to be fetched. */
static bool find_here(
	struct registry *registry, const struct name *name, struct holding *out, bool *found, struct err *err)
{
	struct artifact artifact;

	*out = (struct holding){.fd = -1};
	out->artifact.name = *name;
	if (!catalog_find_artifact(registry->catalog, name, &artifact, found, err))
		return false;
	if (!*found)
		return true;
	if (!check_state(&artifact, err))
		return false;
	out->artifact = artifact;
	*found = artifact.recorded && artifact.cached;
	return !*found || open_blob(registry, &artifact, out, found, err);
}

bool registry_open(struct registry *registry, const struct name *name, const char *cdn_loop,
	struct holding *out, struct err *err)
{
	struct holding holding;
	bool found;

	/* A second look is needed only where a fill ended, or the blob was lost, between the first look and
	 * the mirror's. */
	for (int look = 0; look < 3; look++) {
		if (!find_here(registry, name, &holding, &found, err))
			return false;
		if (!found && !mirror_join(registry->mirror, name, cdn_loop, &holding.spool,
				      &holding.collapsed, err))
			return false;
		if (found || holding.spool) {
			metric_add(found               ? METRIC_HITS
				   : holding.collapsed ? METRIC_COLLAPSED
						       : METRIC_MISSES,
				1);
			*out = holding;
			return true;
		}
	}
	return err_set(err, ERR_BUSY, "%s is coming and going; try again", name_path(name).text);
}

bool registry_prefetch(struct registry *registry, const struct name *name, int64_t *fill_id, struct err *err)
{
	AUTO_HOLDING struct holding holding = {.fd = -1};
	bool found;

	*fill_id = 0;
	return find_here(registry, name, &holding, &found, err) &&
	       (found || mirror_start(registry->mirror, name, fill_id, err));
}

bool registry_look(struct registry *registry, const struct name *name, const char *cdn_loop,
	struct holding *out, bool *found, int64_t *size_bytes, struct err *err)
{
	*size_bytes = -1;
	if (!find_here(registry, name, out, found, err))
		return false;
	if (!*found && out->artifact.recorded)
		*size_bytes = out->artifact.size_bytes;
	return *found || *size_bytes >= 0 ||
	       mirror_ask_size(registry->mirror, name, cdn_loop, size_bytes, err);
}

bool registry_latest(struct registry *registry, const char *handle, enum format format, int64_t *out_version,
	struct err *err)
{
	bool found;

	if (!catalog_latest_version(registry->catalog, handle, format, out_version, &found, err))
		return false;
	return found || err_set(err, ERR_NOT_FOUND,
				"no version of %s is here as %s; name one in the URL to have it fetched",
				handle, formats[format].name);
}

void registry_count_download(struct registry *registry, const struct name *name)
{
	ledger_count(registry->ledger, name);
}

struct tally *registry_open_tally(struct registry *registry, const struct name *name)
{
	return ledger_open_tally(registry->ledger, name);
}

void registry_count_hit(struct tally *tally, bool download)
{
	metric_add(METRIC_HITS, 1);
	if (download)
		tally_count(tally);
}

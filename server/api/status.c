/* SPDX-License-Identifier: Apache-2.0 */
#include <stdatomic.h>

#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/pass_figures.h"
#include "server/http/problem.h"
#include "server/metrics.h"
#include "server/registry/mirror.h"
#include "server/registry/services.h"
#include "server/registry/space.h"
#include "server/store/catalog/catalog_listing.h"
#include "server/store/catalog/catalog_opening.h"
#include "server/store/catalog/catalog_outdated.h"
#include "server/store/catalog/catalog_wants.h"
#include "server/vault/vault.h"

static void answer_plain(struct reply *reply, const char *media_type, const char *text)
{
	reply_text(reply, 200, media_type, text);
	reply_header(reply, "Cache-Control", "no-cache");
}

void api_healthz(void *services, struct request *request, struct reply *reply)
{
	answer_plain(reply, "text/plain; charset=utf-8", "ok\n");
}

/* A full disk takes nothing in, but all that is here is served, and a balancer that took this server away
 * would take that away too. */
static bool look(const struct services *services, struct space_view *out, struct err *why)
{
	bool writable = catalog_check(services->catalog, why);

	if ((!writable && why->code != ERR_NO_SPACE) || !space_look(services->space, out, why))
		return false;
	out->full |= !writable;
	return true;
}

/* What is here is served also while the other nodes' is out of reach. NULL: there are none. */
static json_t *store_json(struct vault *vault)
{
	struct err why;

	if (!vault_is_shared(vault))
		return NULL;
	return json_pack(
		"{s:b, s:b}", "reads", vault_can_read(vault, &why), "writes", vault_can_write(vault, &why));
}

void api_readyz(void *services, struct request *request, struct reply *reply)
{
	const struct services *all = services;
	struct space_view space = {0};
	struct err why, err;

	if (atomic_load(&all->ending)) {
		(void)err_set(&err, ERR_BUSY, "Not ready to serve: the server is about to stop.");
		return problem_reply(reply, &err);
	}
	if (!look(all, &space, &why)) {
		(void)err_set(&err, ERR_BUSY, "Not ready to serve: %.200s", why.text);
		return problem_reply(reply, &err);
	}
	answer_json(reply, json_pack("{s:b, s:b, s:I, s:o*}", "ready", 1, "full", space.full, "free_bytes",
				   (json_int_t)space.free_bytes, "store", store_json(all->vault)));
}

void api_metrics(void *services, struct request *request, struct reply *reply)
{
	const struct services *all = services;
	AUTO_BUFFER struct buffer text = {0};
	struct space_view space;
	int64_t outdated;
	struct err ignored;

	/* What cannot be looked at is told by /readyz; the figures stay what they were. */
	(void)space_look(all->space, &space, &ignored);
	if (catalog_count_outdated(all->catalog, &outdated, &ignored))
		metric_set(METRIC_OUTDATED, outdated);
	metrics_write(&text);
	answer_plain(reply, "text/plain; version=0.0.4; charset=utf-8", buffer_string(&text));
}

static json_t *totals_json(const struct catalog_totals *totals)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "modules", (json_int_t)totals->modules,
		"versions", (json_int_t)totals->versions, "artifacts", (json_int_t)totals->artifacts,
		"cached", (json_int_t)totals->cached_artifacts, "blobs", (json_int_t)totals->blobs,
		"blob_bytes", (json_int_t)totals->blob_bytes, "downloads", (json_int_t)totals->downloads);
}

/* Counted since the start. */
static json_t *traffic_json(void)
{
	int64_t modules = metric_read(METRIC_MODULE_BYTES);
	int64_t upstream = metric_read(METRIC_UPSTREAM_BYTES);

	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "hits", (json_int_t)metric_read(METRIC_HITS), "misses",
		(json_int_t)metric_read(METRIC_MISSES), "sent_bytes",
		(json_int_t)metric_read(METRIC_SENT_BYTES), "upstream_bytes", (json_int_t)upstream,
		"saved_bytes", (json_int_t)(modules > upstream ? modules - upstream : 0));
}

void api_stats(void *services, struct request *request, struct reply *reply)
{
	const struct services *all = services;
	struct catalog_totals totals;
	int64_t wants, outdated;
	struct err err;
	json_t *object, *passes;

	if (!catalog_count(all->catalog, &totals, &err) || !catalog_count_wants(all->catalog, &wants, &err) ||
		!catalog_count_outdated(all->catalog, &outdated, &err) ||
		!(passes = pass_figures(all, &err))) {
		problem_reply(reply, &err);
		return;
	}
	object = totals_json(&totals);
	(void)json_object_update_new(object, traffic_json());
	json_object_set_new(object, "offline", json_boolean(mirror_is_offline(all->mirror)));
	json_object_set_new(object, "wants", json_integer((json_int_t)wants));
	json_object_set_new(object, "outdated", json_integer((json_int_t)outdated));
	json_object_set_new(object, "passes", passes);
	json_object_set_new(object, "started_at", answer_time(all->started_at));
	answer_json(reply, object);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/http/problem.h"
#include "server/metrics.h"
#include "server/store/blobs.h"
#include "server/store/catalog.h"

static void answer_plain(struct reply *reply, const char *media_type, const char *text)
{
	reply_text(reply, 200, media_type, text);
	reply_header(reply, "Cache-Control", "no-cache");
}

void api_healthz(void *services, struct request *request, struct reply *reply)
{
	answer_plain(reply, "text/plain; charset=utf-8", "ok\n");
}

void api_readyz(void *services, struct request *request, struct reply *reply)
{
	const struct services *all = services;
	int64_t free_bytes;
	struct err why, err;

	if (catalog_check(all->catalog, &why) && blobs_free_bytes(all->blobs, &free_bytes, &why)) {
		answer_json(reply, json_pack("{s:b, s:I}", "ready", 1, "free_bytes", (json_int_t)free_bytes));
		return;
	}
	(void)err_set(&err, ERR_BUSY, "Not ready to serve: %.200s", why.text);
	problem_reply(reply, &err);
}

void api_metrics(void *services, struct request *request, struct reply *reply)
{
	AUTO_BUFFER struct buffer text = {0};

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
	int64_t sent = metric_read(METRIC_SENT_BYTES);
	int64_t upstream = metric_read(METRIC_UPSTREAM_BYTES);

	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "hits", (json_int_t)metric_read(METRIC_HITS), "misses",
		(json_int_t)metric_read(METRIC_MISSES), "sent_bytes", (json_int_t)sent, "upstream_bytes",
		(json_int_t)upstream, "saved_bytes", (json_int_t)(sent > upstream ? sent - upstream : 0));
}

void api_stats(void *services, struct request *request, struct reply *reply)
{
	const struct services *all = services;
	struct catalog_totals totals;
	struct err err;
	json_t *object;

	if (!catalog_count(all->catalog, &totals, &err)) {
		problem_reply(reply, &err);
		return;
	}
	object = totals_json(&totals);
	(void)json_object_update_new(object, traffic_json());
	json_object_set_new(object, "started_at", answer_time(all->started_at));
	answer_json(reply, object);
}

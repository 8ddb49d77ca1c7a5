/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/activity.h"

#include "common/clock.h"
#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/fills.h"
#include "server/api/pass_figures.h"
#include "server/api/store_activity.h"
#include "server/config.h"
#include "server/metrics.h"
#include "server/registry/mirror.h"
#include "server/registry/traffic.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_recent.h"
#include "server/store/catalog/catalog_space.h"
#include "server/store/unpacked/members.h"

enum { RECENT_MAX = 20, RUNNING_MAX = 50, ENDED_MAX = 10 };

struct recent {
	struct recent_row *rows;
	size_t count;
};

static void recent_finish(struct recent *recent)
{
	recent_rows_destroy(recent->rows, recent->count);
}

static json_t *recent_json(const struct recent *recent)
{
	json_t *array = json_array();

	for (size_t i = 0; i < recent->count; i++) {
		const struct recent_row *row = &recent->rows[i];

		json_array_append_new(array,
			json_pack("{s:s, s:I, s:s, s:s, s:o, s:o}", "handle", row->name.handle, "version",
				(json_int_t)row->name.version, "format", formats[row->name.format].name,
				"source", version_source_name(row->source), "published_by",
				answer_text(row->published_by), "at", answer_time(row->at)));
	}
	return array;
}

static json_t *disk_json(const struct services *services, int64_t free_bytes, int64_t mirrored_bytes)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I}", "free_bytes", (json_int_t)free_bytes, "max_bytes",
		(json_int_t)services->config->storage.max_bytes, "cached_bytes", (json_int_t)mirrored_bytes,
		"drafts_bytes", (json_int_t)metric_read(METRIC_RESERVED_BYTES), "unpacked_bytes",
		(json_int_t)members_bytes(services->members));
}

/* Counted since the start; a request that joined a running fill had to wait, but cost upstream nothing. */
static json_t *traffic_json(void)
{
	int64_t hits = metric_read(METRIC_HITS);
	int64_t misses = metric_read(METRIC_MISSES);
	int64_t collapsed = metric_read(METRIC_COLLAPSED);
	int64_t all = hits + misses + collapsed;
	int64_t sent = metric_read(METRIC_MODULE_BYTES);
	int64_t upstream = metric_read(METRIC_UPSTREAM_BYTES);

	return json_pack("{s:I, s:I, s:I, s:o, s:I, s:I, s:I}", "hits", (json_int_t)hits, "misses",
		(json_int_t)misses, "collapsed", (json_int_t)collapsed, "hit_rate",
		all > 0 ? json_real((double)hits / (double)all) : json_null(), "sent_bytes", (json_int_t)sent,
		"upstream_bytes", (json_int_t)upstream, "upstream_bytes_saved",
		(json_int_t)(sent > upstream ? sent - upstream : 0));
}

static json_t *slots_json(const int64_t *slots)
{
	json_t *array = json_array();

	for (size_t i = 0; i < TRAFFIC_SLOTS; i++)
		json_array_append_new(array, json_integer(slots[i]));
	return array;
}

static json_t *history_json(const struct services *services)
{
	json_t *object = json_pack("{s:i}", "slot_s", TRAFFIC_SLOT_S);
	struct traffic_day day;

	traffic_read(services->traffic, clock_monotonic_ms(), &day);
	for (int kind = 0; kind < TRAFFIC_KIND_COUNT; kind++)
		json_object_set_new(object, traffic_kind_name(kind), slots_json(day.slots[kind]));
	return object;
}

static json_t *some_fills_json(const struct fill_status *fills, size_t count, size_t most)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count && i < most; i++)
		json_array_append_new(array, fill_json(&fills[i]));
	return array;
}

static void add_fills(const struct services *services, json_t *object)
{
	AUTO(fill_list_finish) struct fill_list list = {0};
	int64_t rate = 0;

	mirror_list(services->mirror, &list);
	for (size_t i = 0; i < list.running; i++)
		rate += list.items[i].figures.rate;
	(void)json_object_update_new(object,
		json_pack("{s:o, s:I, s:I, s:o}", "fills",
			some_fills_json(list.items, list.running, RUNNING_MAX), "fills_total",
			(json_int_t)list.running, "rate", (json_int_t)rate, "ended_fills",
			some_fills_json(list.items + list.running, list.count - list.running, ENDED_MAX)));
}

json_t *activity_json(const struct services *services, struct err *err)
{
	AUTO(recent_finish) struct recent recent = {0};
	int64_t free_bytes, mirrored_bytes;
	json_t *object, *passes;

	if (!catalog_list_recent(services->catalog, RECENT_MAX, &recent.rows, &recent.count, err) ||
		!catalog_mirrored_bytes(services->catalog, &mirrored_bytes, err) ||
		!blobs_free_bytes(services->blobs, &free_bytes, err) ||
		!(passes = pass_figures(services, err)))
		return NULL;
	object = traffic_json();
	json_object_set_new(object, "disk", disk_json(services, free_bytes, mirrored_bytes));
	json_object_set_new(object, "recent", recent_json(&recent));
	json_object_set_new(object, "started_at", answer_time(services->started_at));
	json_object_set_new(object, "passes", passes);
	json_object_set_new(object, "history", history_json(services));
	json_object_set_new(object, "store", store_activity_json(services));
	add_fills(services, object);
	return object;
}

json_t *ask_activity(const struct ask *ask, struct err *err)
{
	return activity_json(ask->services, err);
}

void api_activity(void *services, struct request *request, struct reply *reply)
{
	answer_ask(services, request, reply, ask_activity);
}

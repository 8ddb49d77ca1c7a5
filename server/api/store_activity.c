/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/store_activity.h"

#include "server/api/answer.h"
#include "server/metrics.h"
#include "server/registry/peer_notes.h"
#include "server/vault/vault.h"

static json_t *requests_json(void)
{
	static const char *const kinds[] = {"get", "head", "put", "part", "delete", "list"};
	json_t *array = json_array();

	for (int i = 0; i < (int)(sizeof kinds / sizeof *kinds); i++)
		json_array_append_new(
			array, json_pack("{s:s, s:I, s:I}", "kind", kinds[i], "requests",
				       (json_int_t)metric_read(METRIC_STORE_GETS + i), "waited_ms",
				       (json_int_t)metric_read(METRIC_STORE_WAITED_GETS_MS + i)));
	return array;
}

static json_t *latency_json(void)
{
	json_t *array = json_array();

	for (int i = 0; i < METRIC_STORE_BOUNDS; i++) {
		const struct metric_bound *bound = &metric_store_bounds[i];

		json_array_append_new(
			array, json_pack("{s:o, s:I}", "within_ms",
				       bound->ms < 0 ? json_null() : json_integer((json_int_t)bound->ms),
				       "requests", (json_int_t)metric_read(bound->metric)));
	}
	return array;
}

static json_t *leases_json(void)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I}", "held",
		(json_int_t)metric_read(METRIC_LEASES_HELD), "following",
		(json_int_t)metric_read(METRIC_LEASES_FOLLOWING), "acquired",
		(json_int_t)metric_read(METRIC_LEASES_ACQUIRED), "taken_over",
		(json_int_t)metric_read(METRIC_LEASES_TAKEN), "followed",
		(json_int_t)metric_read(METRIC_LEASES_FOLLOWED), "lost",
		(json_int_t)metric_read(METRIC_LEASES_LOST));
}

static json_t *peer_json(const struct peer_note *note)
{
	bool failed = note->failed_at_s > 0;

	return json_pack("{s:s, s:I, s:I, s:o, s:o, s:o}", "node", note->node, "followed",
		(json_int_t)note->follows, "received_bytes", (json_int_t)note->bytes, "last_at",
		answer_time(note->at_s), "last_error",
		failed ? json_string(err_name(note->last_error)) : json_null(), "last_error_at",
		failed ? answer_time(note->failed_at_s) : json_null());
}

static json_t *peers_json(struct peer_notes *notes)
{
	struct peer_note peers[PEER_NOTES_MAX];
	size_t count = peer_notes_list(notes, peers);
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, peer_json(&peers[i]));
	return array;
}

json_t *store_activity_json(const struct services *services)
{
	struct err ignored;

	if (!vault_is_shared(services->vault))
		return json_null();
	return json_pack("{s:b, s:b, s:o, s:I, s:I, s:o, s:o, s:o}", "reads",
		vault_can_read(services->vault, &ignored), "writes",
		vault_can_write(services->vault, &ignored), "requests", requests_json(), "retries",
		(json_int_t)metric_read(METRIC_STORE_RETRIES), "failures",
		(json_int_t)metric_read(METRIC_STORE_FAILURES), "latency", latency_json(), "leases",
		leases_json(), "peers", peers_json(services->peer_notes));
}

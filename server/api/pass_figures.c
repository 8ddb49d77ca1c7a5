/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/pass_figures.h"

#include "server/api/answer.h"
#include "server/config.h"
#include "server/store/catalog/catalog_passes.h"

static json_t *sums_json(int64_t started_s, int64_t ended_s, const struct pass_sums *sums)
{
	if (started_s == 0)
		return json_null();
	return json_pack("{s:o, s:o, s:I, s:I, s:I}", "started_at", answer_time(started_s), "ended_at",
		ended_s ? answer_time(ended_s) : json_null(), "blobs", (json_int_t)sums->blobs, "bytes",
		(json_int_t)sums->bytes, "damaged", (json_int_t)sums->damaged);
}

static json_t *pass_json(const struct pass *pass)
{
	if (pass->started_s == 0 && pass->last_started_s == 0)
		return json_null();
	return json_pack("{s:o, s:o}", "running", sums_json(pass->started_s, 0, &pass->sums), "last",
		sums_json(pass->last_started_s, pass->last_ended_s, &pass->last));
}

json_t *pass_figures(const struct services *services, struct err *err)
{
	json_t *object = json_pack("{s:I}", "scrub_days", (json_int_t)services->config->storage.scrub_days);
	struct pass pass;

	for (int kind = 0; kind < PASS_KIND_COUNT; kind++) {
		if (!catalog_find_pass(services->catalog, (enum pass_kind)kind, &pass, err)) {
			json_decref(object);
			return NULL;
		}
		json_object_set_new(object, pass_kind_name((enum pass_kind)kind), pass_json(&pass));
	}
	return object;
}

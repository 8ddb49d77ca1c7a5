/* SPDX-License-Identifier: Apache-2.0 */
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/page.h"
#include "server/config.h"
#include "server/store/catalog/catalog_webhooks.h"

/* Where it leads, and no more: the path of many receivers' addresses is all that keeps strangers out. */
static char *shown_url(const char *url)
{
	const char *host = strstr(url, "://") + strlen("://");
	size_t length = strcspn(host, "/?");
	const char *at = memrchr(host, '@', length);
	const char *bare = at ? at + 1 : host;

	return mem_printf("%.*s%.*s%s", (int)(host - url), url, (int)(host + length - bare), bare,
		host[length] && strcmp(host + length, "/") != 0 ? "/…" : "/");
}

static json_t *events_json(const char *events)
{
	json_t *array = json_array();

	for (size_t i = 0; webhook_events[i]; i++) {
		if (strstr(events, webhook_events[i]))
			json_array_append_new(array, json_string(webhook_events[i]));
	}
	return array;
}

static json_t *time_json(int64_t time_s)
{
	return time_s > 0 ? answer_time(time_s) : json_null();
}

static const char *state_name(const struct webhook_state *state)
{
	if (state->gone)
		return "gone";
	return state->failed_at > state->delivered_at && state->pending > 0 ? "failing" : "active";
}

static json_t *webhook_json(const struct webhook *webhook, const struct webhook_state *state)
{
	AUTO_FREE char *url = shown_url(webhook->url);

	return json_pack("{s:s, s:o, s:o, s:s, s:I, s:I, s:I, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "name",
		webhook->name, "url", answer_text(url), "events", events_json(webhook->events), "state",
		state_name(state), "pending", (json_int_t)state->pending, "delivered",
		(json_int_t)state->delivered, "failed_attempts", (json_int_t)state->failed, "given_up",
		(json_int_t)state->given_up, "dropped", (json_int_t)state->dropped, "last_status",
		state->status ? json_integer(state->status) : json_null(), "last_error",
		answer_text(state->reason), "delivered_at", time_json(state->delivered_at), "failed_at",
		time_json(state->failed_at), "next_at", time_json(state->due_at));
}

static const struct webhook_state *find_state(const struct webhook_states *states, const char *name)
{
	static const struct webhook_state unknown;

	for (size_t i = 0; i < states->count; i++) {
		if (strcmp(states->items[i].name, name) == 0)
			return &states->items[i];
	}
	return &unknown;
}

/* By their place in the configuration, which is where a page ends. */
json_t *ask_webhooks(const struct ask *ask, struct err *err)
{
	AUTO(webhook_states_finish) struct webhook_states states = {0};
	const struct config *config = ask->services->config;
	AUTO_FREE char *last = NULL;
	struct page page;
	json_t *items;
	int64_t place;
	size_t end;

	if (!page_read_position(ask, &page, &place, err) ||
		!catalog_list_webhooks(ask->services->catalog, &states, err))
		return NULL;
	end = config->webhook_count;
	place = place < (int64_t)end ? place : (int64_t)end;
	if (end - (size_t)place > page.limit) {
		end = (size_t)place + page.limit;
		last = mem_printf("%zu", end);
	}
	items = json_array();
	for (size_t i = (size_t)place; i < end; i++)
		json_array_append_new(items,
			webhook_json(&config->webhooks[i], find_state(&states, config->webhooks[i].name)));
	return page_json(ask, "webhooks", items, (int64_t)config->webhook_count, last);
}

void api_webhooks(void *services, struct request *request, struct reply *reply)
{
	answer_ask_with(services, request, reply, ask_webhooks, "limit cursor");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/page.h"
#include "server/http/problem.h"
#include "server/registry/wants.h"
#include "server/store/catalog/catalog_wants.h"

enum { WANTS_TOGETHER = 200 };

static void finish_list(struct want_list *list)
{
	free(list->items);
}

/* What prefetch and a hub's client take; free() it. */
static char *path_of(const struct want *want)
{
	const struct format_row *format = &formats[want->name.format];

	return mem_printf("%s?%s=%s", name_path(&want->name).text, format->query_key, format->query_value);
}

static json_t *want_json(const struct want *want)
{
	AUTO_FREE char *path = path_of(want);

	return json_pack("{s:s, s:I, s:s, s:s, s:I, s:o}", "handle", want->name.handle, "version",
		(json_int_t)want->name.version, "format", formats[want->name.format].name, "path", path,
		"times", (json_int_t)want->times, "last_at", answer_time(want->last_at));
}

/* ---- where a page ends: "tf-hub/2/google/nnlm-en-dim50" ---- */

static char *place_of(const struct name *name)
{
	return mem_printf("%s/%lld/%s", formats[name->format].name, (long long)name->version, name->handle);
}

static bool read_place(const char *place, struct name *out)
{
	AUTO_FREE char *text = mem_dup(place);
	char *version = strchr(text, '/');
	char *handle = version ? strchr(version + 1, '/') : NULL;

	if (!handle)
		return false;
	*version++ = '\0';
	*handle++ = '\0';
	(void)snprintf(out->handle, sizeof out->handle, "%s", handle);
	return format_parse(text, &out->format) && number_parse(version, &out->version);
}

json_t *ask_wants(const struct ask *ask, struct err *err)
{
	AUTO(finish_list) struct want_list list = {0};
	AUTO_FREE char *last = NULL;
	struct name after;
	struct page page;
	json_t *items;

	if (!page_read(ask, &page, err))
		return NULL;
	if (page.after[0] && !read_place(page.after, &after)) {
		(void)page_refuse_cursor(err);
		return NULL;
	}
	if (!catalog_list_wants(
		    ask->services->catalog, page.after[0] ? &after : NULL, page.limit, &list, err))
		return NULL;
	items = json_array();
	for (size_t i = 0; i < list.count; i++)
		json_array_append_new(items, want_json(&list.items[i]));
	if (list.more)
		last = place_of(&list.items[list.count - 1].name);
	return page_json(ask, "wants", items, list.total, last);
}

void api_wants(void *services, struct request *request, struct reply *reply)
{
	answer_ask_with(services, request, reply, ask_wants, "limit cursor");
}

void api_clear_wants(void *services, struct request *request, struct reply *reply)
{
	const struct services *all = services;
	int64_t count;
	struct err err;

	(void)request;
	wants_drop(all->wants);
	if (catalog_clear_wants(all->catalog, &count, &err))
		answer_json(reply, json_pack("{s:I}", "cleared", (json_int_t)count));
	else
		problem_reply(reply, &err);
}

/* ---- as the file that is carried: what stands behind a tab is for people ---- */

static bool write_lines(const struct services *services, struct buffer *out, struct err *err)
{
	struct name after;
	bool more = true;

	for (bool begun = false; more; begun = true) {
		AUTO(finish_list) struct want_list list = {0};

		if (!catalog_list_wants(services->catalog, begun ? &after : NULL, WANTS_TOGETHER, &list, err))
			return false;
		for (size_t i = 0; i < list.count; i++) {
			AUTO_FREE char *path = path_of(&list.items[i]);

			buffer_printf(out, "%s\t%lld\t%s\n", path, (long long)list.items[i].times,
				clock_rfc3339(list.items[i].last_at).text);
			after = list.items[i].name;
		}
		more = list.more;
	}
	return true;
}

void api_wants_file(void *services, struct request *request, struct reply *reply)
{
	const struct services *all = services;
	AUTO_BUFFER struct buffer lines = {0};
	struct err err;

	(void)request;
	if (!write_lines(all, &lines, &err))
		return problem_reply(reply, &err);
	reply_text(reply, 200, "text/plain; charset=utf-8", buffer_string(&lines));
	reply_header(reply, "Cache-Control", "no-cache");
	reply_header(reply, "Content-Disposition", "attachment; filename=\"wants.txt\"");
}

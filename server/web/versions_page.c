/* SPDX-License-Identifier: Apache-2.0
 *
 * All versions of a module, page by page. */
#include <string.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/uri.h"
#include "server/module/name.h"
#include "server/web/cards.h"
#include "server/web/facts.h"
#include "server/web/module_sections.h"
#include "server/web/web.h"

enum { VERSIONS_ON_A_PAGE = 200 };

static json_t *ask(const struct view *view, struct err *err)
{
	const char *cursor = query_find(&view->request->query, "cursor");
	struct query query = {0};

	(void)query_set(&query, "newest", "true");
	if (cursor && *cursor)
		(void)query_set(&query, "cursor", cursor);
	return facts_ask(view, ask_module,
		&(struct ask){.rest = view->request->rest, .query = &query, .limit = VERSIONS_ON_A_PAGE},
		err);
}

static void write_title(struct view *view, const json_t *module)
{
	const char *handle = fact_text(module, "handle");
	const struct publisher_name publisher = name_publisher(handle);
	const char *name = handle + strlen(publisher.text);

	name += *name == '/';
	HTML(&view->html, "<header class=\"title\">\n");
	view_begin_crumbs(view, "/", "Modules");
	view_crumb(view, publisher.text, publisher.text);
	view_crumb(view, handle, name);
	view_end_crumbs(view);
	HTML(&view->html, "<h1>%s: %s version%s</h1>\n</header>\n", name,
		count_text(fact_number(module, "total")).text, fact_number(module, "total") == 1 ? "" : "s");
}

void web_versions(void *services, struct request *request, struct reply *reply)
{
	AUTO_VIEW struct view view = {0};
	json_auto_t *module = NULL;
	AUTO_FREE char *path = mem_printf("-/versions/%s", request->rest);
	struct err err;

	view_init(&view, services, request);
	if (!view_takes(&view, "cursor", reply))
		return;
	module = ask(&view, &err);
	if (!module)
		return view_refuse(&view, &err, reply);
	view_begin(&view, fact_text(module, "handle"), SECTION_NONE, NULL);
	HTML(&view.html, "<div class=\"page\">\n");
	write_title(&view, module);
	module_sections_write_versions(&view, module, fact_number(module, "latest_version"));
	cards_write_next(&view, path, module);
	HTML(&view.html, "</div>\n");
	view_send(&view, reply, 200);
}

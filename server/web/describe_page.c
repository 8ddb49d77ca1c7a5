/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdint.h>
#include <string.h>

#include "common/mem.h"
#include "common/uri.h"
#include "server/http/problem.h"
#include "server/registry/mirror.h"
#include "server/web/cards.h"
#include "server/web/facts.h"
#include "server/web/fill_notice.h"
#include "server/web/html_table.h"
#include "server/web/model_tables.h"
#include "server/web/module_head.h"
#include "server/web/module_sections.h"
#include "server/web/publisher_page.h"
#include "server/web/snippets.h"
#include "server/web/web.h"

enum { VERSIONS_SHOWN = 50 };

/* ---- a version ---- */

static void offer_documentation(struct view *view, const struct name *name)
{
	AUTO_FREE char *command =
		mem_printf("curl -X PUT -H 'Content-Type: text/markdown' -H \"Authorization: Bearer $TOKEN\" "
			   "\\\n    --data-binary @README.md %s/%s",
			view->url, name_path(name).text);

	HTML(&view->html, "<details>\n<summary>Add documentation</summary>\n"
			  "<p>There is none yet. Whoever may publish this module can add some:</p>\n");
	view_code(view, "Add documentation", command);
	HTML(&view->html, "</details>\n");
}

/* A version without documentation has that of the newest that has some. */
static char *find_documentation(
	const struct view *view, const struct name *name, const json_t *module, int64_t *out_version)
{
	struct name documented = *name;
	char *own = facts_render_documentation(view, ask_documentation, name_path(name).text);

	*out_version = name->version;
	if (own || fact_number(module, "documented_version") == 0)
		return own;
	documented.version = *out_version = fact_number(module, "documented_version");
	return facts_render_documentation(view, ask_documentation, name_path(&documented).text);
}

static void write_documentation(
	struct view *view, const struct name *name, const char *documentation, int64_t documented)
{
	AUTO_FREE char *note = mem_printf(
		"This is the documentation of version %" PRId64 ", the newest that has some.", documented);

	view_document(view, "Documentation", documentation, documented == name->version ? NULL : note);
}

/* How it is used, what is to be known of it, and what takes long to read, in this order where a screen is too
 * narrow for two columns. */
static void write_columns(
	struct view *view, const struct name *name, const json_t *module, const json_t *version, bool active)
{
	bool has_code = active && snippets_have_any(module, version);
	int64_t documented;
	AUTO_FREE char *documentation = find_documentation(view, name, module, &documented);

	module_head_write(view, &(struct module_head){module, version, has_code,
					model_tables_has_any(version), documentation});
	HTML(&view->html, "<div class=\"columns\">\n<div class=\"primary\">\n");
	module_sections_write_notices(view, version);
	if (has_code)
		snippets_write(view, module, version);
	model_tables_write(view, version);
	HTML(&view->html, "</div>\n");
	module_sections_write_aside(view, module, version);
	HTML(&view->html, "<div class=\"primary\">\n");
	if (documentation)
		write_documentation(view, name, documentation, documented);
	module_sections_write_artifacts(view, version);
	if (active)
		module_sections_write_files(view, version);
	if (!documentation && active)
		offer_documentation(view, name);
	HTML(&view->html, "</div>\n</div>\n");
}

static void write_version(
	struct view *view, const struct name *name, const json_t *module, const json_t *version)
{
	bool active = strcmp(fact_text(version, "state"), "active") == 0;

	write_columns(view, name, module, version, active);
}

/* A withdrawn version is gone for clients of the hub; people may read what it was. */
static int status_of(const json_t *version)
{
	return strcmp(fact_text(version, "state"), "withdrawn") == 0 ? 410 : 200;
}

/* What is not known here may still be upstream, unless that is known not to be so. */
static void write_ways(struct view *view, const struct name *name)
{
	struct outlook outlook;
	struct err err;

	if (mirror_consider(view->services->mirror, name, &outlook, &err) &&
		outlook.prospect == PROSPECT_REFUSED) {
		HTML(&view->html, "<p>It cannot be downloaded from upstream now: %s.</p>\n",
			outlook.refusal.text);
		return;
	}
	fill_notice_write(
		view, name, "", "An upstream may have it.", "It is downloaded when it is first asked for.");
}

static void refuse_version(
	struct view *view, const struct name *name, const struct err *err, struct reply *reply)
{
	const char *slash = strrchr(name->handle, '/');

	if (err->code != ERR_NOT_FOUND)
		return view_refuse(view, err, reply);
	problem_reply(reply, err);
	view_begin(view, "Not known here", SECTION_NONE, "module.js");
	HTML(&view->html, "<div class=\"prose\">\n<h1>%s is not known here</h1>\n", name_path(name).text);
	write_ways(view, name);
	HTML(&view->html, "<p><a href=\"%s/?q=", view->root);
	html_query_value(&view->html, slash ? slash + 1 : name->handle);
	HTML(&view->html, "\">Search for similar names</a></p>\n</div>\n");
	view_send(view, reply, reply->status);
}

/* "acme/collections/some" was a collection's address on tfhub.dev, with or without a version. */
static bool find_collection(struct view *view, const struct name *name, struct reply *reply)
{
	const struct publisher_name publisher = name_publisher(name->handle);
	const char *rest = name->handle + strlen(publisher.text);
	json_auto_t *collection = NULL;
	AUTO_FREE char *handle = NULL;
	AUTO_FREE char *path = NULL;
	AUTO_FREE char *way = NULL;
	struct err err;

	if (strncmp(rest, "/collections/", strlen("/collections/")) != 0)
		return false;
	handle = mem_printf("%s/%s", publisher.text, rest + strlen("/collections/"));
	collection = facts_ask(view, ask_collection, &(struct ask){.rest = handle, .limit = 1}, &err);
	if (!collection)
		return false;
	path = mem_printf("/-/collections/%s", handle);
	way = request_way_to(view->request, path);
	reply_empty(reply, 302);
	reply_header(reply, "Location", way);
	reply_header(reply, "Cache-Control", "no-cache");
	return true;
}

/* With its newest versions. */
static json_t *find_module(const struct view *view, const char *handle, struct err *err)
{
	struct query query = {0};

	(void)query_set(&query, "newest", "true");
	return facts_ask(view, ask_module,
		&(struct ask){.rest = handle, .query = &query, .limit = VERSIONS_SHOWN}, err);
}

static void describe_version(struct view *view, const struct name *name, struct reply *reply)
{
	struct err err;
	json_auto_t *module = find_module(view, name->handle, &err);
	json_auto_t *version =
		module ? facts_ask(view, ask_version, &(struct ask){.rest = name_path(name).text}, &err)
		       : NULL;

	if (!version && find_collection(view, name, reply))
		return;
	if (!version)
		return refuse_version(view, name, &err, reply);
	view->feed = mem_printf("-/feeds/%s.atom", name->handle);
	view_begin(view, name_path(name).text, SECTION_NONE, "module.js");
	write_version(view, name, module, version);
	view_send(view, reply, status_of(version));
}

/* ---- a module: the page of its latest version ---- */

static int64_t version_to_show(const json_t *module)
{
	const json_t *rows = json_object_get(module, "version_list");
	int64_t latest = fact_number(module, "latest_version");

	return latest ? latest : fact_number(json_array_get(rows, 0), "version");
}

static void describe_module(struct view *view, const struct name *name, struct reply *reply)
{
	struct err err;
	json_auto_t *module = find_module(view, name->handle, &err);
	struct name latest = *name;

	if (!module && find_collection(view, name, reply))
		return;
	if (!module)
		return view_refuse(view, &err, reply);
	latest.version = version_to_show(module);
	describe_version(view, &latest, reply);
}

void web_describe(void *services, const struct request *request, const struct name *name, struct reply *reply)
{
	AUTO_VIEW struct view view = {0};

	view_init(&view, services, request);
	if (name->version > 0)
		describe_version(&view, name, reply);
	else if (strchr(name->handle, '/'))
		describe_module(&view, name, reply);
	else
		publisher_page_describe(&view, name->handle, reply);
}

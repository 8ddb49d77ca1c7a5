/* SPDX-License-Identifier: Apache-2.0
 *
 * What is new, for feed readers: Atom (RFC 4287). */
#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "server/http/problem.h"
#include "server/store/catalog/catalog_collections.h"
#include "server/store/catalog/catalog_listing.h"
#include "server/store/catalog/catalog_newest.h"
#include "server/web/plain_words.h"
#include "server/web/view.h"
#include "server/web/web.h"

enum { ENTRIES_MAX = 30 };

static const char media_type[] = "application/atom+xml; charset=utf-8";
static const char suffix[] = ".atom";

/* What a feed is of: "" for all. Entries are called by the server's own address, however a client reached it.
 */
struct feed {
	const char *of;
	const char *path; /* without a slash before it */
	struct newest_list list;
};

static void write_entry(struct view *view, const struct newest_row *row)
{
	struct html *html = &view->html;
	AUTO_FREE char *description = plain_words(row->description);
	const char *author = row->published_by ? row->published_by : name_publisher(row->handle).text;

	HTML(html, "<entry>\n<id>%s/%s/%" PRId64 "</id>\n<title>%s/%" PRId64 "</title>\n",
		atomic_load(&view->services->url), row->handle, row->version, row->handle, row->version);
	HTML(html, "<link rel=\"alternate\" type=\"text/html\" href=\"%s/%s/%" PRId64 "\"/>\n", view->url,
		row->handle, row->version);
	HTML(html, "<published>%s</published>\n", clock_rfc3339(row->created_at).text);
	HTML(html, "<updated>%s</updated>\n", clock_rfc3339(row->updated_at).text);
	HTML(html, "<author><name>%s</name></author>\n<category term=\"%s\"/>\n", author,
		version_source_name(row->source));
	HTML(html, "<summary>%s</summary>\n</entry>\n", description);
}

static void write_feed(struct view *view, const struct feed *feed)
{
	struct html *html = &view->html;
	int64_t updated_at = feed->list.count > 0 ? feed->list.items[0].updated_at : 0;

	HTML(html,
		"<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<feed xmlns=\"http://www.w3.org/2005/Atom\">\n");
	HTML(html, "<id>%s/%s</id>\n<title>%s%sLarder</title>\n", atomic_load(&view->services->url),
		feed->path, feed->of, *feed->of ? " · " : "");
	HTML(html, "<link rel=\"self\" type=\"application/atom+xml\" href=\"%s/%s\"/>\n", view->url,
		feed->path);
	HTML(html, "<link rel=\"alternate\" type=\"text/html\" href=\"%s/%s\"/>\n", view->url, feed->of);
	HTML(html, "<updated>%s</updated>\n<generator>Larder</generator>\n", clock_rfc3339(updated_at).text);
	for (size_t i = 0; i < feed->list.count; i++)
		write_entry(view, &feed->list.items[i]);
	HTML(html, "</feed>\n");
}

/* Whoever has nothing new to tell has an empty feed; who is not known has none. */
static bool check_known(struct services *services, const char *of, struct err *err)
{
	AUTO(module_summary_finish) struct module_summary module = {0};
	AUTO(publisher_details_finish) struct publisher_details publisher = {0};
	bool found;

	if (strchr(of, '/') ? !catalog_find_module(services->catalog, of, &module, &found, err)
			    : !catalog_find_publisher(services->catalog, of, &publisher, &found, err))
		return false;
	return found || err_set(err, ERR_NOT_FOUND,
				"There is no feed of \"%.100s\", which is not known here. /-/feed.atom is "
				"that of all.",
				of);
}

static void reply_feed(
	struct services *services, struct request *request, struct reply *reply, struct feed *feed)
{
	AUTO_VIEW struct view view = {0};
	size_t length;
	struct err err;

	if ((*feed->of && !check_known(services, feed->of, &err)) ||
		!catalog_list_newest(services->catalog, feed->of, ENTRIES_MAX, &feed->list, &err))
		return problem_reply(reply, &err);
	view_init(&view, services, request);
	write_feed(&view, feed);
	length = view.html.out.length;
	reply_take_bytes(reply, 200, media_type, buffer_take(&view.html.out), length);
	reply_header(reply, "Cache-Control", "no-cache");
	newest_list_finish(&feed->list);
}

void web_feed(void *services, struct request *request, struct reply *reply)
{
	struct feed feed = {.of = "", .path = "-/feed.atom"};

	reply_feed(services, request, reply, &feed);
}

void web_feed_of(void *services, struct request *request, struct reply *reply)
{
	size_t length = strlen(request->rest), end = sizeof suffix - 1;
	bool named = length > end && strcmp(request->rest + length - end, suffix) == 0;
	AUTO_FREE char *of = mem_dup_n(request->rest, named ? length - end : length);
	AUTO_FREE char *path = mem_printf("-/feeds/%s", request->rest);
	struct feed feed = {.of = of, .path = path};
	struct err err;

	if (named)
		return reply_feed(services, request, reply, &feed);
	(void)err_set(&err, ERR_NOT_FOUND,
		"Feeds are called /-/feeds/<publisher>.atom and /-/feeds/<handle>.atom.");
	problem_reply(reply, &err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/fill_notice.h"

#include <inttypes.h>
#include <string.h>

#include "common/mem.h"
#include "common/number.h"
#include "common/uri.h"
#include "server/web/facts.h"
#include "server/web/times.h"

/* Those of this version, whatever their format. */
static json_t *ask_own_fills(const struct view *view, const char *path)
{
	struct query query = {0};
	struct err err;

	(void)query_set(&query, "path", path);
	return facts_ask(view, ask_fills, &(struct ask){.query = &query, .limit = 1}, &err);
}

/* As the script writes it. */
static void write_figures(struct view *view, const json_t *fill)
{
	int64_t total = fact_number(fill, "total_bytes");
	int64_t rate = fact_number(fill, "rate");
	const json_t *eta = json_object_get(fill, "eta_s");

	HTML(&view->html, "<p class=\"told\">%s", number_size(fact_number(fill, "bytes")).text);
	if (total > 0)
		HTML(&view->html, " of %s", number_size(total).text);
	if (rate > 0)
		HTML(&view->html, ", %s/s", number_size(rate).text);
	if (json_is_integer(eta))
		HTML(&view->html, ", %s left", times_span(json_integer_value(eta)).text);
	HTML(&view->html, "</p>\n");
}

static void write_running(struct view *view, const json_t *fill)
{
	int64_t total = fact_number(fill, "total_bytes");

	HTML(&view->html, "<div class=\"running\">\n<p role=\"status\">Downloading");
	if (*fact_text(fill, "upstream"))
		HTML(&view->html, " from %s", fact_text(fill, "upstream"));
	HTML(&view->html, ".</p>\n<progress aria-label=\"Progress\"");
	if (total > 0)
		HTML(&view->html, " max=\"%" PRId64 "\" value=\"%" PRId64 "\"", total,
			fact_number(fill, "bytes"));
	HTML(&view->html, "></progress>\n");
	write_figures(view, fill);
	HTML(&view->html, "<p class=\"unscripted\">That is how it stood when this page was made: load it "
			  "again to see how "
			  "far it is.</p>\n</div>\n");
}

static void write_failed(struct view *view, const json_t *fills)
{
	const json_t *last = json_array_get(json_object_get(fills, "recent"), 0);

	if (*fact_text(last, "detail"))
		HTML(&view->html, "<p>The last download from upstream failed: %s.</p>\n",
			fact_text(last, "detail"));
}

void fill_notice_write(
	struct view *view, const struct name *name, const char *query, const char *title, const char *lead)
{
	const struct name_path named = name_path(name);
	const char *path = named.text;
	const char *quote = *query ? "'" : "";
	AUTO_FREE char *command =
		mem_printf("larder prefetch --server %s %s%s%s%s", view->url, quote, path, query, quote);
	json_auto_t *fills = ask_own_fills(view, path);
	const json_t *fill = json_array_get(json_object_get(fills, "fills"), 0);

	HTML(&view->html, "<div class=\"notice\" id=\"fetch\" data-path=\"%s%s\" data-version=\"%s\"", path,
		query, path);
	if (fill)
		HTML(&view->html, " data-fill=\"%" PRId64 "\"", fact_number(fill, "id"));
	HTML(&view->html, ">\n<p><strong>%s</strong> %s</p>\n", title, lead);
	if (fill) {
		write_running(view, fill);
	} else {
		write_failed(view, fills);
		view_code(view, "Store it here now", command);
	}
	HTML(&view->html, "</div>\n");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/module_sections.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "common/number.h"
#include "server/module/archives/textname.h"
#include "server/module/name.h"
#include "server/web/cards.h"
#include "server/web/facts.h"
#include "server/web/fill_notice.h"
#include "server/web/filters.h"
#include "server/web/html_table.h"
#include "server/web/sparkline.h"
#include "server/web/times.h"

enum { FILES_SHOWN = 200 };

/* ---- notices ---- */

static const struct {
	const char *state;
	const char *title;
	const char *text;
} states[] = {
	{"withdrawn", "Withdrawn",
		"This version can no longer be downloaded, and its number will not be used again."},
	{"quarantined", "Held back",
		"This version is here, but not given out: its bytes are not to be trusted."},
};

static bool is_held_back(const json_t *unavailable)
{
	return strcmp(fact_text(unavailable, "code"), "quarantined") == 0;
}

static void write_fetching(struct view *view, const json_t *version)
{
	const char *query = strchr(fact_text(facts_stand_in(version), "url"), '?');
	struct name name = {.version = fact_number(version, "version")};

	(void)snprintf(name.handle, sizeof name.handle, "%s", fact_text(version, "handle"));
	fill_notice_write(view, &name, query ? query : "", "Not stored here yet.",
		"It is downloaded from upstream when it is first asked for.");
}

static void write_missing(struct view *view, const json_t *version)
{
	const json_t *unavailable = facts_unavailable(version);
	bool held_back = is_held_back(unavailable);

	if (!unavailable)
		return write_fetching(view, version);
	HTML(&view->html, "<div class=\"notice %s\">\n<p><strong>%s</strong> %s.</p>\n</div>\n",
		held_back ? "stop" : "warn",
		held_back ? "Held back." : "Not stored here, and not to be had now.",
		fact_text(unavailable, "detail"));
}

static void write_warnings(struct view *view, const json_t *artifact)
{
	const json_t *warnings = json_object_get(artifact, "warnings");
	const json_t *warning;
	size_t i;

	if (json_array_size(warnings) == 0)
		return;
	HTML(&view->html,
		"<div class=\"notice warn\">\n<p><strong>Findings in the %s artifact.</strong> It is whole, "
		"but may trouble some clients:</p>\n<ul>\n",
		fact_text(artifact, "format"));
	json_array_foreach((json_t *)warnings, i, warning)
	{
		HTML(&view->html, "<li><a href=\"%s/?finding=%s\"><code>%s</code></a> %s", view->root,
			fact_text(warning, "rule"), fact_text(warning, "rule"),
			fact_text(warning, "message"));
		if (*fact_text(warning, "path"))
			HTML(&view->html, " <span class=\"faint\">(%s)</span>", fact_text(warning, "path"));
		HTML(&view->html, "</li>\n");
	}
	HTML(&view->html, "</ul>\n</div>\n");
}

static void write_finding(struct view *view, const json_t *finding)
{
	HTML(&view->html, "<li><a href=\"%s/?finding=%s\"><code>%s</code></a> (%s) %s", view->root,
		fact_text(finding, "rule"), fact_text(finding, "rule"), fact_text(finding, "severity"),
		fact_text(finding, "meaning"));
	HTML(&view->html, " <code>%s</code>", fact_text(finding, "detail"));
	if (*fact_text(finding, "where"))
		HTML(&view->html, " <span class=\"faint\">(%s)</span>", fact_text(finding, "where"));
	HTML(&view->html, "</li>\n");
}

static bool is_worth_a_word(const json_t *finding)
{
	return strcmp(fact_text(finding, "severity"), "info") != 0;
}

/* What is of interest only to whoever asks for it is in the JSON. */
static void write_safety(struct view *view, const json_t *version)
{
	const json_t *findings = json_object_get(version, "findings");
	const json_t *finding;
	size_t worth = 0;
	size_t i;

	json_array_foreach((json_t *)findings, i, finding) worth += is_worth_a_word(finding);
	if (worth == 0)
		return;
	HTML(&view->html, "<div class=\"notice warn\">\n<p><strong>Safety findings.</strong> A module is a "
			  "program: this is what it may do to whoever runs it.</p>\n<ul>\n");
	json_array_foreach((json_t *)findings, i, finding)
	{
		if (is_worth_a_word(finding))
			write_finding(view, finding);
	}
	HTML(&view->html, "</ul>\n</div>\n");
}

/* Who vouches for it; the envelopes are in the API. */
static void write_attestations(struct view *view, const json_t *version)
{
	const json_t *attestations = json_object_get(version, "attestations");
	const json_t *attestation;
	size_t i;

	if (json_array_size(attestations) == 0)
		return;
	HTML(&view->html,
		"<div class=\"notice\">\n<p><strong>Attested.</strong> The "
		"<a href=\"%s/api/v1/attestations/%s/%" PRId64 "\">envelopes</a> can be checked with "
		"<code>larder verify-module</code>.</p>\n<ul>\n",
		view->root, fact_text(version, "handle"), fact_number(version, "version"));
	json_array_foreach((json_t *)attestations, i, attestation)
	{
		const char *signer = fact_text(attestation, "signed_by");

		HTML(&view->html, "<li>%s: <code>%s</code>, %s%s</li>\n", fact_text(attestation, "format"),
			fact_text(attestation, "predicate_type"),
			*signer ? "signed by " : "by no key that is trusted here", signer);
	}
	HTML(&view->html, "</ul>\n</div>\n");
}

void module_sections_write_notices(struct view *view, const json_t *version)
{
	const char *state = fact_text(version, "state");
	const json_t *artifact;
	size_t i;

	for (i = 0; i < sizeof states / sizeof *states; i++) {
		if (strcmp(states[i].state, state) == 0)
			HTML(&view->html,
				"<div class=\"notice stop\">\n<p><strong>%s.</strong> %s</p>\n</div>\n",
				states[i].title, states[i].text);
	}
	json_array_foreach(json_object_get(version, "artifacts"), i, artifact) write_warnings(view, artifact);
	write_safety(view, version);
	write_attestations(view, version);
	if (strcmp(state, "active") == 0 && !facts_is_stored(version))
		write_missing(view, version);
}

/* ---- artifacts and files ---- */

static void write_source(struct view *view, const json_t *artifact)
{
	const char *source = fact_text(artifact, "source");
	const char *who = fact_text(artifact, "published_by");
	const char *upstream = fact_text(artifact, "upstream");
	const char *bundle = fact_text(json_object_get(artifact, "imported_from"), "bundle");

	HTML(&view->html, "<td data-label=\"Source\">%s", source);
	if (*who)
		HTML(&view->html, " by %s", who);
	if (*upstream)
		HTML(&view->html, " from %s", upstream);
	if (*bundle)
		HTML(&view->html, ", in bundle %s", bundle);
	HTML(&view->html, "</td>");
}

static bool is_examined(const json_t *artifact)
{
	return json_is_integer(json_object_get(artifact, "files"));
}

static const char *where_is(const json_t *artifact)
{
	const json_t *unavailable = json_object_get(artifact, "unavailable");

	bool is_held = strcmp(fact_text(artifact, "state"), "quarantined") == 0;

	if (fact_true(artifact, "cached"))
		return is_held ? "stored here, held back" : "stored here";
	if (is_held || is_held_back(unavailable))
		return "evicted, held back";
	if (!is_examined(artifact))
		return unavailable ? "with other nodes, not to be had now"
				   : "with other nodes, comes at first use";
	return unavailable ? "evicted, not to be had now" : "evicted, downloaded again at next use";
}

static void write_artifact(struct view *view, const json_t *version, const json_t *artifact)
{
	const char *query = strchr(fact_text(artifact, "url"), '?');
	const char *digest = fact_text(artifact, "digest");

	HTML(&view->html, "<tr><th scope=\"row\">");
	if (strcmp(fact_text(artifact, "state"), "active") == 0)
		HTML(&view->html, "<a href=\"%s/%s/%" PRId64 "%s\" download>%s</a></th>", view->root,
			fact_text(version, "handle"), fact_number(version, "version"), query ? query : "",
			fact_text(artifact, "format"));
	else
		HTML(&view->html, "%s</th>", fact_text(artifact, "format"));
	write_source(view, artifact);
	HTML(&view->html,
		"<td class=\"number\" data-label=\"Size\">%s</td><td class=\"number\" "
		"data-label=\"Unpacked\">%s</td>",
		number_size(fact_number(artifact, "size_bytes")).text,
		is_examined(artifact) ? number_size(fact_number(artifact, "unpacked_bytes")).text : "–");
	HTML(&view->html,
		"<td class=\"number\" data-label=\"Downloads\">%s</td><td data-label=\"Where\">%s</td><td "
		"class=\"digest\" data-label=\"Digest\"><code>%s</code></td></tr>\n",
		count_text(fact_number(artifact, "downloads")).text, where_is(artifact), digest);
}

void module_sections_write_artifacts(struct view *view, const json_t *version)
{
	const json_t *artifacts = json_object_get(version, "artifacts");
	const json_t *artifact;
	size_t i;

	if (json_array_size(artifacts) == 0)
		return;
	view_begin_section(view, "artifacts", "Artifacts");
	html_table_begin(view,
		&(struct html_table){.label = "Artifacts",
			.kind = "rows",
			.columns = {"Format", "Source", "Size", "Unpacked", "Downloads", "Where", "Digest"},
			.numbers = 1 << 2 | 1 << 3 | 1 << 4});
	json_array_foreach((json_t *)artifacts, i, artifact) write_artifact(view, version, artifact);
	html_table_end(view);
	view_end_section(view);
}

/* The key by which a file that browsers show as text is asked for; NULL where it is none. */
static const char *query_to_read(const char *format, const char *path)
{
	enum format number;

	if (!textname_is_text(path) || !format_parse(format, &number) || !formats[number].is_archive)
		return NULL;
	return formats[number].query_key;
}

static void write_file(struct view *view, const json_t *version, const char *format, const char *path)
{
	const char *key = query_to_read(format, path);

	if (key) {
		HTML(&view->html, "<a href=\"%s/%s/%" PRId64 "/", view->root, fact_text(version, "handle"),
			fact_number(version, "version"));
		html_path(&view->html, path);
		HTML(&view->html, "?%s=file\">", key);
	}
	HTML(&view->html, "<code>%s</code>", path);
	if (key)
		HTML(&view->html, "</a>");
}

static void write_file_list(
	struct view *view, const json_t *version, const char *format, const json_t *files, int64_t total)
{
	AUTO_FREE char *label = mem_printf("Files of %s", format);
	const json_t *file;
	size_t i;

	HTML(&view->html, "<details%s>\n<summary>%s <span class=\"faint\">%s file%s</span></summary>\n",
		total <= 12 ? " open" : "", format, count_text(total).text, total == 1 ? "" : "s");
	html_table_begin(
		view, &(struct html_table){.label = label, .kind = "files", .columns = {"File", "Size"}});
	json_array_foreach((json_t *)files, i, file)
	{
		HTML(&view->html, "<tr><th scope=\"row\">");
		write_file(view, version, format, fact_text(file, "path"));
		HTML(&view->html, "</th><td>%s</td></tr>\n",
			number_size(fact_number(file, "size_bytes")).text);
	}
	html_table_end(view);
	if (total > (int64_t)json_array_size(files))
		HTML(&view->html, "<p class=\"faint\">The first %d; the API lists all of them.</p>\n",
			FILES_SHOWN);
	HTML(&view->html, "</details>\n");
}

/* The section begins with the first list that there is. */
static void write_files(struct view *view, const json_t *version, const char *format, bool *begun)
{
	AUTO_FREE char *rest =
		mem_printf("%s/%" PRId64, fact_text(version, "handle"), fact_number(version, "version"));
	struct query query = {0};
	struct err err;
	json_auto_t *answer = NULL;

	(void)query_set(&query, "format", format);
	answer = facts_ask(
		view, ask_files, &(struct ask){.rest = rest, .query = &query, .limit = FILES_SHOWN}, &err);
	if (!answer || fact_number(answer, "total") == 0)
		return;
	if (!*begun)
		view_begin_section(view, "files", "Files");
	*begun = true;
	write_file_list(
		view, version, format, json_object_get(answer, "files"), fact_number(answer, "total"));
}

void module_sections_write_files(struct view *view, const json_t *version)
{
	const json_t *artifacts = json_object_get(version, "artifacts");
	const json_t *artifact;
	bool begun = false;
	size_t i;

	json_array_foreach((json_t *)artifacts, i, artifact)
		write_files(view, version, fact_text(artifact, "format"), &begun);
	if (begun)
		view_end_section(view);
}

/* ---- the column beside ---- */

static void write_fact(struct view *view, const char *name, const char *value)
{
	if (*value)
		HTML(&view->html, "<dt>%s</dt><dd>%s</dd>\n", name, value);
}

static void write_kind(struct view *view, const json_t *model)
{
	static const struct {
		const char *kind;
		const char *label;
	} kinds[] = {{"tf1-hub", "TF1 Hub module"}, {"saved-model", "SavedModel"}};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		if (strcmp(kinds[i].kind, fact_text(model, "kind")) == 0)
			write_fact(view, "Kind", kinds[i].label);
	}
	write_fact(view, "TensorFlow", fact_text(model, "tensorflow_version"));
}

static void write_other_tags(struct view *view, const json_t *tags)
{
	static const struct {
		const char *kind;
		const char *label;
	} kinds[] = {{"license", "License"}, {"fine_tunable", "Fine-tunable"},
		{"fine-tunable", "Fine-tunable"}, {"visualizer", "Visualizer"}};

	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		const json_t *values = json_object_get(tags, kinds[i].kind);
		const char *value = json_string_value(json_array_get(values, 0));

		write_fact(view, kinds[i].label, value ? filters_word(kinds[i].kind, value) : "");
	}
}

static int64_t count_downloads(const json_t *version)
{
	const json_t *artifact;
	int64_t count = 0;
	size_t i;

	json_array_foreach(json_object_get(version, "artifacts"), i, artifact) count +=
		fact_number(artifact, "downloads");
	return count;
}

static void write_sizes(struct view *view, const json_t *artifacts)
{
	const json_t *artifact;
	size_t i;

	json_array_foreach((json_t *)artifacts, i, artifact)
	{
		HTML(&view->html, "<dt>Size");
		if (json_array_size(artifacts) > 1)
			HTML(&view->html, ", %s", fact_text(artifact, "format"));
		HTML(&view->html, "</dt><dd>%s</dd>\n",
			number_size(fact_number(artifact, "size_bytes")).text);
	}
}

static void write_facts(struct view *view, const json_t *module, const json_t *version)
{
	HTML(&view->html, "<dl>\n<dt>Version</dt><dd>%" PRId64 "</dd>\n", fact_number(version, "version"));
	write_fact(view, "Source", fact_text(version, "source"));
	write_fact(view, "Published by", fact_text(version, "published_by"));
	write_fact(view, "Upstream", fact_text(version, "upstream"));
	write_sizes(view, json_object_get(version, "artifacts"));
	HTML(&view->html, "<dt>Downloads</dt><dd>%s</dd>\n", count_text(count_downloads(version)).text);
	if (fact_number(module, "total") > 1)
		HTML(&view->html, "<dt>… of all versions</dt><dd>%s</dd>\n",
			count_text(fact_number(module, "downloads")).text);
	HTML(&view->html, "<dt>Added</dt><dd>");
	times_write_day(view, fact_text(version, "created_at"));
	HTML(&view->html, "</dd>\n");
	write_kind(view, json_object_get(version, "saved_model"));
	write_other_tags(view, json_object_get(version, "tags"));
	HTML(&view->html, "</dl>\n");
}

static void write_version_link(struct view *view, const char *handle, const json_t *row, int64_t current)
{
	int64_t number = fact_number(row, "version");
	AUTO_FREE char *path = mem_printf("%s/%" PRId64, handle, number);
	const char *state = fact_text(row, "state");

	HTML(&view->html, "<li class=\"%s\">", number == current ? "current" : "other");
	view_link(view, path);
	HTML(&view->html, "Version %" PRId64 "</a> ", number);
	if (strcmp(state, "active") != 0)
		HTML(&view->html, "<span class=\"state stop\">%s</span> ", state);
	times_write_day(view, fact_text(row, "created_at"));
	HTML(&view->html, "</li>\n");
}

void module_sections_write_versions(struct view *view, const json_t *module, int64_t current)
{
	const json_t *row;
	size_t i;

	HTML(&view->html, "<ul class=\"versions\">\n");
	json_array_foreach(json_object_get(module, "version_list"), i, row)
		write_version_link(view, fact_text(module, "handle"), row, current);
	HTML(&view->html, "</ul>\n");
}

static void write_versions(struct view *view, const json_t *module, int64_t current)
{
	AUTO_FREE char *all = mem_printf("-/versions/%s", fact_text(module, "handle"));

	HTML(&view->html, "<h2 id=\"versions\">Versions</h2>\n");
	module_sections_write_versions(view, module, current);
	if (json_is_null(json_object_get(module, "next")))
		return;
	HTML(&view->html, "<p class=\"raw\">");
	view_link(view, all);
	HTML(&view->html, "All %s versions</a></p>\n", count_text(fact_number(module, "total")).text);
}

static void write_option(struct view *view, int64_t version, int64_t chosen)
{
	HTML(&view->html, "<option%s>%" PRId64 "</option>", version == chosen ? " selected" : "", version);
}

/* Of very many the highest, and the one that is chosen. */
static void write_options(struct view *view, const char *name, const json_t *versions, int64_t chosen)
{
	const json_t *version;
	size_t i;

	HTML(&view->html, "<select name=\"%s\">", name);
	if (chosen > 0 && chosen < json_integer_value(json_array_get(versions, 0)))
		write_option(view, chosen, chosen);
	json_array_foreach((json_t *)versions, i, version)
		write_option(view, json_integer_value(version), chosen);
	HTML(&view->html, "</select>");
}

void module_sections_write_comparing(struct view *view, const json_t *module, int64_t from, int64_t to)
{
	const json_t *versions = json_object_get(module, "versions");

	HTML(&view->html, "<form class=\"compare\" action=\"%s/-/compare/%s\">\n<label>from ", view->root,
		fact_text(module, "handle"));
	write_options(view, "from", versions, from);
	HTML(&view->html, "</label>\n<label>to ");
	write_options(view, "to", versions, to);
	HTML(&view->html, "</label>\n<button>Compare</button>\n</form>\n");
}

/* With the version before the one that is shown, or else the next. */
static void offer_comparing(struct view *view, const json_t *module, int64_t current)
{
	const json_t *versions = json_object_get(module, "versions");
	int64_t other = 0;

	if (json_array_size(versions) < 2)
		return;
	for (size_t i = 0; i < json_array_size(versions); i++) {
		int64_t number = json_integer_value(json_array_get(versions, i));

		if (number < current || (other == 0 && number > current))
			other = number;
	}
	HTML(&view->html, "<h2>Compare</h2>\n");
	module_sections_write_comparing(
		view, module, other < current ? other : current, other < current ? current : other);
}

void module_sections_write_aside(struct view *view, const json_t *module, const json_t *version)
{
	int64_t current = fact_number(version, "version");

	HTML(&view->html, "<aside class=\"about\" aria-label=\"About this version\">\n");
	write_facts(view, module, version);
	HTML(&view->html,
		"<p class=\"raw\"><a href=\"%s/api/v1/modules/%s/%" PRId64 "\">All of it as JSON</a></p>\n",
		view->root, fact_text(version, "handle"), current);
	sparkline_write(view, json_object_get(module, "daily_downloads"));
	write_versions(view, module, current);
	if (json_array_size(json_object_get(version, "artifacts")) > 0)
		offer_comparing(view, module, current);
	HTML(&view->html, "</aside>\n");
}

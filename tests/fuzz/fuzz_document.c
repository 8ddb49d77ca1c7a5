/* SPDX-License-Identifier: Apache-2.0
 *
 * Any text as Markdown: whatever it says, the HTML that is made of it has tags and attributes of a short
 * list, and leads to places that a page may lead to. Its head is read as a catalogue's, and so are its links.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/module/documents/document.h"
#include "server/module/documents/hubdoc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const char *const tags[] = {"a", "blockquote", "br", "code", "dd", "del", "div", "dl", "dt", "em",
	"h1", "h2", "h3", "h4", "h5", "h6", "hr", "img", "input", "li", "ol", "p", "pre", "section", "span",
	"strong", "sup", "table", "tbody", "td", "th", "thead", "tr", "ul"};
static const char *const attributes[] = {"align", "alt", "aria-label", "checked", "class",
	"data-footnote-ref", "data-footnotes", "data-footnote-backref", "disabled", "href", "id", "lang",
	"rel", "src", "start", "style", "title", "type"};
static const char *const schemes[] = {"http:", "https:", "mailto:"};

static void check(bool holds, const char *html, const char *where, const char *what)
{
	if (holds)
		return;
	(void)fprintf(stderr, "%s at byte %td of\n%s\n", what, where - html, html);
	abort();
}

static bool is_in(const char *const *list, size_t count, const char *word, size_t length)
{
	for (size_t i = 0; i < count; i++) {
		if (strlen(list[i]) == length && strncmp(list[i], word, length) == 0)
			return true;
	}
	return false;
}

/* Relative, or of a scheme that is on the list. A colon behind a slash, "?" or "#" makes no scheme. */
static bool leads_well(const char *value, size_t length)
{
	size_t name = strcspn(value, ":/?#\"");

	if (name >= length || value[name] != ':')
		return true;
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		if (strncasecmp(value, schemes[i], strlen(schemes[i])) == 0)
			return true;
	}
	return false;
}

/* From behind a tag's name to behind its ">". */
static const char *check_attributes(const char *html, const char *at)
{
	for (;;) {
		const char *name = at + strspn(at, " \n/");
		size_t length = strcspn(name, "= \n/>\"<");

		if (*name == '>')
			return name + 1;
		check(length > 0 && is_in(attributes, sizeof attributes / sizeof *attributes, name, length),
			html, name, "an attribute that should not be there");
		at = name + length;
		if (*at != '=')
			continue;
		check(at[1] == '"' && strchr(at + 2, '"'), html, at, "a value without quotes");
		at += 2;
		if ((length == 4 && strncmp(name, "href", 4) == 0) ||
			(length == 3 && strncmp(name, "src", 3) == 0))
			check(leads_well(at, strcspn(at, "\"")), html, at, "a place that it may not lead to");
		at += strcspn(at, "\"") + 1;
	}
}

static void check_html(const char *html)
{
	const char *at = strchr(html, '<');

	while (at) {
		const char *name = at + 1 + (at[1] == '/');
		size_t length = strcspn(name, " \n/>");

		if (strncmp(at, "<!--", 4) == 0) {
			check(strncmp(at, "<!-- raw HTML omitted -->", 25) == 0, html, at, "a comment");
			at = strchr(at + 25, '<');
			continue;
		}
		check(is_in(tags, sizeof tags / sizeof *tags, name, length), html, at,
			"a tag that should not be there");
		at = strchr(check_attributes(html, name + length), '<');
	}
}

static void read_as_catalogue(const char *text)
{
	struct hubdoc *doc = NULL;
	struct name name;
	struct err err;
	size_t line;
	bool is_one;

	if (hubdoc_read(text, &doc, &is_one, &line, &err) && is_one) {
		if (doc->body_at > strlen(text) || doc->tag_count > HUBDOC_TAGS_MAX)
			abort();
		(void)hubdoc_check_complete(doc, &err);
		(void)hubdoc_url_name(doc, &name, &err);
		hubdoc_destroy(doc);
	}
	while (hubdoc_next_link(&text, &name))
		continue;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct document_home home = {"tfhub.dev", "/-/t/x"};
	AUTO_FREE char *text = mem_dup_n((const char *)data, size);
	AUTO_FREE char *html = document_render(text, &home);
	AUTO_FREE char *section = document_render_section(text, &home);

	check_html(html);
	check_html(section);
	read_as_catalogue(text);
	return 0;
}

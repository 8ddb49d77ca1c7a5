/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/documents/document.h"

#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "common/own.h"
#include "common/uri.h"

enum { OPTIONS = CMARK_OPT_DEFAULT | CMARK_OPT_VALIDATE_UTF8 };

/* What the library may make of a document, about 200 bytes each, and the HTML that may come of that. */
enum { PIECES_MAX = 200 * 1000, HTML_BYTES_MAX = 4 << 20 };

/* Steps that the library may take in vain. */
enum { INTRICACY_MAX = 50 * 1000 * 1000, SEARCHED_MAX = 100 * 1000 * 1000 };

/* Wider tables are nobody's documentation, and cost the library the square of their columns. */
enum { COLUMNS_MAX = 1000, CELLS_MAX = 1 << 18 };

static const char *const schemes[] = {"http", "https", "mailto"};

static void own_parser(cmark_parser **parser)
{
	cmark_parser_free(*parser);
}

static void own_node(cmark_node **node)
{
	cmark_node_free(*node);
}

static void own_iterator(cmark_iter **iterator)
{
	cmark_iter_free(*iterator);
}

/* What stands before a colon is a scheme, unless a path, query or fragment has begun (RFC 3986 section 4.2).
 */
static bool is_safe(const char *url)
{
	size_t length = strcspn(url, ":/?#");

	if (url[length] != ':')
		return true;
	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		if (strlen(schemes[i]) == length && strncasecmp(schemes[i], url, length) == 0)
			return true;
	}
	return false;
}

/* The library asks all of a node's ancestors at each change of the tree, and browsers suffer from deep trees
 * as well. */
static void prune(cmark_node *document)
{
	AUTO(own_iterator) cmark_iter *iterator = cmark_iter_new(document);
	cmark_event_type event;
	size_t depth = 0;

	while ((event = cmark_iter_next(iterator)) != CMARK_EVENT_DONE) {
		cmark_node *node = cmark_iter_get_node(iterator);
		cmark_node *child = cmark_node_first_child(node);

		if (!child)
			continue;
		depth = event == CMARK_EVENT_ENTER ? depth + 1 : depth - 1;
		if (depth <= DOCUMENT_DEPTH_MAX)
			continue;
		for (; child; child = cmark_node_first_child(node))
			cmark_node_free(child);
		cmark_iter_reset(iterator, node, CMARK_EVENT_EXIT);
		depth--;
	}
}

static void disarm(cmark_node *document)
{
	AUTO(own_iterator) cmark_iter *iterator = cmark_iter_new(document);

	while (cmark_iter_next(iterator) != CMARK_EVENT_DONE) {
		cmark_node *node = cmark_iter_get_node(iterator);
		const char *url = cmark_node_get_url(node); /* NULL unless it is a link or an image */

		if (url && !is_safe(url))
			(void)cmark_node_set_url(node, "");
	}
}

/* ---- what is not worth its cost ---- */

/* Signs in one paragraph: what the library does in vain ends with it. */
struct signs {
	int64_t brackets;
	int64_t marks;
	int64_t addresses; /* weighed by what a search costs that each may begin */
	int64_t length;
};

/* Behind an @ the library looks for an end; behind what may be a URL it also pairs all brackets. */
enum { AT_WEIGHT = 1, URL_WEIGHT = 10 };

static bool begins_url(const char *at)
{
	return (at[0] == ':' && at[1] == '/' && at[2] == '/') ||
	       (at[0] == 'w' && at[1] == 'w' && at[2] == 'w' && at[3] == '.');
}

/* Counts up to the next empty line, and moves behind it. */
static struct signs count_signs(const char **text)
{
	struct signs signs = {0};
	const char *at = *text;

	for (; *at && !(at[0] == '\n' && at[1] == '\n'); at++) {
		signs.brackets += *at == ']';
		signs.marks += *at == '*' || *at == '_' || *at == '~';
		signs.addresses += *at == '@' ? AT_WEIGHT : begins_url(at) ? URL_WEIGHT : 0;
	}
	signs.length = at - *text;
	while (*at == '\n')
		at++;
	*text = at;
	return signs;
}

/* At each closing bracket the parser may walk over all that could yet become emphasis. */
static bool is_too_intricate(const char *markdown)
{
	int64_t steps = 0;

	while (*markdown && steps <= INTRICACY_MAX) {
		struct signs signs = count_signs(&markdown);

		steps += signs.brackets * signs.marks;
	}
	return steps > INTRICACY_MAX;
}

/* Each sign that may mean something parts a text in two, and each line may be an item with a paragraph of its
 * own. */
static bool has_too_many_pieces(const char *markdown)
{
	size_t pieces = 0;

	for (; *markdown && pieces <= PIECES_MAX; markdown++) {
		if (*markdown == '\n')
			pieces += 4;
		else if (strchr("*_~`[]!<&\\:w|>+-.)#", *markdown))
			pieces++;
	}
	return pieces > PIECES_MAX;
}

/* For each address that may begin the library goes over all that is left of its text again. */
static bool has_costly_addresses(const char *markdown)
{
	int64_t steps = 0;

	while (*markdown && steps <= SEARCHED_MAX) {
		struct signs signs = count_signs(&markdown);

		steps += signs.addresses * signs.length;
	}
	return steps > SEARCHED_MAX;
}

/* A table has as many cells as rows times columns, however little its rows say. */
static bool has_huge_table(const char *markdown)
{
	size_t lines = 0, widest = 0;

	for (const char *line = markdown; *line; lines++) {
		size_t columns = 0;

		for (; *line && *line != '\n'; line++)
			columns += *line == '|';
		line += *line == '\n';
		widest = columns > widest ? columns : widest;
	}
	return widest > COLUMNS_MAX || lines * widest > CELLS_MAX;
}

/* Up to where it opens more quotes and lists than are shown: the library pays for each piece of text by its
 * depth. */
static size_t measure_line(const char *line)
{
	size_t length = strcspn(line, "\n");
	size_t depth = 0;

	for (size_t i = 0; i < length && strchr(" \t>-+*.)0123456789", line[i]); i++) {
		depth += line[i] == '>' || (line[i + 1] == ' ' && strchr("-+*.)", line[i]));
		if (depth > DOCUMENT_DEPTH_MAX)
			return i + 1;
	}
	return length;
}

static void feed(cmark_parser *parser, const char *markdown)
{
	for (const char *line = markdown; *line; line += *line == '\n') {
		cmark_parser_feed(parser, line, measure_line(line));
		line += strcspn(line, "\n");
		if (*line)
			cmark_parser_feed(parser, "\n", 1);
	}
}

/* ---- links to modules ---- */

/* The path of a module's address; NULL for other addresses, such as the catalogue's own search ("/s?q=…"). */
static const char *path_at_home(const char *url, const struct document_home *home)
{
	size_t scheme = strncasecmp(url, "https://", 8) == 0  ? 8
			: strncasecmp(url, "http://", 7) == 0 ? 7
							      : 0;
	const char *host = url + scheme;
	const char *path = host + strcspn(host, ":/?#");

	if (!scheme || *path != '/' || !uri_host_is_listed(home->hosts, host, (size_t)(path - host), path))
		return NULL;
	return path[1 + strcspn(path + 1, "/?#")] == '/' && path[1] != '/' ? path : NULL;
}

static void lead_home(cmark_node *link, const struct document_home *home)
{
	const char *path = path_at_home(cmark_node_get_url(link), home);
	AUTO_FREE char *url = path ? mem_printf("%s%s", home->root, path) : NULL;

	if (url)
		(void)cmark_node_set_url(link, url);
}

static void lead_links_home(cmark_node *document, const struct document_home *home)
{
	AUTO(own_iterator) cmark_iter *iterator = cmark_iter_new(document);

	while (cmark_iter_next(iterator) != CMARK_EVENT_DONE) {
		cmark_node *node = cmark_iter_get_node(iterator);

		if (cmark_node_get_type(node) == CMARK_NODE_LINK)
			lead_home(node, home);
	}
}

/* ---- as a section ---- */

enum { HEADING_LEVELS = 6, FIRST_LEVEL = 2 };

/* The headings that the next one may stand below, by their level in the document and in the page. */
struct outline {
	int from[HEADING_LEVELS];
	int to[HEADING_LEVELS];
	size_t depth;
};

/* One level down, since the page has a title of its own; and no more than one below what it stands under,
 * whatever levels the document leaves out. */
static void lower_heading(struct outline *outline, cmark_node *heading)
{
	int level = cmark_node_get_heading_level(heading);
	int lowered;

	while (outline->depth > 0 && outline->from[outline->depth - 1] >= level)
		outline->depth--;
	if (outline->depth > 0)
		lowered = outline->to[outline->depth - 1] + 1;
	else
		lowered = level == 1 ? FIRST_LEVEL : FIRST_LEVEL + 1;
	if (lowered > HEADING_LEVELS)
		lowered = HEADING_LEVELS;
	outline->from[outline->depth] = level;
	outline->to[outline->depth++] = lowered;
	(void)cmark_node_set_heading_level(heading, lowered);
}

/* The image's text becomes that of a link; inside of another link it is just text that stands out. */
static void unload_image(cmark_node *image, bool is_inside)
{
	AUTO(own_node) cmark_node *gone = image;
	cmark_node *link = cmark_node_new(is_inside ? CMARK_NODE_EMPH : CMARK_NODE_LINK);
	cmark_node *child;

	if (!is_inside)
		(void)cmark_node_set_url(link, cmark_node_get_url(image));
	if (!cmark_node_first_child(image)) {
		child = cmark_node_new(CMARK_NODE_TEXT);
		(void)cmark_node_set_literal(child, "image");
		(void)cmark_node_append_child(link, child);
	}
	while ((child = cmark_node_first_child(image)))
		(void)cmark_node_append_child(link, child);
	(void)cmark_node_replace(image, link);
}

/* A heading that is there for nothing: listeners would stop at it. HTML is not shown. */
static void drop_if_mute(cmark_node *heading)
{
	bool speaks = false;

	for (cmark_node *child = cmark_node_first_child(heading); child && !speaks;
		child = cmark_node_next(child))
		speaks = cmark_node_get_type(child) != CMARK_NODE_HTML_INLINE &&
			 cmark_node_get_type(child) != CMARK_NODE_SOFTBREAK;
	if (speaks)
		return;
	cmark_node_unlink(heading);
	cmark_node_free(heading);
}

static void fit_in(cmark_node *document)
{
	AUTO(own_iterator) cmark_iter *iterator = cmark_iter_new(document);
	struct outline outline = {.depth = 0};
	cmark_event_type event;
	size_t around = 0; /* links and images that are open */

	while ((event = cmark_iter_next(iterator)) != CMARK_EVENT_DONE) {
		cmark_node *node = cmark_iter_get_node(iterator);
		cmark_node_type type = cmark_node_get_type(node);
		bool enters = event == CMARK_EVENT_ENTER;

		if (type == CMARK_NODE_HEADING && enters)
			lower_heading(&outline, node);
		if (type == CMARK_NODE_LINK || type == CMARK_NODE_IMAGE)
			around = enters ? around + 1 : around - 1;
		/* On the way out, so that the iterator has left it. */
		if (type == CMARK_NODE_IMAGE && !enters)
			unload_image(node, around > 0);
		if (type == CMARK_NODE_HEADING && !enters)
			drop_if_mute(node);
	}
}

static bool opens_catalogue_document(cmark_node *node)
{
	static const char *const kinds[] = {
		"Module ", "Placeholder ", "Lite ", "Tfjs ", "Coral ", "Publisher ", "Collection "};
	const char *text;

	if (!node || cmark_node_get_type(node) != CMARK_NODE_HEADING || !cmark_node_first_child(node))
		return false;
	text = cmark_node_get_literal(cmark_node_first_child(node));
	for (size_t i = 0; text && i < sizeof kinds / sizeof *kinds; i++) {
		if (strncmp(text, kinds[i], strlen(kinds[i])) == 0)
			return true;
	}
	return false;
}

/* "[![Icon URL]](https://…)", which no such image is defined for. */
static bool is_icon(cmark_node *node)
{
	cmark_node *link = node ? cmark_node_first_child(node) : NULL;
	cmark_node *text = link ? cmark_node_first_child(link) : NULL;

	if (!text || cmark_node_get_type(link) != CMARK_NODE_LINK)
		return false;
	while (text && !(cmark_node_get_literal(text) && strstr(cmark_node_get_literal(text), "Icon URL")))
		text = cmark_node_next(text);
	return text;
}

static void drop_opening(cmark_node *document)
{
	cmark_node *heading = cmark_node_first_child(document);
	cmark_node *sentence;

	if (!opens_catalogue_document(heading))
		return;
	sentence = cmark_node_next(heading);
	cmark_node_free(heading);
	if (!sentence || cmark_node_get_type(sentence) != CMARK_NODE_PARAGRAPH)
		return;
	if (is_icon(cmark_node_next(sentence)))
		cmark_node_free(cmark_node_next(sentence));
	cmark_node_free(sentence);
}

/* ---- rendering ---- */

static const struct {
	const char *name;
	bool (*is_too_costly)(const char *markdown);
} extensions[] = {
	{"strikethrough", NULL},
	{"autolink", has_costly_addresses},
	{"table", has_huge_table},
};

static cmark_parser *create_parser(const char *markdown)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	cmark_parser *parser;

	/* The library's register of extensions has no lock. */
	(void)pthread_once(&once, cmark_gfm_core_extensions_ensure_registered);
	parser = cmark_parser_new(OPTIONS);
	for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++) {
		if (!extensions[i].is_too_costly || !extensions[i].is_too_costly(markdown))
			(void)cmark_parser_attach_syntax_extension(
				parser, cmark_find_syntax_extension(extensions[i].name));
	}
	return parser;
}

static cmark_node *as_code(const char *markdown)
{
	cmark_node *document = cmark_node_new(CMARK_NODE_DOCUMENT);
	cmark_node *code = cmark_node_new(CMARK_NODE_CODE_BLOCK);

	(void)cmark_node_set_literal(code, markdown);
	(void)cmark_node_append_child(document, code);
	return document;
}

static cmark_node *parse(cmark_parser *parser, const char *markdown)
{
	cmark_node *document;

	if (is_too_intricate(markdown) || has_too_many_pieces(markdown))
		return as_code(markdown);
	feed(parser, markdown);
	document = cmark_parser_finish(parser);
	prune(document);
	disarm(document);
	return document;
}

static char *render_as_code(const char *markdown)
{
	AUTO(own_node) cmark_node *document = as_code(markdown);

	return cmark_render_html(document, OPTIONS, NULL);
}

static char *render(const char *markdown, const struct document_home *home, bool is_section)
{
	AUTO(own_parser) cmark_parser *parser = create_parser(markdown);
	AUTO(own_node) cmark_node *document = parse(parser, markdown);
	char *html;

	lead_links_home(document, home);
	if (is_section) {
		drop_opening(document);
		fit_in(document);
	}
	html = cmark_render_html(document, OPTIONS, cmark_parser_get_syntax_extensions(parser));
	if (strlen(html) <= HTML_BYTES_MAX)
		return html;
	free(html);
	return render_as_code(markdown);
}

char *document_render(const char *markdown, const struct document_home *home)
{
	return render(markdown, home, false);
}

char *document_render_section(const char *markdown, const struct document_home *home)
{
	return render(markdown, home, true);
}

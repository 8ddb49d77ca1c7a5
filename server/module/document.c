/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/document.h"

#include <cmark-gfm-core-extensions.h>
#include <cmark-gfm.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>
#include <strings.h>

#include "common/own.h"

enum { OPTIONS = CMARK_OPT_DEFAULT | CMARK_OPT_VALIDATE_UTF8 };

static const char *const extensions[] = {"table", "strikethrough", "autolink"};

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

static cmark_parser *create_parser(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	cmark_parser *parser;

	/* The library's register of extensions has no lock. */
	(void)pthread_once(&once, cmark_gfm_core_extensions_ensure_registered);
	parser = cmark_parser_new(OPTIONS);
	for (size_t i = 0; i < sizeof extensions / sizeof *extensions; i++)
		(void)cmark_parser_attach_syntax_extension(
			parser, cmark_find_syntax_extension(extensions[i]));
	return parser;
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

char *document_render(const char *markdown)
{
	AUTO(own_parser) cmark_parser *parser = create_parser();
	AUTO(own_node) cmark_node *document = NULL;

	cmark_parser_feed(parser, markdown, strlen(markdown));
	document = cmark_parser_finish(parser);
	disarm(document);
	return cmark_render_html(document, OPTIONS, cmark_parser_get_syntax_extensions(parser));
}

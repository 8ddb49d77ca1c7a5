/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <pthread.h>
#include <string.h>

#include "common/buffer.h"
#include "common/own.h"
#include "server/module/documents/document.h"

static const struct document_home home = {"tfhub.dev, hub.example", "/-/t/x"};

static void test_rendering(void **state)
{
	static const struct {
		const char *markdown;
		const char *html;
	} cases[] = {
		{"", ""},
		{"# A *b*", "<h1>A <em>b</em></h1>\n"},
		{"~~a~~", "<p><del>a</del></p>\n"},
		{"|a|\n|-|\n|b|",
			"<table>\n<thead>\n<tr>\n<th>a</th>\n</tr>\n</thead>\n<tbody>\n<tr>\n<td>b</td>\n"
			"</tr>\n</tbody>\n</table>\n"},
		{"see www.a.b", "<p>see <a href=\"http://www.a.b\">www.a.b</a></p>\n"},
		{"\xff", "<p>\xef\xbf\xbd</p>\n"},
		/* What could run or call elsewhere. */
		{"<script>alert(1)</script>", "<!-- raw HTML omitted -->\n"},
		{"a <b onclick=x>c", "<p>a <!-- raw HTML omitted -->c</p>\n"},
		{"[a](https://a.b/c \"t\")", "<p><a href=\"https://a.b/c\" title=\"t\">a</a></p>\n"},
		{"[a](HTTP://a.b)", "<p><a href=\"HTTP://a.b\">a</a></p>\n"},
		{"[a](mailto:a@b.c)", "<p><a href=\"mailto:a@b.c\">a</a></p>\n"},
		{"[a](../b?c:d#e)", "<p><a href=\"../b?c:d#e\">a</a></p>\n"},
		{"[a](javascript:x)", "<p><a href=\"\">a</a></p>\n"},
		{"[a](JavaScript:x)", "<p><a href=\"\">a</a></p>\n"},
		{"[a](java&Tab;script:x)", "<p><a href=\"\">a</a></p>\n"},
		{"[a](&#1;javascript:x)", "<p><a href=\"\">a</a></p>\n"},
		{"[a](javascript&colon;x)", "<p><a href=\"\">a</a></p>\n"},
		{"[a](ftp://a.b)", "<p><a href=\"\">a</a></p>\n"},
		{"[a](:x)", "<p><a href=\"\">a</a></p>\n"},
		{"<data:text/html,x>", "<p><a href=\"\">data:text/html,x</a></p>\n"},
		{"![a](data:image/png;base64,AA)", "<p><img src=\"\" alt=\"a\" /></p>\n"},
		{"![a](b.png)", "<p><img src=\"b.png\" alt=\"a\" /></p>\n"},
		{"[a]\n\n[a]: vbscript:x", "<p><a href=\"\">a</a></p>\n"},
		/* Modules of hosts that are stood for are here; what is loaded comes from where it was. */
		{"[a](https://tfhub.dev/b/c/1)", "<p><a href=\"/-/t/x/b/c/1\">a</a></p>\n"},
		{"https://tfhub.dev/b/c", "<p><a href=\"/-/t/x/b/c\">https://tfhub.dev/b/c</a></p>\n"},
		{"[![a](https://tfhub.dev/b/c.png)](https://tfhub.dev/b/c)",
			"<p><a href=\"/-/t/x/b/c\"><img src=\"https://tfhub.dev/b/c.png\" alt=\"a\" "
			"/></a></p>\n"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_FREE char *html = document_render(cases[i].markdown, &home);

		assert_string_equal(html, cases[i].html);
	}
}

/* Whatever levels a document leaves out, none is left out in the page, whose own heading above is of the
 * second; and what was alike side by side is alike. */
static void test_outlines(void **state)
{
	enum { HEADINGS = 12 };

	for (unsigned round = 0, seed = 1; round < 300; round++) {
		AUTO_BUFFER struct buffer markdown = {0};
		AUTO_FREE char *html = NULL;
		int levels[HEADINGS], before = 2;
		const char *at;

		for (int i = 0; i < HEADINGS; i++) {
			levels[i] = 1 + rand_r(&seed) % 6;
			buffer_printf(&markdown, "%.*s a\n", levels[i], "######");
		}
		html = document_render_section(buffer_string(&markdown), &home);
		at = html;
		for (int i = 0; i < HEADINGS; i++) {
			int level = 0;

			at = strstr(at, "<h");
			assert_non_null(at);
			level = *(at += 2) - '0';
			assert_in_range(level, 2, before + 1);
			assert_true(i == 0 || levels[i] != levels[i - 1] || level == before);
			before = level;
		}
	}
}

static void test_sections(void **state)
{
	static const struct {
		const char *markdown;
		const char *html;
	} cases[] = {
		{"# A\n###### B", "<h2>A</h2>\n<h3>B</h3>\n"},
		/* A heading without a word. */
		{"# A\n###\n## <!-- c -->\nb\n\n#\n", "<h2>A</h2>\n<p>b</p>\n"},
		{"### `a`\n##\n# ![](b)", "<h3><code>a</code></h3>\n<h2><a href=\"b\">image</a></h2>\n"},
		/* Nothing is loaded from elsewhere. */
		{"![a *b*](https://c.d/e.png)", "<p><a href=\"https://c.d/e.png\">a <em>b</em></a></p>\n"},
		{"![](https://c.d/e.png)", "<p><a href=\"https://c.d/e.png\">image</a></p>\n"},
		{"[![a](https://c.d/e.png)](https://f.g)", "<p><a href=\"https://f.g\"><em>a</em></a></p>\n"},
		{"![a ![b](c) d](e)", "<p><a href=\"e\">a <em>b</em> d</a></p>\n"},
		{"![a](javascript:x)", "<p><a href=\"\">a</a></p>\n"},
		/* Modules of hosts that are stood for are here. */
		{"[a](https://tfhub.dev/b/c/1?d=e#f)", "<p><a href=\"/-/t/x/b/c/1?d=e#f\">a</a></p>\n"},
		{"[a](HTTP://Hub.Example/b/c)", "<p><a href=\"/-/t/x/b/c\">a</a></p>\n"},
		{"[a](https://tfhub.dev/s?q=b)", "<p><a href=\"https://tfhub.dev/s?q=b\">a</a></p>\n"},
		{"[a](https://tfhub.dev//b/c)", "<p><a href=\"https://tfhub.dev//b/c\">a</a></p>\n"},
		{"[a](https://tfhub.dev.b/c/d)", "<p><a href=\"https://tfhub.dev.b/c/d\">a</a></p>\n"},
		{"[a](https://tfhub.dev)", "<p><a href=\"https://tfhub.dev\">a</a></p>\n"},
		{"[a](//tfhub.dev/b/c)", "<p><a href=\"//tfhub.dev/b/c\">a</a></p>\n"},
		/* What the page has said already. */
		{"# Module acme/a/1\n\nA sentence\nof two lines.\n\n<!-- task: b -->\n\n## C",
			"<!-- raw HTML omitted -->\n<h3>C</h3>\n"},
		{"# Publisher acme\nACME\n\n[![Icon URL]](https://a.b/c.png)\n\n[d](e)",
			"<p><a href=\"e\">d</a></p>\n"},
		{"# Module acme/a/1\n## C", "<h3>C</h3>\n"},
		{"# Modules\n\nb", "<h2>Modules</h2>\n<p>b</p>\n"},
		{"#\n\nb", "<p>b</p>\n"},
		{"", ""},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_FREE char *html = document_render_section(cases[i].markdown, &home);

		assert_string_equal(html, cases[i].html);
	}
}

/* Depth must not be paid for by its square, be it that of one thing or of many things deep within another. */
static void test_depth(void **state)
{
	enum { TIMES = 10000 };
	static const struct {
		const char *opening;
		const char *rest;
	} cases[] = {{"> ", ""}, {"[", ""}, {"*a ", ""}, {"![", ""}, {"- ", ""}, {"![", "](a)"},
		{"[", "](a)"}, {"> ", "![](a)"}, {"> ", "[a](b) "}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_BUFFER struct buffer markdown = {0};
		AUTO_FREE char *html = NULL;
		AUTO_FREE char *section = NULL;

		for (int times = 0; times < TIMES; times++)
			buffer_add_string(&markdown, cases[i].opening);
		for (int times = 0; times < TIMES; times++)
			buffer_add_string(&markdown, cases[i].rest);
		html = document_render(buffer_string(&markdown), &home);
		section = document_render_section(buffer_string(&markdown), &home);
		assert_null(strstr(html, "<script"));
		assert_null(strstr(section, "<img"));
	}
}

static void test_what_lies_too_deep_is_left_out(void **state)
{
	AUTO_BUFFER struct buffer markdown = {0};
	AUTO_FREE char *html = NULL;
	size_t quotes = 0;

	for (int depth = 0; depth < 5000; depth++)
		buffer_add_string(&markdown, "> ");
	buffer_add_string(&markdown, "deep\n\n- a\n  - b\n\n**after**\n");
	html = document_render(buffer_string(&markdown), &home);
	for (const char *at = html; (at = strstr(at, "<blockquote>")); at++)
		quotes++;
	assert_int_equal(quotes, DOCUMENT_DEPTH_MAX);
	assert_null(strstr(html, "deep"));
	assert_non_null(strstr(html, "<li>b</li>"));
	assert_non_null(strstr(html, "<strong>after</strong>"));
}

static void repeat(struct buffer *out, const char *text, int times, const char *end)
{
	while (times-- > 0)
		buffer_add_string(out, text);
	buffer_add_string(out, end);
}

/* Rows times columns, and the square of the columns. */
static void test_huge_tables_are_none(void **state)
{
	static const struct {
		int columns;
		int rows;
		bool is_table;
	} cases[] = {{500, 100, true}, {20, 5000, true}, {20000, 1, false}, {500, 20000, false}};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_BUFFER struct buffer markdown = {0};
		AUTO_FREE char *html = NULL;

		repeat(&markdown, "|a", cases[i].columns, "\n");
		repeat(&markdown, "|-", cases[i].columns, "\n");
		repeat(&markdown, "|b\n", cases[i].rows, "");
		html = document_render(buffer_string(&markdown), &home);
		assert_int_equal(strstr(html, "<table>") != NULL, cases[i].is_table);
	}
}

/* So many brackets in so much emphasis took the parser a minute. */
static void test_intricate(void **state)
{
	AUTO_BUFFER struct buffer markdown = {0};
	AUTO_FREE char *html = NULL;

	for (int i = 0; i < 90000; i++)
		buffer_add_string(&markdown, "*a ![](b) ");
	html = document_render_section(buffer_string(&markdown), &home);
	assert_int_equal(strncmp(html, "<pre><code>*a ![](b) *a", 23), 0);
	free(TAKE(html));
	buffer_finish(&markdown);
	for (int i = 0; i < 5000; i++)
		buffer_add_string(&markdown, "*a* [b](c) ");
	html = document_render_section(buffer_string(&markdown), &home);
	assert_non_null(strstr(html, "<em>a</em> <a href=\"c\">b</a>"));
}

/* A head so often, then a tail: what the library would pay for with the square of it, or with much memory. */
static void test_costly_documents_are_plain(void **state)
{
	static const struct {
		const char *head;
		const char *tail;
		const char *absent;
	} rows[] = {{"a@a.", "", "<a "}, {"x@y.z ", "", "<a "}, {"http://a", ")", "<a "},
		{"www.a.b<", "", "<a "}, {"*a* ", "", "<em>"}, {"- a\n", "", "<li>"},
		{"`a` ", "", "<code>a<"}, {"> ", "", "<blockquote>"}, {"a|b\n-|-\n", "", "<table>"}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		AUTO_BUFFER struct buffer markdown = {0};
		AUTO_FREE char *html = NULL;

		for (size_t j = 0; j < 500000 / strlen(rows[i].head); j++)
			buffer_add_string(&markdown, rows[i].head);
		for (size_t j = 0; *rows[i].tail && j < 400000; j++)
			buffer_add_string(&markdown, rows[i].tail);
		html = document_render(buffer_string(&markdown), &home);
		if (strstr(html, rows[i].absent) || strlen(html) > 4 << 20)
			fail_msg("row %zu: %.100s", i, html);
	}
}

static void test_bare_addresses_are_links(void **state)
{
	AUTO_BUFFER struct buffer markdown = {0};
	AUTO_FREE char *html = NULL;

	for (int i = 0; i < 2000; i++)
		buffer_add_string(&markdown, "Ask me@acme.example, or see https://acme.example/x.\n\n");
	html = document_render(buffer_string(&markdown), &home);
	assert_non_null(strstr(html, "<a href=\"mailto:me@acme.example\">"));
	assert_non_null(strstr(html, "<a href=\"https://acme.example/x\">"));
}

static void *render_table(void *context)
{
	AUTO_FREE char *html = document_render("|a|\n|-|", &home);

	return strstr(html, "<table>") ? context : NULL;
}

static void test_threads(void **state)
{
	pthread_t threads[4];
	void *result;

	for (int i = 0; i < 4; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, render_table, threads), 0);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_join(threads[i], &result), 0);
		assert_ptr_equal(result, threads);
	}
}

int main(void)
{
	/* The threads come first, so that they race for the first use. */
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_rendering),
		cmocka_unit_test(test_sections),
		cmocka_unit_test(test_outlines),
		cmocka_unit_test(test_depth),
		cmocka_unit_test(test_what_lies_too_deep_is_left_out),
		cmocka_unit_test(test_intricate),
		cmocka_unit_test(test_costly_documents_are_plain),
		cmocka_unit_test(test_bare_addresses_are_links),
		cmocka_unit_test(test_huge_tables_are_none),
	};

	return cmocka_run_group_tests_name("document", tests, NULL, NULL);
}

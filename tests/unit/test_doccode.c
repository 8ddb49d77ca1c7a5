/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/module/documents/doccode.h"

static const struct document_home home = {
	"tfhub.dev, hub.example, store.example/models", "", "http://here:8080/-/t/a&b"};

static char *finish(const char *markdown, bool is_section)
{
	return doccode_finish(document_render(markdown, &home), &home, is_section);
}

/* What stands in code, escaped as the renderer does; %s is where it leads. */
static void test_where_code_leads(void **state)
{
	static const struct {
		const char *code;
		const char *led; /* NULL: as it is */
	} cases[] = {
		{"hub.load(\"https://tfhub.dev/a/b/1\")", "hub.load(&quot;%s/a/b/1&quot;)"},
		{"x='http://hub.example/a/b/1?tf-hub-format=compressed&x=1'",
			"x='%s/a/b/1?tf-hub-format=compressed&amp;x=1'"},
		{"HTTPS://tfhub.dev/a/b", "%s/a/b"},
		{"https://tfhub.dev/a/1,https://tfhub.dev/b/2", "%s/a/1,%s/b/2"},
		{"[https://tfhub.dev/a/1](https://tfhub.dev/b/2)", "[%s/a/1](%s/b/2)"},
		{"\"https://tfhub.dev/\" + handle", "&quot;%s/&quot; + handle"},
		{"f'https://tfhub.dev/{h}/1'", "f'%s/{h}/1'"},
		{"https://store.example/models/a/b/1.tar.gz", "%s/models/a/b/1.tar.gz"},
		{"https://store.example/other/a/b/1.tar.gz", NULL},
		/* A host is one only as a whole, of http alone, and at its own port. */
		{"https://tfhub.dev.evil.example/a/b", NULL},
		{"https://nottfhub.dev/a/b", NULL},
		{"https://tfhub.dev:443/a/b", NULL},
		{"https://tfhub.dev@evil.example/a/b", NULL},
		{"https://a@tfhub.dev/a/b", NULL},
		{"ftp://tfhub.dev/a/b", NULL},
		{"git+https://tfhub.dev/a/b", NULL},
		{"xhttps://tfhub.dev/a/b", NULL},
		{"tfhub.dev/a/b", NULL},
		{"https://archive.example/web/https://tfhub.dev/a/b", NULL},
		{"https://archive.example/?u=https://tfhub.dev/a/b", NULL},
		/* The catalogue's own pages are no modules. */
		{"https://tfhub.dev/s?q=x", NULL},
		{"https://tfhub.dev", NULL},
		{"https://tfhub.dev?x/y", NULL},
		{"https://tfhub.dev/s a/b", NULL},
		{"https://tfhub.dev//a/b", NULL},
		{"https://", NULL},
		{"://", NULL},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_FREE char *markdown = mem_printf("    %s\n", cases[i].code);
		AUTO_FREE char *plain = document_render(markdown, &home);
		AUTO_FREE char *html = finish(markdown, false);
		AUTO_BUFFER struct buffer wanted = {0};

		if (!cases[i].led) {
			assert_string_equal(html, plain);
			continue;
		}
		buffer_add_string(&wanted, "<pre>" DOCCODE_LED ">");
		for (const char *at = cases[i].led; *at; at++) {
			if (at[0] == '%' && at[1] == 's' && at++)
				buffer_add_string(&wanted, "http://here:8080/-/t/a&amp;b");
			else
				buffer_add(&wanted, at, 1);
		}
		buffer_add_string(&wanted, "\n</code></pre>\n");
		assert_string_equal(html, buffer_string(&wanted));
	}
}

/* Text, links, titles and what only looks like code stay; code in a table and in emphasis is led. */
static void test_code_alone(void **state)
{
	static const struct {
		const char *markdown;
		int led;
	} cases[] = {
		{"https://tfhub.dev/a/b/1 and <https://tfhub.dev/a/b/1>", 0},
		{"&lt;code&gt;https://tfhub.dev/a/b/1&lt;/code&gt;", 0},
		{"[x](/y \"<code>https://tfhub.dev/a/b/1</code>\")", 0},
		{"![<code>](/y)https://tfhub.dev/a/b/1</code>", 0},
		{"`https://tfhub.dev/a/b/1`", 1},
		{"**`https://tfhub.dev/a/b/1`** and `https://tfhub.dev/a/b/2`", 2},
		{"|`https://tfhub.dev/a/b/1`|\n|-|\n|`x`|", 1},
		{"```python\nhub.load('https://tfhub.dev/a/b/1')\n```\n", 1},
		{"`</code>https://tfhub.dev/a/b/1`", 1},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_FREE char *html = finish(cases[i].markdown, false);
		int led = 0;

		for (const char *at = html; (at = strstr(at, DOCCODE_LED)); at++)
			led++;
		assert_int_equal(led, cases[i].led);
	}
}

static void test_blocks_of_a_section(void **state)
{
	AUTO_FREE char *html = finish("```sh\nls\n```\n\n`x`\n\n    y\n", true);

	assert_string_equal(html,
		"<div class=\"code\"><pre tabindex=\"0\" aria-label=\"Code 1\"><code "
		"class=\"language-sh\">ls\n"
		"</code></pre></div>\n<p><code>x</code></p>\n<div class=\"code\"><pre tabindex=\"0\" "
		"aria-label=\"Code 2\"><code>y\n</code></pre></div>\n");
}

static void test_tables_of_a_section(void **state)
{
	AUTO_FREE char *html = finish("|a|\n|-|\n\n`<table>`\n", true);

	assert_string_equal(html,
		"<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Table 1\"><table>\n"
		"<thead>\n<tr>\n<th>a</th>\n</tr>\n</thead>\n</table></div>\n<p><code>&lt;table&gt;</code></"
		"p>\n");
}

/* To do it again changes nothing, also where the server is one of the hosts itself. */
static void test_again(void **state)
{
	static const struct document_home itself = {"tfhub.dev", "", "https://tfhub.dev"};
	static const char markdown[] = "`https://tfhub.dev/a/b/1` `http://tfhub.dev/a/b/2`\n";
	AUTO_FREE char *once = finish(markdown, false);
	AUTO_FREE char *twice = doccode_finish(mem_dup(once), &home, false);
	AUTO_FREE char *same = doccode_finish(document_render(markdown, &itself), &itself, false);

	assert_string_equal(once, twice);
	assert_non_null(strstr(same, ">https://tfhub.dev/a/b/1<"));
	assert_non_null(strstr(same, ">https://tfhub.dev/a/b/2<"));
}

/* However often it is said: a page has an end. */
static void test_bounded(void **state)
{
	static const struct document_home far = {"a.b", "", NULL};
	AUTO_FREE char *url = mem_zero(4001, 1);
	AUTO_BUFFER struct buffer text = {0};
	struct document_home home_of_mine = far;
	char *html;

	memset(url, 'u', 4000);
	home_of_mine.url = url;
	buffer_add_string(&text, "<pre><code>");
	for (int i = 0; i < 100000; i++)
		buffer_add_string(&text, "http://a.b/c/ ");
	buffer_add_string(&text, "</code></pre>");
	html = doccode_finish(mem_dup(buffer_string(&text)), &home_of_mine, true);
	assert_true(strlen(html) < 10 << 20);
	assert_non_null(strstr(html, "http://a.b/c/ </code></pre></div>"));
	free(html);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_where_code_leads),
		cmocka_unit_test(test_code_alone),
		cmocka_unit_test(test_blocks_of_a_section),
		cmocka_unit_test(test_tables_of_a_section),
		cmocka_unit_test(test_again),
		cmocka_unit_test(test_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

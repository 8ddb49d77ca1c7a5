/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <inttypes.h>

#include "server/web/html.h"

static void expect(struct html *html, const char *written)
{
	assert_string_equal(buffer_string(&html->out), written);
	html_finish(html);
}

static void test_values(void **state)
{
	struct html html = {0};

	HTML(&html, "<p class=\"a\">100 %%, %d, %" PRId64 ", %s</p>", -1, INT64_MAX, "b");
	expect(&html, "<p class=\"a\">100 %, -1, 9223372036854775807, b</p>");
}

static void test_escaping(void **state)
{
	static const struct {
		const char *text;
		const char *html;
	} cases[] = {
		{"<script>alert(1)</script>", "&lt;script&gt;alert(1)&lt;/script&gt;"},
		{"\" onload='x' &amp;", "&quot; onload=&#39;x&#39; &amp;amp;"},
		{"50 %s of it", "50 %s of it"},
		{"a\tb\nc", "a\tb\nc"},
		{"a\x01"
		 "b\x7f"
		 "c",
			"a\xef\xbf\xbd"
			"b\xef\xbf\xbd"
			"c"},
		{"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
		/* Not UTF-8: a lone byte, an overlong slash, the middle of nowhere. */
		{"\xff", "\xef\xbf\xbd"},
		{"\xc0\xaf", "\xef\xbf\xbd\xef\xbf\xbd"},
		{"\xe2\x82", "\xef\xbf\xbd\xef\xbf\xbd"},
		/* What would make "a<RLO>gnp.exe" read as something else. */
		{"a\xe2\x80\xae"
		 "b",
			"a\xef\xbf\xbd"
			"b"},
		{"a\xe2\x81\xa6"
		 "b",
			"a\xef\xbf\xbd"
			"b"},
		{"\xd7\x90\xe2\x80\x8f", "\xd7\x90\xe2\x80\x8f"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct html html = {0};

		HTML(&html, "%s", cases[i].text);
		expect(&html, cases[i].html);
	}
}

static void test_addresses(void **state)
{
	struct html html = {0};

	html_path(&html, "a/b c\"><x>?&%");
	expect(&html, "a/b%20c%22%3E%3Cx%3E%3F%26%25");
	html_query_value(&html, "a/b&c=d");
	expect(&html, "a%2Fb%26c%3Dd");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_escaping),
		cmocka_unit_test(test_addresses),
	};

	return cmocka_run_group_tests_name("html", tests, NULL, NULL);
}

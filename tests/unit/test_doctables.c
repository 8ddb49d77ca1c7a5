/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/module/documents/doctables.h"
#include "server/module/documents/document.h"

static const struct document_home home = {.hosts = "tfhub.dev", .root = ""};

static char *finish(const char *markdown)
{
	return doctables_finish(document_render_section(markdown, &home));
}

static size_t count(const char *text, const char *part)
{
	size_t found = 0;

	for (const char *at = text; (at = strstr(at, part)); at++)
		found++;
	return found;
}

/* Whatever rows and columns there are, no head is empty, and all else stays. */
static void no_head_is_empty(void **state)
{
	for (unsigned round = 0, seed = 1; round < 200; round++) {
		AUTO_BUFFER struct buffer markdown = {0};
		AUTO_FREE char *html = NULL;
		size_t columns = 1 + (size_t)rand_r(&seed) % 5, empty = 0;
		static const char *const aligned[] = {"---", ":--", "--:", ":-:"};

		buffer_add_string(&markdown, "before <table> `<th></th>`\n\n|");
		for (size_t i = 0; i < columns; i++) {
			bool is_empty = rand_r(&seed) % 2;

			empty += is_empty;
			buffer_printf(&markdown, "%s|", is_empty ? " " : "head");
		}
		buffer_add_string(&markdown, "\n|");
		for (size_t i = 0; i < columns; i++)
			buffer_printf(&markdown, "%s|", aligned[rand_r(&seed) % 4]);
		buffer_add_string(&markdown, "\n|");
		for (size_t i = 0; i < columns; i++)
			buffer_add_string(&markdown, "cell|");
		html = finish(buffer_string(&markdown));
		assert_int_equal(count(html, "></th>"), 0);
		assert_int_equal(count(html, "<td></td>"), empty);
		assert_int_equal(count(html, "head</th>"), columns - empty);
		assert_int_equal(count(html, ">cell</td>"), columns);
		assert_int_equal(count(html, "&lt;th&gt;&lt;/th&gt;"), 1);
	}
}

static void what_has_no_table_stays(void **state)
{
	static const char *const documents[] = {
		"", "a", "`<table>`", "<table><th></th></table>", "- <th></th>"};

	for (size_t i = 0; i < sizeof documents / sizeof *documents; i++) {
		AUTO_FREE char *plain = document_render_section(documents[i], &home);
		AUTO_FREE char *html = finish(documents[i]);

		assert_string_equal(html, plain);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_head_is_empty),
		cmocka_unit_test(what_has_no_table_stays),
	};

	return cmocka_run_group_tests_name("doctables", tests, NULL, NULL);
}

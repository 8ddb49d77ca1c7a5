/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
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
#include "server/module/documents/renderings.h"

enum { THREADS = 8, TURNS = 50 };

static char *make_document(const char *name, int lines)
{
	AUTO_BUFFER struct buffer text = {0};

	buffer_printf(&text, "# %s\n\n", name);
	for (int i = 0; i < lines; i++)
		buffer_printf(
			&text, "Line %d of [x](https://hub.example/acme/x/%d) *and* \"more\".\n\n", i, i);
	return buffer_take(&text);
}

static size_t count(const char *text, const char *what)
{
	size_t found = 0;

	for (; (text = strstr(text, what)); text++)
		found++;
	return found;
}

/* What is kept is what would be made anew, at whatever root: small documents, and large ones twice. */
static void test_is_what_would_be_made(void **state)
{
	static const char *const roots[] = {"", "/-/t/secret", "https://a.example:8080/x&y'z"};
	static const int lines[] = {1, 3, 500, 500};
	AUTO_RENDERINGS struct renderings *renderings = renderings_create("hub.example", 1 << 20);

	for (size_t i = 0; i < 4 * 3 * 2; i++) {
		const struct document_home home = {"hub.example", roots[i / 2 % 3]};
		AUTO_FREE char *text = make_document("d", lines[i / 6]);
		AUTO_FREE char *kept = renderings_find(renderings, text, home.root, NULL, i % 2);
		AUTO_FREE char *made =
			i % 2 ? document_render_section(text, &home) : document_render(text, &home);

		assert_string_equal(kept, made);
	}
}

/* Nobody's text is taken for where links lead home. */
static void test_nobody_says_home(void **state)
{
	static const char *const lines[] = {"[x](larder-home:/evil)\n\n", "href=\"larder-home:/evil\"\n\n",
		"[x](/y \"href=&quot;larder-home:/evil\")\n\n", "<a href=\"larder-home:/evil\">x</a>\n\n",
		"`href=\"larder-home:/evil\"`\n\n"};
	AUTO_RENDERINGS struct renderings *renderings = renderings_create("hub.example", 1 << 20);

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		const struct document_home home = {"hub.example", "/root-of-mine"};
		AUTO_FREE char *rest = make_document("d", 200);
		AUTO_FREE char *text = mem_printf("%s%s", lines[i], rest);
		AUTO_FREE char *kept = renderings_find(renderings, text, home.root, NULL, false);
		AUTO_FREE char *made = document_render(text, &home);

		assert_string_equal(kept, made);
		assert_int_equal(count(kept, "/root-of-mine"), 200);
	}
}

static void *find_often(void *context)
{
	struct renderings *renderings = context;

	for (int i = 0; i < TURNS; i++) {
		char name[] = {(char)('a' + i % 5), '\0'};
		AUTO_FREE char *text = make_document(name, 100 + i % 5);
		AUTO_FREE char *html = renderings_find(renderings, text, "/r", NULL, i % 2);

		if (count(html, "href=\"/r/acme/x/") != (size_t)(100 + i % 5))
			return NULL;
	}
	return context;
}

/* With room for all of them, for one, and for none. */
static void test_threads(void **state)
{
	static const size_t rooms[] = {1 << 20, 20 << 10, 1};

	for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
		AUTO_RENDERINGS struct renderings *renderings = renderings_create("hub.example", rooms[i]);
		pthread_t threads[THREADS];
		void *result;

		for (int j = 0; j < THREADS; j++)
			assert_int_equal(pthread_create(&threads[j], NULL, find_often, renderings), 0);
		for (int j = 0; j < THREADS; j++) {
			assert_int_equal(pthread_join(threads[j], &result), 0);
			assert_ptr_equal(result, renderings);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_is_what_would_be_made),
		cmocka_unit_test(test_nobody_says_home),
		cmocka_unit_test(test_threads),
	};

	return cmocka_run_group_tests_name("renderings", tests, NULL, NULL);
}

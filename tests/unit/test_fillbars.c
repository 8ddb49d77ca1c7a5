/* SPDX-License-Identifier: Apache-2.0
 *
 * A running fill as a line on a terminal. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "server/command/fillbars.h"

static const struct {
	const char *fill;
	const char *line;
} lines[] = {
	{"{'handle':'acme/x','version':1,'state':'waiting'}",
		"acme/x/1                                 waiting"},
	{"{'handle':'acme/"
	 "x','version':1,'state':'transferring','bytes':512,'total_bytes':1024,'rate':256,'eta_s':2}",
		"acme/x/1                                 [##########          ]  50 % of 1.0 KiB, 256 B/s, "
		"2 s left"},
	{"{'handle':'acme/"
	 "x','version':1,'state':'transferring','bytes':512,'total_bytes':null,'rate':0,'eta_s':null}",
		"acme/x/1                                 [                    ] 512 B"},
	{"{'handle':'acme/x','version':1,'state':'transferring','bytes':9,'total_bytes':3}",
		"acme/x/1                                 [####################] 100 % of 3 B"},
	{"{'handle':'a/"
	 "bcdefghijklmnopqrstuvwxyz-bcdefghijklmnopqrstuvwxyz','version':12,'state':'verifying'}",
		"...stuvwxyz-bcdefghijklmnopqrstuvwxyz/12 verifying"},
	{"{'handle':'a\\u001b[2J','version':1,'state':'waiting'}",
		"a [2J/1                                  waiting"},
	{"{}", "/-1                                      "},
	{"[]", "/-1                                      "},
};

static json_t *parse(const char *text)
{
	char copy[512];
	json_t *value;

	(void)strncpy(copy, text, sizeof copy - 1);
	copy[sizeof copy - 1] = '\0';
	for (char *c = copy; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	value = json_loads(copy, 0, NULL);
	assert_non_null(value);
	return value;
}

static void test_lines(void **state)
{
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		AUTO_BUFFER struct buffer out = {0};
		json_t *fill = parse(lines[i].fill);

		fillbars_write(&out, fill, 200);
		json_decref(fill);
		assert_string_equal(buffer_string(&out), lines[i].line);
	}
}

static void test_narrow_windows(void **state)
{
	for (size_t columns = 0; columns < 60; columns++) {
		AUTO_BUFFER struct buffer out = {0};
		json_t *fill = parse(lines[1].fill);

		fillbars_write(&out, fill, columns);
		json_decref(fill);
		assert_int_equal(out.length, columns);
		assert_memory_equal(buffer_string(&out), lines[1].line, columns);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_narrow_windows),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <regex.h>
#include <cmocka.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/http/fast/plainhead.h"
#include "server/http/fast/wirefields.h"
#include "server/http/fast/wirehead.h"
#include "server/http/request_line.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

/* RFC 9112 section 3, as the header of request_line has it. */
static const char grammar[] = "^([!#$%&'*+.^_`|~0-9A-Za-z-]+) ([^\001-\040\177]+) HTTP/1[.]([0-9])\r\n";

static bool is_slice(const char *text, const regmatch_t *match, const char *at, size_t length)
{
	return at == text + match->rm_so && length == (size_t)(match->rm_eo - match->rm_so);
}

/* A head with this line, by all who read heads: none of them takes what the others would take for something
 * else. */
static void check_heads(const char *text, const struct request_line *line, bool is_whole)
{
	AUTO_FREE char *head = mem_printf("%sHost: a\r\n\r\n", text);
	AUTO_FREE char *plain_bytes = mem_dup(head);
	struct wire_head wire;
	struct plain_head plain;
	struct wire_fields fields;
	struct err err;
	bool is_plain = plain_head_read(plain_bytes, strlen(head), &plain);

	if (!wire_head_read(head, strlen(head), &wire, &err)) {
		assert_false(is_whole || is_plain);
		return;
	}
	if (!is_whole)
		return;
	assert_int_equal(wire.method, line->method);
	wire_fields_read(head, wire.length, &fields);
	assert_int_equal(fields.method, line->method);
	assert_int_equal(strlen(fields.target), line->target_length);
	assert_memory_equal(fields.target, line->target, line->target_length);
	assert_int_equal(fields.is_1_0, line->minor == 0);
	assert_int_equal(is_plain, (line->method == METHOD_GET || line->method == METHOD_HEAD) &&
					   line->minor == 1 && line->is_ascii && *line->target == '/');
	if (is_plain)
		assert_string_equal(plain.target, fields.target);
	wire_fields_finish(&fields);
}

static void check_line(const regex_t *rule, const char *text)
{
	regmatch_t parts[4];
	bool fits = regexec(rule, text, COUNT(parts), parts, 0) == 0;
	struct request_line line;
	enum request_line_fault fault = request_line_read(text, strlen(text), &line);

	if (fits != (fault == LINE_GOOD))
		fail_msg("\"%s\" is %s", text, fits ? "a request line" : "no request line");
	if (fits) {
		assert_true(is_slice(text, &parts[1], line.method_text, line.method_length));
		assert_true(is_slice(text, &parts[2], line.target, line.target_length));
		assert_int_equal(line.minor, text[parts[3].rm_so] - '0');
		assert_int_equal(line.length, parts[0].rm_eo);
		assert_int_equal(line.method, method_of(line.method_text, line.method_length));
		assert_int_equal(request_line_method(text, strlen(text)), line.method);
	}
	if (request_line_skip_empty(text, strlen(text)) == 0)
		check_heads(text, &line, fits && line.length == strlen(text));
}

static void lines_of_all_parts_are_read_in_one_way(void **state)
{
	static const char *const methods[] = {"GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "get",
		"GETS", "GE", "M-SEARCH", "", "G@T"};
	static const char *const spaces[] = {" ", "  ", "", "\t"};
	static const char *const targets[] = {
		"/", "/a/b?c=d", "*", "http://h/a", "/\303\244", "", "/a\tb", "/a\001b", "/a b", "/a\177"};
	static const char *const versions[] = {
		"HTTP/1.1", "HTTP/1.0", "HTTP/1.9", "HTTP/2.0", "HTTP/1.", "HTTP/1.10", "http/1.1", ""};
	static const char *const ends[] = {"\r\n", "\n", "\r", "", " \r\n", "\r\r\n", "\n\r\n"};
	regex_t rule;
	size_t all = COUNT(methods) * COUNT(spaces) * COUNT(targets) * COUNT(spaces) * COUNT(versions) *
		     COUNT(ends);

	assert_int_equal(regcomp(&rule, grammar, REG_EXTENDED), 0);
	for (size_t i = 0; i < all; i++) {
		size_t left = i;
		const char *parts[6];
		AUTO_FREE char *text = NULL;

		parts[0] = methods[left % COUNT(methods)], left /= COUNT(methods);
		parts[1] = spaces[left % COUNT(spaces)], left /= COUNT(spaces);
		parts[2] = targets[left % COUNT(targets)], left /= COUNT(targets);
		parts[3] = spaces[left % COUNT(spaces)], left /= COUNT(spaces);
		parts[4] = versions[left % COUNT(versions)], left /= COUNT(versions);
		parts[5] = ends[left];
		text = mem_printf("%s%s%s%s%s%s", parts[0], parts[1], parts[2], parts[3], parts[4], parts[5]);
		check_line(&rule, text);
	}
	regfree(&rule);
}

/* Every byte in every place, instead of another and before it. */
static void any_byte_anywhere_is_read_in_one_way(void **state)
{
	static const char good[] = "GET /a?b HTTP/1.1\r\n";
	regex_t rule;

	assert_int_equal(regcomp(&rule, grammar, REG_EXTENDED), 0);
	for (size_t at = 0; at < sizeof good - 1; at++) {
		for (int byte = 1; byte < 256; byte++) {
			char text[sizeof good + 1];

			memcpy(text, good, sizeof good);
			text[at] = (char)byte;
			check_line(&rule, text);
			memcpy(text, good, at);
			text[at] = (char)byte;
			memcpy(text + at + 1, good + at, sizeof good - at);
			check_line(&rule, text);
		}
	}
	regfree(&rule);
}

/* Of what is cut anywhere nothing behind the cut is looked at: each copy ends with its bytes. */
static void a_line_that_is_cut_is_none(void **state)
{
	static const char good[] = "DELETE /a/b/1 HTTP/1.0\r\n";
	struct request_line line;

	for (size_t length = 0; length < sizeof good - 1; length++) {
		AUTO_FREE char *bytes = mem_zero(1, length + 1);
		char *end = memcpy(bytes + 1, good, length);

		assert_int_equal(request_line_read(end, length, &line), LINE_UNENDED);
		assert_int_equal(request_line_method(end, length), length > 6 ? METHOD_DELETE : METHOD_OTHER);
	}
	assert_int_equal(request_line_read(good, sizeof good - 1, &line), LINE_GOOD);
}

static void a_fault_says_what_it_is(void **state)
{
	static const struct {
		const char *text;
		enum request_line_fault fault;
	} cases[] = {
		{"GET / HTTP/1.1\n", LINE_UNENDED},
		{"GET / HTTP/1.1", LINE_UNENDED},
		{"\n", LINE_UNENDED},
		{"\r\n", LINE_FORM},
		{"GET /\001 HTTP/1.1\r\n", LINE_CONTROL},
		{"\026\003\001\r\n", LINE_CONTROL},
		{"GET /\r HTTP/1.1\r\n", LINE_CONTROL},
		{"GET /\r\n", LINE_FORM},
		{"GET\r\n", LINE_FORM},
		{"GET  HTTP/1.1\r\n", LINE_FORM},
		{" / HTTP/1.1\r\n", LINE_FORM},
		{"G(T / HTTP/1.1\r\n", LINE_FORM},
		{"GET /a\tb HTTP/1.1\r\n", LINE_FORM},
		{"GET / HTTP/2.0\r\n", LINE_VERSION},
		{"GET /a b HTTP/1.1\r\n", LINE_VERSION},
		{"PRI * HTTP/2.0\r\n", LINE_VERSION},
	};
	struct request_line line;

	for (size_t i = 0; i < COUNT(cases); i++) {
		if (request_line_read(cases[i].text, strlen(cases[i].text), &line) != cases[i].fault)
			fail_msg("%s", cases[i].text);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(lines_of_all_parts_are_read_in_one_way),
		cmocka_unit_test(any_byte_anywhere_is_read_in_one_way),
		cmocka_unit_test(a_line_that_is_cut_is_none),
		cmocka_unit_test(a_fault_says_what_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

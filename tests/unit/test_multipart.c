/* SPDX-License-Identifier: Apache-2.0
 *
 * Forms: whatever pieces they come in, their parts are told in the same way. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/buffer.h"
#include "common/own.h"
#include "server/hub/multipart.h"

static bool note_part(void *context, const char *name, struct err *err)
{
	if (strcmp(name, "unwanted") == 0)
		return err_set(err, ERR_CONFLICT, "not that one");
	buffer_printf(context, "[%s]", name);
	return true;
}

static bool note_data(void *context, const void *bytes, size_t length, struct err *err)
{
	(void)err;
	assert_true(length > 0);
	buffer_add(context, bytes, length);
	return true;
}

/* What is told of a body that comes in pieces of this size; the error's code where it is refused. */
static enum err_code read_form(const char *type, const char *body, size_t piece, struct buffer *told)
{
	const struct multipart_receiver receiver = {note_part, note_data, told};
	AUTO(own_multipart) struct multipart *multipart = NULL;
	struct err err = {0};

	if (!multipart_create(type, &receiver, &multipart, &err))
		return err.code;
	for (size_t at = 0, length = strlen(body); at < length; at += piece) {
		if (!multipart_write(multipart, body + at, length - at < piece ? length - at : piece, &err))
			return err.code;
	}
	return multipart_finish(multipart, &err) ? ERR_NONE : err.code;
}

static const char type[] = "multipart/form-data; boundary=b";

#define HEAD(name) "Content-Disposition: form-data; name=" name "\r\n\r\n"

static void tells_parts(void **state)
{
	static const struct {
		const char *type;
		const char *body;
		const char *told;
	} cases[] = {
		{type, "--b\r\n" HEAD("a") "1\r\n--b--", "[a]1"},
		{type, "--b\r\n" HEAD("a") "1\r\n--b\r\n" HEAD("c") "2\r\n--b--\r\nafter", "[a]1[c]2"},
		{type, "before\r\n--b\r\n" HEAD("a") "\r\n--b--\r\n", "[a]"},
		{type, "--b \t\r\n" HEAD("a") "1\r\n--b\t\r\n" HEAD("c") "2\r\n--b--", "[a]1[c]2"},
		{type, "--b--", ""},
		{type, "--b\r\n" HEAD("a") "\r\n--\r\n-\r\n--a\r\n\r\n--b--", "[a]\r\n--\r\n-\r\n--a\r\n"},
		{type, "--b\r\n" HEAD("a") "--b\n--b--\r\r\n--b--", "[a]--b\n--b--\r"},
		{type, "--b\r\n" HEAD("\"a;b=\\\"c\\\"\"") "1\r\n--b--", "[a;b=\"c\"]1"},
		{type, "--b\r\n" HEAD("a; filename=\"x;name=y\"") "1\r\n--b--", "[a]1"},
		{type,
			"--b\r\nContent-Disposition: form-data; filename=\"x; name=y\"; "
			"name=a\r\n\r\n1\r\n--b--",
			"[a]1"},
		{type, "--b\r\nX: y\r\ncontent-disposition:FORM-DATA;NAME=a\r\n\r\n1\r\n--b--", "[a]1"},
		{type, "--b\r\nContent-Transfer-Encoding: binary\r\n" HEAD("a") "1\r\n--b--", "[a]1"},
		{"Multipart/Form-Data;charset=utf-8; Boundary=\"b b\"", "--b b\r\n" HEAD("a") "1\r\n--b b--",
			"[a]1"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (size_t piece = 1; piece <= strlen(cases[i].body); piece++) {
			AUTO_BUFFER struct buffer told = {0};

			assert_true(multipart_is_form(cases[i].type));
			assert_int_equal(read_form(cases[i].type, cases[i].body, piece, &told), ERR_NONE);
			assert_string_equal(buffer_string(&told), cases[i].told);
		}
	}
}

static void refuses_what_is_no_form(void **state)
{
	static const char *const bodies[] = {
		"",
		"--b",
		"--b\r\n",
		"--b\r\n" HEAD("a") "1",
		"--b\r\n" HEAD("a") "1\r\n--b",
		"--b\r\n" HEAD("a") "1\r\n--b-",
		"--b\r\n" HEAD("a") "1\r\n--bb--",
		"--b\r\n" HEAD("a") "1\n--b--",
		"--b\n" HEAD("a") "1\r\n--b--",
		"--b\r\n\r\n1\r\n--b--",
		"--b\r\nno header\r\n\r\n1\r\n--b--",
		"--b\r\n: nameless\r\n\r\n1\r\n--b--",
		"--b\r\nContent-Disposition: attachment; name=a\r\n\r\n1\r\n--b--",
		"--b\r\nContent-Disposition: form-data\r\n\r\n1\r\n--b--",
		"--b\r\n" HEAD("\"a") "1\r\n--b--",
		"--b\r\nContent-Disposition: form-data; name=a\r\n" HEAD("a") "1\r\n--b--",
		"--b\r\nContent-Transfer-Encoding: base64\r\n" HEAD("a") "1\r\n--b--",
	};

	(void)state;
	for (size_t i = 0; i < sizeof bodies / sizeof *bodies; i++) {
		for (size_t piece = 1; piece <= strlen(bodies[i]) + 1; piece++) {
			AUTO_BUFFER struct buffer told = {0};

			if (read_form(type, bodies[i], piece, &told) != ERR_BAD_REQUEST)
				fail_msg("\"%s\" in pieces of %zu is taken", bodies[i], piece);
		}
	}
}

static void refuses_types_without_a_boundary(void **state)
{
	static const char *const types[] = {"multipart/form-data", "multipart/form-data; boundary",
		"multipart/form-data; boundary=", "multipart/form-data; boundary=\"\"",
		"multipart/form-data; boundary=\"b", "multipart/form-data; boundary=a\x7f",
		"multipart/form-data; boundary=\"b \"", "multipart/form-data; x=\"boundary=b\"",
		"multipart/form-data; boundary="
		"12345678901234567890123456789012345678901234567890123456789012345678901"};

	(void)state;
	for (size_t i = 0; i < sizeof types / sizeof *types; i++) {
		AUTO_BUFFER struct buffer told = {0};

		assert_int_equal(read_form(types[i], "--b--", 5, &told), ERR_BAD_REQUEST);
	}
	assert_false(multipart_is_form("multipart/form-datas; boundary=b"));
	assert_false(multipart_is_form("multipart/mixed; boundary=b"));
}

static void ends_where_the_receiver_wants(void **state)
{
	AUTO_BUFFER struct buffer told = {0};

	(void)state;
	assert_int_equal(read_form(type, "--b\r\n" HEAD("unwanted") "1\r\n--b--", 3, &told), ERR_CONFLICT);
	assert_string_equal(buffer_string(&told), "");
}

/* What is longer than the window: heads, what stands before the first boundary, contents. */
static void holds_little(void **state)
{
	static const size_t lengths[] = {4000, 5000, 65536, 300000};

	(void)state;
	for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
		AUTO_BUFFER struct buffer content = {0};
		AUTO_BUFFER struct buffer head = {0};
		AUTO_BUFFER struct buffer preamble = {0};
		AUTO_BUFFER struct buffer told = {0};

		buffer_add_string(&content, "--b\r\n" HEAD("a"));
		buffer_add_string(&head, "--b\r\nX: ");
		for (size_t byte = 0; byte < lengths[i]; byte++) {
			buffer_add_string(&content, "\r");
			buffer_add_string(&head, "y");
			buffer_add_string(&preamble, "z");
		}
		buffer_add_string(&content, "\r\n--b--");
		buffer_add_string(&head, "\r\n" HEAD("a") "1\r\n--b--");
		buffer_add_string(&preamble, "\r\n--b--");
		assert_int_equal(read_form(type, buffer_string(&content), 70000, &told), ERR_NONE);
		assert_int_equal(told.length, lengths[i] + strlen("[a]"));
		assert_int_equal(read_form(type, buffer_string(&head), 70000, &told),
			lengths[i] < 4096 ? ERR_NONE : ERR_BAD_REQUEST);
		assert_int_equal(read_form(type, buffer_string(&preamble), 70000, &told),
			lengths[i] < 4096 ? ERR_NONE : ERR_BAD_REQUEST);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tells_parts),
		cmocka_unit_test(refuses_what_is_no_form),
		cmocka_unit_test(refuses_types_without_a_boundary),
		cmocka_unit_test(ends_where_the_receiver_wants),
		cmocka_unit_test(holds_little),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

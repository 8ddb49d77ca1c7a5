/* SPDX-License-Identifier: Apache-2.0
 *
 * What is noted of other nodes: by where they are, the last ones, and nothing that is secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "server/registry/peer_notes.h"

static void test_nodes_are_told_apart(void **state)
{
	AUTO_PEER_NOTES struct peer_notes *notes = peer_notes_create();
	struct peer_note rows[PEER_NOTES_MAX];

	(void)state;
	assert_int_equal(peer_notes_list(notes, rows), 0);
	peer_notes_add(notes, "http://one:8080", 10, ERR_NONE);
	peer_notes_add(notes, "http://two:8080", 5, ERR_UPSTREAM_UNREACHABLE);
	peer_notes_add(notes, "http://one:8080", 20, ERR_NONE);
	assert_int_equal(peer_notes_list(notes, rows), 2);
	assert_string_equal(rows[0].node, "http://one:8080");
	assert_int_equal(rows[0].follows, 2);
	assert_int_equal(rows[0].bytes, 30);
	assert_int_equal(rows[0].failed_at_s, 0);
	assert_string_equal(rows[1].node, "http://two:8080");
	assert_int_equal(rows[1].last_error, ERR_UPSTREAM_UNREACHABLE);
	assert_true(rows[1].failed_at_s > 0);
}

static void test_no_more_is_kept_than_where_it_is(void **state)
{
	static const struct {
		const char *url, *node;
	} rows[] = {
		{"https://name:word@host:1/-/t/cap_1_secret/acme/a/1?x=y", "https://host:1"},
		{"http://host?word", "http://host"},
		{"http://a@b@host", "http://host"},
		{"http://[::1]:8080/", "http://[::1]:8080"},
		{"http://", "?"},
		{"word", "?"},
		{"", "?"},
		{"javascript://host/", "?"},
		{"http://h\xffst/", "?"},
		{"http://h<b>/", "?"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		AUTO_PEER_NOTES struct peer_notes *notes = peer_notes_create();
		struct peer_note out[PEER_NOTES_MAX];

		peer_notes_add(notes, rows[i].url, 0, ERR_NONE);
		assert_int_equal(peer_notes_list(notes, out), 1);
		assert_string_equal(out[0].node, rows[i].node);
	}
}

static void test_who_was_asked_longest_ago_makes_room(void **state)
{
	AUTO_PEER_NOTES struct peer_notes *notes = peer_notes_create();
	struct peer_note rows[PEER_NOTES_MAX];
	char url[32];

	(void)state;
	for (int i = 0; i < PEER_NOTES_MAX + 10; i++) {
		(void)snprintf(url, sizeof url, "http://node-%d", i);
		peer_notes_add(notes, url, 1, ERR_NONE);
	}
	assert_int_equal(peer_notes_list(notes, rows), PEER_NOTES_MAX);
	assert_string_equal(rows[0].node, url);
	assert_string_equal(rows[PEER_NOTES_MAX - 1].node, "http://node-10");
	peer_notes_add(notes, "http://node-10", 1, ERR_NONE);
	assert_int_equal(peer_notes_list(notes, rows), PEER_NOTES_MAX);
	assert_string_equal(rows[0].node, "http://node-10");
	assert_int_equal(rows[0].bytes, 2);
	assert_string_equal(rows[PEER_NOTES_MAX - 1].node, "http://node-11");
}

static void test_an_address_that_is_too_long(void **state)
{
	AUTO_PEER_NOTES struct peer_notes *notes = peer_notes_create();
	struct peer_note rows[PEER_NOTES_MAX];
	char url[400];

	(void)state;
	(void)snprintf(url, sizeof url, "http://%0300d/", 1);
	peer_notes_add(notes, url, 0, ERR_NONE);
	peer_notes_add(NULL, url, 0, ERR_NONE);
	assert_int_equal(peer_notes_list(notes, rows), 1);
	assert_string_equal(rows[0].node, "?");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_nodes_are_told_apart),
		cmocka_unit_test(test_no_more_is_kept_than_where_it_is),
		cmocka_unit_test(test_who_was_asked_longest_ago_makes_room),
		cmocka_unit_test(test_an_address_that_is_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

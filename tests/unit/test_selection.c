/* SPDX-License-Identifier: Apache-2.0
 *
 * Which versions and artifacts an export takes, and what it says is lacking. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/bundle/selection.h"

/* A version whose artifacts are those of the letters: H J L C cached, small ones only known. */
static struct version_details version(const char *handle, int64_t number, const char *letters)
{
	static const char names[] = "HJLC";
	struct version_details details = {.name = {.version = number}};

	(void)snprintf(details.name.handle, sizeof details.name.handle, "%s", handle);
	for (const char *letter = letters; *letter; letter++) {
		struct artifact *artifact = &details.artifacts[details.artifact_count++].artifact;
		const char *cached = strchr(names, *letter);
		const char *known = cached ? cached : strchr(names, *letter - 'a' + 'A');

		artifact->name = details.name;
		artifact->name.format = (enum format)(known - names);
		artifact->cached = cached;
		artifact->recorded = true;
		artifact->checksums.sha256 = digest_of(known, 1);
	}
	return details;
}

struct row {
	const char *wishes; /* separated by blanks */
	const char *handle;
	int64_t version;
	const char *artifacts;
	const char *taken; /* as letters; NULL: it does not go */
	enum wish_gap gap; /* of the first wish */
};

static const struct row rows[] = {
	{"", "a/b", 1, "HJ", "HJ"},
	{"", "a/b", 1, "h", NULL},
	{"a/b", "a/b", 1, "HjL", "HL"},
	{"a/b", "a/b", 1, "h", NULL, GAP_ABSENT},
	{"a/b", "a/bc", 1, "H", NULL, GAP_UNKNOWN},
	{"a/b/1", "a/b", 1, "H", "H"},
	{"https://tfhub.dev/a/b/1", "a/b", 1, "H", "H"},
	{"http://127.0.0.1:8080/https://tfhub.dev/a/b/1?tfjs-format=compressed", "a/b", 1, "HJ", "J"},
	{"https://any.example//a/*", "a/b", 1, "H", "H"},
	{"a/b/1", "a/b", 11, "H", NULL, GAP_UNKNOWN},
	{"/a/b/1", "a/b", 1, "H", "H"},
	{"a/b/1?tf-hub-format=compressed", "a/b", 1, "HJ", "H"},
	{"a/b/1?tfjs-format=compressed", "a/b", 1, "HJ", "J"},
	{"a/b/1?lite-format=tflite", "a/b", 1, "HJ", NULL, GAP_ABSENT},
	{"a/b?coral-format=tflite", "a/b", 3, "HC", "C"},
	{"a/b/1?tf-hub-format=compressed a/b/1?tfjs-format=compressed", "a/b", 1, "HJL", "HJ"},
	{"a/b/1?tf-hub-format=compressed a/b", "a/b", 1, "HJL", "HJL"},
	{"a/*", "a/b/c", 1, "H", "H"},
	{"a/*", "ab/c", 1, "H", NULL, GAP_UNKNOWN},
	{"*/1", "a/b", 1, "H", "H"},
	{"*/1", "a/b", 2, "H", NULL, GAP_UNKNOWN},
	{"a/?", "a/b", 2, "H", "H"},
	{"a/[bc]?lite-format=tflite", "a/c", 2, "HL", "L"},
	{"*", "a/b", 1, "hJ", "J"},
};

static void add_all(struct selection *selection, const char *wishes)
{
	AUTO_FREE char *copy = mem_dup(wishes);
	char *rest = NULL;
	struct err err;

	for (char *word = strtok_r(copy, " ", &rest); word; word = strtok_r(NULL, " ", &rest))
		assert_true(selection_add_path(selection, word, &err));
	selection_seal(selection);
}

static enum wish_gap first_gap(const struct selection *selection)
{
	size_t position = 0;
	const struct selected *lacking = selection_next_gap(selection, &position);

	return lacking ? lacking->gap : GAP_NONE;
}

static void what_is_asked_for_is_taken(void **state)
{
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct row *row = &rows[i];
		AUTO(selection_finish) struct selection selection = {0};
		struct version_details details = version(row->handle, row->version, row->artifacts);
		bool taken[FORMAT_COUNT];
		char letters[8] = "";
		bool goes = false;

		add_all(&selection, row->wishes);
		if (selection_means(&selection, row->handle, row->version))
			selection_judge(&selection, &details, false, taken, &goes);
		for (int format = 0; goes && format < FORMAT_COUNT; format++)
			(void)strncat(letters, "HJLC" + format, taken[format] ? 1 : 0);
		if (goes != (row->taken != NULL) || strcmp(letters, row->taken ? row->taken : "") != 0 ||
			first_gap(&selection) != row->gap)
			fail_msg("\"%s\" of %s/%d: %s, gap %d", row->wishes, row->handle, (int)row->version,
				goes ? letters : "does not go", (int)first_gap(&selection));
	}
}

/* A wish for all versions is met by one of them, in whatever order they come. */
static void one_version_is_enough(void **state)
{
	static const char *const orders[][2] = {{"h", "H"}, {"H", "h"}, {"", "H"}, {"H", ""}};

	for (size_t i = 0; i < sizeof orders / sizeof *orders; i++) {
		AUTO(selection_finish) struct selection selection = {0};
		bool taken[FORMAT_COUNT];
		bool goes[2];

		add_all(&selection, "a/b");
		for (int j = 0; j < 2; j++) {
			struct version_details details = version("a/b", j + 1, orders[i][j]);

			selection_judge(&selection, &details, false, taken, &goes[j]);
			assert_int_equal(goes[j], strcmp(orders[i][j], "H") == 0);
		}
		assert_int_equal(first_gap(&selection), GAP_NONE);
	}
}

static void withdrawals_and_words_go(void **state)
{
	AUTO(selection_finish) struct selection words = {.words_only = true};
	AUTO(selection_finish) struct selection bytes = {0};
	struct version_details details = version("a/b", 1, "H");
	bool taken[FORMAT_COUNT];
	bool goes;

	add_all(&words, "a/b");
	add_all(&bytes, "a/b/1?tf-hub-format=compressed");
	selection_judge(&words, &details, true, taken, &goes);
	assert_true(goes && !taken[FORMAT_TF_HUB]);
	selection_judge(&words, &details, false, taken, &goes);
	assert_false(goes);
	details.state = STATE_WITHDRAWN;
	selection_judge(&bytes, &details, false, taken, &goes);
	assert_true(goes && !taken[FORMAT_TF_HUB]);
	assert_int_equal(first_gap(&bytes), GAP_WITHDRAWN);
}

static void other_bytes_are_told(void **state)
{
	AUTO(selection_finish) struct selection selection = {0};
	struct version_details details = version("a/b", 1, "H");
	const struct selected right = {.text = (char *)"a/b/1",
		.has_format = true,
		.has_digest = true,
		.digest = details.artifacts[0].artifact.checksums.sha256,
		.gap = GAP_UNKNOWN};
	struct selected wrong = right;
	bool taken[FORMAT_COUNT];
	bool goes;
	struct err err;

	wrong.digest = digest_of("other", 5);
	assert_true(selection_add(&selection, &wrong, &err));
	selection_seal(&selection);
	selection_judge(&selection, &details, true, taken, &goes);
	assert_false(goes || taken[FORMAT_TF_HUB]);
	assert_int_equal(first_gap(&selection), GAP_DIFFERENT);
	selection_tell(&selection.items[0], &err);
	assert_string_equal(err.text, "a/b/1 (tf-hub) is here with other bytes than are asked for");
	assert_true(selection_add(&selection, &right, &err));
	selection_seal(&selection);
	selection_judge(&selection, &details, true, taken, &goes);
	assert_true(goes && taken[FORMAT_TF_HUB]);
}

static void what_names_nothing_is_refused(void **state)
{
	static const char *const paths[] = {
		"", "/", "a b", "a,b", "a\tb", "a/b?format=zip", "a/b?=", "?a=b", "\xff/b"};
	AUTO(selection_finish) struct selection selection = {0};
	struct err err;

	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++)
		assert_false(selection_add_path(&selection, paths[i], &err));
}

/* Among very many, each is found. */
static void many_are_found(void **state)
{
	enum { COUNT = 20000 };
	AUTO(selection_finish) struct selection selection = {0};
	char path[64];
	struct err err;

	for (int i = 0; i < COUNT; i++) {
		(void)snprintf(path, sizeof path, "p%d/m/%d", i * 7919 % COUNT, i * 7919 % COUNT + 1);
		assert_true(selection_add_path(&selection, path, &err));
	}
	selection_seal(&selection);
	for (int i = 0; i < COUNT; i++) {
		(void)snprintf(path, sizeof path, "p%d/m", i);
		assert_true(selection_means(&selection, path, i + 1));
		assert_false(selection_means(&selection, path, i + 2));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_asked_for_is_taken),
		cmocka_unit_test(one_version_is_enough),
		cmocka_unit_test(withdrawals_and_words_go),
		cmocka_unit_test(other_bytes_are_told),
		cmocka_unit_test(what_names_nothing_is_refused),
		cmocka_unit_test(many_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

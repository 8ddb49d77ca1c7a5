/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "server/registry/attempts.h"

enum { NOW_MS = 1000000 };

static struct digest hash_of(const char *word)
{
	return digest_of(word, strlen(word));
}

static bool may(struct attempts *attempts, const char *origin, const char *word, int64_t now_ms)
{
	struct digest hash = hash_of(word);
	unsigned wait_s = 0;
	bool looked_at = attempts_may(attempts, origin, &hash, now_ms, &wait_s);

	assert_true(looked_at || (wait_s >= 1 && wait_s <= ATTEMPTS_EACH_S));
	return looked_at;
}

static void note(struct attempts *attempts, const char *origin, const char *word, bool good, int64_t now_ms)
{
	struct digest hash = hash_of(word);

	attempts_note(attempts, origin, &hash, good, now_ms);
}

static void use_up(struct attempts *attempts, const char *origin, int64_t now_ms)
{
	for (int i = 0; i < ATTEMPTS_AT_ONCE; i++) {
		assert_true(may(attempts, origin, "wrong", now_ms));
		note(attempts, origin, "wrong", false, now_ms);
	}
	assert_false(may(attempts, origin, "wrong", now_ms));
}

static void waits_and_is_let_off(void **state)
{
	AUTO_ATTEMPTS struct attempts *attempts = attempts_create();
	int64_t now_ms = NOW_MS;

	(void)state;
	use_up(attempts, "192.0.2.1", now_ms);
	assert_true(may(attempts, "192.0.2.2", "wrong", now_ms));
	now_ms += ATTEMPTS_EACH_S * 1000;
	assert_true(may(attempts, "192.0.2.1", "wrong", now_ms));
	note(attempts, "192.0.2.1", "wrong", false, now_ms);
	assert_false(may(attempts, "192.0.2.1", "wrong", now_ms));
	use_up(attempts, "192.0.2.1", now_ms + INT64_C(1000) * ATTEMPTS_AT_ONCE * ATTEMPTS_EACH_S);
}

/* What was good from there is looked at, and what was good from elsewhere is not. */
static void known_ones_go_on(void **state)
{
	static const char *const good[] = {"one", "two", "three", "four"};
	AUTO_ATTEMPTS struct attempts *attempts = attempts_create();

	(void)state;
	for (size_t i = 0; i < 4; i++)
		note(attempts, "192.0.2.1", good[i], true, NOW_MS);
	note(attempts, "192.0.2.2", "other", true, NOW_MS);
	use_up(attempts, "192.0.2.1", NOW_MS);
	for (size_t i = 0; i < 4; i++)
		assert_true(may(attempts, "192.0.2.1", good[i], NOW_MS));
	assert_false(may(attempts, "192.0.2.1", "other", NOW_MS));
	note(attempts, "192.0.2.1", "five", true, NOW_MS);
	assert_false(may(attempts, "192.0.2.1", "one", NOW_MS));
}

static void networks(void **state)
{
	AUTO_ATTEMPTS struct attempts *attempts = attempts_create();

	(void)state;
	use_up(attempts, "2001:db8:1:2::1", NOW_MS);
	assert_false(may(attempts, "2001:db8:1:2:ffff::9", "wrong", NOW_MS));
	assert_true(may(attempts, "2001:db8:1:3::1", "wrong", NOW_MS));
	use_up(attempts, "::ffff:198.51.100.1", NOW_MS);
	assert_false(may(attempts, "198.51.100.1", "wrong", NOW_MS));
	assert_true(may(attempts, "::ffff:198.51.100.2", "wrong", NOW_MS));
	for (int i = 0; i < 1000; i++) {
		note(attempts, NULL, "wrong", false, NOW_MS);
		note(attempts, "no address", "wrong", false, NOW_MS);
	}
	assert_true(may(attempts, NULL, "wrong", NOW_MS));
	assert_true(may(attempts, "no address", "wrong", NOW_MS));
}

/* A hundred thousand addresses that do nothing wrong let none off that has to wait. */
static void the_table_is_bounded(void **state)
{
	AUTO_ATTEMPTS struct attempts *attempts = attempts_create();
	char origin[32];

	(void)state;
	use_up(attempts, "192.0.2.1", NOW_MS);
	for (int i = 0; i < 100000; i++) {
		(void)snprintf(origin, sizeof origin, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
		note(attempts, origin, "good", true, NOW_MS);
	}
	assert_false(may(attempts, "192.0.2.1", "wrong", NOW_MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_and_is_let_off),
		cmocka_unit_test(known_ones_go_on),
		cmocka_unit_test(networks),
		cmocka_unit_test(the_table_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

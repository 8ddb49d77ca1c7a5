/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>

#include "server/registry/attempts.h"

enum { NOW_MS = 1000000 };

static bool may(struct attempts *attempts, const char *origin, int64_t now_ms)
{
	unsigned wait_s = 0;
	bool looked_for = attempts_may(attempts, origin, now_ms, &wait_s);

	assert_true(looked_for || (wait_s >= 1 && wait_s <= ATTEMPTS_EACH_S));
	return looked_for;
}

static void use_up(struct attempts *attempts, const char *origin, int64_t now_ms)
{
	for (int i = 0; i < ATTEMPTS_AT_ONCE; i++) {
		assert_true(may(attempts, origin, now_ms));
		attempts_note_failed(attempts, origin, now_ms);
	}
	assert_false(may(attempts, origin, now_ms));
}

static void waits_and_is_let_off(void **state)
{
	AUTO_ATTEMPTS struct attempts *attempts = attempts_create();
	int64_t now_ms = NOW_MS;

	(void)state;
	use_up(attempts, "192.0.2.1", now_ms);
	assert_true(may(attempts, "192.0.2.2", now_ms));
	now_ms += ATTEMPTS_EACH_S * 1000;
	assert_true(may(attempts, "192.0.2.1", now_ms));
	attempts_note_failed(attempts, "192.0.2.1", now_ms);
	assert_false(may(attempts, "192.0.2.1", now_ms));
	use_up(attempts, "192.0.2.1", now_ms + INT64_C(1000) * ATTEMPTS_AT_ONCE * ATTEMPTS_EACH_S);
}

static void networks(void **state)
{
	AUTO_ATTEMPTS struct attempts *attempts = attempts_create();

	(void)state;
	use_up(attempts, "2001:db8:1:2::1", NOW_MS);
	assert_false(may(attempts, "2001:db8:1:2:ffff::9", NOW_MS));
	assert_true(may(attempts, "2001:db8:1:3::1", NOW_MS));
	use_up(attempts, "::ffff:198.51.100.1", NOW_MS);
	assert_false(may(attempts, "198.51.100.1", NOW_MS));
	assert_true(may(attempts, "::ffff:198.51.100.2", NOW_MS));
	for (int i = 0; i < 1000; i++) {
		attempts_note_failed(attempts, NULL, NOW_MS);
		attempts_note_failed(attempts, "no address", NOW_MS);
	}
	assert_true(may(attempts, NULL, NOW_MS));
	assert_true(may(attempts, "no address", NOW_MS));
}

/* A hundred thousand addresses that did one thing wrong let none off that has to wait. */
static void the_table_is_bounded(void **state)
{
	AUTO_ATTEMPTS struct attempts *attempts = attempts_create();
	char origin[32];

	(void)state;
	use_up(attempts, "192.0.2.1", NOW_MS);
	for (int i = 0; i < 100000; i++) {
		(void)snprintf(origin, sizeof origin, "10.%d.%d.%d", i >> 16, i >> 8 & 255, i & 255);
		attempts_note_failed(attempts, origin, NOW_MS);
	}
	assert_false(may(attempts, "192.0.2.1", NOW_MS));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(waits_and_is_let_off),
		cmocka_unit_test(networks),
		cmocka_unit_test(the_table_is_bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

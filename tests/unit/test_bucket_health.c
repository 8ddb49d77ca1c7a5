/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <string.h>

#include "common/clock.h"
#include "server/vault/bucket_health.h"

/* Whoever found out, and whatever he calls it: to all others it is the store that is away. */
static void a_store_that_is_away_is_told_as_such(void **state)
{
	static const enum err_code codes[] = {
		ERR_UPSTREAM_UNREACHABLE, ERR_UPSTREAM_FAILED, ERR_BUSY, ERR_STORE_UNAVAILABLE};

	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		struct bucket_health health;
		struct err why = {0};
		struct err err = {0};
		bool asks;

		bucket_health_init(&health);
		assert_true(bucket_health_may_ask(&health, &err));
		(void)err_set(&why, codes[i], "no connection");
		bucket_health_note(&health, i % 2, BUCKET_UNREACHABLE, &why);
		assert_false(bucket_health_may_ask(&health, &err));
		assert_int_equal(err.code, ERR_STORE_UNAVAILABLE);
		assert_true(err.retry_after_s > 0);
		assert_non_null(strstr(err.text, "the bucket cannot be used now: no connection"));
		assert_int_equal(bucket_health_look(&health, true, &asks).err.code, ERR_STORE_UNAVAILABLE);
		/* Told on, it is not told twice. */
		assert_false(bucket_health_refuse(&err));
		assert_null(strstr(err.text + 1, "the bucket cannot"));
		bucket_health_note(&health, false, BUCKET_DONE, &why);
		assert_true(bucket_health_may_ask(&health, &err));
		bucket_health_finish(&health);
	}
}

static void the_stores_clock_counts_once_it_is_told(void **state)
{
	struct bucket_health health;

	bucket_health_init(&health);
	bucket_health_note_date(&health, 0);
	assert_int_equal(bucket_health_ahead_s(&health), 0);
	bucket_health_note_date(&health, clock_now_s() + 7200);
	assert_in_range(bucket_health_ahead_s(&health), 7100, 7200);
	bucket_health_note_date(&health, 0);
	assert_in_range(bucket_health_ahead_s(&health), 7100, 7200);
	bucket_health_finish(&health);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_store_that_is_away_is_told_as_such),
		cmocka_unit_test(the_stores_clock_counts_once_it_is_told),
	};

	return cmocka_run_group_tests_name("bucket health", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "server/metrics.h"

static int count(const char *text, const char *part)
{
	int found = 0;

	for (const char *at = strstr(text, part); at; at = strstr(at + 1, part))
		found++;
	return found;
}

static void counts_and_sets(void **state)
{
	int64_t before = metric_read(METRIC_PUBLISHED);

	metric_add(METRIC_PUBLISHED, 2);
	metric_add(METRIC_PUBLISHED, 1);
	metric_set(METRIC_FREE_BYTES, 5);
	metric_set(METRIC_FREE_BYTES, INT64_C(1) << 40);
	assert_int_equal(metric_read(METRIC_PUBLISHED), before + 3);
	assert_int_equal(metric_read(METRIC_FREE_BYTES), INT64_C(1) << 40);
}

static void writes_what_it_counted(void **state)
{
	AUTO_BUFFER struct buffer out = {0};

	metric_add(METRIC_MISSES, 7);
	metric_refused(ERR_NOT_FOUND);
	metrics_write(&out);
	assert_int_equal(
		count(buffer_string(&out), "\nlarder_artifact_requests_total{result=\"miss\"} 7\n"), 1);
	assert_int_equal(count(buffer_string(&out), "\nlarder_refusals_total{code=\"not-found\"} 1\n"), 1);
}

/* What Prometheus refuses: a family that is told of twice, in parts, or not at all. */
static void a_family_stands_together_and_says_what_it_is(void **state)
{
	AUTO_BUFFER struct buffer out = {0};
	char help[128], kind[128];
	const char *text;

#define SHOWN_ONCE(name, kind_, family, labels, words) \
	(void)snprintf(help, sizeof help, "# HELP %s ", family); \
	(void)snprintf(kind, sizeof kind, "# TYPE %s %s\n", family, #kind_); \
	assert_int_equal(count(text, help), 1); \
	assert_int_equal(count(text, kind), 1); \
	assert_int_equal(count(text, "\n" family labels " "), 1);

	metrics_write(&out);
	text = buffer_string(&out);
	METRICS(SHOWN_ONCE)
#undef SHOWN_ONCE
	assert_int_equal(count(text, "# HELP "), count(text, "# TYPE "));
	assert_int_equal(text[strlen(text) - 1], '\n');
	assert_null(strstr(text, " \n"));
}

/* Cumulative, and the last bucket is the count, as Prometheus wants it. */
static void times_by_buckets(void **state)
{
	AUTO_BUFFER struct buffer out = {0};
	static const char *const lines[] = {
		"larder_first_byte_seconds_bucket{result=\"hit\",le=\"0.0001\"} 1\n",
		"larder_first_byte_seconds_bucket{result=\"hit\",le=\"0.0005\"} 2\n",
		"larder_first_byte_seconds_bucket{result=\"hit\",le=\"300\"} 3\n",
		"larder_first_byte_seconds_bucket{result=\"hit\",le=\"+Inf\"} 4\n",
		"larder_first_byte_seconds_sum{result=\"hit\"} 601.000201\n",
		"larder_first_byte_seconds_count{result=\"hit\"} 4\n",
		"larder_upstream_seconds_bucket{le=\"+Inf\"} 0\n",
		"larder_upstream_seconds_sum 0.000000\n",
		"# TYPE larder_first_byte_seconds histogram\n",
	};

	metric_observe(HISTOGRAM_FIRST_BYTE_HIT, 100);
	metric_observe(HISTOGRAM_FIRST_BYTE_HIT, 101);
	metric_observe(HISTOGRAM_FIRST_BYTE_HIT, 300000000);
	metric_observe(HISTOGRAM_FIRST_BYTE_HIT, 301000000);
	metrics_write(&out);
	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
		assert_int_equal(count(buffer_string(&out), lines[i]), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counts_and_sets),
		cmocka_unit_test(writes_what_it_counted),
		cmocka_unit_test(times_by_buckets),
		cmocka_unit_test(a_family_stands_together_and_says_what_it_is),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/metrics.h"

#include <stdatomic.h>
#include <string.h>

struct metric_row {
	const char *kind;
	const char *family;
	const char *labels;
	const char *help;
};

static const struct metric_row rows[METRIC_COUNT] = {
#define METRIC_ROW(name, kind, family, labels, help) [name] = {#kind, family, labels, help},
	METRICS(METRIC_ROW)
#undef METRIC_ROW
};
static const struct {
	const char *family;
	const char *labels;
	const char *help;
} histograms[HISTOGRAM_COUNT] = {
#define HISTOGRAM_ROW(name, family, labels, help) [name] = {family, labels, help},
	HISTOGRAMS(HISTOGRAM_ROW)
#undef HISTOGRAM_ROW
};
static const struct {
	int64_t us;
	const char *text; /* in seconds */
} bounds[] = {{100, "0.0001"}, {500, "0.0005"}, {2500, "0.0025"}, {10000, "0.01"}, {50000, "0.05"},
	{250000, "0.25"}, {1000000, "1"}, {5000000, "5"}, {30000000, "30"}, {300000000, "300"}};
enum { BOUNDS = sizeof bounds / sizeof *bounds };
static _Atomic int64_t values[METRIC_COUNT];
static struct {
	_Atomic int64_t within[BOUNDS + 1]; /* not in those before */
	_Atomic int64_t sum_us;
} observed[HISTOGRAM_COUNT];
static _Atomic int64_t refusals[ERR_CODE_COUNT];

void metric_add(enum metric metric, int64_t amount)
{
	atomic_fetch_add_explicit(&values[metric], amount, memory_order_relaxed);
}

void metric_set(enum metric metric, int64_t value)
{
	atomic_store_explicit(&values[metric], value, memory_order_relaxed);
}

const struct metric_bound metric_store_bounds[METRIC_STORE_BOUNDS] = {{METRIC_STORE_WITHIN_5MS, 5},
	{METRIC_STORE_WITHIN_20MS, 20}, {METRIC_STORE_WITHIN_100MS, 100}, {METRIC_STORE_WITHIN_500MS, 500},
	{METRIC_STORE_WITHIN_2S, 2000}, {METRIC_STORE_WITHIN_10S, 10000}, {METRIC_STORE_WITHIN_ANY, -1}};

void metric_store_waited(enum metric kind, int64_t ms)
{
	metric_add(METRIC_STORE_WAITED_GETS_MS + (kind - METRIC_STORE_GETS), ms);
	for (size_t i = 0; i < METRIC_STORE_BOUNDS; i++) {
		if (metric_store_bounds[i].ms < 0 || ms <= metric_store_bounds[i].ms)
			metric_add(metric_store_bounds[i].metric, 1);
	}
	metric_add(METRIC_STORE_TIMED_SUM, ms);
	metric_add(METRIC_STORE_TIMED_COUNT, 1);
}

void metric_observe(enum histogram histogram, int64_t us)
{
	size_t i = 0;

	while (i < BOUNDS && us > bounds[i].us)
		i++;
	atomic_fetch_add_explicit(&observed[histogram].within[i], 1, memory_order_relaxed);
	atomic_fetch_add_explicit(&observed[histogram].sum_us, us, memory_order_relaxed);
}

int64_t metric_read(enum metric metric)
{
	return atomic_load_explicit(&values[metric], memory_order_relaxed);
}

void metric_refused(enum err_code code)
{
	atomic_fetch_add_explicit(&refusals[code], 1, memory_order_relaxed);
}

static void write_head(struct buffer *out, const char *family, const char *help, const char *kind)
{
	buffer_printf(out, "# HELP %s %s\n# TYPE %s %s\n", family, help, family, kind);
}

static void write_histogram(struct buffer *out, enum histogram histogram)
{
	const char *family = histograms[histogram].family;
	const char *labels = histograms[histogram].labels;
	long long sum_us = (long long)atomic_load_explicit(&observed[histogram].sum_us, memory_order_relaxed);
	long long count = 0;

	for (size_t i = 0; i <= BOUNDS; i++) {
		count +=
			(long long)atomic_load_explicit(&observed[histogram].within[i], memory_order_relaxed);
		buffer_printf(out, "%s_bucket{%s%sle=\"%s\"} %lld\n", family, labels, *labels ? "," : "",
			i < BOUNDS ? bounds[i].text : "+Inf", count);
	}
	buffer_printf(out, "%s_sum%s%s%s %lld.%06lld\n", family, *labels ? "{" : "", labels,
		*labels ? "}" : "", sum_us / 1000000, sum_us % 1000000);
	buffer_printf(
		out, "%s_count%s%s%s %lld\n", family, *labels ? "{" : "", labels, *labels ? "}" : "", count);
}

static void write_histograms(struct buffer *out)
{
	for (int i = 0; i < HISTOGRAM_COUNT; i++) {
		if (i == 0 || strcmp(histograms[i].family, histograms[i - 1].family) != 0)
			write_head(out, histograms[i].family, histograms[i].help, "histogram");
		write_histogram(out, i);
	}
}

void metrics_write(struct buffer *out)
{
	for (int i = 0; i < METRIC_COUNT; i++) {
		if (i == 0 || strcmp(rows[i].family, rows[i - 1].family) != 0)
			write_head(out, rows[i].family, rows[i].help, rows[i].kind);
		buffer_printf(out, "%s%s %lld\n", rows[i].family, rows[i].labels, (long long)metric_read(i));
	}
	write_histograms(out);
	write_head(out, "larder_refusals_total", "Requests refused, by the code of the problem.", "counter");
	for (int code = ERR_NONE + 1; code < ERR_CODE_COUNT; code++)
		buffer_printf(out, "larder_refusals_total{code=\"%s\"} %lld\n", err_name(code),
			(long long)atomic_load_explicit(&refusals[code], memory_order_relaxed));
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/times.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"

enum { DAY_S = 86400, LONG_AGO_S = 31 * DAY_S };

static const struct unit {
	int64_t seconds;
	const char *one;
	const char *many;
} units[] = {{DAY_S, "day", "days"}, {3600, "h", "h"}, {60, "min", "min"}, {1, "s", "s"}};

struct span_text times_span(int64_t span_s)
{
	const struct unit *unit = units;
	struct span_text out;

	while (span_s < unit->seconds && unit->seconds > 1)
		unit++;
	(void)snprintf(out.text, sizeof out.text, "%" PRId64 " %s", span_s / unit->seconds,
		span_s / unit->seconds == 1 ? unit->one : unit->many);
	return out;
}

struct piece {
	char text[24];
};

static struct piece piece_of(const char *time, int from, int length)
{
	struct piece out = {""};

	if (strnlen(time, sizeof "2026-11-21T01:02:03Z") >= (size_t)(from + length))
		(void)snprintf(out.text, sizeof out.text, "%.*s", length, time + from);
	return out;
}

static void write_time(struct view *view, const char *time, const char *kind, const char *text)
{
	HTML(&view->html, "<time class=\"%s\" datetime=\"%s\" title=\"%s %s UTC\">%s</time>", kind, time,
		piece_of(time, 0, 10).text, piece_of(time, 11, 8).text, text);
}

void times_write_day(struct view *view, const char *time)
{
	write_time(view, time, "day", piece_of(time, 0, 10).text);
}

void times_write_ago(struct view *view, const char *time)
{
	char text[48];
	int64_t at_s, age_s;

	if (!clock_parse_rfc3339(time, &at_s))
		return times_write_day(view, time);
	age_s = clock_now_s() - at_s;
	if (age_s < 0 || age_s > LONG_AGO_S)
		return times_write_day(view, time);
	(void)snprintf(text, sizeof text, "%s ago", times_span(age_s).text);
	write_time(view, time, "ago", text);
}

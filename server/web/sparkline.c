/* SPDX-License-Identifier: Apache-2.0 */
#define _XOPEN_SOURCE 700
#include "server/web/sparkline.h"

#include <inttypes.h>
#include <string.h>
#include <time.h>

#include "common/clock.h"
#include "server/web/cards.h"

enum { DAY_S = 86400, WEEK = 7, WEEKS = 52, STEP = 2, HEIGHT = 20 };

struct weeks {
	int64_t downloads[WEEKS]; /* the last is this one */
	int64_t most;
	int64_t total;
};

/* Days ago; -1 where it is no day of the past. */
static int64_t age_of(const char *day, int64_t today)
{
	struct tm broken = {0};
	const char *end = strptime(day, "%Y-%m-%d", &broken);

	return end && !*end ? today - timegm(&broken) / DAY_S : -1;
}

static struct weeks count_weeks(const json_t *daily)
{
	int64_t today = clock_now_s() / DAY_S;
	struct weeks weeks = {0};
	const char *day;
	json_t *count;

	json_object_foreach((json_t *)daily, day, count)
	{
		int64_t age = age_of(day, today);
		int64_t *week =
			age >= 0 && age < WEEKS * WEEK ? &weeks.downloads[WEEKS - 1 - age / WEEK] : NULL;

		if (!week)
			continue;
		*week += json_integer_value(count);
		weeks.total += json_integer_value(count);
		weeks.most = *week > weeks.most ? *week : weeks.most;
	}
	return weeks;
}

void sparkline_write(struct view *view, const json_t *daily)
{
	const struct weeks weeks = count_weeks(daily);

	if (weeks.total == 0)
		return;
	HTML(&view->html,
		"<h2>Downloads</h2>\n<svg class=\"chart spark\" viewBox=\"0 0 %d %d\" "
		"preserveAspectRatio=\"none\" role=\"img\" aria-label=\"Downloads of each week of a year: "
		"%s, "
		"%s of them in the last 7 days\"><polyline class=\"line\" points=\"",
		(WEEKS - 1) * STEP, HEIGHT, count_text(weeks.total).text,
		count_text(weeks.downloads[WEEKS - 1]).text);
	for (int i = 0; i < WEEKS; i++)
		HTML(&view->html, "%s%d,%d", i ? " " : "", i * STEP,
			(int)(HEIGHT - 1 - weeks.downloads[i] * (HEIGHT - 2) / weeks.most));
	HTML(&view->html,
		"\"/></svg>\n<p class=\"raw\">%s in the last 7 days, %s in a year, of all versions</p>\n",
		count_text(weeks.downloads[WEEKS - 1]).text, count_text(weeks.total).text);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/day_chart.h"

#include <stdio.h>

#include "common/number.h"
#include "server/web/cards.h"

/* Of a bar, in the drawing's own units; what is not zero can be seen. */
enum { STEP = 4, WIDTH = 3, HEIGHT = 40 };

static int64_t at(const json_t *slots, size_t i)
{
	return json_integer_value(json_array_get(slots, i));
}

static int64_t most_of(const struct day_chart *chart)
{
	int64_t most = 0;

	for (size_t i = 0; i < json_array_size(chart->lower); i++) {
		int64_t sum = at(chart->lower, i) + at(chart->upper, i);

		most = sum > most ? sum : most;
	}
	return most;
}

static int64_t sum_of(const json_t *slots)
{
	int64_t sum = 0;

	for (size_t i = 0; i < json_array_size(slots); i++)
		sum += at(slots, i);
	return sum;
}

static int height_of(int64_t amount, int64_t most)
{
	int height = most > 0 ? (int)((double)amount / (double)most * HEIGHT) : 0;

	return amount > 0 && height == 0 ? 1 : height;
}

/* Bars of one kind are one path. */
static void write_bars(
	struct view *view, const char *class, const json_t *slots, const json_t *below, int64_t most)
{
	HTML(&view->html, "<path class=\"%s\" d=\"", class);
	for (size_t i = 0; i < json_array_size(slots); i++) {
		int height = height_of(at(slots, i), most);
		int foot = HEIGHT - height_of(at(below, i), most);

		if (height > 0)
			HTML(&view->html, "M%d,%dv-%dh%dv%dz", (int)i * STEP, foot, height, WIDTH, height);
	}
	HTML(&view->html, "\"/>");
}

static struct size_text write_amount(const struct day_chart *chart, int64_t amount)
{
	struct size_text out;

	if (chart->in_bytes)
		return number_size(amount);
	(void)snprintf(out.text, sizeof out.text, "%.23s", count_text(amount).text);
	return out;
}

void day_chart_write(struct view *view, const struct day_chart *chart)
{
	int64_t most = most_of(chart);

	HTML(&view->html,
		"<svg class=\"chart\" id=\"%s\" viewBox=\"0 0 %d %d\" preserveAspectRatio=\"none\" "
		"role=\"img\" "
		"aria-label=\"%s in the last 24 hours: %s, ",
		chart->id, (int)json_array_size(chart->lower) * STEP, HEIGHT, chart->label,
		write_amount(chart, sum_of(chart->lower) + sum_of(chart->upper)).text);
	HTML(&view->html, "at most %s in half an hour\">", write_amount(chart, most).text);
	write_bars(view, "part", chart->lower, NULL, most);
	write_bars(view, "other", chart->upper, chart->lower, most);
	HTML(&view->html, "</svg>\n");
}

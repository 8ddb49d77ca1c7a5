/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/progress_bar.h"

#include <stdio.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/number.h"

enum { FIRST_MS = 300, BAR_EVERY_MS = 100, LINE_EVERY_MS = 10000, BAR_WIDTH = 30 };

static const char filled[] = "##############################";

_Static_assert(sizeof filled == BAR_WIDTH + 1, "a full bar");

void progress_bar_init(struct progress_bar *progress, const char *what)
{
	int64_t now = clock_monotonic_ms();

	*progress = (struct progress_bar){.what = what, .terminal = isatty(STDERR_FILENO), .started_ms = now};
	progress->next_ms = now + (progress->terminal ? FIRST_MS : LINE_EVERY_MS);
}

static void draw_bar(
	const struct progress_bar *progress, int64_t done_bytes, int64_t total_bytes, int64_t now)
{
	double part = total_bytes > 0 ? (double)done_bytes / (double)total_bytes : 0;
	int64_t elapsed = now - progress->started_ms;
	int64_t rate =
		elapsed > 0 ? (int64_t)((double)(done_bytes - progress->first_bytes) * 1000 / (double)elapsed)
			    : 0;
	int hashes = (int)(part * BAR_WIDTH);

	if (total_bytes <= 0) {
		(void)fprintf(stderr, "\r%s: %s, %s/s \033[K", progress->what, number_size(done_bytes).text,
			number_size(rate).text);
		return;
	}
	(void)fprintf(stderr, "\r%s [%-*.*s] %3d %% of %s, %s/s \033[K", progress->what, BAR_WIDTH, hashes,
		filled, (int)(part * 100), number_size(total_bytes).text, number_size(rate).text);
}

void progress_bar_show(struct progress_bar *progress, int64_t done_bytes, int64_t total_bytes)
{
	int64_t now = clock_monotonic_ms();

	if (now < progress->next_ms)
		return;
	if (progress->terminal) {
		draw_bar(progress, done_bytes, total_bytes, now);
		progress->drawn = true;
	} else {
		(void)fprintf(stderr, "%s: %s of %s\n", progress->what, number_size(done_bytes).text,
			total_bytes > 0 ? number_size(total_bytes).text : "an unknown size");
	}
	progress->next_ms = now + (progress->terminal ? BAR_EVERY_MS : LINE_EVERY_MS);
}

void progress_bar_finish(struct progress_bar *progress)
{
	if (progress->drawn)
		(void)fputs("\r\033[K", stderr);
	progress->drawn = false;
}

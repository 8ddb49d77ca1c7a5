/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/progress_bar.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/number.h"
#include "server/command/terminal.h"

enum { FIRST_MS = 300, BAR_EVERY_MS = 100, LINE_EVERY_MS = 10000, BAR_WIDTH = 30 };

static const char filled[] = "##############################";

_Static_assert(sizeof filled == BAR_WIDTH + 1, "a full bar");

void progress_bar_init(struct progress_bar *progress, const char *what)
{
	int64_t now = clock_monotonic_ms();

	*progress = (struct progress_bar){
		.what = what, .terminal = terminal_can_draw(STDERR_FILENO), .started_ms = now};
	progress->next_ms = now + (progress->terminal ? FIRST_MS : LINE_EVERY_MS);
}

/* Bytes a second since it began. */
static int64_t rate_of(const struct progress_bar *progress, int64_t done_bytes, int64_t now)
{
	int64_t elapsed = now - progress->started_ms;

	return elapsed > 0 ? (int64_t)((double)(done_bytes - progress->first_bytes) * 1000 / (double)elapsed)
			   : 0;
}

/* ", 3:20 left"; "" where nobody can tell. */
struct left_text {
	char text[48];
};

static struct left_text left_text(int64_t left_bytes, int64_t rate)
{
	struct left_text out = {""};
	int64_t left_s = rate > 0 ? left_bytes / rate : -1;

	if (left_s >= 3600)
		(void)snprintf(out.text, sizeof out.text, ", %lld:%02d:%02d left", (long long)left_s / 3600,
			(int)(left_s / 60 % 60), (int)(left_s % 60));
	else if (left_s >= 0)
		(void)snprintf(
			out.text, sizeof out.text, ", %d:%02d left", (int)(left_s / 60), (int)(left_s % 60));
	return out;
}

static void draw_bar(
	const struct progress_bar *progress, int64_t done_bytes, int64_t total_bytes, int64_t now)
{
	double part = total_bytes > 0 ? (double)done_bytes / (double)total_bytes : 0;
	int64_t rate = rate_of(progress, done_bytes, now);
	int hashes = (int)(part * BAR_WIDTH);

	if (total_bytes <= 0) {
		(void)fprintf(stderr, "\r%s: %s, %s/s \033[K", progress->what, number_size(done_bytes).text,
			number_size(rate).text);
		return;
	}
	(void)fprintf(stderr, "\r%s [%-*.*s] %3d %% of %s, %s/s%s \033[K", progress->what, BAR_WIDTH, hashes,
		filled, (int)(part * 100), number_size(total_bytes).text, number_size(rate).text,
		left_text(total_bytes - done_bytes, rate).text);
}

/* For a log. */
static void print_line(
	const struct progress_bar *progress, int64_t done_bytes, int64_t total_bytes, int64_t now)
{
	int64_t rate = rate_of(progress, done_bytes, now);

	(void)fprintf(stderr, "%s: %s of %s, %s/s%s\n", progress->what, number_size(done_bytes).text,
		total_bytes > 0 ? number_size(total_bytes).text : "an unknown size", number_size(rate).text,
		total_bytes > 0 ? left_text(total_bytes - done_bytes, rate).text : "");
}

static void print_step(const struct progress_bar *progress, int64_t done, int64_t total, size_t count,
	const char *things, int64_t now)
{
	double part = total > 0 ? (double)done / (double)total : 0;
	struct left_text left = left_text(total - done, rate_of(progress, done, now));
	int hashes = (int)(part * BAR_WIDTH);

	if (progress->terminal)
		(void)fprintf(stderr, "\r%s [%-*.*s] %3d %%, %zu %s%s \033[K", progress->what, BAR_WIDTH,
			hashes, filled, (int)(part * 100), count, things, left.text);
	else
		(void)fprintf(stderr, "%s: %d %%, %zu %s%s\n", progress->what, (int)(part * 100), count,
			things, left.text);
}

static void begin_anew(struct progress_bar *progress, const char *what, int64_t now)
{
	if (strcmp(progress->what, what) == 0)
		return;
	progress->what = what;
	progress->started_ms = now;
}

void progress_bar_step(struct progress_bar *progress, const char *what, int64_t done, int64_t total,
	size_t count, const char *things)
{
	int64_t now = clock_monotonic_ms();

	begin_anew(progress, what, now);
	if (now < progress->next_ms)
		return;
	print_step(progress, done < total ? done : total, total, count, things, now);
	progress->drawn = progress->terminal;
	progress->next_ms = now + (progress->terminal ? BAR_EVERY_MS : LINE_EVERY_MS);
}

/* A thing takes about as long as so many bytes. */
enum { THING_BYTES = 64 << 10 };

/* "812 of 2000 files, 3.1 MiB/s, 0:30 left" */
static void write_work(const struct progress_bar *progress, const struct progress_work *work, int64_t now,
	char *out, size_t size)
{
	int64_t weight = work->bytes + work->count * THING_BYTES;
	int64_t left = work->total_bytes + work->total_count * THING_BYTES - weight;
	bool is_known = work->total_count > 0;
	char whole[32] = "";
	char rate[48];

	if (is_known)
		(void)snprintf(whole, sizeof whole, " of %lld", (long long)work->total_count);
	if (work->total_bytes > 0)
		(void)snprintf(
			rate, sizeof rate, "%s/s", number_size(rate_of(progress, work->bytes, now)).text);
	else
		(void)snprintf(rate, sizeof rate, "%lld/s", (long long)rate_of(progress, work->count, now));
	(void)snprintf(out, size, "%lld%s %s, %s%s", (long long)work->count, whole, work->things, rate,
		is_known ? left_text(left > 0 ? left : 0, rate_of(progress, weight, now)).text : "");
}

static void print_work(const struct progress_bar *progress, const struct progress_work *work, int64_t now)
{
	int64_t total = work->total_bytes + work->total_count * THING_BYTES;
	double part = total > 0 ? (double)(work->bytes + work->count * THING_BYTES) / (double)total : 0;
	int percent = part < 1 ? (int)(part * 100) : 100;
	char of[48] = "";
	char words[160];

	write_work(progress, work, now, words, sizeof words);
	if (work->total_bytes > 0)
		(void)snprintf(of, sizeof of, " of %s", number_size(work->total_bytes).text);
	if (work->total_count <= 0)
		(void)fprintf(
			stderr, progress->terminal ? "\r%s: %s \033[K" : "%s: %s\n", progress->what, words);
	else if (progress->terminal)
		(void)fprintf(stderr, "\r%s [%-*.*s] %3d %%%s, %s \033[K", progress->what, BAR_WIDTH,
			percent * BAR_WIDTH / 100, filled, percent, of, words);
	else
		(void)fprintf(stderr, "%s: %d %%%s, %s\n", progress->what, percent, of, words);
}

void progress_bar_work(struct progress_bar *progress, const char *what, const struct progress_work *work)
{
	int64_t now = clock_monotonic_ms();

	begin_anew(progress, what, now);
	if (now < progress->next_ms)
		return;
	print_work(progress, work, now);
	progress->drawn = progress->terminal;
	progress->next_ms = now + (progress->terminal ? BAR_EVERY_MS : LINE_EVERY_MS);
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
		print_line(progress, done_bytes, total_bytes, now);
	}
	progress->next_ms = now + (progress->terminal ? BAR_EVERY_MS : LINE_EVERY_MS);
}

void progress_bar_finish(struct progress_bar *progress)
{
	if (progress->drawn)
		(void)fputs("\r\033[K", stderr);
	progress->drawn = false;
}

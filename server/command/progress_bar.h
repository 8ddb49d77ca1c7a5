/* SPDX-License-Identifier: Apache-2.0
 *
 * How far a long piece of work has come, on standard error: a bar on a terminal, now and then a line
 * elsewhere. What is done quickly shows nothing. */
#ifndef SERVER_COMMAND_PROGRESS_BAR_H
#define SERVER_COMMAND_PROGRESS_BAR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct progress_bar {
	const char *what; /* such as "packing" */
	bool terminal;
	bool drawn;
	int64_t first_bytes; /* were done before it began, and count for no rate; 0 unless set */
	int64_t started_ms;
	int64_t next_ms; /* when it is shown again */
};

void progress_bar_init(struct progress_bar *progress, const char *what);

/* To be called as often as it changes; total_bytes 0: it is not known. */
void progress_bar_show(struct progress_bar *progress, int64_t done_bytes, int64_t total_bytes);

/* The same where bytes do not tell it: how much of a whole is done, and a number of things ("2739 versions").
 * Another word for what is done begins anew. */
void progress_bar_step(struct progress_bar *progress, const char *what, int64_t done, int64_t total,
	size_t count, const char *things);

/* The same of things that have bytes, where each thing takes its time, too. A total of 0: it is not known, or
 * there are none. */
struct progress_work {
	int64_t bytes;
	int64_t total_bytes;
	int64_t count;
	int64_t total_count;
	const char *things; /* "files" */
};
void progress_bar_work(struct progress_bar *progress, const char *what, const struct progress_work *work);

/* Takes the bar off the terminal. */
void progress_bar_finish(struct progress_bar *progress);

#endif

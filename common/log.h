/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon's log: one line an event on standard error, as text or as JSON. Never a secret in it. Where
 * standard error is the journal, each line begins with its priority ("<4>"), as sd-daemon(3) has it. */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdbool.h>

enum log_level {
	LOG_LEVEL_ERROR,
	LOG_LEVEL_WARN,
	LOG_LEVEL_NOTICE, /* what an operator or a publisher has done, and turns for the better */
	LOG_LEVEL_INFO,
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_COUNT
};
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Sets what is written and how; may be called at any time. The default is info, as text. */
void log_configure(enum log_level level, enum log_format format);

/* Looks whether standard error is the journal: JOURNAL_STREAM names its device and inode. Until then it is
 * not. */
void log_find_journal(void);

/* Reads a level's name ("error", "warn", "notice", "info", "debug"). */
bool log_parse_level(const char *name, enum log_level *out);

bool log_enabled(enum log_level level);

/* Writes one event with pairs of key and value, ended by NULL; a pair whose value is NULL is left out:
 * log_event(LOG_LEVEL_INFO, "fill ended", "name", name, "upstream", upstream, NULL). */
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));

/* Writes each line of a text for people, whatever the level that is chosen: as it stands, or as an event. */
void log_lines(enum log_level level, const char *text);

#endif

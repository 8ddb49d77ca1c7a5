/* SPDX-License-Identifier: Apache-2.0
 *
 * The daemon's log: one line an event on standard error, as text or as JSON. Never a secret in it. */
#ifndef COMMON_LOG_H
#define COMMON_LOG_H

#include <stdbool.h>

enum log_level { LOG_LEVEL_ERROR, LOG_LEVEL_WARN, LOG_LEVEL_INFO, LOG_LEVEL_DEBUG, LOG_LEVEL_COUNT };
enum log_format { LOG_FORMAT_TEXT, LOG_FORMAT_JSON };

/* Sets what is written and how; may be called at any time. The default is info, as text. */
void log_configure(enum log_level level, enum log_format format);

/* Reads a level's name ("error", "warn", "info", "debug"). */
bool log_parse_level(const char *name, enum log_level *out);

bool log_enabled(enum log_level level);

/* Writes one event with pairs of key and value, ended by NULL; a pair whose value is NULL is left out:
 * log_event(LOG_LEVEL_INFO, "fill ended", "name", name, "upstream", upstream, NULL). */
void log_event(enum log_level level, const char *event, ...) __attribute__((sentinel));

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/log.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/own.h"

static const char *const level_names[LOG_LEVEL_COUNT] = {"error", "warn", "info", "debug"};
static _Atomic enum log_level chosen_level = LOG_LEVEL_INFO;
static _Atomic enum log_format chosen_format = LOG_FORMAT_TEXT;

void log_configure(enum log_level level, enum log_format format)
{
	atomic_store(&chosen_level, level);
	atomic_store(&chosen_format, format);
}

bool log_parse_level(const char *name, enum log_level *out)
{
	for (int level = 0; level < LOG_LEVEL_COUNT; level++) {
		if (strcmp(name, level_names[level]) == 0) {
			*out = (enum log_level)level;
			return true;
		}
	}
	return false;
}

bool log_enabled(enum log_level level)
{
	return level <= atomic_load_explicit(&chosen_level, memory_order_relaxed);
}

static void add_in_quotes(struct buffer *line, const char *value)
{
	buffer_add_string(line, "\"");
	buffer_add_string(line, value);
	buffer_add_string(line, "\"");
}

/* Whether JSON writes the text as it stands: nearly all values are such, and a line is written for each
 * request. */
static bool needs_no_escapes(const char *value)
{
	for (const char *c = value; *c; c++) {
		if (*c < ' ' || *c > '~' || *c == '"' || *c == '\\')
			return false;
	}
	return true;
}

static void add_escaped(struct buffer *line, const char *value)
{
	json_t *string = json_string(value);
	AUTO_FREE char *quoted = string ? json_dumps(string, JSON_ENCODE_ANY | JSON_ENSURE_ASCII) : NULL;

	json_decref(string);
	buffer_add_string(line, quoted ? quoted : "\"(not UTF-8)\"");
}

/* Quotes as JSON does: no byte that a client sent can end the line or steer a terminal. */
static void add_quoted(struct buffer *line, const char *value)
{
	(needs_no_escapes(value) ? add_in_quotes : add_escaped)(line, value);
}

static bool is_plain(const char *value)
{
	for (const char *c = value; *c; c++) {
		if (*c <= ' ' || *c > '~' || *c == '"' || *c == '\\' || *c == '=')
			return false;
	}
	return *value != '\0';
}

static void add_text_pair(struct buffer *line, const char *key, const char *value)
{
	buffer_add_string(line, " ");
	buffer_add_string(line, key);
	buffer_add_string(line, "=");
	if (is_plain(value))
		buffer_add_string(line, value);
	else
		add_quoted(line, value);
}

static void add_json_pair(struct buffer *line, const char *key, const char *value)
{
	buffer_add_string(line, ",");
	add_in_quotes(line, key);
	buffer_add_string(line, ":");
	add_quoted(line, value);
}

void log_event(enum log_level level, const char *event, ...)
{
	bool json = atomic_load(&chosen_format) == LOG_FORMAT_JSON;
	AUTO_BUFFER struct buffer line = {0};
	struct time_text now;
	va_list pairs;

	if (!log_enabled(level))
		return;
	now = clock_rfc3339(clock_now_s());
	buffer_printf(&line, json ? "{\"time\":\"%s\",\"level\":\"%s\",\"event\":" : "%s %s ", now.text,
		level_names[level]);
	if (json)
		add_quoted(&line, event);
	else
		buffer_add_string(&line, event);
	va_start(pairs, event);
	for (const char *key = va_arg(pairs, const char *); key; key = va_arg(pairs, const char *)) {
		const char *value = va_arg(pairs, const char *);

		if (value)
			(json ? add_json_pair : add_text_pair)(&line, key, value);
	}
	va_end(pairs);
	buffer_add_string(&line, json ? "}\n" : "\n");
	/* One write a line, so that lines of several threads never mix. A log that cannot be written is
	 * nobody's failure. */
	if (write(STDERR_FILENO, line.data, line.length) < 0)
		return;
}

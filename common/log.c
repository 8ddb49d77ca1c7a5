/* SPDX-License-Identifier: Apache-2.0 */
#include "common/log.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/mem.h"
#include "common/own.h"

static const char *const level_names[LOG_LEVEL_COUNT] = {"error", "warn", "notice", "info", "debug"};
/* Those of syslog(3). */
static const char *const priorities[LOG_LEVEL_COUNT] = {"<3>", "<4>", "<5>", "<6>", "<7>"};
static _Atomic bool is_journal;
static _Atomic enum log_level chosen_level = LOG_LEVEL_INFO;
static _Atomic enum log_format chosen_format = LOG_FORMAT_TEXT;

void log_configure(enum log_level level, enum log_format format)
{
	atomic_store(&chosen_level, level);
	atomic_store(&chosen_format, format);
}

void log_find_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	char own[64];
	struct stat status;

	if (!stream || fstat(STDERR_FILENO, &status) < 0)
		return;
	(void)snprintf(own, sizeof own, "%llu:%llu", (unsigned long long)status.st_dev,
		(unsigned long long)status.st_ino);
	atomic_store(&is_journal, strcmp(stream, own) == 0);
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

static bool is_json(void)
{
	return atomic_load_explicit(&chosen_format, memory_order_relaxed) == LOG_FORMAT_JSON;
}

static void add_priority(struct buffer *line, enum log_level level)
{
	if (atomic_load_explicit(&is_journal, memory_order_relaxed))
		buffer_add_string(line, priorities[level]);
}

static void add_event(struct buffer *line, enum log_level level, const char *event)
{
	bool json = is_json();
	struct time_text now = clock_rfc3339(clock_now_s());

	add_priority(line, level);
	buffer_printf(line, json ? "{\"time\":\"%s\",\"level\":\"%s\",\"event\":" : "%s %s ", now.text,
		level_names[level]);
	if (json)
		add_quoted(line, event);
	else
		buffer_add_string(line, event);
}

/* One write a line, so that lines of several threads never mix. A log that cannot be written is nobody's
 * failure. */
static void write_line(struct buffer *line, const char *end)
{
	buffer_add_string(line, end);
	if (write(STDERR_FILENO, line->data, line->length) < 0)
		return;
}

void log_event(enum log_level level, const char *event, ...)
{
	bool json = is_json();
	AUTO_BUFFER struct buffer line = {0};
	va_list pairs;

	if (!log_enabled(level))
		return;
	add_event(&line, level, event);
	va_start(pairs, event);
	for (const char *key = va_arg(pairs, const char *); key; key = va_arg(pairs, const char *)) {
		const char *value = va_arg(pairs, const char *);

		if (value)
			(json ? add_json_pair : add_text_pair)(&line, key, value);
	}
	va_end(pairs);
	write_line(&line, json ? "}\n" : "\n");
}

static void write_text(enum log_level level, const char *text, size_t length)
{
	AUTO_BUFFER struct buffer line = {0};

	add_priority(&line, level);
	buffer_add(&line, text, length);
	write_line(&line, "\n");
}

static void write_text_as_event(enum log_level level, const char *text, size_t length)
{
	AUTO_FREE char *event = mem_dup_n(text, length);
	AUTO_BUFFER struct buffer line = {0};

	add_event(&line, level, event);
	write_line(&line, "}\n");
}

void log_lines(enum log_level level, const char *text)
{
	while (*text) {
		size_t length = strcspn(text, "\n");

		(is_json() ? write_text_as_event : write_text)(level, text, length);
		text += length;
		text += *text == '\n';
	}
}

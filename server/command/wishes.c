/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/wishes.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/command/text_table.h"

static const char *const state_names[WISH_STATE_COUNT] = {
	"open", "running", "kept", "already-here", "failed", "not-as-locked"};

void wishes_finish(struct wishes *wishes)
{
	for (size_t i = 0; i < wishes->count; i++) {
		free(wishes->items[i].path);
		free(wishes->items[i].asked);
		free(wishes->items[i].started_at);
		free(wishes->items[i].code);
		free(wishes->items[i].detail);
	}
	free(wishes->items);
	*wishes = (struct wishes){0};
}

/* ---- reading ---- */

bool wishes_add(struct wishes *wishes, const char *path, struct err *err)
{
	json_auto_t *text = json_string(path);

	if (!text)
		return err_set(err, ERR_BAD_REQUEST, "A path is not in UTF-8.");
	if (strlen(path) > WISH_PATH_MAX)
		return err_set(err, ERR_BAD_REQUEST, "A path has more than %d bytes.", WISH_PATH_MAX);
	if (wishes->count == WISHES_MAX)
		return err_set(
			err, ERR_TOO_LARGE, "There are more than %d paths: give them in parts.", WISHES_MAX);
	MEM_GROW(wishes->items, wishes->count, wishes->capacity);
	wishes->items[wishes->count++] = (struct wish){.path = mem_dup(path)};
	return true;
}

/* Blanks around a path do not count, nor what stands behind a tab: a want list tells there how often it was
 * asked for, and when. */
static bool add_line(struct wishes *wishes, char *line, struct err *err)
{
	char *path = line + strspn(line, " \t\r\n");
	size_t length = strcspn(path, "\t\r\n");

	path[length] = '\0';
	while (length > 0 && strchr(" \t\r\n", path[length - 1]))
		path[--length] = '\0';
	return length == 0 || *path == '#' || wishes_add(wishes, path, err);
}

/* Such a file comes from elsewhere: its lines are bounded before they take memory. False at its end, and with
 * an error. */
static bool read_line(FILE *file, char line[WISH_LINE_MAX + 1], bool *out_more, struct err *err)
{
	size_t length = 0;
	int sign;

	while ((sign = getc(file)) != EOF && sign != '\n') {
		if (sign == '\0' || length == WISH_LINE_MAX)
			return err_set(err, ERR_BAD_REQUEST,
				"it is no list of paths: it has a line with a NUL, or of more than %d bytes.",
				WISH_LINE_MAX);
		line[length++] = (char)sign;
	}
	line[length] = '\0';
	*out_more = sign != EOF || length > 0;
	return !ferror(file) || err_errno(err, errno, "it cannot be read");
}

bool wishes_read(struct wishes *wishes, FILE *file, struct err *err)
{
	char line[WISH_LINE_MAX + 1];
	bool more;

	while (read_line(file, line, &more, err)) {
		if (!more)
			return true;
		if (!add_line(wishes, line, err))
			return false;
	}
	return false;
}

void wish_rename(struct wish *wish, char *path)
{
	free(wish->asked);
	wish->asked = wish->path;
	wish->path = path;
}

/* ---- what became of them ---- */

size_t wishes_count(const struct wishes *wishes, enum wish_state state)
{
	size_t count = 0;

	for (size_t i = 0; i < wishes->count; i++)
		count += wishes->items[i].state == state;
	return count;
}

static char *printable(const json_t *why, const char *key)
{
	const char *text = json_string_value(json_object_get(why, key));
	char *copy = mem_dup(text ? text : "");

	text_table_blank_controls(copy);
	return copy;
}

void wish_end(struct wish *wish, enum wish_state state, const json_t *why)
{
	wish->state = state;
	if (state != WISH_FAILED)
		return;
	wish->code = printable(why, "code");
	wish->detail = printable(why, "detail");
}

void wish_tell(const struct wish *wish, bool quiet)
{
	AUTO_FREE char *path = mem_dup(wish->path);

	text_table_blank_controls(path);
	if (wish->state == WISH_FAILED)
		(void)fprintf(stderr, "larder: %s: %s (%s)\n", path, wish->detail, wish->code);
	else if (!quiet && wish->state == WISH_HERE)
		(void)printf("%s: is already here\n", path);
	else if (!quiet && wish->state == WISH_KEPT)
		(void)printf("%s: fetched, %s\n", path, number_size(wish->bytes).text);
	(void)fflush(stdout);
}

static json_t *wish_json(const struct wish *wish)
{
	json_t *object = json_pack("{s:s, s:s, s:I}", "path", wish->path, "state", state_names[wish->state],
		"bytes", wish->bytes);

	if (wish->asked)
		json_object_set_new(object, "asked", json_string(wish->asked));
	if (wish->state == WISH_FAILED) {
		json_object_set_new(object, "code", json_string(wish->code));
		json_object_set_new(object, "detail", json_string(wish->detail));
	}
	return object;
}

json_t *wishes_json(const struct wishes *wishes)
{
	json_t *paths = json_array();

	for (size_t i = 0; i < wishes->count; i++)
		json_array_append_new(paths, wish_json(&wishes->items[i]));
	return json_pack("{s:o, s:I, s:I, s:I}", "paths", paths, "kept",
		(json_int_t)wishes_count(wishes, WISH_KEPT), "already_here",
		(json_int_t)wishes_count(wishes, WISH_HERE), "failed",
		(json_int_t)wishes_count(wishes, WISH_FAILED));
}

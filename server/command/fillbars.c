/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/fillbars.h"

#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "common/utf8.h"
#include "server/command/terminal.h"
#include "server/command/text_table.h"

enum { BAR_WIDTH = 20, NAME_WIDTH = 40, COLUMNS_DEFAULT = 80, ROWS_DEFAULT = 24 };

static const char filled[] = "####################";

_Static_assert(sizeof filled == BAR_WIDTH + 1, "a full bar");

void fillbars_init(struct fillbars *bars)
{
	*bars = (struct fillbars){.terminal = terminal_can_draw(STDERR_FILENO)};
}

/* ---- one line ---- */

static int64_t number_of(const json_t *fill, const char *key)
{
	const json_t *number = json_object_get(fill, key);

	return json_is_integer(number) ? json_integer_value(number) : -1;
}

static const char *text_of(const json_t *fill, const char *key)
{
	const char *text = json_string_value(json_object_get(fill, key));

	return text ? text : "";
}

/* The end of a long name says more than its beginning. */
static void write_name(struct buffer *line, const json_t *fill)
{
	AUTO_FREE char *name =
		mem_printf("%s/%lld", text_of(fill, "handle"), (long long)number_of(fill, "version"));
	size_t length = strlen(name);

	if (length > NAME_WIDTH)
		buffer_printf(line, "...%s", name + length - NAME_WIDTH + 3);
	else
		buffer_printf(line, "%-*s", NAME_WIDTH, name);
}

static void write_transfer(struct buffer *line, const json_t *fill)
{
	int64_t bytes = number_of(fill, "bytes");
	int64_t total = number_of(fill, "total_bytes");
	int64_t eta_s = number_of(fill, "eta_s");
	double part = total > 0 && bytes > 0 ? (double)bytes / (double)total : 0;

	part = part > 1 ? 1 : part;
	buffer_printf(line, " [%-*.*s]", BAR_WIDTH, (int)(part * BAR_WIDTH), filled);
	if (total >= 0)
		buffer_printf(line, " %3d %% of %s", (int)(part * 100), number_size(total).text);
	else
		buffer_printf(line, " %s", number_size(bytes > 0 ? bytes : 0).text);
	if (number_of(fill, "rate") > 0)
		buffer_printf(line, ", %s/s", number_size(number_of(fill, "rate")).text);
	if (eta_s >= 0)
		buffer_printf(line, ", %lld s left", (long long)eta_s);
}

void fillbars_write(struct buffer *out, const json_t *fill, size_t columns)
{
	AUTO_BUFFER struct buffer line = {0};
	const char *state = text_of(fill, "state");
	AUTO_FREE char *text = NULL;

	write_name(&line, fill);
	if (strcmp(state, "transferring") == 0)
		write_transfer(&line, fill);
	else
		buffer_printf(&line, " %s", state);
	text = buffer_take(&line);
	text_table_blank_controls(text);
	buffer_add(out, text, utf8_cut(text, columns));
}

/* ---- all of them ---- */

static struct winsize window_size(void)
{
	struct winsize size = {0};

	if (ioctl(STDERR_FILENO, TIOCGWINSZ, &size) < 0 || size.ws_col < 2 || size.ws_row < 2)
		return (struct winsize){.ws_row = ROWS_DEFAULT, .ws_col = COLUMNS_DEFAULT};
	return size;
}

void fillbars_draw(struct fillbars *bars, const json_t *fills, const char *summary)
{
	AUTO_BUFFER struct buffer out = {0};
	struct winsize size = window_size();
	size_t columns = size.ws_col - 1U; /* a full line would wrap */
	size_t shown = json_array_size(fills);

	if (!bars->terminal)
		return;
	fillbars_clear(bars);
	shown = shown > size.ws_row - 2U ? size.ws_row - 2U : shown;
	for (size_t i = 0; i < shown; i++) {
		fillbars_write(&out, json_array_get(fills, i), columns);
		buffer_add_string(&out, "\n");
	}
	buffer_add(&out, summary, strnlen(summary, columns));
	buffer_add_string(&out, "\n");
	bars->drawn = shown + 1;
	(void)fputs(buffer_string(&out), stderr);
}

void fillbars_clear(struct fillbars *bars)
{
	if (bars->drawn > 0)
		(void)fprintf(stderr, "\r\033[%zuA\033[J", bars->drawn);
	bars->drawn = 0;
}

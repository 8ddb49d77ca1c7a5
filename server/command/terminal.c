/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/terminal.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/number.h"

enum { COLUMNS_DEFAULT = 80, COLUMNS_MIN = 20, COLUMNS_MAX = 10000 };

static bool is_sensible(int64_t columns)
{
	return columns >= COLUMNS_MIN && columns <= COLUMNS_MAX;
}

size_t terminal_columns(int fd)
{
	const char *wished = getenv("COLUMNS");
	struct winsize size;
	int64_t columns;

	if (wished && number_parse(wished, &columns) && is_sensible(columns))
		return (size_t)columns;
	if (ioctl(fd, TIOCGWINSZ, &size) == 0 && is_sensible(size.ws_col))
		return size.ws_col;
	return COLUMNS_DEFAULT;
}

bool terminal_can_draw(int fd)
{
	const char *kind = getenv("TERM");

	return isatty(fd) && !(kind && strcmp(kind, "dumb") == 0);
}

/* Blocks of Unicode: marks that stand above what is before them, and what East Asia writes in squares. The C
 * library knows it too, but not where the locale is C, as in containers. */
static const struct {
	unsigned first;
	unsigned last;
	size_t width;
} blocks[] = {
	{0x0300, 0x036F, 0},
	{0x1100, 0x115F, 2},
	{0x200B, 0x200F, 0},
	{0x2E80, 0xA4CF, 2},
	{0xAC00, 0xD7A3, 2},
	{0xF900, 0xFAFF, 2},
	{0xFE00, 0xFE0F, 0},
	{0xFE30, 0xFE6F, 2},
	{0xFF00, 0xFF60, 2},
	{0xFFE0, 0xFFE6, 2},
	{0x1F300, 0x1FAFF, 2},
	{0x20000, 0x3FFFD, 2},
};

size_t terminal_width(unsigned code)
{
	for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++) {
		if (code >= blocks[i].first && code <= blocks[i].last)
			return blocks[i].width;
	}
	return 1;
}

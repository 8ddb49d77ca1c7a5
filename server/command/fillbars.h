/* SPDX-License-Identifier: Apache-2.0
 *
 * Running fills on a terminal, on standard error: a bar each, redrawn in place. Elsewhere it shows nothing.
 */
#ifndef SERVER_COMMAND_FILLBARS_H
#define SERVER_COMMAND_FILLBARS_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"

struct fillbars {
	bool terminal;
	size_t drawn; /* lines that stand there */
};

void fillbars_init(struct fillbars *bars);

/* Draws a bar for each of these fills (as the API lists them) as far as the window has room, and a last line
 * below. */
void fillbars_draw(struct fillbars *bars, const json_t *fills, const char *summary);

/* Takes the bars off: before a line that stays, and in the end. */
void fillbars_clear(struct fillbars *bars);

/* One fill as a line of at most this many columns. */
void fillbars_write(struct buffer *out, const json_t *fill, size_t columns);

#endif

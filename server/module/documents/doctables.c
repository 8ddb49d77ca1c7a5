/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/documents/doctables.h"

#include <string.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/own.h"

/* As the renderer writes them, and no text can: there, "<" is an entity. */
static const char head_begin[] = "<th";
static const char head_end[] = "></th>";

/* Where a head without words ends, whatever its alignment; NULL: it has some, or is none ("<thead>"). */
static const char *end_of_empty_head(const char *head)
{
	const char *tag = head + strlen(head_begin);
	const char *end = *tag == '>' || *tag == ' ' ? strchr(tag, '>') : NULL;

	return end && strncmp(end, head_end, strlen(head_end)) == 0 ? end + strlen(head_end) : NULL;
}

char *doctables_finish(char *html)
{
	AUTO_FREE char *made = html;
	AUTO_BUFFER struct buffer out = {0};
	const char *at = html, *tag;

	if (!strstr(html, head_begin))
		return TAKE(made);
	while ((tag = strstr(at, head_begin))) {
		const char *end = end_of_empty_head(tag);

		buffer_add(&out, at, (size_t)(tag - at));
		buffer_add_string(&out, end ? "<td></td>" : head_begin);
		if (!end)
			end = tag + strlen(head_begin);
		at = end;
	}
	buffer_add_string(&out, at);
	return buffer_take(&out);
}

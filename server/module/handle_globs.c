/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/handle_globs.h"

#include <stddef.h>
#include <string.h>

#include "common/buffer.h"
#include "common/globs.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/module/framework.h"

/* The text with each segment that is a framework's word as Kaggle spells it. */
static char *settle(const char *list)
{
	static const char separators[] = ", \t/";
	AUTO_BUFFER struct buffer out = {0};

	while (*list) {
		size_t length = strcspn(list, separators);
		AUTO_FREE char *segment = mem_dup_n(list, length);
		struct framework framework;

		buffer_add_string(&out,
			framework_read(segment, &framework) && framework.known ? framework.word : segment);
		list += length;
		length = strspn(list, separators);
		buffer_add(&out, list, length);
		list += length;
	}
	return buffer_take(&out);
}

bool handle_globs_match(const char *list, const char *handle)
{
	if (globs_match(list, handle))
		return true;
	if (!framework_has_handle(handle))
		return false;
	AUTO_FREE char *settled_list = settle(list);
	AUTO_FREE char *settled = settle(handle);

	return globs_match(settled_list, settled);
}

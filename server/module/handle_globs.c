/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/handle_globs.h"

#include <stddef.h>
#include <string.h>

#include "common/buffer.h"
#include "common/globs.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/module/framework.h"

static const char separators[] = ", \t";

/* The text with each segment that is a framework's word as Kaggle spells it. */
static char *settle(const char *list)
{
	static const char ends[] = ", \t/";
	AUTO_BUFFER struct buffer out = {0};

	while (*list) {
		size_t length = strcspn(list, ends);
		AUTO_FREE char *segment = mem_dup_n(list, length);
		struct framework framework;

		buffer_add_string(&out,
			framework_read(segment, &framework) && framework.known ? framework.word : segment);
		list += length;
		length = strspn(list, ends);
		buffer_add(&out, list, length);
		list += length;
	}
	return buffer_take(&out);
}

/* INTERFACE: section 1. */
bool handle_glob_can_match(const char *glob)
{
	static const char publisher[] = "abcdefghijklmnopqrstuvwxyz0123456789-";
	static const char name[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/";
	size_t length = strspn(glob, publisher);
	const char *rest = glob + length;

	if (*rest && strchr("*?[\\", *rest))
		return *glob != '-';
	if (*rest != '/' || length == 0 || *glob == '-')
		return false;
	length = strspn(rest, name);
	if (memmem(rest, length, "//", 2))
		return false;
	return rest[length] ? strchr("*?[\\", rest[length]) != NULL : length > 1 && rest[length - 1] != '/';
}

bool handle_globs_check(const char *list, struct err *err)
{
	for (list += strspn(list, separators); *list; list += strspn(list, separators)) {
		size_t length = strcspn(list, separators);
		AUTO_FREE char *glob = mem_dup_n(list, length);

		if (!handle_glob_can_match(glob))
			return err_set(err, ERR_BAD_REQUEST,
				"no handle can match \"%.100s\": it has a publisher (a-z, 0-9, -) and a "
				"name, so "
				"say acme/* for all of a publisher's",
				glob);
		list += length;
	}
	return true;
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

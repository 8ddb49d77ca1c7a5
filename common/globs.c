/* SPDX-License-Identifier: Apache-2.0 */
#include "common/globs.h"

#include <fnmatch.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"

bool globs_match(const char *list, const char *name)
{
	static const char separators[] = ", \t";

	for (list += strspn(list, separators); *list; list += strspn(list, separators)) {
		size_t length = strcspn(list, separators);
		AUTO_FREE char *pattern = mem_dup_n(list, length);

		if (fnmatch(pattern, name, 0) == 0)
			return true;
		list += length;
	}
	return false;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/names.h"

#include <string.h>

size_t names_find(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (name && strcmp(names[i], name) == 0)
			return i;
	}
	return count;
}

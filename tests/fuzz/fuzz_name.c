/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a path: what is read as a name is written and read again as the same. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/module/name.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *path = mem_dup_n((const char *)data, size);
	struct name name = {0};
	struct name again = {0};
	struct err err;
	const char *member;

	if (!name_parse_path(path, &name, &member, &err))
		return 0;
	if (member && (member < path || member > path + strlen(path) || name.version < 1))
		abort();
	if (!name_parse_path(name_path(&name).text, &again, &member, &err) || member ||
		strcmp(name.handle, again.handle) != 0 || name.version != again.version)
		abort();
	return 0;
}

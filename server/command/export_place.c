/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/export_place.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"

static bool ends_with(const char *text, const char *ending)
{
	size_t length = strlen(text);

	return length > strlen(ending) && strcmp(text + length - strlen(ending), ending) == 0;
}

bool export_place_is_compressed(const char *path)
{
	static const char *const endings[] = {".tgz", ".gz", ".tar.xz", ".tar.zst", ".tar.bz2", ".zip"};

	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
		if (ends_with(path, endings[i]))
			return true;
	}
	return false;
}

/* The path without links, as far as there is something; free() it. NULL: nothing can be told. */
static char *real_part(const char *path)
{
	AUTO_FREE char *part = mem_dup(path);
	char *real = realpath(part, NULL);

	while (!real && strrchr(part, '/')) {
		*strrchr(part, '/') = '\0';
		real = realpath(*part ? part : "/", NULL);
	}
	return real ? real : realpath(".", NULL);
}

bool export_place_check(const char *path, const char *data_dir, struct err *err)
{
	AUTO_FREE char *data = realpath(data_dir, NULL);
	AUTO_FREE char *place = real_part(path);
	size_t length = data ? strlen(data) : 0;

	return !data || !place || strncmp(place, data, length) != 0 ||
	       (place[length] && place[length] != '/') ||
	       err_set(err, ERR_CONFLICT,
		       "%.200s is in the data folder, where only the daemon's files may be: name another "
		       "place",
		       path);
}

bool export_place_is_tar(const char *path)
{
	size_t length = strlen(path);

	return length > 4 && strcmp(path + length - 4, ".tar") == 0;
}

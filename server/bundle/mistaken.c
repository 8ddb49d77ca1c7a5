/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/mistaken.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/bundle/reel.h"

/* A folder may have any number of others, and a file any beginning. */
enum { ENTRIES_MAX = 10000, HEAD_BYTES = 512 };

static bool has(const char *folder, const char *name)
{
	AUTO_FREE char *path = mem_printf("%s/%s", folder, name);

	return access(path, F_OK) == 0;
}

/* ---- files ---- */

static void read_head(const char *path, char head[HEAD_BYTES + 1])
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	ssize_t length = fd >= 0 ? read(fd, head, HEAD_BYTES) : 0;

	head[length > 0 ? length : 0] = '\0';
}

static const char *name_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static bool is_in_bundle(const char *path)
{
	const char *name = name_of(path);
	AUTO_FREE char *folder = mem_dup_n(path, (size_t)(name - path));

	return (strcmp(name, "index.json") == 0 || strcmp(name, "oci-layout") == 0) &&
	       has(*folder ? folder : ".", "blobs");
}

void mistaken_file(const char *path, struct err *err)
{
	AUTO_FREE char *manifest = reel_missing_manifest(path);
	char head[HEAD_BYTES + 1];

	read_head(path, head);
	if (manifest)
		(void)err_set(err, ERR_NOT_FOUND,
			"%.180s is no whole bundle, but named like a piece of one, and %.180s is missing "
			"beside it: copy that, too",
			path, name_of(manifest));
	else if (is_in_bundle(path))
		(void)err_set(err, ERR_BAD_REQUEST, "%.200s is a file of a bundle's folder: give that folder",
			path);
	else if (strstr(head, "\"larder_lock\""))
		(void)err_set(err, ERR_BAD_REQUEST,
			"%.150s is a lock file, which names modules and has none: \"larder verify --lock\" "
			"holds a server against it, \"larder export --lock\" makes a bundle of it",
			path);
	else if (head[0] == 0x1F && (unsigned char)head[1] == 0x8B)
		(void)err_set(err, ERR_BAD_REQUEST,
			"%.150s is compressed: a bundle is unpacked with gunzip first, a module is taken by "
			"\"larder publish\", a tree of documentation by \"larder import-docs\"",
			path);
}

/* ---- folders ---- */

/* The first folder in it that holds a bundle; NULL: none does. free() it. */
static char *find_below(const char *path)
{
	DIR *folder = opendir(path);
	char *found = NULL;
	const struct dirent *entry;

	for (size_t i = 0; folder && !found && i < ENTRIES_MAX && (entry = readdir(folder)); i++) {
		AUTO_FREE char *below = mem_printf("%s/%s", path, entry->d_name);

		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0 &&
			has(below, "oci-layout") && has(below, "blobs"))
			found = mem_dup(below);
	}
	if (folder)
		(void)closedir(folder);
	return found;
}

void mistaken_folder(const char *path, struct err *err)
{
	AUTO_FREE char *below = find_below(path);

	if (below)
		(void)err_set(err, ERR_BAD_REQUEST, "%.150s is no bundle, but %.200s may be one: give that",
			path, below);
	else if (has(path, "saved_model.pb") || has(path, "model.json"))
		(void)err_set(err, ERR_BAD_REQUEST,
			"%.150s is a module, not a bundle: \"larder publish\" takes it", path);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/export_choice.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/command/command.h"
#include "server/command/lockfile.h"
#include "server/command/wishes.h"
#include "server/store/catalog/catalog_collections.h"

struct reading {
	const struct export_choice *choice;
	struct catalog *catalog;
	struct selection *selection;
};

static bool read_want(struct reading *reading, struct err *err)
{
	AUTO(wishes_finish) struct wishes wishes = {0};
	AUTO(command_close_file) FILE *file = NULL;

	if (!reading->choice->want)
		return true;
	if (!command_open_file(reading->choice->want, &file, err))
		return false;
	if (!wishes_read(&wishes, file, err))
		return err_prefix(err, "%.200s: ", reading->choice->want);
	for (size_t i = 0; i < wishes.count; i++) {
		if (!selection_add_path(reading->selection, wishes.items[i].path, err))
			return err_prefix(err, "%.200s: ", reading->choice->want);
	}
	return wishes.count > 0 ||
	       err_set(err, ERR_BAD_REQUEST, "%.200s asks for nothing", reading->choice->want);
}

static bool read_lock(struct reading *reading, struct err *err)
{
	AUTO_LOCKFILE struct lockfile lockfile = {0};
	AUTO(command_close_file) FILE *file = NULL;

	if (!reading->choice->lock)
		return true;
	if (!command_open_file(reading->choice->lock, &file, err))
		return false;
	if (!lockfile_read(file, &lockfile, err))
		return err_prefix(err, "%.200s: ", reading->choice->lock);
	for (size_t i = 0; i < lockfile.count; i++) {
		const struct locked *locked = &lockfile.items[i];
		AUTO_FREE char *text = mem_printf("%s/%" PRId64, locked->handle, locked->version);
		const struct selected selected = {.text = text,
			.has_format = true,
			.format = locked->format,
			.has_digest = true,
			.digest = locked->digest,
			.gap = GAP_UNKNOWN};

		if (!selection_add(reading->selection, &selected, err))
			return false;
	}
	return lockfile.count > 0 ||
	       err_set(err, ERR_BAD_REQUEST, "%.200s names nothing", reading->choice->lock);
}

static bool read_collection(struct reading *reading, struct err *err)
{
	const char *path = reading->choice->collection;
	const char *slash = path ? strchr(path, '/') : NULL;
	AUTO(collection_details_finish) struct collection_details details = {0};
	AUTO_FREE char *publisher = slash ? mem_dup_n(path, (size_t)(slash - path)) : NULL;
	bool found = false;

	if (!path)
		return true;
	if (slash && !catalog_find_collection(reading->catalog, publisher, slash + 1,
			     &(struct collection_part){.limit = SIZE_MAX}, &details, &found, err))
		return false;
	if (!found)
		return err_set(err, ERR_NOT_FOUND, "there is no collection %.200s here", path);
	for (size_t i = 0; i < details.module_count; i++) {
		const struct selected selected = {
			.text = details.modules[i].handle, .may_lack = true, .gap = GAP_UNKNOWN};

		if (!selection_add(reading->selection, &selected, err))
			return false;
	}
	/* One without a module that is known here has a page only. */
	return details.module_count > 0 || selection_add_path(reading->selection, path, err);
}

bool export_choice_read(const struct export_choice *choice, struct catalog *catalog,
	struct selection *selection, struct err *err)
{
	struct reading reading = {choice, catalog, selection};

	for (char **path = choice->paths; *path; path++) {
		if (!selection_add_path(selection, *path, err))
			return false;
	}
	if (!read_want(&reading, err) || !read_lock(&reading, err) || !read_collection(&reading, err))
		return false;
	selection_seal(selection);
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upstream/kaggle_map.h"

#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/file.h"
#include "common/mem.h"
#include "server/module/framework.h"

struct entry {
	char *handle; /* the old one */
	int64_t version;
	char *place;
	int64_t place_version;
};

struct kaggle_map {
	struct entry *entries; /* in order, once all are there */
	size_t count;
	size_t capacity;
};

struct kaggle_map *kaggle_map_create(void)
{
	return mem_zero(1, sizeof(struct kaggle_map));
}

void kaggle_map_add(struct kaggle_map *map, const struct name *old, const struct name *place)
{
	MEM_GROW(map->entries, map->count, map->capacity);
	map->entries[map->count++] =
		(struct entry){mem_dup(old->handle), old->version, mem_dup(place->handle), place->version};
}

static int compare(const void *a, const void *b)
{
	const struct entry *left = a;
	const struct entry *right = b;
	int order = strcmp(left->handle, right->handle);

	return order ? order : (left->version > right->version) - (left->version < right->version);
}

bool kaggle_map_seal(struct kaggle_map *map, struct err *err)
{
	if (map->count > 0)
		qsort(map->entries, map->count, sizeof *map->entries, compare);
	for (size_t i = 1; i < map->count; i++) {
		if (compare(&map->entries[i - 1], &map->entries[i]) == 0)
			return err_set(err, ERR_BAD_REQUEST, "%.200s is in it twice", map->entries[i].handle);
	}
	return true;
}

size_t kaggle_map_count(const struct kaggle_map *map)
{
	return map->count;
}

static bool read_name(const char *text, struct name *out, struct err *err)
{
	const char *member = NULL;

	return name_parse_path(text, out, &member, err) &&
	       (!member || err_set(err, ERR_BAD_REQUEST, "behind the version stands \"%.60s\"", member));
}

static bool add_line(struct kaggle_map *map, char *line, struct err *err)
{
	char *tab = strchr(line, '\t');
	struct name old = {.version = 0};
	struct name place = {.version = 0};

	if (!tab)
		return err_set(err, ERR_BAD_REQUEST, "there is no tab between an old name and its place");
	*tab = '\0';
	if (!read_name(line, &old, err) || !read_name(tab + 1, &place, err))
		return false;
	if (!framework_has_handle(place.handle))
		return err_set(err, ERR_BAD_REQUEST,
			"the place is not <owner>/<model>/<framework>/<variation>, with a version or "
			"without");
	if (place.version > 0 && old.version == 0)
		return err_set(err, ERR_BAD_REQUEST, "the place has a version, and the old name has none");
	kaggle_map_add(map, &old, &place);
	return true;
}

static bool add_lines(struct kaggle_map *map, char *text, struct err *err)
{
	size_t number = 0;

	for (char *line; (line = strsep(&text, "\n"));) {
		size_t length = strlen(line);

		number++;
		while (length > 0 && strchr(" \t\r", line[length - 1]))
			line[--length] = '\0';
		if (length > 0 && *line != '#' && !add_line(map, line, err))
			return err_prefix(err, "line %zu: ", number);
	}
	return true;
}

bool kaggle_map_parse(const char *text, struct kaggle_map **out, struct err *err)
{
	AUTO_KAGGLE_MAP struct kaggle_map *map = kaggle_map_create();
	AUTO_FREE char *copy = mem_dup(text);

	if (!add_lines(map, copy, err) || !kaggle_map_seal(map, err))
		return false;
	*out = TAKE(map);
	return true;
}

bool kaggle_map_read(const char *path, struct kaggle_map **out, struct err *err)
{
	AUTO_BUFFER struct buffer text = {0};

	if (!file_read_all(path, KAGGLE_MAP_BYTES_MAX, &text, err))
		return false;
	if (strlen(buffer_string(&text)) != text.length)
		return err_set(err, ERR_BAD_REQUEST, "there is a NUL in it: it is no text");
	return kaggle_map_parse(buffer_string(&text), out, err);
}

void kaggle_map_destroy(struct kaggle_map *map)
{
	if (!map)
		return;
	for (size_t i = 0; i < map->count; i++) {
		free(map->entries[i].handle);
		free(map->entries[i].place);
	}
	free(map->entries);
	free(map);
}

static void name_of(const char *handle, int64_t version, struct name *out)
{
	*out = (struct name){.version = version};
	(void)strcpy(out->handle, handle);
}

bool kaggle_map_each(const struct kaggle_map *map,
	bool (*take)(void *context, const struct name *old, const struct name *place, struct err *err),
	void *context, struct err *err)
{
	struct name old, place;

	for (size_t i = 0; i < map->count; i++) {
		const struct entry *entry = &map->entries[i];

		name_of(entry->handle, entry->version, &old);
		name_of(entry->place, entry->place_version, &place);
		if (!take(context, &old, &place, err))
			return false;
	}
	return true;
}

static const struct entry *find(const struct kaggle_map *map, const char *handle, int64_t version)
{
	AUTO_FREE char *copy = mem_dup(handle);
	const struct entry wanted = {.handle = copy, .version = version};

	return map->count > 0 ? bsearch(&wanted, map->entries, map->count, sizeof *map->entries, compare)
			      : NULL;
}

bool kaggle_map_has(const struct kaggle_map *map, const struct name *old)
{
	return find(map, old->handle, old->version) != NULL;
}

bool kaggle_map_find(const struct kaggle_map *map, const struct name *name, struct name *out)
{
	const struct entry *entry = map ? find(map, name->handle, name->version) : NULL;

	if (map && !entry)
		entry = find(map, name->handle, 0);
	if (!entry)
		return false;
	*out = *name;
	(void)strcpy(out->handle, entry->place);
	out->version = entry->place_version ? entry->place_version : name->version;
	return true;
}

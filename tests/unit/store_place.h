/* SPDX-License-Identifier: Apache-2.0
 *
 * A catalog and blobs in a temporary folder, and modules to keep there. Include after cmocka.h. */
#ifndef TESTS_UNIT_STORE_PLACE_H
#define TESTS_UNIT_STORE_PLACE_H

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_opening.h"
#include "tests/unit/tar_writer.h"

struct place {
	char folder[32];
	struct catalog *catalog;
	struct blobs *blobs;
};

static inline void place_open(struct place *place)
{
	struct err err = {0};

	(void)snprintf(place->folder, sizeof place->folder, "/tmp/larder-test.XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	if (!catalog_open(place->folder, &place->catalog, &err) ||
		!blobs_open(place->folder, &place->blobs, &err))
		fail_msg("%s", err.text);
}

static inline void place_close(struct place *place)
{
	AUTO_FREE char *command = mem_printf("rm -rf '%s'", place->folder);

	blobs_close(place->blobs);
	catalog_close(place->catalog);
	assert_int_equal(system(command), 0);
}

/* Whether this is a file or folder below the place. */
static inline bool place_has(const struct place *place, const char *path)
{
	AUTO_FREE char *whole = mem_printf("%s/%s", place->folder, path);

	return access(whole, F_OK) == 0;
}

static inline size_t place_count_drafts(const struct place *place)
{
	AUTO_FREE char *path = mem_printf("%s/drafts", place->folder);
	DIR *folder = opendir(path);
	size_t count = 0;

	assert_non_null(folder);
	for (struct dirent *entry = readdir(folder); entry; entry = readdir(folder))
		count += entry->d_name[0] != '.';
	(void)closedir(folder);
	return count;
}

static inline bool count_blob(void *context, const struct digest *digest, int64_t size_bytes)
{
	(void)digest;
	(void)size_bytes;
	++*(size_t *)context;
	return true;
}

static inline size_t place_count_blobs(const struct place *place)
{
	struct err err = {0};
	size_t count = 0;

	assert_true(blobs_each(place->blobs, count_blob, &count, &err));
	return count;
}

static inline struct name name_of(const char *handle, int64_t version, enum format format)
{
	struct name name = {.version = version, .format = format};

	(void)snprintf(name.handle, sizeof name.handle, "%s", handle);
	return name;
}

static inline struct artifact place_find(const struct place *place, const struct name *name)
{
	struct artifact artifact = {0};
	struct err err = {0};
	bool found;

	assert_true(catalog_find_artifact(place->catalog, name, &artifact, &found, &err));
	if (!found)
		artifact = (struct artifact){.state = STATE_COUNT};
	return artifact;
}

/* Bytes that do not pack, other ones for each seed. */
static inline void add_noise(struct buffer *out, size_t length, uint32_t seed)
{
	for (size_t i = 0; i < length; i++) {
		char byte;

		seed = seed * 1664525 + 1013904223;
		byte = (char)(seed >> 24);
		buffer_add(out, &byte, 1);
	}
}

static inline void finish_tar(struct buffer *tar, struct buffer *out)
{
	tar_end(tar);
	gzip_bytes(tar->data, tar->length, out);
}

/* A sound module as tar.gz, with a variables file of so many bytes. */
static inline void make_module(struct buffer *out, size_t noise, uint32_t seed)
{
	AUTO_BUFFER struct buffer tar = {0};
	AUTO_BUFFER struct buffer bytes = {0};

	add_noise(&bytes, noise, seed);
	(void)tar_member_bytes(&tar, "saved_model.pb", '0', "\x08\x01\x12\x00", 4);
	(void)tar_folder(&tar, "variables/");
	(void)tar_member_bytes(&tar, "variables/data", '0', buffer_string(&bytes), bytes.length);
	finish_tar(&tar, out);
}

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/archives/tarball.h"

#include <stdlib.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/module/archives/stored.h"
#include "server/module/archives/ustar.h"

struct tarball {
	struct stored *stored;
	bool begun;
	int64_t file_bytes;
};

static bool store_all(struct tarball *tarball, const struct buffer *bytes, struct err *err)
{
	return stored_write(tarball->stored, bytes->data, bytes->length, err);
}

static bool add_header(
	struct tarball *tarball, const char *name, bool is_folder, int64_t size_bytes, struct err *err)
{
	AUTO_BUFFER struct buffer header = {0};

	ustar_add_padding(&header, tarball->file_bytes);
	ustar_add_header(&header, name, is_folder, size_bytes);
	tarball->file_bytes = size_bytes;
	return store_all(tarball, &header, err);
}

struct tarball *tarball_create(const struct tarball_sink *sink)
{
	const struct stored_sink stored = {sink->write, sink->context};
	struct tarball *tarball = mem_zero(1, sizeof *tarball);

	tarball->stored = stored_create(&stored);
	return tarball;
}

void tarball_destroy(struct tarball *tarball)
{
	if (!tarball)
		return;
	stored_destroy(tarball->stored);
	free(tarball);
}

static bool begin(struct tarball *tarball, struct err *err)
{
	if (tarball->begun)
		return true;
	tarball->begun = true;
	return add_header(tarball, "./", true, 0, err);
}

bool tarball_add_folder(struct tarball *tarball, const char *path, struct err *err)
{
	AUTO_FREE char *name = mem_printf("./%s/", path);

	return begin(tarball, err) && add_header(tarball, name, true, 0, err);
}

bool tarball_add_file(struct tarball *tarball, const char *path, int64_t size_bytes, struct err *err)
{
	AUTO_FREE char *name = mem_printf("./%s", path);

	return begin(tarball, err) && add_header(tarball, name, false, size_bytes, err);
}

bool tarball_write(struct tarball *tarball, const void *bytes, size_t length, struct err *err)
{
	return stored_write(tarball->stored, bytes, length, err);
}

bool tarball_finish(struct tarball *tarball, struct err *err)
{
	AUTO_BUFFER struct buffer end = {0};

	if (!begin(tarball, err))
		return false;
	ustar_add_padding(&end, tarball->file_bytes);
	ustar_add_end(&end);
	return store_all(tarball, &end, err) && stored_finish(tarball->stored, err);
}

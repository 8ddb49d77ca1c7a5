/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/zip_directory.h"

#include <stddef.h>
#include <string.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"

/* Its end is sought in so many bytes, as libarchive does. The sizes are those of records without what is of
 * any length. */
enum { TAIL_BYTES = 16 << 10, END_BYTES = 22, LOCATOR_BYTES = 20, END_64_BYTES = 56, ENTRY_BYTES = 46 };

static const char entry_sign[] = "PK\1\2", end_sign[] = "PK\5\6", end_64_sign[] = "PK\6\6",
		  locator_sign[] = "PK\6\7";

struct directory {
	int fd;
	int64_t zip_bytes;
	int64_t max_members;
};

static bool has_sign(const uint8_t *at, const char *sign)
{
	return memcmp(at, sign, 4) == 0;
}

static uint64_t read_number(const uint8_t *at, size_t length)
{
	uint64_t number = 0;

	while (length-- > 0)
		number = number << 8 | at[length];
	return number;
}

static bool refuse(const char *why, struct err *err)
{
	return err_set(err, ERR_INVALID_MODULE, "archive.zip cannot be read: %s", why);
}

/* All of so many bytes at an offset that anybody can have written there. */
static bool read_at(
	const struct directory *directory, uint64_t offset, void *bytes, size_t length, struct err *err)
{
	uint64_t zip_bytes = (uint64_t)directory->zip_bytes;
	size_t got;

	if (zip_bytes < length || offset > zip_bytes - length)
		return refuse("its directory leads out of it", err);
	return file_read_at(directory->fd, bytes, length, (int64_t)offset, &got, err) &&
	       (got == length || refuse("it has become shorter", err));
}

static bool count_entries(const struct directory *directory, uint64_t offset, struct err *err)
{
	uint8_t entry[ENTRY_BYTES];

	for (int64_t members = 0;; members++) {
		if (!read_at(directory, offset, entry, 4, err))
			return false;
		if (has_sign(entry, end_sign) || has_sign(entry, end_64_sign))
			return true;
		if (!has_sign(entry, entry_sign))
			return refuse("its directory is not where its end says", err);
		if (members >= directory->max_members)
			return zip_refuse_many(err);
		if (!read_at(directory, offset, entry, sizeof entry, err))
			return false;
		offset += sizeof entry + read_number(entry + 28, 2) + read_number(entry + 30, 2) +
			  read_number(entry + 32, 2);
	}
}

/* What is larger than the end has room for stands in one before it, which a locator tells of. Whoever does
 * not take it for one goes by the end's own offset. */
static bool check_64(const struct directory *directory, const uint8_t *locator, struct err *err)
{
	uint8_t end[END_64_BYTES];
	uint64_t size;

	if (!read_at(directory, read_number(locator + 8, 8), end, sizeof end, err))
		return false;
	size = read_number(end + 4, 8) + 12;
	if (read_number(locator + 4, 4) != 0 || read_number(locator + 16, 4) != 1 ||
		!has_sign(end, end_64_sign) || size < END_64_BYTES || size > TAIL_BYTES ||
		read_number(end + 16, 4) != 0 || read_number(end + 20, 4) != 0 ||
		read_number(end + 24, 8) != read_number(end + 32, 8))
		return refuse("the end of its directory is none", err);
	return count_entries(directory, read_number(end + 48, 8), err);
}

static bool check_end(const struct directory *directory, const uint8_t *tail, size_t at, struct err *err)
{
	uint64_t offset = read_number(tail + at + 16, 4);
	bool has_64 = at >= LOCATOR_BYTES && has_sign(tail + at - LOCATOR_BYTES, locator_sign);

	if (has_64 && !check_64(directory, tail + at - LOCATOR_BYTES, err))
		return false;
	return (has_64 && offset == UINT32_MAX) || count_entries(directory, offset, err);
}

bool zip_directory_check(int fd, int64_t zip_bytes, int64_t max_members, struct err *err)
{
	const struct directory directory = {fd, zip_bytes, max_members};
	size_t length = zip_bytes < TAIL_BYTES ? (size_t)zip_bytes : TAIL_BYTES;
	AUTO_FREE uint8_t *tail = mem_zero(1, length + 1);

	if (!read_at(&directory, (uint64_t)zip_bytes - length, tail, length, err))
		return false;
	for (size_t at = length < END_BYTES ? 0 : length - END_BYTES + 1; at-- > 0;) {
		if (has_sign(tail + at, end_sign))
			return check_end(&directory, tail, at, err);
	}
	return refuse("it has no directory", err);
}

bool zip_refuse_many(struct err *err)
{
	return err_set(err, ERR_INVALID_MODULE, "archive.zip has more than publish.max_members members");
}

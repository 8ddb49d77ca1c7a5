/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/outlet.h"

#include <fcntl.h>

#include "common/file.h"
#include "common/mem.h"

const char outlet_layout[] = "{\"imageLayoutVersion\":\"1.0.0\"}";

void outlet_close(struct outlet *outlet)
{
	if (outlet)
		outlet->kind->close(outlet);
}

static bool check(const struct bundle_blob *blob, struct hasher *hasher, int64_t length, struct err *err)
{
	struct digest found = hasher_result(hasher);

	return (length == blob->size_bytes && digest_equal(&found, &blob->digest)) ||
	       err_set(err, ERR_DIGEST_MISMATCH,
		       "the file of blob sha256:%s in the data folder has other bytes (sha256:%s, %lld of "
		       "them): the disk has lost them, or somebody has changed it",
		       blob->digest.hex, found.hex, (long long)length);
}

bool outlet_pump(const struct bundle_blob *blob, int fd, struct outlet_watch *watch,
	bool (*take)(void *context, const void *bytes, size_t length, struct err *err), void *context,
	struct err *err)
{
	AUTO_HASHER struct hasher *hasher = hasher_create();
	AUTO_FREE char *block = mem_zero(1, OUTLET_BLOCK_BYTES);
	int64_t offset = 0;
	size_t got = 1;

	(void)posix_fadvise(fd, 0, 0, POSIX_FADV_SEQUENTIAL);
	/* Not a byte more than it should have: a tar has told its length before. */
	while (got > 0 && offset < blob->size_bytes) {
		int64_t left = blob->size_bytes - offset;

		if (!file_read_at(fd, block, left < OUTLET_BLOCK_BYTES ? (size_t)left : OUTLET_BLOCK_BYTES,
			    offset, &got, err))
			return err_set(err, ERR_DIGEST_MISMATCH,
				"the file of blob sha256:%s in the data folder cannot be read at byte %lld: "
				"is "
				"the disk worn?",
				blob->digest.hex, (long long)offset);
		hasher_add(hasher, block, got);
		offset += (int64_t)got;
		if (!take(context, block, got, err) ||
			(watch && !watch->progressed(watch, (int64_t)got, err)))
			return false;
	}
	return check(blob, hasher, offset, err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/notes.h"

#include <stdlib.h>
#include <unistd.h>

#include "common/file.h"
#include "common/own.h"

enum { BLOCK_BYTES = 65536 };

bool notes_open(struct notes *notes, struct outgoing *outgoing, struct err *err)
{
	*notes = (struct notes){.fd = -1};
	if (!outgoing_make_file(outgoing, &notes->fd, err))
		return false;
	notes->hasher = hasher_create();
	return true;
}

void notes_finish(struct notes *notes)
{
	own_close(&notes->fd);
	notes->fd = -1;
	hasher_destroy(notes->hasher);
	notes->hasher = NULL;
}

bool notes_add(struct notes *notes, const void *bytes, size_t length, struct err *err)
{
	if (!file_write_at(notes->fd, bytes, length, notes->length, err))
		return err_prefix(err, "a file in the data folder: ");
	hasher_add(notes->hasher, bytes, length);
	notes->length += (int64_t)length;
	return true;
}

bool notes_append(struct notes *notes, const struct notes *other, struct err *err)
{
	char block[BLOCK_BYTES];
	int64_t offset = 0;
	size_t got;

	do {
		if (!file_read_at(other->fd, block, sizeof block, offset, &got, err) ||
			!notes_add(notes, block, got, err))
			return false;
		offset += (int64_t)got;
	} while (got > 0);
	return true;
}

struct bundle_blob notes_blob(struct notes *notes)
{
	return (struct bundle_blob){hasher_result(notes->hasher), notes->length};
}

FILE *notes_file(struct notes *notes)
{
	FILE *file;

	(void)lseek(notes->fd, 0, SEEK_SET);
	file = fdopen(notes->fd, "r");
	if (!file)
		abort();
	notes->fd = -1;
	return file;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/archives/smallfile.h"

#include <string.h>

struct stream *smallfile_read(struct smallfile *file, struct stream *content)
{
	const uint8_t *data;
	size_t length;
	struct err again; /* the archive fails with it too */

	file->length = 0;
	do {
		if (!stream_next(content, &data, &length, &again))
			return NULL;
		memcpy(file->bytes + file->length, data, length);
		file->length += length;
	} while (length > 0);
	return memory_stream_init(&file->stream, file->bytes, file->length);
}

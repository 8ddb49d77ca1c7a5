/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/gzip.h"

#include <stdlib.h>
#include <zlib.h>

#include "common/mem.h"

/* Quick rather than small: answers are packed while somebody waits. 16 asks for gzip's own head and end. */
enum { LEVEL = 3, WINDOW_BITS = 15 + 16, MEMORY_LEVEL = 8 };

char *gzip_pack(const char *bytes, size_t length, size_t *out_length)
{
	z_stream stream = {.next_in = (Bytef *)bytes, .avail_in = (uInt)length};
	size_t room;
	char *packed;

	/* As elsewhere, memory that cannot be had ends the process. */
	if (deflateInit2(&stream, LEVEL, Z_DEFLATED, WINDOW_BITS, MEMORY_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK)
		abort();
	room = deflateBound(&stream, (uLong)length);
	packed = mem_zero(1, room);
	stream.next_out = (Bytef *)packed;
	stream.avail_out = (uInt)room;
	if (deflate(&stream, Z_FINISH) != Z_STREAM_END)
		abort();
	*out_length = stream.total_out;
	(void)deflateEnd(&stream);
	return packed;
}

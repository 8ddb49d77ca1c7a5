/* SPDX-License-Identifier: Apache-2.0
 *
 * Writes the headers of tar archives (POSIX.1, ustar), with a pax header before what does not fit. Contents,
 * and which names may be in a module's archive, are others' business. */
#ifndef SERVER_MODULE_ARCHIVES_USTAR_H
#define SERVER_MODULE_ARCHIVES_USTAR_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buffer.h"

enum { USTAR_BLOCK = 512 };

/* Appends the header of a regular file or folder: readable by all, of owner 0 and time 0. name is relative
 * and UTF-8; size_bytes is 0 for a folder. The content must follow, filled up to whole blocks. */
void ustar_add_header(struct buffer *out, const char *name, bool is_folder, int64_t size_bytes);

/* Appends zeros after a content of this size, up to whole blocks. */
void ustar_add_padding(struct buffer *out, int64_t size_bytes);

/* Appends the end of an archive. */
void ustar_add_end(struct buffer *out);

#endif

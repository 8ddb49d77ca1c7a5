/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads over the header of a gzip member (RFC 1952, 2.3) in pieces of any size and checks what there is to
 * check. Keeps nothing of it. */
#ifndef SERVER_MODULE_ARCHIVES_GZIPHEADER_H
#define SERVER_MODULE_ARCHIVES_GZIPHEADER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gzip_header {
	unsigned part;
	uint8_t flags;
	size_t taken;      /* of this part */
	uint8_t field[10]; /* what was taken of a part of fixed size */
	size_t extra_length;
	uint32_t crc;
	const char *fault;
	bool whole;
};

/* Begins with all zeros. Takes what belongs to the header and returns how much; ->whole or ->fault are set
 * once it is. */
size_t gzip_header_take(struct gzip_header *header, const uint8_t *data, size_t length);

#endif

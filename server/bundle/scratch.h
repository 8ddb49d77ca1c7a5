/* SPDX-License-Identifier: Apache-2.0
 *
 * Files without a name, which are gone when they are closed: for what does not belong into memory. */
#ifndef SERVER_BUNDLE_SCRATCH_H
#define SERVER_BUNDLE_SCRATCH_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "common/stream.h"

/* In this folder; the caller owns *out_fd. */
bool scratch_open(const char *folder, int *out_fd, struct err *err);

/* Reads a file from its beginning, once. finish leaves the file open. */
struct scratch_stream {
	struct stream stream;
	int fd;
	int64_t offset;
	uint8_t *block;
};
void scratch_stream_init(struct scratch_stream *stream, int fd);
void scratch_stream_finish(struct scratch_stream *stream);
#define AUTO_SCRATCH_STREAM AUTO(scratch_stream_finish)

#endif

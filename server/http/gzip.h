/* SPDX-License-Identifier: Apache-2.0
 *
 * Text packed for its way to a client; what is unpacked is gunzip's. */
#ifndef SERVER_HTTP_GZIP_H
#define SERVER_HTTP_GZIP_H

#include <stddef.h>

/* The bytes as gzip; the caller frees them. */
char *gzip_pack(const char *bytes, size_t length, size_t *out_length);

#endif

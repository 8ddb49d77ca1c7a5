/* SPDX-License-Identifier: Apache-2.0
 *
 * A growing run of bytes, always followed by a NUL so that it can be read as a string. */
#ifndef COMMON_BUFFER_H
#define COMMON_BUFFER_H

#include <stddef.h>

struct buffer {
	char *data; /* NULL until the first byte */
	size_t length;
	size_t capacity;
};

/* Appends; the caller has bounded the total. */
void buffer_add(struct buffer *buffer, const void *bytes, size_t length);
void buffer_add_string(struct buffer *buffer, const char *string);
void buffer_printf(struct buffer *buffer, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Has room for so many bytes more, and not for twice as many: to be called once. */
void buffer_reserve(struct buffer *buffer, size_t more);

/* The bytes as a string: "" while empty. Valid until the next change. */
const char *buffer_string(const struct buffer *buffer);

/* Gives the memory to the caller (free() it; never NULL) and leaves the buffer empty. */
char *buffer_take(struct buffer *buffer);

/* Frees what it holds and empties it. */
void buffer_finish(struct buffer *buffer);

#define AUTO_BUFFER __attribute__((cleanup(buffer_finish)))

#endif

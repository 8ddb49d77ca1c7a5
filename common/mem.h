/* SPDX-License-Identifier: Apache-2.0
 *
 * Small allocations that abort when memory is exhausted. Sizes that others choose are limited before they get
 * here. */
#ifndef COMMON_MEM_H
#define COMMON_MEM_H

#include <stdbool.h>
#include <stddef.h>

/* Zeroed memory for count items; free() it. */
void *mem_zero(size_t count, size_t size);

/* Resizes as realloc does, for count items; the new part is not zeroed. */
void *mem_resize(void *memory, size_t count, size_t size);

/* A copy of a string (NULL gives NULL), of a part of one, of formatted words; free() it. */
char *mem_dup(const char *string);
char *mem_dup_n(const char *bytes, size_t length);
char *mem_printf(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Whether all these bytes are zeros. */
bool mem_is_zero(const void *bytes, size_t length);

/* Something of so many bytes was made, out of what was several times as large. Where that is much, the next
 * mem_settle() of this thread, when it is all freed, gives it back to the system; which it does not do by
 * itself, where small pieces are scattered among others. */
void mem_note_made(size_t bytes);
void mem_settle(void);

/* Makes room for one more item in a growing array: doubles *array when count has reached *capacity. */
#define MEM_GROW(array, count, capacity) \
	do { \
		if ((count) == (capacity)) { \
			(capacity) = (capacity) ? 2 * (capacity) : 8; \
			(array) = mem_resize((array), (capacity), sizeof *(array)); \
		} \
	} while (0)

#endif

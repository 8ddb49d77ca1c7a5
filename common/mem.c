/* SPDX-License-Identifier: Apache-2.0 */
#include "common/mem.h"

#include <malloc.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Giving back takes a look at all that is free. */
enum { WORTH_GIVING_BACK = 64 << 10 };

static _Thread_local bool was_much;

static void *or_abort(void *memory)
{
	if (!memory) {
		(void)fputs("larder: out of memory\n", stderr);
		abort();
	}
	return memory;
}

void *mem_zero(size_t count, size_t size)
{
	return or_abort(calloc(count ? count : 1, size ? size : 1));
}

void *mem_resize(void *memory, size_t count, size_t size)
{
	size_t bytes;

	if (__builtin_mul_overflow(count, size, &bytes))
		return or_abort(NULL);
	return or_abort(realloc(memory, bytes ? bytes : 1));
}

char *mem_dup(const char *string)
{
	return string ? or_abort(strdup(string)) : NULL;
}

char *mem_dup_n(const char *bytes, size_t length)
{
	char *copy = mem_zero(length + 1, 1);

	if (length)
		memcpy(copy, bytes, length);
	return copy;
}

char *mem_printf(const char *format, ...)
{
	char *text = NULL;
	va_list args;

	va_start(args, format);
	if (vasprintf(&text, format, args) < 0)
		text = NULL;
	va_end(args);
	return or_abort(text);
}

bool mem_is_zero(const void *bytes, size_t length)
{
	const char *at = bytes;

	return length == 0 || (at[0] == 0 && memcmp(at, at + 1, length - 1) == 0);
}

void mem_note_made(size_t bytes)
{
	was_much |= bytes > WORTH_GIVING_BACK;
}

void mem_settle(void)
{
	if (was_much)
		(void)malloc_trim(0);
	was_much = false;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * A small writer of TensorFlow Lite models, front to back: tables whose fields are cells of 4 or 8 bytes. */
#ifndef TESTS_UNIT_TFLITE_WRITER_H
#define TESTS_UNIT_TFLITE_WRITER_H

#include <stdint.h>
#include <string.h>

#include "common/buffer.h"

static inline void flat_put(struct buffer *out, uint64_t value, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++) {
		uint8_t byte = (uint8_t)(value >> (8 * i));

		buffer_add(out, &byte, 1);
	}
}

static inline void flat_align(struct buffer *out)
{
	while (out->length % 4)
		flat_put(out, 0, 1);
}

static inline void flat_set(struct buffer *out, size_t at, uint32_t value)
{
	memcpy(out->data + at, &value, sizeof value);
}

/* Lets the cell at from refer to what is written next. */
static inline void flat_refer(struct buffer *out, size_t from)
{
	flat_align(out);
	flat_set(out, from, (uint32_t)(out->length - from));
}

/* A table with a cell for each digit of the pattern that is not 0: of 4 or 8 bytes. Tells where it lies. */
static inline size_t flat_table(struct buffer *out, const char *pattern)
{
	size_t slots = strlen(pattern);
	size_t vtable;
	size_t table;
	uint16_t bytes = 4;

	flat_align(out);
	/* A reference that waits for this place gets the table, which follows its vtable. */
	vtable = out->length;
	for (size_t i = 0; i < slots; i++)
		bytes = (uint16_t)(bytes + pattern[i] - '0');
	flat_put(out, 4 + 2 * slots, 2);
	flat_put(out, bytes, 2);
	bytes = 4;
	for (size_t i = 0; i < slots; i++) {
		flat_put(out, pattern[i] == '0' ? 0 : bytes, 2);
		bytes = (uint16_t)(bytes + pattern[i] - '0');
	}
	flat_align(out);
	table = out->length;
	flat_put(out, table - vtable, 4);
	for (size_t i = 4; i < bytes; i++)
		flat_put(out, 0, 1);
	return table;
}

/* The same, as what the cell refers to. */
static inline size_t flat_table_for(struct buffer *out, size_t from, const char *pattern)
{
	size_t table = flat_table(out, pattern);

	flat_set(out, from, (uint32_t)(table - from));
	return table;
}

/* Where a table's field lies. */
static inline size_t flat_cell(const struct buffer *out, size_t table, size_t slot)
{
	uint32_t back;
	uint16_t place;

	memcpy(&back, out->data + table, sizeof back);
	memcpy(&place, out->data + table - back + 4 + 2 * slot, sizeof place);
	return table + place;
}

static inline void flat_string_for(struct buffer *out, size_t from, const char *text)
{
	flat_refer(out, from);
	flat_put(out, strlen(text), 4);
	buffer_add(out, text, strlen(text) + 1);
}

/* A vector of count zeros of so many bytes each; tells where the first lies. */
static inline size_t flat_vector_for(struct buffer *out, size_t from, size_t count, size_t bytes)
{
	size_t first;

	flat_refer(out, from);
	flat_put(out, count, 4);
	first = out->length;
	for (size_t i = 0; i < count * bytes; i++)
		flat_put(out, 0, 1);
	return first;
}

/* A vector of one table; tells where that lies. */
static inline size_t flat_one_for(struct buffer *out, size_t from, const char *pattern)
{
	return flat_table_for(out, flat_vector_for(out, from, 1, 4), pattern);
}

/* The head, and the root table with this pattern. */
static inline size_t flat_begin(struct buffer *out, const char *pattern)
{
	flat_put(out, 0, 4);
	buffer_add(out, "TFL3", 4);
	return flat_table_for(out, 0, pattern);
}

/* The least model: a subgraph, and a buffer with these bytes, which are the last. */
static inline void tflite_write(struct buffer *out, const void *bytes, size_t length)
{
	size_t model = flat_begin(out, "40404");
	size_t buffer;

	(void)flat_one_for(out, flat_cell(out, model, 2), "");
	buffer = flat_one_for(out, flat_cell(out, model, 4), "4");
	flat_refer(out, flat_cell(out, buffer, 0));
	flat_put(out, length, 4);
	buffer_add(out, bytes, length);
}

#endif

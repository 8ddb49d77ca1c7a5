/* SPDX-License-Identifier: Apache-2.0
 *
 * Directories of zips: how many entries are counted, and which are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/registry/zip_directory.h"

enum { PREFIX = 100, MOST = 50 };

struct shape {
	int entries;
	bool large;    /* the end has a larger one before it */
	int64_t shift; /* of the offset that the end tells */
	int disks;     /* that the locator tells of */
	const char *comment;
};

static void add_number(struct buffer *out, uint64_t number, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		char byte = (char)(i < sizeof number ? number >> 8 * i : 0);

		buffer_add(out, &byte, 1);
	}
}

static void add_zeros(struct buffer *out, size_t length)
{
	add_number(out, 0, length);
}

/* With names, other fields and notes of several lengths. */
static void add_entry(struct buffer *out, int number)
{
	buffer_add(out, "PK\1\2", 4);
	add_zeros(out, 24);
	add_number(out, (uint64_t)number % 3, 2);
	add_number(out, (uint64_t)number % 5, 2);
	add_number(out, (uint64_t)number % 7, 2);
	add_zeros(out, 12);
	for (int i = 0; i < number % 3 + number % 5 + number % 7; i++)
		buffer_add(out, "P", 1);
}

static void add_large_end(struct buffer *out, const struct shape *shape, uint64_t offset)
{
	uint64_t at = out->length;

	buffer_add(out, "PK\6\6", 4);
	add_number(out, 44, 8);
	add_zeros(out, 12);
	add_number(out, (uint64_t)shape->entries, 8);
	add_number(out, (uint64_t)shape->entries, 8);
	add_number(out, at - offset, 8);
	add_number(out, offset + (uint64_t)shape->shift, 8);
	buffer_add(out, "PK\6\7", 4);
	add_zeros(out, 4);
	add_number(out, at, 8);
	add_number(out, (uint64_t)shape->disks, 4);
}

static void write_zip(struct buffer *out, const struct shape *shape)
{
	const char *comment = shape->comment ? shape->comment : "";
	uint64_t offset;

	add_zeros(out, PREFIX);
	offset = out->length;
	for (int i = 0; i < shape->entries; i++)
		add_entry(out, i);
	if (shape->large)
		add_large_end(out, shape, offset);
	buffer_add(out, "PK\5\6", 4);
	/* What it says of their number counts for nothing. */
	add_zeros(out, 12);
	add_number(out, shape->large ? UINT32_MAX : offset + (uint64_t)shape->shift, 4);
	add_number(out, strlen(comment), 2);
	buffer_add_string(out, comment);
}

static bool check(const struct buffer *zip, size_t length, int most, struct err *err)
{
	FILE *file = tmpfile();
	bool sound;

	assert_non_null(file);
	assert_int_equal(fwrite(zip->data, 1, length, file), length);
	assert_int_equal(fflush(file), 0);
	sound = zip_directory_check(fileno(file), (int64_t)length, most, err);
	(void)fclose(file);
	assert_true(sound || err->code == ERR_INVALID_MODULE);
	return sound;
}

static const struct shape sound[] = {{.entries = 0}, {.entries = 1}, {.entries = MOST}, {.entries = 700},
	{.entries = 0, .large = true, .disks = 1}, {.entries = MOST, .large = true, .disks = 1},
	{.entries = 700, .large = true, .disks = 1}, {.entries = 3, .comment = "what PK and \1\2 are"}};

static void all_entries_count(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof sound / sizeof *sound; i++) {
		AUTO_BUFFER struct buffer zip = {0};
		struct err err = {0};

		write_zip(&zip, &sound[i]);
		assert_true(check(&zip, zip.length, sound[i].entries, &err));
		if (sound[i].entries == 0)
			continue;
		assert_false(check(&zip, zip.length, sound[i].entries - 1, &err));
		assert_non_null(strstr(err.text, "max_members"));
	}
}

/* libarchive would seek it from there on. */
static void a_directory_is_where_its_end_says(void **state)
{
	static const struct shape shapes[] = {{.entries = 3, .shift = -1}, {.entries = 3, .shift = 1},
		{.entries = 3, .shift = -PREFIX}, {.entries = 3, .shift = 1 << 20},
		{.entries = 3, .large = true, .disks = 1, .shift = -1},
		{.entries = 3, .large = true, .disks = 1, .shift = INT64_MAX},
		{.entries = 3, .large = true, .disks = 1, .shift = -PREFIX - 1},
		{.entries = 3, .large = true, .disks = 2}};

	(void)state;
	for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
		AUTO_BUFFER struct buffer zip = {0};
		struct err err = {0};

		write_zip(&zip, &shapes[i]);
		assert_false(check(&zip, zip.length, MOST, &err));
	}
}

static void what_is_cut_has_none(void **state)
{
	AUTO_BUFFER struct buffer zip = {0};
	const struct shape shape = {.entries = 3, .large = true, .disks = 1};
	struct err err = {0};

	(void)state;
	write_zip(&zip, &shape);
	for (size_t length = 0; length < zip.length; length++)
		assert_false(check(&zip, length, MOST, &err));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_entries_count),
		cmocka_unit_test(a_directory_is_where_its_end_says),
		cmocka_unit_test(what_is_cut_has_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/tarheader.h"

#include <string.h>

struct field {
	size_t offset;
	size_t length;
};

static const struct field name_field = {0, 100};
static const struct field size_field = {124, 12};
static const struct field checksum_field = {148, 8};
static const struct field prefix_field = {345, 155};

enum { TYPE_AT = 156, MAGIC_AT = 257, SPARSE_CONTINUES_AT = 482 };

/* Python's tarfile takes a header for the archive's end, silently, when any of its numbers is garbage. Their
 * values do not matter here: mode, owner, group, time, device. */
static const struct field other_numbers[] = {{100, 8}, {108, 8}, {116, 8}, {136, 12}, {329, 8}, {337, 8}};

static bool is_padding(uint8_t byte)
{
	return byte == '\0' || byte == ' ';
}

static bool read_octal(const uint8_t *bytes, size_t length, int64_t *out)
{
	size_t i = 0;

	*out = 0;
	while (i < length && bytes[i] == ' ')
		i++;
	for (; i < length && bytes[i] >= '0' && bytes[i] <= '7'; i++)
		*out = *out * 8 + (bytes[i] - '0');
	while (i < length && is_padding(bytes[i]))
		i++;
	return i == length;
}

/* GNU's form for what octal digits cannot hold: 0x80 and a big-endian number. */
static bool read_base256(const uint8_t *bytes, size_t length, int64_t *out)
{
	*out = 0;
	for (size_t i = 1; i < length; i++) {
		if (*out > INT64_MAX >> 8)
			return false;
		*out = *out << 8 | bytes[i];
	}
	return true;
}

static bool read_number(const uint8_t *block, struct field field, int64_t *out)
{
	const uint8_t *bytes = block + field.offset;

	return bytes[0] == 0x80 ? read_base256(bytes, field.length, out)
				: read_octal(bytes, field.length, out);
}

static bool check_other_numbers(const uint8_t *block)
{
	int64_t ignored;

	for (size_t i = 0; i < sizeof other_numbers / sizeof *other_numbers; i++) {
		const uint8_t *bytes = block + other_numbers[i].offset;

		/* Times before 1970 and strange owners are negative or huge in base 256, and harmless. */
		if (bytes[0] != 0x80 && bytes[0] != 0xff &&
			!read_octal(bytes, other_numbers[i].length, &ignored))
			return false;
	}
	return true;
}

/* Sun's and NeXT's tar summed signed bytes; every reader takes both. */
static bool check_checksum(const uint8_t *block)
{
	int64_t unsigned_sum = 0;
	int64_t signed_sum = 0;
	int64_t stated;

	for (size_t i = 0; i < TAR_BLOCK; i++) {
		bool inside = i >= checksum_field.offset && i < checksum_field.offset + checksum_field.length;
		uint8_t byte = inside ? ' ' : block[i];

		unsigned_sum += byte;
		signed_sum += (int8_t)byte;
	}
	return read_number(block, checksum_field, &stated) &&
	       (stated == unsigned_sum || stated == signed_sum);
}

enum dialect { DIALECT_V7, DIALECT_POSIX, DIALECT_GNU, DIALECT_UNKNOWN };

static enum dialect find_dialect(const uint8_t *block)
{
	const uint8_t *magic = block + MAGIC_AT;

	if (memcmp(magic, "ustar\0", 6) == 0)
		return DIALECT_POSIX;
	if (memcmp(magic, "ustar  \0", 8) == 0)
		return DIALECT_GNU;
	return memcmp(magic, "\0\0\0\0\0\0\0\0", 8) == 0 ? DIALECT_V7 : DIALECT_UNKNOWN;
}

static size_t text_length(const uint8_t *block, struct field field)
{
	return strnlen((const char *)block + field.offset, field.length);
}

/* Only POSIX headers have a prefix; others keep times or nothing in its place, which tarfile takes for a
 * prefix. */
static bool read_name(const uint8_t *block, enum dialect dialect, struct tar_header *out)
{
	size_t prefix_length = text_length(block, prefix_field);
	size_t name_length = text_length(block, name_field);
	char *end = out->name;

	if (prefix_length > 0 && dialect != DIALECT_POSIX && !memchr("LKS", out->type, 3))
		return false;
	if (prefix_length > 0 && dialect == DIALECT_POSIX) {
		end = mempcpy(end, block + prefix_field.offset, prefix_length);
		*end++ = '/';
	}
	end = mempcpy(end, block + name_field.offset, name_length);
	*end = '\0';
	return true;
}

const char *tar_header_read(const uint8_t block[TAR_BLOCK], struct tar_header *out)
{
	enum dialect dialect = find_dialect(block);
	size_t name_length = text_length(block, name_field);

	*out = (struct tar_header){.type = (char)block[TYPE_AT]};
	if (!check_checksum(block))
		return "its checksum is wrong";
	if (dialect == DIALECT_UNKNOWN)
		return "it is neither a POSIX, a GNU nor an old tar header";
	if (!read_number(block, size_field, &out->size_bytes) || out->size_bytes > TAR_SIZE_MAX)
		return "its size is not a number, negative or absurd";
	if (!check_other_numbers(block))
		return "one of its numbers is garbage";
	if (!read_name(block, dialect, out))
		return "it has bytes where some readers see a name's prefix and others do not";
	out->folder_by_slash = out->type == '\0' && name_length > 0 && block[name_length - 1] == '/';
	out->sparse_continues = out->type == 'S' && block[SPARSE_CONTINUES_AT] != 0;
	return NULL;
}

struct record {
	const char *key;
	size_t key_length;
	const char *value;
	size_t value_length;
};

static bool read_decimal(const char *text, size_t length, int64_t *out)
{
	*out = 0;
	for (size_t i = 0; i < length; i++) {
		if (text[i] < '0' || text[i] > '9')
			return false;
		*out = *out * 10 + (text[i] - '0');
		if (*out > TAR_SIZE_MAX)
			return false;
	}
	return length > 0;
}

/* Reads "LENGTH KEY=VALUE\n", where LENGTH counts all of it; the bytes it took, or 0. */
static size_t read_record(const char *text, size_t length, struct record *out)
{
	const char *blank = memchr(text, ' ', length < 20 ? length : 20);
	const char *equals;
	int64_t stated;

	if (!blank || !read_decimal(text, (size_t)(blank - text), &stated) || stated > (int64_t)length ||
		text + stated <= blank + 3 || text[stated - 1] != '\n')
		return 0;
	out->key = blank + 1;
	equals = memchr(out->key, '=', (size_t)(text + stated - out->key));
	if (!equals || equals == out->key)
		return 0;
	out->key_length = (size_t)(equals - out->key);
	out->value = equals + 1;
	out->value_length = (size_t)(text + stated - 1 - out->value);
	return (size_t)stated;
}

static bool key_is(const struct record *record, const char *key)
{
	return record->key_length == strlen(key) && memcmp(record->key, key, record->key_length) == 0;
}

static const char *take_record(const struct record *record, struct pax_records *out)
{
	static const char sparse[] = "GNU.sparse.";

	if (key_is(record, "path")) {
		if (out->path || record->value_length == 0 ||
			memchr(record->value, '\0', record->value_length))
			return "its path is empty, given twice or has a NUL in it";
		out->path = record->value;
		out->path_length = record->value_length;
	} else if (key_is(record, "size")) {
		if (out->has_size || !read_decimal(record->value, record->value_length, &out->size_bytes))
			return "its size is not a number, given twice or absurd";
		out->has_size = true;
	} else if (key_is(record, "linkpath")) {
		out->has_linkpath = true;
	} else if (record->key_length >= strlen(sparse) && memcmp(record->key, sparse, strlen(sparse)) == 0) {
		out->is_sparse = true;
	}
	return NULL;
}

const char *pax_records_read(const char *records, size_t length, struct pax_records *out)
{
	struct record record;
	const char *fault = NULL;

	*out = (struct pax_records){0};
	for (size_t at = 0; at < length && !fault;) {
		size_t taken = read_record(records + at, length - at, &record);

		if (taken == 0)
			return "its records are malformed";
		fault = take_record(&record, out);
		at += taken;
	}
	return fault;
}

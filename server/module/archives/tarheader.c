/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/archives/tarheader.h"

#include <string.h>

#include "common/mem.h"

struct field {
	size_t offset;
	size_t length;
};

static const struct field name_field = {0, 100};
static const struct field size_field = {124, 12};
static const struct field checksum_field = {148, 8};
static const struct field prefix_field = {345, 155};
static const struct field real_size_field = {483, 12};

enum { TYPE_AT = 156, MAGIC_AT = 257 };

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
	if (out->type == 'S' && dialect != DIALECT_GNU)
		return "it is a sparse file of a kind that hub clients do not know";
	if (!read_name(block, dialect, out))
		return "it has bytes where some readers see a name's prefix and others do not";
	out->folder_by_slash = out->type == '\0' && name_length > 0 && block[name_length - 1] == '/';
	return NULL;
}

/* Where the map lies in a header and in a block that continues it. */
struct sparse_place {
	size_t offset;
	size_t pieces;
	size_t continues_at;
	bool lacks_first; /* Python's tarfile leaves out a piece at the file's beginning */
};

static const struct sparse_place in_header = {386, 4, 482, false};
static const struct sparse_place in_block = {0, 21, 504, true};

/* Readers see the end of the map in a piece without a length. */
static const char *read_pieces(
	const uint8_t *block, const struct sparse_place *place, struct sparse_map *map, bool *continues)
{
	enum { NUMBER = 12 };
	const char *fault = NULL;

	*continues = block[place->continues_at] != 0;
	for (size_t i = 0; i < place->pieces && !fault; i++) {
		struct field offset = {place->offset + 2 * NUMBER * i, NUMBER};
		struct field bytes = {offset.offset + NUMBER, NUMBER};
		int64_t from;
		int64_t length;

		if (block[offset.offset] == 0 || block[bytes.offset] == 0)
			return !*continues && mem_is_zero(
						      block + offset.offset, 2 * NUMBER * (place->pieces - i))
				       ? NULL
				       : "its sparse map has gaps";
		if (!read_number(block, offset, &from) || !read_number(block, bytes, &length))
			return "its sparse map is garbage";
		if (place->lacks_first && from == 0 && length > 0)
			return "readers understand its sparse map differently";
		fault = sparse_map_add(map, from, length);
	}
	return fault;
}

const char *tar_header_read_sparse(
	const uint8_t block[TAR_BLOCK], struct sparse_map *map, int64_t *real_bytes, bool *continues)
{
	if (!read_number(block, real_size_field, real_bytes) || *real_bytes > TAR_SIZE_MAX)
		return "its real size is not a number or absurd";
	return read_pieces(block, &in_header, map, continues);
}

const char *tar_sparse_block_read(const uint8_t block[TAR_BLOCK], struct sparse_map *map, bool *continues)
{
	return read_pieces(block, &in_block, map, continues);
}

struct record {
	const char *key;
	size_t key_length;
	const char *value;
	size_t value_length;
};

/* Reads "LENGTH KEY=VALUE\n", where LENGTH counts all of it; the bytes it took, or 0. */
static size_t read_record(const char *text, size_t length, struct record *out)
{
	const char *blank = memchr(text, ' ', length < 20 ? length : 20);
	const char *equals;
	int64_t stated;

	if (!blank || !sparse_read_decimal(text, (size_t)(blank - text), &stated) ||
		stated > (int64_t)length || text + stated <= blank + 3 || text[stated - 1] != '\n')
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

/* The keys of GNU's three forms of sparse files in pax headers; 0 are others. */
enum sparse_key {
	KEY_SIZE = 1,
	KEY_REAL_SIZE = 2,
	KEY_PIECES = 4,
	KEY_OFFSET = 8,
	KEY_BYTES = 16,
	KEY_MAP = 32,
	KEY_NAME = 64,
	KEY_MAJOR = 128,
	KEY_MINOR = 256
};

static const char *take_path(const struct record *record, struct pax_records *out)
{
	if (out->path || record->value_length == 0 || memchr(record->value, '\0', record->value_length))
		return "its path is empty, given twice or has a NUL in it";
	out->path = record->value;
	out->path_length = record->value_length;
	return NULL;
}

static const char *take_size(const struct record *record, struct pax_records *out)
{
	if (out->has_size || !sparse_read_decimal(record->value, record->value_length, &out->size_bytes))
		return "its size is not a number, given twice or absurd";
	out->has_size = true;
	return NULL;
}

static const char *take_linkpath(const struct record *record, struct pax_records *out)
{
	out->has_linkpath = true;
	return NULL;
}

static const char *take_sparse_name(const struct record *record, struct pax_records *out)
{
	if (record->value_length == 0 || memchr(record->value, '\0', record->value_length))
		return "the name of its sparse file is empty or has a NUL in it";
	out->sparse_name = record->value;
	out->sparse_name_length = record->value_length;
	return NULL;
}

/* An offset waits for its length. */
static const char *take_offset(const struct record *record, struct pax_records *out)
{
	if (out->awaits_length ||
		!sparse_read_decimal(record->value, record->value_length, &out->piece_offset))
		return "its sparse map is garbage";
	out->awaits_length = true;
	return NULL;
}

static const char *take_length(const struct record *record, struct pax_records *out)
{
	int64_t bytes;

	if (!out->awaits_length || !sparse_read_decimal(record->value, record->value_length, &bytes))
		return "its sparse map is garbage";
	out->awaits_length = false;
	return sparse_map_add(&out->map, out->piece_offset, bytes);
}

static const char *take_map(const struct record *record, struct pax_records *out)
{
	return sparse_map_add_list(&out->map, record->value, record->value_length);
}

struct pax_key {
	const char *name;
	enum sparse_key sparse;
	const char *(*take)(const struct record *record, struct pax_records *out); /* NULL: a number … */
	size_t number;                                                             /* … that goes here */
};

static const struct pax_key pax_keys[] = {
	{"path", 0, take_path, 0},
	{"size", 0, take_size, 0},
	{"linkpath", 0, take_linkpath, 0},
	{"GNU.sparse.size", KEY_SIZE, NULL, offsetof(struct pax_records, real_bytes)},
	{"GNU.sparse.realsize", KEY_REAL_SIZE, NULL, offsetof(struct pax_records, real_bytes)},
	{"GNU.sparse.numblocks", KEY_PIECES, NULL, offsetof(struct pax_records, sparse_pieces)},
	{"GNU.sparse.offset", KEY_OFFSET, take_offset, 0},
	{"GNU.sparse.numbytes", KEY_BYTES, take_length, 0},
	{"GNU.sparse.map", KEY_MAP, take_map, 0},
	{"GNU.sparse.name", KEY_NAME, take_sparse_name, 0},
	{"GNU.sparse.major", KEY_MAJOR, NULL, offsetof(struct pax_records, sparse_major)},
	{"GNU.sparse.minor", KEY_MINOR, NULL, offsetof(struct pax_records, sparse_minor)},
};

static const struct pax_key *find_key(const struct record *record)
{
	for (size_t i = 0; i < sizeof pax_keys / sizeof *pax_keys; i++) {
		if (record->key_length == strlen(pax_keys[i].name) &&
			memcmp(record->key, pax_keys[i].name, record->key_length) == 0)
			return &pax_keys[i];
	}
	return NULL;
}

static const char *take_record(const struct record *record, struct pax_records *out)
{
	static const char sparse[] = "GNU.sparse.";
	const struct pax_key *key = find_key(record);
	bool repeats = key && (key->sparse & out->sparse_keys) != 0;

	out->has_lines = out->has_lines || memchr(record->value, '\n', record->value_length);
	if (!key && record->key_length >= strlen(sparse) && memcmp(record->key, sparse, strlen(sparse)) == 0)
		return "it has a record of sparse files that no reader knows";
	if (!key)
		return NULL;
	if (repeats && key->sparse != KEY_OFFSET && key->sparse != KEY_BYTES)
		return "it says one thing of a sparse file twice";
	out->sparse_keys |= key->sparse;
	if (key->take)
		return key->take(record, out);
	return sparse_read_decimal(
		       record->value, record->value_length, (int64_t *)((char *)out + key->number))
		       ? NULL
		       : "one of its records of a sparse file is not a number, or absurd";
}

/* Which form it is, by the keys that it must have; which it may have besides. */
struct sparse_row {
	unsigned needed;
	unsigned allowed;
	enum sparse_form form;
};

static const struct sparse_row sparse_rows[] = {
	{KEY_SIZE | KEY_MAP, KEY_PIECES | KEY_NAME, SPARSE_IN_RECORDS},
	{KEY_SIZE, KEY_PIECES | KEY_OFFSET | KEY_BYTES | KEY_NAME, SPARSE_IN_RECORDS},
	{KEY_MAJOR | KEY_MINOR | KEY_REAL_SIZE, KEY_NAME, SPARSE_IN_CONTENT},
};

/* Python's tarfile looks for offsets in the values too, so those have no lines; and takes a size from here
 * for what is stored. */
static const char *judge_sparse(struct pax_records *out)
{
	for (size_t i = 0; i < sizeof sparse_rows / sizeof *sparse_rows; i++) {
		const struct sparse_row *row = &sparse_rows[i];

		if ((out->sparse_keys & row->needed) == row->needed &&
			(out->sparse_keys & ~(row->needed | row->allowed)) == 0)
			out->sparse = row->form;
	}
	if (out->sparse_keys == 0)
		return NULL;
	if (out->sparse == SPARSE_NONE || out->awaits_length ||
		(out->sparse == SPARSE_IN_CONTENT && (out->sparse_major != 1 || out->sparse_minor != 0)))
		return "what it says of a sparse file is incomplete or of an unknown form";
	if (out->sparse_keys & KEY_PIECES && out->sparse_pieces != (int64_t)out->map.count)
		return "its sparse map has another number of pieces than it says";
	if (out->has_size || out->has_lines)
		return "readers understand what it says of a sparse file differently";
	return NULL;
}

static const char *read_records(const char *records, size_t length, struct pax_records *out)
{
	struct record record;
	const char *fault = NULL;

	for (size_t at = 0; at < length && !fault;) {
		size_t taken = read_record(records + at, length - at, &record);

		if (taken == 0)
			return "its records are malformed";
		fault = take_record(&record, out);
		at += taken;
	}
	return fault ? fault : judge_sparse(out);
}

const char *pax_records_read(const char *records, size_t length, struct pax_records *out)
{
	const char *fault;

	*out = (struct pax_records){0};
	fault = read_records(records, length, out);
	if (fault)
		pax_records_finish(out);
	return fault;
}

void pax_records_finish(struct pax_records *records)
{
	sparse_map_finish(&records->map);
}

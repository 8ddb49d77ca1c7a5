/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/archives/ustar.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

enum { NAME_LENGTH = 100, PREFIX_LENGTH = 155 };

struct header {
	char name[NAME_LENGTH];
	char mode[8];
	char owner[8];
	char group[8];
	char size[12];
	char time[12];
	char checksum[8];
	char type;
	char target[100];
	char magic[6];
	char version[2];
	char owner_name[32];
	char group_name[32];
	char device_major[8];
	char device_minor[8];
	char prefix[PREFIX_LENGTH];
	char unused[12];
};
_Static_assert(sizeof(struct header) == USTAR_BLOCK, "a header is one block");

/* Eleven octal digits. */
#define SIZE_MAX_BYTES (((int64_t)1 << 33) - 1)

/* Numbers end with a blank, as in tar before POSIX. */
static void set_octal(char *field, int digits, int64_t number)
{
	char text[24];

	(void)snprintf(text, sizeof text, "%0*" PRIo64 " ", digits, (uint64_t)number);
	memcpy(field, text, (size_t)digits + 1);
}

static void set_checksum(struct header *header)
{
	const unsigned char *bytes = (const unsigned char *)header;
	unsigned sum = 0;

	memset(header->checksum, ' ', sizeof header->checksum);
	for (size_t i = 0; i < sizeof *header; i++)
		sum += bytes[i];
	set_octal(header->checksum, 6, sum);
	memcpy(header->checksum + 6, "\0 ", 2);
}

/* Finds the length of the shortest prefix that leaves a name which fits, 0 where none is needed. False where
 * there is none. */
static bool find_prefix(const char *name, size_t *out_length)
{
	size_t length = strlen(name);
	const char *slash;

	*out_length = 0;
	if (length <= NAME_LENGTH)
		return true;
	slash = strchr(name + length - NAME_LENGTH - 1, '/');
	if (!slash || !slash[1] || slash - name > PREFIX_LENGTH)
		return false;
	*out_length = (size_t)(slash - name);
	return true;
}

/* What of the name does not fit is cut off: a pax header has said it whole. */
static void set_name(struct header *header, const char *name)
{
	size_t prefix;

	if (find_prefix(name, &prefix) && prefix > 0) {
		memcpy(header->prefix, name, prefix);
		name += prefix + 1;
	}
	memcpy(header->name, name, strnlen(name, sizeof header->name));
}

static void add_block(struct buffer *out, const char *name, char type, int mode, int64_t size_bytes)
{
	struct header header = {.type = type, .magic = "ustar", .version = "00"};

	set_name(&header, name);
	set_octal(header.mode, 6, mode);
	set_octal(header.owner, 6, 0);
	set_octal(header.group, 6, 0);
	set_octal(header.size, 11, size_bytes);
	set_octal(header.time, 11, 0);
	set_octal(header.device_major, 6, 0);
	set_octal(header.device_minor, 6, 0);
	set_checksum(&header);
	buffer_add(out, &header, sizeof header);
}

/* "LENGTH KEY=VALUE\n", where LENGTH counts itself. */
static void add_record(struct buffer *out, const char *key, const char *value)
{
	size_t rest = strlen(key) + strlen(value) + 3;
	size_t length = rest + (size_t)snprintf(NULL, 0, "%zu", rest);

	length = rest + (size_t)snprintf(NULL, 0, "%zu", length);
	buffer_printf(out, "%zu %s=%s\n", length, key, value);
}

/* Readers differ in what they take names for that are not ASCII, unless a pax header has them. */
static bool needs_path(const char *name)
{
	size_t prefix;

	for (const char *byte = name; *byte; byte++) {
		if ((unsigned char)*byte >= 0x80)
			return true;
	}
	return !find_prefix(name, &prefix);
}

static void add_pax_header(struct buffer *out, const char *name, int64_t size_bytes)
{
	AUTO_BUFFER struct buffer records = {0};
	char size[24];

	if (needs_path(name))
		add_record(&records, "path", name);
	(void)snprintf(size, sizeof size, "%" PRId64, size_bytes);
	if (size_bytes > SIZE_MAX_BYTES)
		add_record(&records, "size", size);
	if (records.length == 0)
		return;
	add_block(out, "PaxHeader", 'x', 0644, (int64_t)records.length);
	buffer_add(out, records.data, records.length);
	ustar_add_padding(out, (int64_t)records.length);
}

void ustar_add_header(struct buffer *out, const char *name, bool is_folder, int64_t size_bytes)
{
	add_pax_header(out, name, size_bytes);
	add_block(out, name, is_folder ? '5' : '0', is_folder ? 0755 : 0644,
		size_bytes <= SIZE_MAX_BYTES ? size_bytes : 0);
}

void ustar_add_padding(struct buffer *out, int64_t size_bytes)
{
	static const char zeros[USTAR_BLOCK];

	buffer_add(out, zeros, (size_t)(-size_bytes & (USTAR_BLOCK - 1)));
}

void ustar_add_end(struct buffer *out)
{
	static const char zeros[2 * USTAR_BLOCK];

	buffer_add(out, zeros, sizeof zeros);
}

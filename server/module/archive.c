/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/archive.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/module/gunzip.h"
#include "server/module/tarheader.h"

enum { EXTENSION_MAX = 1 << 20, RECORD_BYTES = 10240 };

struct archive {
	struct stream content; /* first: the stream's address is ours */
	struct gunzip *gunzip;
	int64_t max_bytes;
	const uint8_t *piece; /* what is left of gunzip's block */
	size_t piece_length;
	int64_t offset; /* bytes of tar consumed */
	int64_t content_left;
	size_t content_padding; /* behind the content, to a whole block */
	int64_t padding;        /* behind the end, beyond a whole record */
	bool ended;
	enum archive_fault fault;
	struct err failure;
};

/* What the headers before a member's own say about it. */
struct extension {
	bool has_long_name; /* GNU */
	bool has_long_link;
	bool has_pax;
	struct pax_records pax;
	struct buffer name; /* GNU's long name or pax's path */
};

static void finish_extension(struct extension *extension)
{
	buffer_finish(&extension->name);
}

static const enum archive_fault fault_of_gunzip[] = {
	[GUNZIP_SOUND] = ARCHIVE_SOUND,
	[GUNZIP_BROKEN] = ARCHIVE_GZIP_BROKEN,
	[GUNZIP_TOO_LARGE] = ARCHIVE_TOO_LARGE,
	[GUNZIP_RATIO] = ARCHIVE_RATIO,
	[GUNZIP_SOURCE_FAILED] = ARCHIVE_SOURCE_FAILED,
};

static bool fail(struct archive *archive, enum archive_fault fault)
{
	archive->fault = fault;
	return false;
}

#define BROKEN(archive, ...) \
	(err_set(&(archive)->failure, ERR_INVALID_MODULE, __VA_ARGS__), fail((archive), ARCHIVE_TAR_BROKEN))

/* Makes sure that the piece has bytes, unless the tar is at its end. */
static bool refill(struct archive *archive)
{
	if (archive->piece_length > 0)
		return true;
	if (stream_next(gunzip_stream(archive->gunzip), &archive->piece, &archive->piece_length,
		    &archive->failure))
		return true;
	archive->piece_length = 0;
	return fail(archive, fault_of_gunzip[gunzip_fault(archive->gunzip)]);
}

/* Gives up to wanted bytes of the piece; *length is 0 only at the tar's end. */
static bool take(struct archive *archive, int64_t wanted, const uint8_t **data, size_t *length)
{
	if (!refill(archive))
		return false;
	*data = archive->piece;
	*length = (int64_t)archive->piece_length < wanted ? archive->piece_length : (size_t)wanted;
	archive->piece += *length;
	archive->piece_length -= *length;
	archive->offset += (int64_t)*length;
	return true;
}

static bool cut_off(struct archive *archive)
{
	return BROKEN(archive, "The tar is cut off at byte %" PRId64 ".", archive->offset);
}

/* Consumes count bytes, into *into where there is one. */
static bool consume(struct archive *archive, int64_t count, struct buffer *into)
{
	const uint8_t *data;
	size_t length;

	for (; count > 0; count -= (int64_t)length) {
		if (!take(archive, count, &data, &length))
			return false;
		if (length == 0)
			return cut_off(archive);
		if (into)
			buffer_add(into, data, length);
	}
	return true;
}

static bool read_block(struct archive *archive, uint8_t block[TAR_BLOCK])
{
	const uint8_t *data;
	size_t length;

	for (size_t filled = 0; filled < TAR_BLOCK; filled += length) {
		if (!take(archive, (int64_t)(TAR_BLOCK - filled), &data, &length))
			return false;
		if (length == 0)
			return filled == 0 ? BROKEN(archive,
						     "The tar ends at byte %" PRId64
						     " without its two blocks of zeros: it was cut off.",
						     archive->offset)
					   : cut_off(archive);
		memcpy(block + filled, data, length);
	}
	return true;
}

static bool all_zero(const uint8_t *bytes, size_t length)
{
	return length == 0 || (bytes[0] == 0 && memcmp(bytes, bytes + 1, length - 1) == 0);
}

static size_t padding_of(int64_t size)
{
	return (size_t)(-size & (TAR_BLOCK - 1));
}

/* The first block of zeros was read: one more must follow, then nothing but zeros, then gzip's end. */
static bool read_end(struct archive *archive)
{
	uint8_t block[TAR_BLOCK];
	const uint8_t *data;
	size_t length;
	int64_t usual;

	if (!read_block(archive, block))
		return false;
	if (!all_zero(block, sizeof block))
		return BROKEN(archive,
			"A lone block of zeros at byte %" PRId64
			" ends the tar for some readers and not for others.",
			archive->offset - 2 * TAR_BLOCK);
	usual = (archive->offset + RECORD_BYTES - 1) / RECORD_BYTES * RECORD_BYTES;
	do {
		if (!take(archive, INT64_MAX, &data, &length))
			return false;
		if (!all_zero(data, length))
			return BROKEN(archive,
				"There are bytes after the tar's end, at about byte %" PRId64 ".",
				archive->offset);
	} while (length > 0);
	archive->padding = archive->offset > usual ? archive->offset - usual : 0;
	archive->ended = true;
	return true;
}

/* Reads the content of an extension header. Readers look into its padding, so that must be empty. */
static bool read_extension_content(
	struct archive *archive, const struct tar_header *header, struct buffer *content)
{
	int64_t at = archive->offset - TAR_BLOCK;
	size_t padding = padding_of(header->size_bytes);

	if (header->size_bytes > EXTENSION_MAX || header->size_bytes == 0)
		return BROKEN(archive,
			"The extended header at byte %" PRId64 " is empty or larger than 1 MiB.", at);
	if (!consume(archive, header->size_bytes + (int64_t)padding, content))
		return false;
	if (!all_zero((const uint8_t *)content->data + header->size_bytes, padding))
		return BROKEN(
			archive, "The padding of the extended header at byte %" PRId64 " is not empty.", at);
	content->length = (size_t)header->size_bytes;
	content->data[content->length] = '\0';
	return true;
}

static bool check_name_length(struct archive *archive, size_t length)
{
	if (length <= ARCHIVE_NAME_MAX)
		return true;
	(void)err_set(&archive->failure, ERR_INVALID_MODULE,
		"The member at byte %" PRId64 " has a name of %zu bytes; at most %d are allowed.",
		archive->offset, length, ARCHIVE_NAME_MAX);
	return fail(archive, ARCHIVE_NAME_TOO_LONG);
}

static bool read_long_name(
	struct archive *archive, const struct tar_header *header, struct extension *extension)
{
	AUTO_BUFFER struct buffer content = {0};
	size_t length;

	if (!read_extension_content(archive, header, &content))
		return false;
	length = strlen(content.data);
	if (length == 0 || !all_zero((const uint8_t *)content.data + length, content.length - length))
		return BROKEN(archive, "The long name before byte %" PRId64 " is empty or has a NUL in it.",
			archive->offset);
	if (header->type == 'K') {
		extension->has_long_link = true;
		return true;
	}
	extension->has_long_name = true;
	buffer_add(&extension->name, content.data, length);
	return check_name_length(archive, length);
}

static bool read_pax(struct archive *archive, const struct tar_header *header, struct extension *extension)
{
	AUTO_BUFFER struct buffer content = {0};
	struct pax_records pax;
	const char *fault;

	if (!read_extension_content(archive, header, &content))
		return false;
	fault = pax_records_read(content.data, content.length, &pax);
	if (fault)
		return BROKEN(archive, "The pax header before byte %" PRId64 " cannot be trusted: %s.",
			archive->offset, fault);
	if (header->type == 'g') {
		if (pax.path || pax.has_size || pax.has_linkpath || pax.is_sparse)
			return BROKEN(archive,
				"The global pax header before byte %" PRId64
				" gives all members one name or size.",
				archive->offset);
		return true;
	}
	if (pax.path)
		buffer_add(&extension->name, pax.path, pax.path_length);
	extension->has_pax = true;
	extension->pax = pax;
	extension->pax.path = NULL;
	return check_name_length(archive, pax.path_length);
}

static bool is_extension(char type)
{
	return type == 'L' || type == 'K' || type == 'x' || type == 'g';
}

/* Readers disagree on which of two extended headers counts, so there may be one of a kind, and one kind. */
static bool is_ambiguous(const struct extension *extension, char type)
{
	switch (type) {
	case 'L':
		return extension->has_long_name || extension->has_pax;
	case 'K':
		return extension->has_long_link || extension->has_pax;
	default:
		return extension->has_long_name || extension->has_long_link || extension->has_pax;
	}
}

static bool read_extension(
	struct archive *archive, const struct tar_header *header, struct extension *extension)
{
	if (is_ambiguous(extension, header->type))
		return BROKEN(archive,
			"The extended header at byte %" PRId64 " contradicts or repeats the one before it.",
			archive->offset - TAR_BLOCK);
	if (header->type == 'L' || header->type == 'K')
		return read_long_name(archive, header, extension);
	return read_pax(archive, header, extension);
}

/* Reads up to a member's own header, and what the headers before it say. *found is false at the end of the
 * tar. */
static bool read_headers(
	struct archive *archive, struct tar_header *header, struct extension *extension, bool *found)
{
	uint8_t block[TAR_BLOCK];
	const char *fault;

	do {
		if (!read_block(archive, block))
			return false;
		*found = !all_zero(block, sizeof block);
		if (!*found && (extension->has_long_name || extension->has_long_link || extension->has_pax))
			return BROKEN(archive,
				"The tar ends at byte %" PRId64
				" with an extended header and no member behind it.",
				archive->offset);
		if (!*found)
			return read_end(archive);
		fault = tar_header_read(block, header);
		if (fault)
			return BROKEN(archive, "The tar header at byte %" PRId64 " cannot be trusted: %s.",
				archive->offset - TAR_BLOCK, fault);
		if (is_extension(header->type) && !read_extension(archive, header, extension))
			return false;
	} while (is_extension(header->type));
	return true;
}

/* Blocks that continue the map of a GNU sparse file do not count in its size. */
static bool skip_sparse_map(struct archive *archive, const struct tar_header *header)
{
	enum { CONTINUES_AT = 504 };
	uint8_t block[TAR_BLOCK];

	for (bool more = header->sparse_continues; more; more = block[CONTINUES_AT] != 0) {
		if (!read_block(archive, block))
			return false;
	}
	return true;
}

static enum member_kind kind_of(const struct tar_header *header, const struct extension *extension)
{
	if (extension->pax.is_sparse)
		return MEMBER_OTHER;
	switch (header->type) {
	case '0':
	case '7':
		return MEMBER_FILE;
	case '\0':
		return header->folder_by_slash ? MEMBER_FOLDER : MEMBER_FILE;
	case '5':
		return MEMBER_FOLDER;
	default:
		return MEMBER_OTHER;
	}
}

static void describe(
	const struct tar_header *header, const struct extension *extension, struct member *member)
{
	const char *name = extension->name.length ? extension->name.data : header->name;

	memcpy(member->name, name, strlen(name) + 1);
	member->kind = kind_of(header, extension);
	member->type = header->type;
	member->size_bytes = extension->pax.has_size ? extension->pax.size_bytes : header->size_bytes;
}

/* Where tarfile and tar see different members in the same bytes. */
static bool check_ambiguity(struct archive *archive, const struct member *member)
{
	size_t length = strlen(member->name);
	bool slash = length > 0 && member->name[length - 1] == '/';
	bool has_no_content = member->kind == MEMBER_FOLDER || (member->type >= '1' && member->type <= '6');

	if (member->kind == MEMBER_FILE && slash)
		return BROKEN(archive,
			"The member before byte %" PRId64 " is a file whose name ends with a slash.",
			archive->offset);
	if (has_no_content && member->size_bytes > 0)
		return BROKEN(archive,
			"The member before byte %" PRId64 " is a folder, link or device, yet has a size.",
			archive->offset);
	if (member->kind == MEMBER_FOLDER && member->type == '\0' && !slash)
		return BROKEN(archive,
			"The member before byte %" PRId64
			" is a folder in one header and a file in the other.",
			archive->offset);
	return true;
}

static bool check_room(struct archive *archive, const struct member *member)
{
	if (archive->max_bytes <= 0 || member->size_bytes <= archive->max_bytes - archive->offset)
		return true;
	(void)err_set(&archive->failure, ERR_INVALID_MODULE,
		"A member of %" PRId64 " bytes takes the archive over the limit of %" PRId64
		" unpacked bytes.",
		member->size_bytes, archive->max_bytes);
	return fail(archive, ARCHIVE_TOO_LARGE);
}

static bool read_member(struct archive *archive, struct member *member, bool *found)
{
	AUTO(finish_extension) struct extension extension = {0};
	struct tar_header header;

	*found = false;
	if (archive->ended)
		return true;
	if (!consume(archive, archive->content_left + (int64_t)archive->content_padding, NULL))
		return false;
	archive->content_left = 0;
	archive->content_padding = 0;
	if (!read_headers(archive, &header, &extension, found) || !*found)
		return archive->fault == ARCHIVE_SOUND;
	describe(&header, &extension, member);
	if (!skip_sparse_map(archive, &header) || !check_ambiguity(archive, member) ||
		!check_room(archive, member))
		return false;
	archive->content_left = member->size_bytes;
	archive->content_padding = padding_of(member->size_bytes);
	return true;
}

bool archive_next(struct archive *archive, struct member *member, bool *found, struct err *err)
{
	if (archive->fault == ARCHIVE_SOUND && read_member(archive, member, found))
		return true;
	*err = archive->failure;
	return false;
}

static bool next_content(struct stream *stream, const uint8_t **data, size_t *length, struct err *err)
{
	struct archive *archive = (struct archive *)stream;

	if (archive->fault == ARCHIVE_SOUND && archive->content_left == 0) {
		*length = 0;
		return true;
	}
	if (archive->fault != ARCHIVE_SOUND || !take(archive, archive->content_left, data, length) ||
		(*length == 0 && !cut_off(archive))) {
		*err = archive->failure;
		return false;
	}
	archive->content_left -= (int64_t)*length;
	return true;
}

struct archive *archive_create(struct stream *gzip, const struct archive_limits *limits)
{
	struct archive *archive = mem_zero(1, sizeof *archive);

	archive->content.next = next_content;
	archive->gunzip = gunzip_create(gzip, limits->unpacked_bytes, limits->ratio);
	archive->max_bytes = limits->unpacked_bytes;
	return archive;
}

void archive_destroy(struct archive *archive)
{
	if (!archive)
		return;
	gunzip_destroy(archive->gunzip);
	free(archive);
}

struct stream *archive_content(struct archive *archive)
{
	return &archive->content;
}

enum archive_fault archive_fault(const struct archive *archive)
{
	return archive->fault;
}

int64_t archive_unpacked_bytes(const struct archive *archive)
{
	return archive->offset;
}

int64_t archive_padding_bytes(const struct archive *archive)
{
	return archive->padding;
}

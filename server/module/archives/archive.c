/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/archives/archive.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/module/archives/advice.h"
#include "server/module/archives/extension.h"
#include "server/module/archives/magic.h"
#include "server/module/archives/sparse.h"
#include "server/module/archives/tape.h"

enum { ZEROS_BYTES = 64 << 10 };

static const uint8_t zeros[ZEROS_BYTES];

struct archive {
	struct stream content;
	struct tape tape;
	int64_t max_bytes;
	int64_t max_ratio;
	int64_t content_left;   /* of what is stored */
	size_t content_padding; /* behind the content, to a whole block */
	bool is_sparse;
	struct sparse_map map;
	int64_t holes;       /* bytes that were in no tar, so far */
	uint32_t crc_before; /* of all before the content */
	uint32_t passed_crc; /* of the last content that was passed */
	int64_t content_bytes;
	bool lacks_end;
	bool ended;
};

/* The whole gzip held less: clients take that, where no member is cut. */
static bool end_early(struct archive *archive)
{
	archive->lacks_end = true;
	archive->ended = true;
	return true;
}

/* The first block of zeros was read: one more should follow, then nothing but zeros, then gzip's end. */
static bool read_end(struct archive *archive)
{
	uint8_t block[TAR_BLOCK];
	const uint8_t *data;
	size_t length;

	if (!tape_fill_block(&archive->tape, block, &length))
		return false;
	if (!mem_is_zero(block, length))
		return TAPE_GARBLED(&archive->tape,
			"A lone block of zeros at byte %" PRId64
			" ends the tar for some readers and not for others",
			archive->tape.offset - (int64_t)length - TAR_BLOCK);
	if (length < TAR_BLOCK)
		return end_early(archive);
	do {
		if (!tape_take(&archive->tape, INT64_MAX, &data, &length))
			return false;
		if (!mem_is_zero(data, length))
			return TAPE_BROKEN(&archive->tape,
				"There are bytes after the tar's end, at about byte %" PRId64
				"; were tars joined, then unpack them into one folder and pack "
				"that: " ADVICE_PACK ".",
				archive->tape.offset);
	} while (length > 0);
	archive->ended = true;
	return true;
}

/* What is at the beginning of the tar says best what is wrong with all of it. */
static bool no_tar(struct archive *archive, const uint8_t *block, size_t length, const char *fault)
{
	const struct magic *magic = magic_find(block, length);
	const char *advice = magic->advice[MAGIC_FOR_TAR];
	int64_t at = archive->tape.offset - (int64_t)length;

	if (at == 0 && advice)
		return TAPE_BROKEN(&archive->tape, "Inside the gzip stream is no tar but %s; %s.",
			magic->meaning, advice);
	if (fault)
		return TAPE_GARBLED(&archive->tape,
			"The tar header at byte %" PRId64 " cannot be trusted: %s", at, fault);
	return tape_cut_off(&archive->tape);
}

/* A block of zeros, or no whole block. */
static bool end_tar(
	struct archive *archive, const uint8_t *block, size_t length, const struct extension *extension)
{
	if (extension->count > 0)
		return TAPE_GARBLED(&archive->tape,
			"The tar ends at byte %" PRId64 " with an extended header and no member behind it",
			archive->tape.offset);
	if (length == TAR_BLOCK)
		return read_end(archive);
	if (!mem_is_zero(block, length))
		return no_tar(archive, block, length, NULL);
	if (archive->tape.offset == (int64_t)length)
		return TAPE_GARBLED(&archive->tape, "The gzip stream holds no tar: %zu bytes", length);
	return end_early(archive);
}

/* Reads up to a member's own header, and what the headers before it say. *found is false at the end of the
 * tar. */
static bool read_headers(struct archive *archive, uint8_t block[TAR_BLOCK], struct tar_header *header,
	struct extension *extension, bool *found)
{
	const char *fault;
	size_t length;

	do {
		if (!tape_fill_block(&archive->tape, block, &length))
			return false;
		*found = length == TAR_BLOCK && !mem_is_zero(block, TAR_BLOCK);
		if (!*found)
			return end_tar(archive, block, length, extension);
		fault = tar_header_read(block, header);
		if (fault)
			return no_tar(archive, block, length, fault);
		if (extension_is(header->type) && !extension_read(&archive->tape, header, extension))
			return false;
	} while (extension_is(header->type));
	return true;
}

/* ---- sparse files ---- */

static bool judge_map(struct archive *archive, const char *fault)
{
	return !fault ||
	       TAPE_BROKEN(&archive->tape,
		       "The sparse file before byte %" PRId64
		       " cannot be trusted: %s; pack without -S (bsdtar: with --no-read-sparse): " ADVICE_PACK
		       ".",
		       archive->tape.offset, fault);
}

/* Blocks that continue the map do not count in the member's size. */
static bool read_gnu_map(
	struct archive *archive, uint8_t block[TAR_BLOCK], struct sparse_map *map, int64_t *real_bytes)
{
	bool continues;

	if (!judge_map(archive, tar_header_read_sparse(block, map, real_bytes, &continues)))
		return false;
	while (continues) {
		if (!tape_read_block(&archive->tape, block) ||
			!judge_map(archive, tar_sparse_block_read(block, map, &continues)))
			return false;
	}
	return true;
}

/* A map in the content is decimal numbers, each with a newline, in blocks that count in the member's size. */
struct map_lines {
	uint8_t block[TAR_BLOCK];
	size_t at;
	int64_t bytes;
};

static bool read_map_number(struct archive *archive, struct map_lines *lines, int64_t *out)
{
	enum { DIGITS_MAX = 18 };
	char digits[DIGITS_MAX + 1];
	size_t count = 0;

	for (;; lines->at++) {
		if (lines->at == TAR_BLOCK) {
			if (!tape_read_block(&archive->tape, lines->block))
				return false;
			lines->at = 0;
			lines->bytes += TAR_BLOCK;
		}
		if (lines->block[lines->at] == '\n' || count == sizeof digits)
			break;
		digits[count++] = (char)lines->block[lines->at];
	}
	lines->at++;
	return sparse_read_decimal(digits, count, out) || judge_map(archive, "its sparse map is garbage");
}

static bool read_content_map(struct archive *archive, struct sparse_map *map, int64_t *map_bytes)
{
	struct map_lines lines = {.at = TAR_BLOCK};
	int64_t pieces;
	int64_t offset;
	int64_t bytes;

	if (!read_map_number(archive, &lines, &pieces))
		return false;
	for (int64_t i = 0; i < pieces; i++) {
		if (!read_map_number(archive, &lines, &offset) || !read_map_number(archive, &lines, &bytes) ||
			!judge_map(archive, sparse_map_add(map, offset, bytes)))
			return false;
	}
	*map_bytes = lines.bytes;
	return true;
}

/* Only files have holes, and a header of GNU's first form has its map already. */
static bool is_of_two_kinds(const struct tar_header *header, const struct pax_records *pax)
{
	if (header->type == 'S')
		return pax->sparse != SPARSE_NONE || pax->has_size;
	return header->folder_by_slash ||
	       (header->type != '\0' && header->type != '0' && header->type != '7');
}

/* Reads the map, where there is one, and leaves in header->size_bytes what is stored behind it. */
static bool read_map(struct archive *archive, uint8_t block[TAR_BLOCK], struct tar_header *header,
	struct extension *extension)
{
	struct pax_records *pax = &extension->pax;
	int64_t map_bytes = 0;
	bool read = true;

	archive->is_sparse = header->type == 'S' || pax->sparse != SPARSE_NONE;
	if (!archive->is_sparse)
		return true;
	if (is_of_two_kinds(header, pax))
		return judge_map(archive, "it is of two kinds at once");
	archive->map = pax->map;
	pax->map = (struct sparse_map){0};
	if (header->type == 'S')
		read = read_gnu_map(archive, block, &archive->map, &pax->real_bytes);
	else if (pax->sparse == SPARSE_IN_CONTENT)
		read = read_content_map(archive, &archive->map, &map_bytes);
	header->size_bytes -= map_bytes;
	return read &&
	       judge_map(archive, sparse_map_close(&archive->map, pax->real_bytes, header->size_bytes));
}

static enum member_kind kind_of(const struct tar_header *header, const struct extension *extension)
{
	switch (header->type) {
	case '0':
	case '7':
	case 'S':
		return MEMBER_FILE;
	case '\0':
		return header->folder_by_slash ? MEMBER_FOLDER : MEMBER_FILE;
	case '5':
		return MEMBER_FOLDER;
	default:
		return MEMBER_OTHER;
	}
}

static void describe(const struct archive *archive, const struct tar_header *header,
	const struct extension *extension, struct member *member)
{
	const char *name = extension->name.length ? extension->name.data : header->name;

	memcpy(member->name, name, strlen(name) + 1);
	member->kind = kind_of(header, extension);
	member->type = header->type;
	member->is_sparse = archive->is_sparse;
	member->size_bytes = archive->is_sparse        ? archive->map.real_bytes
			     : extension->pax.has_size ? extension->pax.size_bytes
						       : header->size_bytes;
}

/* Where tarfile and tar see different members in the same bytes. */
static bool check_ambiguity(struct archive *archive, const struct member *member)
{
	size_t length = strlen(member->name);
	bool slash = length > 0 && member->name[length - 1] == '/';
	bool has_no_content = member->kind == MEMBER_FOLDER || (member->type >= '1' && member->type <= '6');

	if (member->kind == MEMBER_FILE && slash)
		return TAPE_GARBLED(&archive->tape,
			"The member before byte %" PRId64 " is a file whose name ends with a slash",
			archive->tape.offset);
	if (has_no_content && member->size_bytes > 0)
		return TAPE_GARBLED(&archive->tape,
			"The member before byte %" PRId64 " is a folder, link or device, yet has a size",
			archive->tape.offset);
	if (member->kind == MEMBER_FOLDER && member->type == '\0' && !slash)
		return TAPE_GARBLED(&archive->tape,
			"The member before byte %" PRId64
			" is a folder in one header and a file in the other",
			archive->tape.offset);
	return true;
}

static bool check_room(struct archive *archive, const struct member *member)
{
	int64_t unpacked = archive->tape.offset + archive->holes;

	if (archive->max_bytes <= 0 || member->size_bytes <= archive->max_bytes - unpacked)
		return true;
	(void)err_set(&archive->tape.failure, ERR_INVALID_MODULE,
		"A member of %" PRId64 " bytes takes the archive over the limit of %" PRId64
		" unpacked bytes.",
		member->size_bytes, archive->max_bytes);
	return tape_fail(&archive->tape, ARCHIVE_TOO_LARGE);
}

/* Holes unpack as zeros do that are stored, and are judged as these are: what lies behind them counts for
 * nothing yet, since it may never come. */
static bool count_hole(struct archive *archive, int64_t bytes)
{
	int64_t in = gunzip_bytes_in(archive->tape.gunzip);

	archive->holes += bytes;
	if (archive->max_ratio <= 0 || archive->tape.offset + archive->holes < GUNZIP_RATIO_FROM_BYTES ||
		(archive->tape.offset + archive->holes) / archive->max_ratio <= in)
		return true;
	(void)err_set(&archive->tape.failure, ERR_INVALID_MODULE,
		"The archive's sparse files unpack to more than %" PRId64 " times its size.",
		archive->max_ratio);
	return tape_fail(&archive->tape, ARCHIVE_RATIO);
}

/* Piece by piece to its end, so that the judgement is that on files which are read. */
static bool pass_sparse(struct archive *archive)
{
	bool is_hole;
	int64_t left;

	do {
		left = sparse_map_next(&archive->map, &is_hole);
		if (is_hole ? !count_hole(archive, left) : !tape_consume(&archive->tape, left, NULL))
			return false;
		sparse_map_advance(&archive->map, left);
	} while (left > 0);
	return true;
}

static uint32_t crc_of_content(struct archive *archive)
{
	return archive->is_sparse
		       ? 0
		       : tape_crc_since(&archive->tape, archive->crc_before, archive->content_bytes);
}

/* Goes past what is left of the member before. */
static bool pass_content(struct archive *archive)
{
	if (archive->is_sparse ? !pass_sparse(archive)
			       : !tape_consume(&archive->tape, archive->content_left, NULL))
		return false;
	archive->content_left = 0;
	if (archive->tape.offset > 0)
		archive->passed_crc = crc_of_content(archive);
	sparse_map_finish(&archive->map);
	archive->is_sparse = false;
	if (!tape_consume(&archive->tape, (int64_t)archive->content_padding, NULL))
		return false;
	archive->content_padding = 0;
	return true;
}

static void begin_content(struct archive *archive, int64_t stored_bytes)
{
	archive->content_left = stored_bytes;
	archive->content_bytes = stored_bytes;
	archive->content_padding = tape_padding(stored_bytes);
	archive->crc_before = tape_crc(&archive->tape);
}

static bool read_member(struct archive *archive, struct member *member, bool *found)
{
	AUTO(extension_finish) struct extension extension = {0};
	uint8_t block[TAR_BLOCK];
	struct tar_header header;

	*found = false;
	if (archive->ended)
		return true;
	if (!pass_content(archive))
		return false;
	if (!read_headers(archive, block, &header, &extension, found) || !*found)
		return archive->tape.fault == ARCHIVE_SOUND;
	if (!read_map(archive, block, &header, &extension))
		return false;
	describe(archive, &header, &extension, member);
	if (!check_ambiguity(archive, member) || !check_room(archive, member))
		return false;
	begin_content(archive, archive->is_sparse ? archive->map.stored_bytes : member->size_bytes);
	return true;
}

bool archive_next(struct archive *archive, struct member *member, bool *found, struct err *err)
{
	if (archive->tape.fault == ARCHIVE_SOUND && read_member(archive, member, found))
		return true;
	*err = archive->tape.failure;
	return false;
}

static bool take_content(struct archive *archive, int64_t wanted, const uint8_t **data, size_t *length)
{
	if (!tape_take(&archive->tape, wanted, data, length) ||
		(*length == 0 && !tape_cut_off(&archive->tape)))
		return false;
	archive->content_left -= (int64_t)*length;
	return true;
}

static bool take_sparse(struct archive *archive, const uint8_t **data, size_t *length)
{
	bool is_hole;
	int64_t left = sparse_map_next(&archive->map, &is_hole);

	if (is_hole) {
		*data = zeros;
		*length = left < ZEROS_BYTES ? (size_t)left : ZEROS_BYTES;
		if (!count_hole(archive, (int64_t)*length))
			return false;
	} else if (!take_content(archive, left, data, length)) {
		return false;
	}
	sparse_map_advance(&archive->map, (int64_t)*length);
	return true;
}

static bool next_content(struct stream *stream, const uint8_t **data, size_t *length, struct err *err)
{
	struct archive *archive = CONTAINER_OF(stream, struct archive, content);

	*length = 0;
	if (archive->tape.fault == ARCHIVE_SOUND &&
		(archive->is_sparse ? take_sparse(archive, data, length)
			: archive->content_left > 0
				? take_content(archive, archive->content_left, data, length)
				: true))
		return true;
	*err = archive->tape.failure;
	return false;
}

struct archive *archive_create(struct stream *gzip, const struct archive_limits *limits)
{
	struct archive *archive = mem_zero(1, sizeof *archive);

	archive->content.next = next_content;
	archive->tape.gunzip = gunzip_create(gzip, limits->max_unpacked_bytes, limits->max_ratio);
	archive->max_bytes = limits->max_unpacked_bytes;
	archive->max_ratio = limits->max_ratio;
	return archive;
}

void archive_destroy(struct archive *archive)
{
	if (!archive)
		return;
	gunzip_destroy(archive->tape.gunzip);
	sparse_map_finish(&archive->map);
	free(archive);
}

struct stream *archive_content(struct archive *archive)
{
	return &archive->content;
}

enum archive_fault archive_fault(const struct archive *archive)
{
	return archive->tape.fault;
}

int64_t archive_unpacked_bytes(const struct archive *archive)
{
	return archive->tape.offset;
}

uint32_t archive_passed_crc(const struct archive *archive)
{
	return archive->passed_crc;
}

bool archive_lacks_end(const struct archive *archive)
{
	return archive->lacks_end;
}

bool archive_has_gzip_extra(const struct archive *archive)
{
	return gunzip_has_extra(archive->tape.gunzip);
}

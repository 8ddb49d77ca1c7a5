/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/archives/extension.h"

#include <inttypes.h>
#include <string.h>

#include "common/mem.h"
#include "server/module/archives/advice.h"
#include "server/module/archives/membername.h"

/* Python's tarfile goes three calls deeper for each, of the thousand that it has. */
enum { EXTENSIONS_MAX = 100, EXTENSION_MAX = 1 << 20 };

void extension_finish(struct extension *extension)
{
	pax_records_finish(&extension->pax);
	buffer_finish(&extension->name);
}

/* Reads the content of an extension header. Readers look into its padding, so that must be empty. */
static bool read_extension_content(struct tape *tape, const struct tar_header *header, struct buffer *content)
{
	int64_t at = tape->offset - TAR_BLOCK;
	size_t padding = tape_padding(header->size_bytes);

	if (header->size_bytes > EXTENSION_MAX || header->size_bytes == 0)
		return TAPE_GARBLED(
			tape, "The extended header at byte %" PRId64 " is empty or larger than 1 MiB", at);
	if (!tape_consume(tape, header->size_bytes + (int64_t)padding, content))
		return false;
	if (!mem_is_zero(content->data + header->size_bytes, padding))
		return TAPE_GARBLED(
			tape, "The padding of the extended header at byte %" PRId64 " is not empty", at);
	content->length = (size_t)header->size_bytes;
	content->data[content->length] = '\0';
	return true;
}

static bool check_name_length(struct tape *tape, size_t length)
{
	if (length <= ARCHIVE_NAME_MAX)
		return true;
	(void)err_set(&tape->failure, ERR_INVALID_MODULE,
		"The member at byte %" PRId64
		" has a name of %zu bytes; at most %d, and %d between two slashes: shorten it.",
		tape->offset, length, MEMBERNAME_MAX, MEMBERNAME_SEGMENT_MAX);
	return tape_fail(tape, ARCHIVE_NAME_TOO_LONG);
}

static bool read_long_name(struct tape *tape, const struct tar_header *header, struct extension *extension)
{
	AUTO_BUFFER struct buffer content = {0};
	size_t length;

	if (!read_extension_content(tape, header, &content))
		return false;
	length = strlen(content.data);
	if (length == 0 || !mem_is_zero(content.data + length, content.length - length))
		return TAPE_GARBLED(tape, "The long name before byte %" PRId64 " is empty or has a NUL in it",
			tape->offset);
	if (header->type == 'K') {
		extension->has_long_link = true;
		return true;
	}
	extension->has_long_name = true;
	buffer_add(&extension->name, content.data, length);
	return check_name_length(tape, length);
}

static bool judge_global(struct tape *tape, struct pax_records *pax)
{
	bool is_harmless = !pax->path && !pax->has_size && !pax->has_linkpath && pax->sparse == SPARSE_NONE;

	pax_records_finish(pax);
	return is_harmless ||
	       TAPE_BROKEN(tape,
		       "The global pax header before byte %" PRId64
		       " gives all members one name or size; pack without --pax-option: " ADVICE_PACK ".",
		       tape->offset);
}

/* The name is copied, since the records go. */
static bool take_pax_name(struct tape *tape, struct extension *extension)
{
	struct pax_records *pax = &extension->pax;
	const char *name = pax->sparse_name ? pax->sparse_name : pax->path;
	size_t length = pax->sparse_name ? pax->sparse_name_length : pax->path_length;

	if (pax->path && pax->sparse_name &&
		(pax->path_length != length || memcmp(pax->path, name, length) != 0))
		return TAPE_GARBLED(tape,
			"The pax header before byte %" PRId64 " gives a sparse file two names", tape->offset);
	if (name)
		buffer_add(&extension->name, name, length);
	pax->path = NULL;
	pax->sparse_name = NULL;
	return check_name_length(tape, length);
}

static bool read_pax(struct tape *tape, const struct tar_header *header, struct extension *extension)
{
	AUTO_BUFFER struct buffer content = {0};
	struct pax_records pax;
	const char *fault;

	if (!read_extension_content(tape, header, &content))
		return false;
	fault = pax_records_read(content.data, content.length, &pax);
	if (fault)
		return TAPE_GARBLED(tape, "The pax header before byte %" PRId64 " cannot be trusted: %s",
			tape->offset, fault);
	if (header->type == 'g')
		return judge_global(tape, &pax);
	extension->has_pax = true;
	extension->pax = pax;
	return take_pax_name(tape, extension);
}

bool extension_is(char type)
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

bool extension_read(struct tape *tape, const struct tar_header *header, struct extension *extension)
{
	if (++extension->count > EXTENSIONS_MAX)
		return TAPE_GARBLED(tape, "More than %d extended headers in a row end at byte %" PRId64,
			EXTENSIONS_MAX, tape->offset);
	if (is_ambiguous(extension, header->type))
		return TAPE_GARBLED(tape,
			"The extended header at byte %" PRId64 " contradicts or repeats the one before it",
			tape->offset - TAR_BLOCK);
	if (header->type == 'L' || header->type == 'K')
		return read_long_name(tape, header, extension);
	return read_pax(tape, header, extension);
}

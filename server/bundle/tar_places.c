/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/tar_places.h"

#include <string.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/number.h"
#include "server/module/archives/tarheader.h"

/* libarchive does not tell where in the file a member's bytes lie; they are not to be copied before it is
 * known which of them are wanted. Long names and sparse files are nothing that a bundle has. */

/* Of zeros behind its end a tar has some blocks, however it was written to the medium. */
enum { PAX_BYTES_MAX = 64 << 10, END_BYTES_MAX = 64 << 20 };

const char *const layout_file_names[LAYOUT_FILE_COUNT] = {
	[LAYOUT_INDEX] = "index.json", [LAYOUT_MARK] = "oci-layout"};

static const char blobs_folder[] = "blobs/sha256/";

struct scan {
	struct reel *reel;
	struct blob_places *blobs;
	struct tar_place *files;
	int64_t offset;   /* of the next header */
	bool has_size;    /* a pax header has told the next member's */
	int64_t pax_size; /* … so */
	char name[TAR_NAME_MAX + 1];
};

/* ---- reading ---- */

static bool read_whole(struct scan *scan, void *bytes, size_t length, int64_t offset, struct err *err)
{
	size_t got;

	if (!reel_read_at(scan->reel, bytes, length, offset, &got, err))
		return false;
	return got == length ||
	       err_set(err, ERR_BAD_REQUEST,
		       "%.150s ends in the middle: it was not copied as a whole; copy it again",
		       reel_file_at(scan->reel, offset));
}

/* What does not fill a block is zeros; who has other things there has a damaged copy. */
static bool check_padding(struct scan *scan, int64_t end, struct err *err)
{
	uint8_t padding[TAR_BLOCK];
	size_t length = (size_t)(-end & (TAR_BLOCK - 1));

	if (!read_whole(scan, padding, length, end, err))
		return false;
	return mem_is_zero(padding, length) ||
	       err_set(err, ERR_BAD_REQUEST,
		       "%.150s has bytes between its members that do not belong there: it is damaged; copy "
		       "it again",
		       reel_file_at(scan->reel, end));
}

static bool check_end(struct scan *scan, struct err *err)
{
	uint8_t block[4096];
	int64_t size = reel_size(scan->reel);

	if (size - scan->offset > END_BYTES_MAX)
		return err_set(err, ERR_BAD_REQUEST,
			"%.150s goes on behind its end for %s: it is damaged, or no bundle's; copy it again",
			reel_file_at(scan->reel, size - 1), number_size(size - scan->offset).text);
	while (scan->offset < size) {
		size_t got;

		if (!reel_read_at(scan->reel, block, sizeof block, scan->offset, &got, err))
			return false;
		if (!mem_is_zero(block, got))
			return err_set(err, ERR_BAD_REQUEST,
				"%.150s goes on behind its end: it is damaged, or several tars in one; make "
				"a single one of the bundle's folder",
				reel_file_at(scan->reel, scan->offset));
		scan->offset += (int64_t)got;
	}
	return true;
}

/* ---- members ---- */

static bool refuse_name(const struct scan *scan, const char *why, struct err *err)
{
	char shown[TAR_NAME_MAX + 1];

	(void)strcpy(shown, scan->name);
	for (char *c = shown; *c; c++)
		*c = *c < ' ' || *c == 0x7F ? '?' : *c;
	return err_set(err, ERR_BAD_REQUEST,
		"\"%.150s\" in the bundle's tar %s: it is none that \"larder export\" or an OCI tool writes",
		shown, why);
}

static bool refuse_double(const struct scan *scan, struct err *err)
{
	return refuse_name(scan, "is there twice", err);
}

static bool take_blob(struct scan *scan, const char *hex, const struct tar_place *place, struct err *err)
{
	struct digest digest;
	bool is_new;

	if (strlen(hex) != 64 || strspn(hex, "0123456789abcdef") != 64 || !digest_parse(hex, &digest))
		return refuse_name(scan, "is not named by a sha256", err);
	return blob_places_add(scan->blobs, &digest, place->offset, place->size_bytes, &is_new, err) &&
	       (is_new || refuse_double(scan, err));
}

static bool take_file(struct scan *scan, const struct tar_place *place, struct err *err)
{
	size_t length = sizeof blobs_folder - 1;

	if (strncmp(scan->name, blobs_folder, length) == 0)
		return take_blob(scan, scan->name + length, place, err);
	for (size_t i = 0; i < LAYOUT_FILE_COUNT; i++) {
		if (strcmp(scan->name, layout_file_names[i]) != 0)
			continue;
		if (scan->files[i].offset != 0)
			return refuse_double(scan, err);
		scan->files[i] = *place;
		return true;
	}
	return refuse_name(scan, "is no part of a bundle", err);
}

static bool check_folder(const struct scan *scan, struct err *err)
{
	static const char *const folders[] = {"", ".", "blobs", "blobs/", "blobs/sha256", "blobs/sha256/"};

	for (size_t i = 0; i < sizeof folders / sizeof *folders; i++) {
		if (strcmp(scan->name, folders[i]) == 0)
			return true;
	}
	return refuse_name(scan, "is no folder of a bundle", err);
}

static bool take_member(
	struct scan *scan, const struct tar_header *header, const struct tar_place *place, struct err *err)
{
	const char *name = header->name;

	if (strncmp(name, "./", 2) == 0)
		name += 2;
	(void)strcpy(scan->name, name);
	if (header->type == '5' || header->folder_by_slash)
		return check_folder(scan, err);
	return header->type == '0' || header->type == '\0' ? take_file(scan, place, err)
							   : refuse_name(scan, "is no file", err);
}

/* Only a size is looked for: what else there is to tell of such names is told by their headers. */
static bool read_pax(struct scan *scan, const struct tar_place *place, bool for_all, struct err *err)
{
	AUTO_FREE char *text = NULL;
	AUTO(pax_records_finish) struct pax_records records = {0};
	const char *fault;

	if (place->size_bytes > PAX_BYTES_MAX)
		return refuse_name(scan, "has a header that is too long", err);
	text = mem_zero(1, (size_t)place->size_bytes + 1);
	if (!read_whole(scan, text, (size_t)place->size_bytes, place->offset, err))
		return false;
	fault = pax_records_read(text, (size_t)place->size_bytes, &records);
	if (fault)
		return refuse_name(scan, fault, err);
	if (records.path || records.has_linkpath || records.sparse != SPARSE_NONE || records.sparse_name)
		return refuse_name(scan, "has another name than its header says", err);
	if (for_all)
		return true;
	scan->has_size = records.has_size;
	scan->pax_size = records.size_bytes;
	return true;
}

static bool take_header(struct scan *scan, const struct tar_header *header, struct err *err)
{
	int64_t at = scan->offset + TAR_BLOCK;
	bool is_pax = header->type == 'x' || header->type == 'g';
	struct tar_place place = {at, header->size_bytes};

	if (!is_pax && scan->has_size)
		place.size_bytes = scan->pax_size;
	/* Cut off, or a size that nobody should believe: either way there is no more than this. */
	if (place.size_bytes > reel_size(scan->reel) - at)
		return err_set(err, ERR_BAD_REQUEST,
			"%.150s ends in the middle of %.100s: it was not copied as a whole; copy it again",
			reel_file_at(scan->reel, reel_size(scan->reel) - 1), header->name);
	scan->offset = at + place.size_bytes + (-place.size_bytes & (TAR_BLOCK - 1));
	if (is_pax)
		return read_pax(scan, &place, header->type == 'g', err);
	scan->has_size = false;
	return take_member(scan, header, &place, err) &&
	       check_padding(scan, place.offset + place.size_bytes, err);
}

static bool refuse_other_file(
	const struct scan *scan, const uint8_t *block, const char *fault, struct err *err)
{
	const char *file = reel_file_at(scan->reel, scan->offset);

	if (scan->offset == 0 && block[0] == 0x1F && block[1] == 0x8B)
		return err_set(err, ERR_BAD_REQUEST,
			"%.200s is compressed: unpack it with gunzip before; what is in it is not made "
			"smaller by that",
			file);
	if (scan->offset == 0)
		return err_set(err, ERR_BAD_REQUEST,
			"%.150s is no bundle: %.100s; give a folder or a tar that \"larder export\" has made",
			file, fault);
	return err_set(err, ERR_BAD_REQUEST, "%.150s is damaged, at byte %lld: %.100s; copy it again", file,
		(long long)scan->offset, fault);
}

bool tar_places_read(struct reel *reel, struct blob_places *blobs, struct tar_place files[LAYOUT_FILE_COUNT],
	struct err *err)
{
	struct scan scan = {.reel = reel, .blobs = blobs, .files = files};
	struct tar_header header;
	uint8_t block[TAR_BLOCK];

	for (;;) {
		const char *fault;

		if (!read_whole(&scan, block, sizeof block, scan.offset, err))
			return false;
		if (mem_is_zero(block, sizeof block))
			return check_end(&scan, err);
		fault = tar_header_read(block, &header);
		if (fault)
			return refuse_other_file(&scan, block, fault, err);
		if (!take_header(&scan, &header, err))
			return false;
	}
}

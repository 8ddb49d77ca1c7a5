/* SPDX-License-Identifier: Apache-2.0 */
#include <archive.h>
#include <archive_entry.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/mem.h"
#include "server/bundle/outlet.h"
#include "server/bundle/volumes.h"

struct tar_outlet {
	struct outlet outlet;
	struct volumes *volumes;
	struct archive *archive;
	/* The first of the volumes. The library does not hear of it, since it would leave what it has open.
	 */
	struct err failure;
};

static struct tar_outlet *tar_of(struct outlet *outlet)
{
	return CONTAINER_OF(outlet, struct tar_outlet, outlet);
}

/* Whether what was asked of the library is done in truth. */
static bool succeeded(struct tar_outlet *tar, bool done, struct err *err)
{
	const char *words = archive_error_string(tar->archive);

	if (tar->failure.code != ERR_NONE) {
		*err = tar->failure;
		return false;
	}
	return done || err_set(err, ERR_INTERNAL, "the tar cannot be written: %.200s",
			       words ? words : "no reason given");
}

static la_ssize_t write_bytes(struct archive *archive, void *context, const void *bytes, size_t length)
{
	struct tar_outlet *tar = context;

	if (tar->failure.code == ERR_NONE)
		(void)volumes_write(tar->volumes, bytes, length, &tar->failure);
	return (la_ssize_t)length;
}

/* ---- entries ---- */

static bool begin_entry(struct tar_outlet *tar, const char *name, int64_t size, struct err *err)
{
	struct archive_entry *entry = archive_entry_new();
	bool done;

	if (!entry)
		return err_set(err, ERR_INTERNAL, "memory is exhausted");
	archive_entry_set_pathname(entry, name);
	archive_entry_set_size(entry, size);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0644);
	archive_entry_set_mtime(entry, 0, 0);
	done = archive_write_header(tar->archive, entry) == ARCHIVE_OK;
	archive_entry_free(entry);
	return succeeded(tar, done, err);
}

static bool write_block(void *context, const void *bytes, size_t length, struct err *err)
{
	struct tar_outlet *tar = context;

	return succeeded(tar, archive_write_data(tar->archive, bytes, length) == (la_ssize_t)length, err);
}

static bool end_entry(struct tar_outlet *tar, struct err *err)
{
	return succeeded(tar, archive_write_finish_entry(tar->archive) == ARCHIVE_OK, err);
}

static bool add_file(
	struct tar_outlet *tar, const char *name, const void *bytes, size_t length, struct err *err)
{
	return begin_entry(tar, name, (int64_t)length, err) && write_block(tar, bytes, length, err) &&
	       end_entry(tar, err);
}

static bool put(
	struct outlet *outlet, const struct digest *digest, const void *bytes, size_t length, struct err *err)
{
	AUTO_FREE char *name = mem_printf("blobs/sha256/%s", digest->hex);

	return add_file(tar_of(outlet), name, bytes, length, err);
}

static bool copy(struct outlet *outlet, const struct bundle_blob *blob, int fd, struct outlet_watch *watch,
	struct err *err)
{
	struct tar_outlet *tar = tar_of(outlet);
	AUTO_FREE char *name = mem_printf("blobs/sha256/%s", blob->digest.hex);

	return begin_entry(tar, name, blob->size_bytes, err) &&
	       outlet_pump(blob, fd, watch, write_block, tar, err) && end_entry(tar, err);
}

static bool set_index(struct outlet *outlet, const char *text, size_t length, struct err *err)
{
	return add_file(tar_of(outlet), "index.json", text, length, err);
}

static bool commit(struct outlet *outlet, const struct digest_set *wanted, struct err *err)
{
	struct tar_outlet *tar = tar_of(outlet);

	if (!succeeded(tar, archive_write_close(tar->archive) == ARCHIVE_OK, err) ||
		!volumes_commit(tar->volumes, err))
		return false;
	outlet->pieces = volumes_pieces(tar->volumes);
	return true;
}

/* The library writes the end of a tar that has none: to nowhere. */
static void close_tar(struct outlet *outlet)
{
	struct tar_outlet *tar = tar_of(outlet);

	if (tar->failure.code == ERR_NONE)
		(void)err_set(&tar->failure, ERR_INTERNAL, "given up");
	if (tar->archive)
		(void)archive_write_free(tar->archive);
	volumes_close(tar->volumes);
	free(tar);
}

static const struct outlet_kind tar_kind = {put, copy, set_index, commit, close_tar};

/* Unblocked: what is written goes out as it comes, and nothing is behind the two blocks of the end. */
static bool open_archive(struct tar_outlet *tar, struct err *err)
{
	tar->archive = archive_write_new();
	if (!tar->archive)
		return err_set(err, ERR_INTERNAL, "memory is exhausted");
	return succeeded(tar,
		archive_write_set_format_pax_restricted(tar->archive) == ARCHIVE_OK &&
			archive_write_set_bytes_per_block(tar->archive, 0) == ARCHIVE_OK &&
			archive_write_open(tar->archive, tar, NULL, write_bytes, NULL) == ARCHIVE_OK,
		err);
}

static bool begin(struct tar_outlet *tar, struct err *err)
{
	return open_archive(tar, err) &&
	       add_file(tar, "oci-layout", outlet_layout, strlen(outlet_layout), err);
}

bool outlet_open_tar(
	const char *path, int64_t split_bytes, bool replace, struct outlet **out, struct err *err)
{
	struct tar_outlet *tar = mem_zero(1, sizeof *tar);
	AUTO_OUTLET struct outlet *outlet = &tar->outlet;

	tar->outlet.kind = &tar_kind;
	if (!volumes_open(path, split_bytes, replace, &tar->volumes, err) || !begin(tar, err))
		return false;
	*out = TAKE(outlet);
	return true;
}

bool outlet_prove_tar(const char *path, int64_t split_bytes, struct outlet **out, struct err *err)
{
	struct tar_outlet *tar = mem_zero(1, sizeof *tar);
	AUTO_OUTLET struct outlet *outlet = &tar->outlet;

	tar->outlet.kind = &tar_kind;
	if (!volumes_prove(path, split_bytes, &tar->volumes, err) || !begin(tar, err))
		return false;
	*out = TAKE(outlet);
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/carrier.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/container.h"
#include "common/file.h"
#include "common/mem.h"
#include "server/bundle/blob_places.h"
#include "server/bundle/medium.h"
#include "server/bundle/mistaken.h"
#include "server/bundle/reel.h"
#include "server/bundle/strictjson.h"
#include "server/bundle/tar_places.h"

/* A medium gives large pieces fastest. */
enum { BLOCK_BYTES = 256 << 10, MARK_BYTES_MAX = 4096, MARK_VALUES_MAX = 100 };

struct carrier {
	char *path;
	int folder_fd; /* -1: a tar */
	int blobs_fd;
	struct reel *reel;
	struct blob_places *places;
	struct tar_place files[LAYOUT_FILE_COUNT];
};

void carrier_close(struct carrier *carrier)
{
	if (!carrier)
		return;
	own_close(&carrier->folder_fd);
	own_close(&carrier->blobs_fd);
	blob_places_close(carrier->places);
	reel_close(carrier->reel);
	free(carrier->path);
	free(carrier);
}

/* ---- opening ---- */

static const char blobs_folder[] = "blobs/sha256/";

/* How it is told of; free() it. */
static char *blob_path(const struct carrier *carrier, const struct digest *digest)
{
	return mem_printf("%s/%s%s", carrier->path, blobs_folder, digest->hex);
}

static char *file_path(const struct carrier *carrier, enum layout_file which)
{
	return mem_printf("%s/%s", carrier->path, layout_file_names[which]);
}

/* The same for whatever is put in its place. */
static bool open_in(
	int folder_fd, const char *name, const char *path, int *out_fd, int64_t *out_bytes, struct err *err)
{
	AUTO_FD int fd = openat(folder_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	struct stat status;

	if (fd < 0 && errno == ELOOP)
		return err_set(err, ERR_BAD_REQUEST, "%s is a link: a bundle has files only", name);
	if (fd < 0)
		return medium_unread(err, errno, "open", path);
	if (fstat(fd, &status) < 0)
		return medium_unread(err, errno, "look at", path);
	if (!S_ISREG(status.st_mode))
		return err_set(err, ERR_BAD_REQUEST, "%s is no file", name);
	*out_bytes = status.st_size;
	*out_fd = TAKE_FD(fd);
	return true;
}

/* One after the other: neither may be a link. 0, or the errno that it failed with. */
static int open_blobs(struct carrier *carrier)
{
	AUTO_FD int blobs_fd =
		openat(carrier->folder_fd, "blobs", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (blobs_fd < 0)
		return errno;
	carrier->blobs_fd = openat(blobs_fd, "sha256", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	return carrier->blobs_fd < 0 ? errno : 0;
}

static bool open_folder(struct carrier *carrier, struct err *err)
{
	int failure;

	carrier->folder_fd = open(carrier->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (carrier->folder_fd < 0)
		return medium_unread(err, errno, "open", carrier->path);
	failure = open_blobs(carrier);
	if (failure == 0)
		return true;
	if (failure != ENOENT && failure != ENOTDIR && failure != ELOOP)
		return medium_unread(err, failure, "open the blobs of", carrier->path);
	(void)err_set(err, ERR_BAD_REQUEST,
		"%.200s is no bundle, as it has no folder blobs/sha256: give a folder or a tar that "
		"\"larder export\" has made",
		carrier->path);
	mistaken_folder(carrier->path, err);
	return false;
}

static bool open_tar(struct carrier *carrier, const struct scratch_place *scratch, struct err *err)
{
	if (!reel_open(carrier->path, &carrier->reel, err) ||
		!blob_places_open(scratch, &carrier->places, err))
		return false;
	if (tar_places_read(carrier->reel, carrier->places, carrier->files, err))
		return true;
	/* Which of its pieces it is tells more than what was found in it. */
	if (reel_prove(carrier->reel, NULL, NULL, err))
		mistaken_file(carrier->path, err);
	return false;
}

bool carrier_prove_pieces(struct carrier *carrier, void (*shown)(void *context, int64_t done, int64_t total),
	void *context, struct err *err)
{
	return !carrier->reel || reel_prove(carrier->reel, shown, context, err);
}

static bool read_file(
	struct carrier *carrier, enum layout_file which, size_t limit, struct buffer *out, struct err *err);

/* Whatever else has a folder of blobs is none of ours. */
static bool check_mark(struct carrier *carrier, struct err *err)
{
	AUTO_BUFFER struct buffer text = {0};
	json_auto_t *mark = NULL;
	const char *version;
	struct err why;

	if (!read_file(carrier, LAYOUT_MARK, MARK_BYTES_MAX, &text, err))
		return false;
	(void)strictjson_parse(buffer_string(&text), text.length, MARK_VALUES_MAX, &mark, &why);
	version = strictjson_text(mark, "imageLayoutVersion");
	return (version && strcmp(version, "1.0.0") == 0) ||
	       err_set(err, ERR_BAD_REQUEST,
		       "the file oci-layout in %.200s is damaged, or that of another version: copy the "
		       "bundle again",
		       carrier->path);
}

static bool open_carrier(struct carrier *carrier, const struct scratch_place *scratch, struct err *err)
{
	struct stat status;
	bool is_there = stat(carrier->path, &status) == 0;

	/* It may be the name of the whole, of which there are pieces. */
	if (!is_there && errno != ENOENT)
		return medium_unread(err, errno, "look at", carrier->path);
	return (is_there && S_ISDIR(status.st_mode) ? open_folder(carrier, err)
						    : open_tar(carrier, scratch, err)) &&
	       check_mark(carrier, err);
}

bool carrier_open(
	const char *path, const struct scratch_place *scratch, struct carrier **out, struct err *err)
{
	AUTO_CARRIER struct carrier *carrier = mem_zero(1, sizeof *carrier);

	carrier->folder_fd = carrier->blobs_fd = -1;
	carrier->path = mem_dup(path);
	if (!open_carrier(carrier, scratch, err))
		return false;
	*out = TAKE(carrier);
	return true;
}

bool carrier_open_file(int fd, const char *name, const struct scratch_place *scratch,
	const _Atomic bool *stop, struct carrier **out, struct err *err)
{
	AUTO_CARRIER struct carrier *carrier = mem_zero(1, sizeof *carrier);

	carrier->folder_fd = carrier->blobs_fd = -1;
	carrier->path = mem_dup(name);
	if (!reel_open_file(fd, name, stop, &carrier->reel, err) ||
		!blob_places_open(scratch, &carrier->places, err) ||
		!tar_places_read(carrier->reel, carrier->places, carrier->files, err) ||
		!check_mark(carrier, err))
		return false;
	*out = TAKE(carrier);
	return true;
}

/* ---- what is no blob ---- */

static bool lacks_file(const struct carrier *carrier, enum layout_file which, struct err *err)
{
	return err_set(err, ERR_BAD_REQUEST,
		"%.200s has no %s: it is no bundle, or its export or its copy has not come to its end; do it "
		"again",
		carrier->path, layout_file_names[which]);
}

/* Where the file is; fd is that of its own where there is one. */
static bool find_file(
	struct carrier *carrier, enum layout_file which, int *fd, struct tar_place *out, struct err *err)
{
	AUTO_FREE char *path = NULL;

	*out = carrier->files[which];
	if (carrier->reel)
		return out->offset != 0 || lacks_file(carrier, which, err);
	out->offset = 0;
	path = file_path(carrier, which);
	return open_in(carrier->folder_fd, layout_file_names[which], path, fd, &out->size_bytes, err) ||
	       (err->code == ERR_NOT_FOUND && lacks_file(carrier, which, err));
}

/* path: NULL for what is in a reel, which names its files. */
static bool read_at(struct carrier *carrier, int fd, const char *path, void *bytes, size_t length,
	int64_t offset, size_t *out_read, struct err *err)
{
	return path ? medium_read(fd, path, bytes, length, offset, out_read, err)
		    : reel_read_at(carrier->reel, bytes, length, offset, out_read, err);
}

static bool read_file(
	struct carrier *carrier, enum layout_file which, size_t limit, struct buffer *out, struct err *err)
{
	AUTO_FREE char *text = NULL;
	AUTO_FREE char *path = NULL;
	AUTO_FD int fd = -1;
	struct tar_place place;
	size_t got;

	if (!find_file(carrier, which, &fd, &place, err))
		return false;
	if (place.size_bytes > (int64_t)limit)
		return err_set(err, ERR_TOO_LARGE, "%s in %.200s has more than %zu bytes: it is no bundle's",
			layout_file_names[which], carrier->path, limit);
	text = mem_zero(1, (size_t)place.size_bytes + 1);
	path = carrier->reel ? NULL : file_path(carrier, which);
	if (!read_at(carrier, fd, path, text, (size_t)place.size_bytes, place.offset, &got, err))
		return false;
	buffer_add(out, text, got);
	return true;
}

bool carrier_read_index(struct carrier *carrier, size_t limit, struct buffer *out, struct err *err)
{
	return read_file(carrier, LAYOUT_INDEX, limit, out, err);
}

/* ---- blobs ---- */

static bool find_blob(
	struct carrier *carrier, const struct digest *digest, int *fd, struct tar_place *out, struct err *err)
{
	AUTO_FREE char *path = carrier->reel ? NULL : blob_path(carrier, digest);
	bool found;

	out->offset = 0;
	if (carrier->reel)
		found = blob_places_find(carrier->places, digest, &out->offset, &out->size_bytes);
	else
		found = open_in(carrier->blobs_fd, digest->hex, path, fd, &out->size_bytes, err);
	if (found || (!carrier->reel && err->code != ERR_NOT_FOUND))
		return found;
	return err_set(err, ERR_NOT_FOUND,
		"%.200s lacks its blob sha256:%s: copy it again from where it was made", carrier->path,
		digest->hex);
}

static bool check_size(const struct carrier *carrier, const struct bundle_blob *blob,
	const struct tar_place *place, struct err *err)
{
	return place->size_bytes == blob->size_bytes ||
	       err_set(err, ERR_BAD_REQUEST,
		       "the blob sha256:%s in %.150s has %lld bytes, and should have %lld: copy it again "
		       "from where it was made",
		       blob->digest.hex, carrier->path, (long long)place->size_bytes,
		       (long long)blob->size_bytes);
}

bool carrier_check(struct carrier *carrier, const struct bundle_blob *blob, struct err *err)
{
	AUTO_FD int fd = -1;
	struct tar_place place;

	return find_blob(carrier, &blob->digest, &fd, &place, err) && check_size(carrier, blob, &place, err);
}

static const char *file_of(const struct carrier_blob *blob)
{
	const struct carrier *carrier = blob->carrier;

	return carrier->reel ? reel_file_at(carrier->reel, blob->offset) : carrier->path;
}

bool carrier_blob_refuse(const struct carrier_blob *blob, struct err *err)
{
	return err_set(err, ERR_DIGEST_MISMATCH,
		"the blob sha256:%s in %.150s has other bytes than it is named by: the copy is damaged; make "
		"it again",
		blob->digest.hex, file_of(blob));
}

static bool end(struct carrier_blob *blob, struct err *err)
{
	struct digest digest;

	if (!blob->hasher)
		return true;
	digest = hasher_result(blob->hasher);
	hasher_destroy(TAKE(blob->hasher));
	return blob->trusting || digest_equal(&digest, &blob->digest) || carrier_blob_refuse(blob, err);
}

static bool next(struct stream *stream, const uint8_t **data, size_t *length, struct err *err)
{
	struct carrier_blob *blob = CONTAINER_OF(stream, struct carrier_blob, stream);
	int64_t left = blob->size_bytes - blob->done_bytes;
	size_t wanted = left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES;
	AUTO_FREE char *path = blob->carrier->reel ? NULL : blob_path(blob->carrier, &blob->digest);

	*length = 0;
	if (wanted == 0)
		return end(blob, err);
	if (!read_at(blob->carrier, blob->fd, path, blob->block, wanted, blob->offset + blob->done_bytes,
		    length, err))
		return false;
	if (*length < wanted)
		return carrier_blob_refuse(blob, err);
	if (!blob->trusting)
		hasher_add(blob->hasher, blob->block, *length);
	blob->done_bytes += (int64_t)*length;
	*data = blob->block;
	return true;
}

bool carrier_read_at(struct carrier_blob *blob, int64_t offset, void *bytes, size_t length, size_t *out_read,
	struct err *err)
{
	int64_t left = blob->size_bytes - offset;
	size_t wanted = (int64_t)length < left ? length : (size_t)left;
	AUTO_FREE char *path = blob->carrier->reel ? NULL : blob_path(blob->carrier, &blob->digest);

	if (!read_at(blob->carrier, blob->fd, path, bytes, wanted, blob->offset + offset, out_read, err))
		return false;
	return *out_read == wanted || carrier_blob_refuse(blob, err);
}

bool carrier_open_blob(
	struct carrier *carrier, const struct bundle_blob *blob, struct carrier_blob *out, struct err *err)
{
	AUTO_FD int fd = -1;
	struct tar_place place;

	if (!find_blob(carrier, &blob->digest, &fd, &place, err) || !check_size(carrier, blob, &place, err))
		return false;
	*out = (struct carrier_blob){.stream = {.next = next},
		.carrier = carrier,
		.digest = blob->digest,
		.fd = TAKE_FD(fd),
		.offset = place.offset,
		.size_bytes = place.size_bytes,
		.hasher = hasher_create(),
		.block = mem_zero(
			1, place.size_bytes < BLOCK_BYTES ? (size_t)place.size_bytes + 1 : BLOCK_BYTES)};
	return true;
}

void carrier_close_blob(struct carrier_blob *blob)
{
	if (!blob->block)
		return;
	own_close(&blob->fd);
	hasher_destroy(blob->hasher);
	free(blob->block);
	*blob = (struct carrier_blob){.fd = -1};
}

bool carrier_read_blob(struct carrier *carrier, const struct bundle_blob *blob, size_t limit,
	struct buffer *out, struct err *err)
{
	AUTO_CARRIER_BLOB struct carrier_blob open = {.fd = -1};
	const uint8_t *data;
	size_t length;

	if (blob->size_bytes > (int64_t)limit)
		return err_set(err, ERR_TOO_LARGE,
			"the blob sha256:%s is said to have %lld bytes, and what it is has at most %zu",
			blob->digest.hex, (long long)blob->size_bytes, limit);
	if (!carrier_open_blob(carrier, blob, &open, err))
		return false;
	buffer_reserve(out, (size_t)blob->size_bytes);
	do {
		if (!stream_next(&open.stream, &data, &length, err))
			return false;
		buffer_add(out, data, length);
	} while (length > 0);
	return true;
}

bool carrier_prove_blob(struct carrier *carrier, const struct bundle_blob *blob, struct err *err)
{
	AUTO_CARRIER_BLOB struct carrier_blob open = {.fd = -1};

	return carrier_open_blob(carrier, blob, &open, err) && stream_drain(&open.stream, err);
}

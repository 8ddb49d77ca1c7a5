/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/reel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/file.h"
#include "common/mem.h"
#include "server/bundle/medium.h"
#include "server/bundle/strictjson.h"

enum {
	MANIFEST_BYTES_MAX = 4 << 20,
	PIECES_MAX = 9999,
	VALUES_OF_A_PIECE = 5,
	DIGITS_MIN = 3,
	BLOCK_BYTES = 256 << 10
};

static const char manifest_suffix[] = ".pieces";

struct piece {
	char *name;
	int64_t from; /* its first byte's place in the whole */
	int64_t size_bytes;
	struct digest digest;
};

struct reel {
	char *folder; /* that the pieces lie in, with a slash; "" */
	struct piece *pieces;
	size_t count;
	int64_t size_bytes;
	size_t open; /* the piece that fd is of */
	int fd;      /* -1: none */
	bool is_cut;
	const _Atomic bool *stop; /* NULL: nobody ends it */
};

void reel_close(struct reel *reel)
{
	if (!reel)
		return;
	for (size_t i = 0; i < reel->count; i++)
		free(reel->pieces[i].name);
	own_close(&reel->fd);
	free(reel->pieces);
	free(reel->folder);
	free(reel);
}

static char *path_of(const struct reel *reel, size_t place)
{
	return mem_printf("%s%s", reel->folder, reel->pieces[place].name);
}

static bool measure(int fd, const char *path, int64_t *out_bytes, struct err *err)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return medium_unread(err, errno, "look at", path);
	if (!S_ISREG(status.st_mode))
		return err_set(err, ERR_BAD_REQUEST,
			"%.200s is no file that can be read more than once: give a bundle's folder, its tar, "
			"or one of its pieces",
			path);
	*out_bytes = status.st_size;
	return true;
}

/* Whoever put it there may have made it a pipe, on which opening would wait. */
static bool open_file(const char *path, int *out_fd, int64_t *out_bytes, struct err *err)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return medium_unread(err, errno, "open", path);
	if (!measure(fd, path, out_bytes, err))
		return false;
	*out_fd = TAKE_FD(fd);
	return true;
}

static void add_piece(struct reel *reel, const char *name, int64_t size_bytes)
{
	reel->pieces = mem_resize(reel->pieces, reel->count + 1, sizeof *reel->pieces);
	reel->pieces[reel->count++] =
		(struct piece){.name = mem_dup(name), .from = reel->size_bytes, .size_bytes = size_bytes};
	reel->size_bytes += size_bytes;
}

static char *folder_of(const char *path)
{
	const char *slash = strrchr(path, '/');

	return mem_dup_n(path, slash ? (size_t)(slash - path) + 1 : 0);
}

/* ---- pieces ---- */

static bool has_suffix(const char *text, const char *suffix)
{
	size_t length = strlen(text);
	size_t wanted = strlen(suffix);

	return length > wanted && strcmp(text + length - wanted, suffix) == 0;
}

/* How long the part of the name is that all pieces share; 0: this is none's name. */
static size_t stem_length(const char *name)
{
	size_t length = strlen(name);
	size_t digits = 0;

	while (digits < length && name[length - 1 - digits] >= '0' && name[length - 1 - digits] <= '9')
		digits++;
	return digits >= DIGITS_MIN && length > digits + 1 && name[length - digits - 1] == '.'
		       ? length - digits - 1
		       : 0;
}

/* FILE.pieces, of which path is a piece or the file itself; NULL: it is neither. free() it. */
static char *find_manifest(const char *path)
{
	AUTO_FREE char *manifest = NULL;
	size_t length = stem_length(path);

	if (has_suffix(path, manifest_suffix))
		return mem_dup(path);
	if (length == 0 && access(path, F_OK) == 0)
		return NULL;
	manifest = mem_printf("%.*s%s", length > 0 ? (int)length : (int)strlen(path), path, manifest_suffix);
	return access(manifest, F_OK) == 0 ? TAKE(manifest) : NULL;
}

char *reel_missing_manifest(const char *path)
{
	size_t length = stem_length(path);
	AUTO_FREE char *manifest =
		length > 0 ? mem_printf("%.*s%s", (int)length, path, manifest_suffix) : NULL;

	return manifest && access(manifest, F_OK) != 0 ? TAKE(manifest) : NULL;
}

/* It names files beside itself, and no others. */
static bool is_piece_name(const char *name, const char *whole)
{
	size_t length = strlen(whole);

	return !strchr(name, '/') && strncmp(name, whole, length) == 0 && stem_length(name) == length;
}

static bool take_piece(
	struct reel *reel, const json_t *piece, const char *whole, const char *path, struct err *err)
{
	const char *name = strictjson_text(piece, "name");
	struct digest digest;
	int64_t size_bytes;

	if (!name || !is_piece_name(name, whole) || !strictjson_number(piece, "size", &size_bytes) ||
		!strictjson_digest(piece, "digest", &digest) || size_bytes > INT64_MAX - reel->size_bytes)
		return err_set(err, ERR_BAD_REQUEST,
			"%.200s does not say what its piece %zu is: copy that file again from where the "
			"bundle was made",
			path, reel->count + 1);
	add_piece(reel, name, size_bytes);
	reel->pieces[reel->count - 1].digest = digest;
	return true;
}

static bool take_manifest(struct reel *reel, const json_t *manifest, const char *path, struct err *err)
{
	const json_t *pieces = json_object_get(manifest, "pieces");
	const char *whole = strictjson_text(manifest, "name");
	int64_t size_bytes, version;

	if (!strictjson_number(manifest, "larder_pieces", &version) || version != 1 || !whole ||
		!strictjson_number(manifest, "size", &size_bytes) || json_array_size(pieces) == 0 ||
		json_array_size(pieces) > PIECES_MAX)
		return err_set(err, ERR_BAD_REQUEST,
			"%.200s does not say which pieces there are of a bundle, as \"larder export "
			"--split\" "
			"writes it",
			path);
	for (size_t i = 0; i < json_array_size(pieces); i++) {
		if (!take_piece(reel, json_array_get(pieces, i), whole, path, err))
			return false;
	}
	return reel->size_bytes == size_bytes ||
	       err_set(err, ERR_BAD_REQUEST, "the pieces in %.200s do not add up to its size", path);
}

static bool read_manifest(struct reel *reel, const char *path, struct err *err)
{
	AUTO_BUFFER struct buffer text = {0};
	json_t *manifest;
	AUTO_FD int fd = -1;
	int64_t size_bytes;
	bool done;

	/* Also where it is no file. */
	if (!open_file(path, &fd, &size_bytes, err) || !file_read_all(path, MANIFEST_BYTES_MAX, &text, err))
		return false;
	if (!strictjson_parse(buffer_string(&text), text.length, (size_t)VALUES_OF_A_PIECE * PIECES_MAX,
		    &manifest, err))
		return err_prefix(err, "%.150s: ", path);
	done = take_manifest(reel, manifest, path, err);
	json_decref(manifest);
	return done;
}

/* What is wrong with a piece, as far as its name and length (-1: it is no file) tell; false: nothing. */
static bool is_amiss(const struct piece *piece, int64_t length, struct buffer *words)
{
	if (length < 0)
		buffer_printf(words, "%s%s", words->length > 0 ? ", " : "", piece->name);
	else if (length != piece->size_bytes)
		buffer_printf(words, "%s%s (it has %lld of %lld bytes)", words->length > 0 ? ", " : "",
			piece->name, (long long)length, (long long)piece->size_bytes);
	else
		return false;
	return true;
}

/* Of a medium that does not answer nobody knows what is on it. */
static bool look_at_piece(const struct reel *reel, size_t place, int64_t *out_length, struct err *err)
{
	AUTO_FREE char *path = path_of(reel, place);
	struct stat status;
	bool is_there = stat(path, &status) == 0;

	*out_length = is_there && S_ISREG(status.st_mode) ? status.st_size : -1;
	return is_there || errno == ENOENT || medium_unread(err, errno, "look at", path);
}

static bool check_pieces(const struct reel *reel, const char *path, struct err *err)
{
	AUTO_BUFFER struct buffer words = {0};
	size_t amiss = 0;

	/* More than the sentence has room for is counted. */
	for (size_t i = 0; i < reel->count; i++) {
		AUTO_BUFFER struct buffer more = {0};
		int64_t length;

		if (!look_at_piece(reel, i, &length, err))
			return false;
		amiss += is_amiss(&reel->pieces[i], length, words.length < 200 ? &words : &more);
	}
	return amiss == 0 || err_set(err, ERR_NOT_FOUND,
				     "%zu of the %zu pieces in %.100s are not here as a whole: %.230s; copy "
				     "them beside it",
				     amiss, reel->count, path, buffer_string(&words));
}

static bool open_pieces(struct reel *reel, const char *manifest, struct err *err)
{
	reel->is_cut = true;
	return read_manifest(reel, manifest, err) && check_pieces(reel, manifest, err);
}

static bool open_whole(struct reel *reel, const char *path, struct err *err)
{
	const char *slash = strrchr(path, '/');
	int64_t size_bytes = 0;

	if (!open_file(path, &reel->fd, &size_bytes, err))
		return false;
	add_piece(reel, slash ? slash + 1 : path, size_bytes);
	return true;
}

bool reel_open(const char *path, struct reel **out, struct err *err)
{
	AUTO_FREE char *manifest = find_manifest(path);
	AUTO_REEL struct reel *reel = mem_zero(1, sizeof *reel);

	reel->fd = -1;
	reel->folder = folder_of(path);
	if (!(manifest ? open_pieces(reel, manifest, err) : open_whole(reel, path, err)))
		return false;
	*out = TAKE(reel);
	return true;
}

bool reel_open_file(int fd, const char *name, const _Atomic bool *stop, struct reel **out, struct err *err)
{
	AUTO_REEL struct reel *reel = mem_zero(1, sizeof *reel);
	int64_t size_bytes;

	reel->folder = mem_dup("");
	reel->stop = stop;
	reel->fd = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (reel->fd < 0)
		return err_errno(err, errno, "read %.200s", name);
	if (!measure(reel->fd, name, &size_bytes, err))
		return false;
	add_piece(reel, name, size_bytes);
	*out = TAKE(reel);
	return true;
}

/* ---- reading ---- */

int64_t reel_size(const struct reel *reel)
{
	return reel->size_bytes;
}

static size_t find_piece(const struct reel *reel, int64_t offset)
{
	size_t low = 0;
	size_t high = reel->count - 1;

	while (low < high) {
		size_t middle = (low + high + 1) / 2;

		if (reel->pieces[middle].from <= offset)
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

const char *reel_file_at(const struct reel *reel, int64_t offset)
{
	return reel->pieces[find_piece(reel, offset)].name;
}

static bool open_piece(struct reel *reel, size_t place, struct err *err)
{
	AUTO_FREE char *path = NULL;
	int64_t size_bytes;

	if (reel->fd >= 0 && reel->open == place)
		return true;
	path = path_of(reel, place);
	own_close(&reel->fd);
	reel->fd = -1;
	reel->open = place;
	return open_file(path, &reel->fd, &size_bytes, err);
}

static bool read_piece(
	struct reel *reel, uint8_t *bytes, size_t length, int64_t offset, size_t *out_read, struct err *err)
{
	size_t place = find_piece(reel, offset);
	const struct piece *piece = &reel->pieces[place];
	int64_t left = piece->from + piece->size_bytes - offset;
	size_t part = (int64_t)length < left ? length : (size_t)left;

	if (!open_piece(reel, place, err) ||
		!medium_read(reel->fd, piece->name, bytes, part, offset - piece->from, out_read, err))
		return false;
	return *out_read == part ||
	       err_set(err, ERR_NOT_FOUND, "%.200s has become shorter while it was read", piece->name);
}

static bool check_stop(const struct reel *reel, struct err *err)
{
	return !reel->stop || !atomic_load(reel->stop) ||
	       err_set(err, ERR_BUSY, "the reading of the bundle was ended");
}

bool reel_read_at(
	struct reel *reel, void *bytes, size_t length, int64_t offset, size_t *out_read, struct err *err)
{
	size_t done = 0;

	if (!check_stop(reel, err))
		return false;
	while (done < length && offset + (int64_t)done < reel->size_bytes) {
		size_t got;

		if (!read_piece(
			    reel, (uint8_t *)bytes + done, length - done, offset + (int64_t)done, &got, err))
			return false;
		done += got;
	}
	*out_read = done;
	return true;
}

/* ---- proving ---- */

/* What is told of how far it is. */
struct proving {
	void (*shown)(void *context, int64_t done, int64_t total);
	void *context;
	uint8_t *block;
};

static bool hash_piece(struct reel *reel, const struct piece *piece, const struct proving *proving,
	bool *same, struct err *err)
{
	AUTO_HASHER struct hasher *hasher = hasher_create();
	int64_t done = 0;
	struct digest found;
	size_t got = 0;

	for (; done < piece->size_bytes; done += (int64_t)got) {
		int64_t left = piece->size_bytes - done;

		if (!read_piece(reel, proving->block, left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES,
			    piece->from + done, &got, err))
			return false;
		hasher_add(hasher, proving->block, got);
		if (proving->shown)
			proving->shown(proving->context, piece->from + done, reel->size_bytes);
	}
	found = hasher_result(hasher);
	*same = digest_equal(&found, &piece->digest);
	return true;
}

bool reel_prove(struct reel *reel, void (*shown)(void *context, int64_t done, int64_t total), void *context,
	struct err *err)
{
	AUTO_FREE uint8_t *block = mem_zero(1, BLOCK_BYTES);
	const struct proving proving = {shown, context, block};
	AUTO_BUFFER struct buffer words = {0};
	size_t amiss = 0;

	for (size_t i = 0; reel->is_cut && i < reel->count; i++) {
		bool same = false;
		struct err why;

		/* One that cannot be read is as bad. */
		if (hash_piece(reel, &reel->pieces[i], &proving, &same, &why) && same)
			continue;
		amiss++;
		if (words.length < 200)
			buffer_printf(&words, "%s%s", words.length > 0 ? ", " : "", reel->pieces[i].name);
	}
	return amiss == 0 || err_set(err, ERR_DIGEST_MISMATCH,
				     "%zu of the %zu pieces have other bytes than their list says, or cannot "
				     "be read: %.230s; put the medium in again if it was pulled out, or "
				     "copy them again from where they were made",
				     amiss, reel->count, buffer_string(&words));
}

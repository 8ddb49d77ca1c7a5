/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/client_cache.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/sums.h"
#include "server/command/draft_folder.h"
#include "server/command/extraction.h"
#include "server/command/part_file.h"

enum { SHA1_LETTERS = 40, SHA1_BYTES = 20, READ_ONLY = 0444 };

struct client_cache {
	char *folder;
	const char *const *origins;
	size_t origin_count;
	int fd; /* locked */
};

/* What people write behind an origin and a path; the last is what copying a download's URL gives. */
static const char *const endings[] = {"", "/", "?tf-hub-format=compressed"};
enum { ENDING_COUNT = sizeof endings / sizeof *endings };

/* A handle as code has it, and its place in the cache. */
struct spelling {
	char *handle;
	char *path;
	bool is_here;
};

static void finish_spelling(struct spelling *spelling)
{
	free(spelling->handle);
	free(spelling->path);
}

AUTO_CLEANER(own_dir, DIR *, (void)closedir)

/* ---- the cache ---- */

bool client_cache_check_origin(const char *origin, struct err *err)
{
	static const char *const schemes[] = {"http://", "https://"};

	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		size_t length = strlen(schemes[i]);

		if (strncmp(origin, schemes[i], length) == 0 && origin[length] && origin[length] != '/' &&
			!strpbrk(origin, " ?#\t\r\n"))
			return true;
	}
	return err_set(err, ERR_BAD_REQUEST,
		"\"%.200s\" is not how code begins a handle: https://tfhub.dev, or http:// and a host.",
		origin);
}

/* Each of them has files of its own beside ours, which nobody could part any more. */
static bool check_folder(const struct client_cache *cache, struct err *err)
{
	static const char *const files[] = {"oci-layout", "larder.db"};

	for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
		if (faccessat(cache->fd, files[i], F_OK, AT_SYMLINK_NOFOLLOW) == 0)
			return err_set(err, ERR_CONFLICT,
				"%s has a bundle or a store in it: name a folder of its own for a cache",
				cache->folder);
	}
	return true;
}

/* Nobody fills them: we have the lock. */
static bool sweep(struct client_cache *cache, struct err *err)
{
	AUTO(own_dir) DIR *dir = opendir(cache->folder);
	struct dirent *entry;

	if (!dir)
		return err_errno(err, errno, "read %s", cache->folder);
	while ((entry = readdir(dir))) {
		AUTO_FREE char *path = mem_printf("%s/%s", cache->folder, entry->d_name);

		if (draft_folder_is_name(entry->d_name, SHA1_LETTERS))
			draft_folder_remove(path);
	}
	return true;
}

static bool lock(struct client_cache *cache, struct err *err)
{
	cache->fd = open(cache->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (cache->fd < 0)
		return err_errno(err, errno, "open %s", cache->folder);
	return flock(cache->fd, LOCK_EX | LOCK_NB) == 0 ||
	       err_set(err, ERR_CONFLICT, "Another export writes into %s: wait for it.", cache->folder);
}

bool client_cache_open(const char *folder, const char *const *origins, size_t origin_count,
	struct client_cache **out, struct err *err)
{
	AUTO_CLIENT_CACHE struct client_cache *cache = mem_zero(1, sizeof *cache);

	*cache = (struct client_cache){mem_dup(folder), origins, origin_count, -1};
	/* For all who may read what is in it, as tensorflow_hub makes it. */
	if (!file_make_open_folders(folder, err) || !lock(cache, err) || !check_folder(cache, err) ||
		!sweep(cache, err))
		return false;
	*out = TAKE(cache);
	return true;
}

void client_cache_close(struct client_cache *cache)
{
	if (!cache)
		return;
	own_close(&cache->fd);
	free(cache->folder);
	free(cache);
}

/* ---- spellings ---- */

static void write_sha1(const char *text, char out[SHA1_LETTERS + 1])
{
	AUTO(own_sums) struct sums *sums = sums_create(1U << SUM_SHA1);
	uint8_t values[SUM_COUNT][SUM_BYTES_MAX];

	sums_add(sums, text, strlen(text));
	sums_result(sums, values);
	for (int i = 0; i < SHA1_BYTES; i++)
		(void)snprintf(out + 2 * i, 3, "%02x", values[SUM_SHA1][i]);
}

/* Also behind a link. */
static bool is_folder(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* tensorflow_hub takes each folder that is not empty for the module. */
static bool look(struct spelling *spelling, struct client_cache_counts *counts, struct err *err)
{
	static const char *const models[] = {"saved_model.pb", "saved_model.pbtxt"};
	bool has_model = false;

	if (rmdir(spelling->path) == 0 || errno == ENOENT)
		return true;
	if (!is_folder(spelling->path))
		return err_errno(err, errno, "use %s", spelling->path);
	for (size_t i = 0; i < sizeof models / sizeof *models; i++) {
		AUTO_FREE char *path = mem_printf("%s/%s", spelling->path, models[i]);

		has_model = has_model || access(path, F_OK) == 0;
	}
	spelling->is_here = true;
	counts->here++;
	counts->hollow += !has_model;
	return true;
}

static bool spell(struct client_cache *cache, const struct name *name, size_t number,
	struct client_cache_counts *counts, struct spelling *out, struct err *err)
{
	const char *origin = cache->origins[number / ENDING_COUNT];
	int length = (int)strlen(origin);
	char sha1[SHA1_LETTERS + 1];

	length -= length > 0 && origin[length - 1] == '/';
	out->handle = mem_printf("%.*s/%s/%" PRId64 "%s", length, origin, name->handle, name->version,
		endings[number % ENDING_COUNT]);
	write_sha1(out->handle, sha1);
	out->path = mem_printf("%s/%s", cache->folder, sha1);
	return look(out, counts, err);
}

bool client_cache_count(struct client_cache *cache, const struct name *name,
	struct client_cache_counts *counts, struct err *err)
{
	for (size_t i = 0; i < cache->origin_count * ENDING_COUNT; i++) {
		AUTO(finish_spelling) struct spelling spelling = {0};
		size_t hollow = counts->hollow;

		if (!spell(cache, name, i, counts, &spelling, err))
			return false;
		if (counts->hollow > hollow)
			(void)fprintf(stderr, "larder: %s has no saved_model.pb: remove it (it is %s)\n",
				spelling.path, spelling.handle);
		counts->made += !spelling.is_here;
	}
	return true;
}

/* ---- filling ---- */

/* As tensorflow_hub writes it; it never reads it. What has its name goes, and is never written into: in a
 * folder that others may write to, it can be a link or a pipe. */
static bool describe(const struct spelling *spelling, struct err *err)
{
	AUTO_FREE char *path = mem_printf("%s.descriptor.txt", spelling->path);
	FILE *file = unlink(path) == 0 || errno == ENOENT ? fopen(path, "wxe") : NULL;
	bool written;

	if (!file)
		return err_errno(err, errno, "write %s", path);
	written = fprintf(file, "Module: %s\nDownload Time: %s\nDownloader Hostname: larder export (PID:%ld)",
			  spelling->handle, clock_rfc3339(clock_now_s()).text, (long)getpid()) > 0;
	return (fclose(file) == 0 && written) || err_errno(err, errno, "write %s", path);
}

static void close_walk(FTS *walk)
{
	(void)fts_close(walk);
}

AUTO_CLEANER(own_fts, FTS *, close_walk)

static bool link_one(const FTSENT *entry, const char *path)
{
	if (entry->fts_info == FTS_D)
		return entry->fts_level == FTS_ROOTLEVEL || mkdir(path, 0777) == 0;
	return entry->fts_info == FTS_DP || (entry->fts_info == FTS_F && link(entry->fts_accpath, path) == 0);
}

/* False where a file system has no hard links, or not so many. */
static bool link_all(const char *from, const char *to)
{
	AUTO_FREE char *root = mem_dup(from);
	char *roots[] = {root, NULL};
	AUTO(own_fts) FTS *walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
	FTSENT *entry;

	if (!walk)
		return false;
	while ((entry = fts_read(walk))) {
		AUTO_FREE char *path = mem_printf("%s%s", to, entry->fts_path + strlen(from));

		if (!link_one(entry, path))
			return false;
	}
	return true;
}

static bool make_linked(const char *from, const char *path, bool *out_linked, struct err *err)
{
	AUTO_DRAFT_FOLDER struct draft_folder draft = {.root = -1};

	if (!draft_folder_open(&draft, path, err))
		return false;
	*out_linked = link_all(from, draft.path);
	return !*out_linked || draft_folder_commit(&draft, err);
}

/* from: where we unpacked it already; NULL: nowhere. */
static bool make(const struct spelling *spelling, int archive_fd, const char *from, struct err *err)
{
	bool linked = false;

	return describe(spelling, err) && (!from || make_linked(from, spelling->path, &linked, err)) &&
	       (linked || extraction_run(archive_fd, spelling->path, READ_ONLY, err));
}

/* A client may have made it meanwhile. */
static bool make_once(const struct spelling *spelling, int archive_fd, const char *from,
	struct client_cache_counts *counts, struct err *err)
{
	if (make(spelling, archive_fd, from, err)) {
		counts->made++;
		return true;
	}
	counts->here += err->code == ERR_CONFLICT;
	return err->code == ERR_CONFLICT;
}

static bool verify(int archive_fd, const struct digest *digest, struct err *err)
{
	AUTO(own_hasher) struct hasher *hasher = hasher_create();
	struct digest found;
	int64_t length;

	if (!part_file_hash(archive_fd, hasher, &length, err))
		return false;
	found = hasher_result(hasher);
	return digest_equal(&found, digest) ||
	       err_set(err, ERR_DIGEST_MISMATCH,
		       "its bytes are sha256:%s, not sha256:%s: the disk has damaged them. Have it "
		       "fetched or published again",
		       found.hex, digest->hex);
}

bool client_cache_add(struct client_cache *cache, const struct name *name, int archive_fd,
	const struct digest *digest, struct client_cache_counts *counts, struct err *err)
{
	AUTO_FREE char *from = NULL;

	for (size_t i = 0; i < cache->origin_count * ENDING_COUNT; i++) {
		AUTO(finish_spelling) struct spelling spelling = {0};

		if (!spell(cache, name, i, counts, &spelling, err))
			return false;
		if (spelling.is_here)
			continue;
		if ((!from && !verify(archive_fd, digest, err)) ||
			!make_once(&spelling, archive_fd, from, counts, err))
			return false;
		if (!from)
			from = TAKE(spelling.path);
	}
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/mending.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/registry/blob_copy.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog_artifacts.h"

static bool is_url(const char *from)
{
	return strncasecmp(from, "http://", 7) == 0 || strncasecmp(from, "https://", 8) == 0;
}

static bool open_folder(struct mending *mending, const char *from, struct err *err)
{
	AUTO_FREE char *blobs = mem_printf("%s/blobs/sha256", from);
	struct stat status;

	if (stat(blobs, &status) < 0 || !S_ISDIR(status.st_mode))
		return err_set(err, ERR_NOT_FOUND,
			"%.150s is no folder of a backup, nor of a Larder: there is no blobs/sha256 in it",
			from);
	mending->folder = mem_dup(from);
	return true;
}

bool mending_open(struct mending *mending, const char *from, const char *token_file,
	const struct remote_options *daemon, struct err *err)
{
	/* A token is of the registry that it was meant for. */
	const struct remote_options peer = {from, token_file ? NULL : "", token_file};

	if (from &&
		!(is_url(from) ? remote_create(&peer, &mending->peer, err) : open_folder(mending, from, err)))
		return false;
	return !daemon || remote_create(daemon, &mending->daemon, err);
}

void mending_close(struct mending *mending)
{
	free(mending->folder);
	remote_destroy(mending->peer);
	remote_destroy(mending->daemon);
	*mending = (struct mending){0};
}

/* ---- a folder ---- */

static bool mend(struct mending *mending, const struct pass_blob *blob, struct spool *spool, struct err *why)
{
	bool mended;

	return blob_losses_mend(mending->losses, &blob->digest, spool, &mended, why);
}

static bool copy_back(struct mending *mending, const struct pass_blob *blob, int fd, struct err *why)
{
	AUTO_SPOOL struct spool *spool = NULL;

	return blob_copy(fd, &blob->digest, mending->rate, mending->losses->blobs, &spool, why) &&
	       mend(mending, blob, spool, why);
}

/* One that was lost, and lies in its place again: somebody has put it there, or its file system is back.
 * Copied, since nobody tells whether it is durable, and whose it is. */
static bool from_its_place(struct mending *mending, const struct pass_blob *blob, struct err *why)
{
	AUTO_FD int fd = -1;
	struct err none;

	if (!blobs_peek(mending->losses->blobs, &blob->digest, &fd, &none)) {
		if (none.code != ERR_NOT_FOUND)
			*why = none;
		return false;
	}
	return copy_back(mending, blob, fd, why);
}

static bool from_folder(struct mending *mending, const struct pass_blob *blob, struct err *why)
{
	const char *hex = blob->digest.hex;
	AUTO_FREE char *path = mem_printf("%s/blobs/sha256/%.2s/%s", mending->folder, hex, hex);
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return err_errno(why, errno, "open %.150s", path);
	return copy_back(mending, blob, fd, why) || err_prefix(why, "%.150s: ", mending->folder);
}

/* ---- over HTTP ---- */

struct arrival {
	struct spool *spool; /* NULL: the bytes are dropped */
	struct hasher *hasher;
	int64_t left_bytes;
	bool begun;
};

static void finish_arrival(struct arrival *arrival)
{
	spool_release(arrival->spool);
	hasher_destroy(arrival->hasher);
}

static bool begin(void *context, const struct remote_head *head, struct err *err)
{
	struct arrival *arrival = context;

	arrival->begun = head->status == 200;
	return arrival->begun || err_set(err, ERR_UPSTREAM_FAILED, "it answers with a part only");
}

static bool take(void *context, const void *bytes, size_t length, struct err *err)
{
	struct arrival *arrival = context;

	if (!arrival->spool)
		return true;
	arrival->left_bytes -= (int64_t)length;
	if (arrival->left_bytes < 0)
		return err_set(err, ERR_UPSTREAM_FAILED, "what it has is longer");
	hasher_add(arrival->hasher, bytes, length);
	return spool_append(arrival->spool, bytes, length, err);
}

static bool get(struct remote *remote, const struct name *name, struct arrival *arrival, struct err *why)
{
	const struct format_row *format = &formats[name->format];
	AUTO_FREE char *target =
		mem_printf("/%s?%s=%s", name_path(name).text, format->query_key, format->query_value);
	const struct remote_download download = {
		.target = target, .begin = begin, .take = take, .context = arrival};
	struct remote_reply reply = {0};
	struct remote_head head;
	bool got = remote_get_file(remote, &download, &head, &reply, why);

	if (got && !arrival->begun)
		got = remote_accepted(&reply, why) &&
		      err_set(why, ERR_UPSTREAM_FAILED, "it leads to another place");
	remote_reply_finish(&reply);
	return got;
}

static bool from_peer(
	struct mending *mending, const struct pass_blob *blob, const struct name *name, struct err *why)
{
	AUTO(finish_arrival)
	struct arrival arrival = {.hasher = hasher_create(), .left_bytes = blob->size_bytes};
	struct digest digest;

	if (!blobs_begin(mending->losses->blobs, &arrival.spool, why))
		return false;
	if (!get(mending->peer, name, &arrival, why))
		return err_prefix(why, "%.100s: ", remote_server(mending->peer));
	digest = hasher_result(arrival.hasher);
	if (!digest_equal(&digest, &blob->digest))
		return err_set(why, ERR_CONFLICT, "%.100s has other bytes under that name: sha256:%.16s…",
			remote_server(mending->peer), digest.hex);
	spool_complete(arrival.spool);
	return mend(mending, blob, arrival.spool, why);
}

/* What the daemon keeps of it is in the catalog by the time that it has given the last byte. */
static bool through_daemon(
	struct mending *mending, const struct pass_blob *blob, const struct name *name, struct err *why)
{
	AUTO(finish_arrival) struct arrival arrival = {0};
	bool claimed;

	if (!get(mending->daemon, name, &arrival, why) ||
		!catalog_claims_blob(mending->losses->catalog, &blob->digest, &claimed, why))
		return false;
	return claimed || err_set(why, ERR_CONFLICT,
				  "the daemon at %.100s gave it, and keeps it elsewhere: name the one on "
				  "this folder with --server",
				  remote_server(mending->daemon));
}

enum mended mending_try(struct mending *mending, const struct pass_blob *blob, const struct name *names,
	size_t count, struct err *why)
{
	if (from_its_place(mending, blob, why) || (mending->folder && from_folder(mending, blob, why)))
		return MENDED_RESTORED;
	for (size_t i = 0; mending->peer && i < count; i++) {
		if (from_peer(mending, blob, &names[i], why))
			return MENDED_RESTORED;
	}
	/* A published one comes from nowhere else. */
	for (size_t i = 0; mending->daemon && !blob->is_published && i < count; i++) {
		if (through_daemon(mending, blob, &names[i], why))
			return MENDED_FETCHED;
	}
	return MENDED_NOT;
}

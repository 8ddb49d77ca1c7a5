/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/copying.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/container.h"
#include "common/mem.h"
#include "common/own.h"

struct running {
	const struct copying *copying;
	struct digest_set copied;
	struct outlet_watch watch;
	struct export_progress progress;
	bool broken; /* a file was damaged: nothing is written any more, and the others are looked at */
};

bool copying_add(struct notes *list, const struct bundle_blob *blob, const char *what, struct err *err)
{
	AUTO_BUFFER struct buffer line = {0};

	buffer_printf(&line, "%s %" PRId64 " %s\n", blob->digest.hex, blob->size_bytes, what);
	return notes_add(list, line.data, line.length, err);
}

static bool tell_copying(struct running *running, int64_t bytes, struct err *err)
{
	struct export_watch *teller = running->copying->watch;

	running->progress.bytes += bytes;
	return teller->progressed(teller, &running->progress, err);
}

static bool count_bytes(struct outlet_watch *watch, int64_t bytes, struct err *err)
{
	return tell_copying(CONTAINER_OF(watch, struct running, watch), bytes, err);
}

/* A line of the list, as copying_add() wrote it. */
static bool read_copy(char *line, struct bundle_blob *out, const char **out_what)
{
	char *size = line + 64;
	char *what = NULL;

	*size++ = '\0';
	out->size_bytes = strtoll(size, &what, 10);
	what[strlen(what) - 1] = '\0';
	*out_what = what + 1;
	return digest_parse(line, &out->digest);
}

static bool drop(void *context, const void *bytes, size_t length, struct err *err)
{
	return true;
}

/* Whatever keeps it from being read is damage: others may be whole. */
static bool copy_blob(struct running *running, const struct bundle_blob *blob, struct err *err)
{
	struct outlet *outlet = running->copying->outlet;
	AUTO_FD int fd = -1;
	int64_t found;

	if (!outgoing_read(running->copying->outgoing, &blob->digest, &fd, &found, err))
		return err_set(err, ERR_DIGEST_MISMATCH,
			"the file of blob sha256:%s in the data folder cannot be opened", blob->digest.hex);
	return running->broken ? outlet_pump(blob, fd, &running->watch, drop, NULL, err)
			       : outlet->kind->copy(outlet, blob, fd, &running->watch, err);
}

static bool copy_one(struct running *running, char *line, struct err *err)
{
	struct damages *damages = running->copying->damages;
	struct bundle_blob blob;
	const char *what;
	bool is_new;
	struct err why;

	if (!read_copy(line, &blob, &what))
		return err_set(err, ERR_INTERNAL, "the exporter's own notes are broken");
	if (!digest_set_add(&running->copied, &blob.digest, &is_new, err))
		return false;
	if (!is_new)
		return !damages_has(damages, &blob.digest) ||
		       damages_add(damages, &blob.digest, what, "it has the same file", err);
	if (copy_blob(running, &blob, &why)) {
		running->progress.count++;
		return tell_copying(running, 0, err);
	}
	running->broken = running->broken || why.code == ERR_DIGEST_MISMATCH;
	if (why.code == ERR_DIGEST_MISMATCH)
		return damages_add(damages, &blob.digest, what, why.text, err);
	*err = why;
	return err_prefix(err, "%.300s: ", what);
}

static bool copy_list(struct running *running, struct err *err)
{
	FILE *list = notes_file(running->copying->list);
	AUTO_FREE char *line = NULL;
	size_t size = 0;
	bool done = true;

	while (done && getline(&line, &size, list) > 64)
		done = copy_one(running, line, err);
	if (done && ferror(list))
		done = err_errno(err, errno, "read back the list of what is to be copied");
	(void)fclose(list);
	return done;
}

bool copying_run(const struct copying *copying, struct err *err)
{
	struct running running = {.copying = copying,
		.watch = {count_bytes},
		.progress = {.copies = true, .total_count = copying->files, .total_bytes = copying->bytes}};
	bool done;

	digest_set_init(&running.copied, copying->scratch);
	done = copy_list(&running, err);
	digest_set_finish(&running.copied);
	return done &&
	       (!running.broken || err_set(err, ERR_DIGEST_MISMATCH,
					   "files in the data folder are damaged: the disk has lost them, or "
					   "somebody has changed them"));
}

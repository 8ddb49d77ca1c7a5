/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/packing.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/container.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/stream.h"
#include "server/command/progress_bar.h"
#include "server/command/text_table.h"
#include "server/module/archives/advice.h"
#include "server/module/archives/guess.h"
#include "server/module/examination.h"

struct packing_watcher {
	struct pack_watcher watcher;
	struct progress_bar progress;
	size_t left_count;
	char *first_left; /* "a -> /b/c" */
};

static void show_progress(struct pack_watcher *watcher, int64_t done_bytes, int64_t total_bytes)
{
	progress_bar_show(
		&(CONTAINER_OF(watcher, struct packing_watcher, watcher))->progress, done_bytes, total_bytes);
}

static void note_left(struct pack_watcher *watcher, const char *link, const char *target)
{
	struct packing_watcher *ours = CONTAINER_OF(watcher, struct packing_watcher, watcher);

	if (ours->left_count++ == 0)
		ours->first_left = mem_printf("%s -> %s", link, target);
}

/* Whoever packs a folder of links is to see where its files come from. */
static void print_left(const struct packing_watcher *watcher, const char *folder)
{
	AUTO_FREE char *line = NULL;

	if (watcher->left_count == 0)
		return;
	line = mem_printf("%zu link%s out of %s %s followed, the first: %s", watcher->left_count,
		watcher->left_count == 1 ? "" : "s", folder, watcher->left_count == 1 ? "is" : "are",
		watcher->first_left);
	text_table_blank_controls(line);
	(void)fprintf(stderr, "%s\n", line);
}

void packing_print_finding(const char *rule, const char *path, const char *message)
{
	AUTO_FREE char *line = mem_printf("  %s%s%s: %s", rule, *path ? " " : "", path, message);

	text_table_blank_controls(line);
	(void)fprintf(stderr, "%s\n", line);
}

void packing_tell_choice(const char *folder, const char *asked, enum format format)
{
	enum format other = format == FORMAT_TFJS ? FORMAT_TF_HUB : FORMAT_TFJS;

	if (!asked && guess_is_ambiguous(folder))
		(void)fprintf(stderr,
			"%s has a SavedModel and a model.json: it goes as %s. With --format %s it goes as "
			"the other, "
			"and a version may have both\n",
			folder, formats[format].name, formats[other].name);
}

/* The folder in the packed one that holds the module, as a shell's word. */
static char *wrapped_word(const char *folder, const char *key)
{
	size_t length = strlen(folder);
	AUTO_FREE char *path = NULL;

	while (length > 1 && folder[length - 1] == '/')
		length--;
	path = mem_printf("%.*s/%.*s", (int)length, folder, (int)(strrchr(key, '/') - key), key);
	return advice_word(path);
}

/* What mends an archive does not say which folder to name here. */
static void print_wrapper(const char *command, const char *folder, const struct finding *finding)
{
	AUTO_FREE char *word = wrapped_word(folder, finding->path);
	AUTO_FREE char *message = mem_printf("The module lies in a folder inside; name that one: "
					     "`larder %s %s …`.",
		command, word ? word : "FOLDER");

	packing_print_finding(finding->rule, finding->path, message);
}

/* command: where what was examined is a folder that was packed; else NULL. */
static bool judge(
	const char *command, const char *path, const struct examination *examination, struct err *err)
{
	size_t violations = 0;

	for (size_t i = 0; i < examination->finding_count; i++) {
		const struct finding *finding = &examination->findings[i];

		violations += !finding->publishable;
		if (command && strcmp(finding->rule, "wrapper-folder") == 0)
			print_wrapper(command, path, finding);
		else
			packing_print_finding(finding->rule, finding->path, finding->message);
	}
	if (violations > 0)
		return err_set(err, ERR_INVALID_MODULE, "%s is no %s module that can be published.", path,
			formats[examination->format].name);
	return true;
}

/* ---- examining ---- */

/* A file that tells how far it is read. */
struct watched {
	struct stream stream;
	struct stream *inner;
	int fd;
	struct progress_bar progress;
	int64_t done_bytes;
	int64_t total_bytes;
};

static bool next_watched(struct stream *stream, const uint8_t **data, size_t *length, struct err *err)
{
	struct watched *watched = CONTAINER_OF(stream, struct watched, stream);

	if (!stream_next(watched->inner, data, length, err))
		return false;
	watched->done_bytes += (int64_t)*length;
	progress_bar_show(&watched->progress, watched->done_bytes, watched->total_bytes);
	return true;
}

static bool read_again(
	struct stream *stream, int64_t offset, void *out, size_t length, size_t *out_read, struct err *err)
{
	struct watched *watched = CONTAINER_OF(stream, struct watched, stream);

	return file_read_at(watched->fd, out, length, offset, out_read, err);
}

static bool examine(int fd, enum format format, struct examination **out, struct err *err)
{
	AUTO_FREE struct file_stream *file = mem_zero(1, sizeof *file);
	struct watched watched = {.inner = file_stream_init(file, fd), .fd = fd};
	struct stat status;
	bool done;

	if (fstat(fd, &status) < 0)
		return err_errno(err, errno, "read the module");
	watched.stream = (struct stream){next_watched, read_again};
	watched.total_bytes = status.st_size;
	progress_bar_init(&watched.progress, "checking");
	done = examination_run(&watched.stream, format, &(struct archive_limits){0}, out, err);
	progress_bar_finish(&watched.progress);
	return done;
}

bool packing_check(const char *path, enum format format, int fd, struct err *err)
{
	AUTO_EXAMINATION struct examination *examination = NULL;

	return examine(fd, format, &examination, err) && judge(NULL, path, examination, err);
}

bool packing_run(const char *command, const char *folder, enum pack_links links, enum format format, int fd,
	struct err *err)
{
	AUTO_EXAMINATION struct examination *examination = NULL;
	struct packing_watcher watcher = {.watcher = {show_progress, note_left}};
	bool packed;

	progress_bar_init(&watcher.progress, "packing");
	packed = pack_folder(folder, links, fd, &watcher.watcher, err);
	progress_bar_finish(&watcher.progress);
	print_left(&watcher, folder);
	free(watcher.first_left);
	return packed && examine(fd, format, &examination, err) && judge(command, folder, examination, err);
}

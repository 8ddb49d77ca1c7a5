/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/command/command.h"
#include "server/command/packing.h"
#include "server/module/archives/guess.h"

struct pack_options {
	const char *output;
	const char *format; /* NULL: by what the folder holds */
	bool dereference;
};

/* A file beside the output that becomes the output, or goes away with the scope. */
struct draft {
	char *path; /* NULL: there is none */
	int fd;
};

static void finish_draft(struct draft *draft)
{
	if (draft->path)
		(void)unlink(draft->path);
	own_close(&draft->fd);
	free(draft->path);
}

static bool open_draft(const char *output, struct draft *draft, struct err *err)
{
	AUTO_FREE char *path = mem_printf("%s.XXXXXX", output);
	mode_t mask = umask(0);

	(void)umask(mask);
	draft->fd = mkostemp(path, O_CLOEXEC);
	if (draft->fd < 0)
		return err_errno(err, errno, "create a file beside %s", output);
	draft->path = TAKE(path);
	if (fchmod(draft->fd, 0666 & ~mask) < 0)
		return err_errno(err, errno, "set the mode of %s", draft->path);
	return true;
}

static bool commit_draft(struct draft *draft, const char *output, struct err *err)
{
	AUTO_FREE char *copy = mem_dup(output);
	AUTO_FD int folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (folder < 0 || fsync(draft->fd) < 0 || rename(draft->path, output) < 0)
		return err_errno(err, errno, "write %s", output);
	free(TAKE(draft->path));
	return file_sync_folder(folder, err);
}

/* An archive in its own folder would hold its draft, and its predecessor the next time. */
static bool check_output(const char *folder, const char *output, struct err *err)
{
	AUTO_FREE char *copy = mem_dup(output);
	AUTO_FREE char *inner = realpath(dirname(copy), NULL);
	AUTO_FREE char *outer = realpath(folder, NULL);
	size_t length = outer ? strlen(outer) : 0;

	if (!outer)
		return err_errno(err, errno, "read %s", folder);
	if (!inner)
		return err_errno(err, errno, "write %s", output);
	if (strncmp(inner, outer, length) == 0 && (inner[length] == '/' || inner[length] == '\0'))
		return err_set(err, ERR_BAD_REQUEST, "%s lies in %s, which is packed: write it elsewhere.",
			output, folder);
	return true;
}

static bool print_result(const char *output, int fd, enum format format, struct err *err)
{
	struct stat status;

	if (fstat(fd, &status) < 0)
		return err_errno(err, errno, "read %s", output);
	(void)printf("%s: %s, %s\n", output, formats[format].name, number_size(status.st_size).text);
	return true;
}

static bool pack(const char *folder, enum format format, const struct pack_options *options, struct err *err)
{
	AUTO(finish_draft) struct draft draft = {.fd = -1};
	const char *output = options->output;

	return check_output(folder, output, err) && open_draft(output, &draft, err) &&
	       packing_run("pack", folder, options->dereference ? PACK_LINKS_FOLLOWED : PACK_LINKS_REFUSED,
		       format, draft.fd, err) &&
	       commit_draft(&draft, output, err) && print_result(output, draft.fd, format, err);
}

static int run(void *values, int count, char **words)
{
	const struct pack_options *options = values;
	enum format format;
	struct err err;

	if (count != 1 || !options->output)
		return command_misuse("pack", "pack takes one folder and -o FILE");
	format = guess_folder(words[0]);
	if (options->format && (!format_parse(options->format, &format) || !formats[format].is_archive))
		return command_misuse(
			"pack", "--format takes tf-hub, tfjs or archive, not \"%s\"", options->format);
	packing_tell_choice(words[0], options->format, format);
	return pack(words[0], format, options, &err) ? COMMAND_DONE : command_fail(&err);
}

static const struct option_row rows[] = {
	{"output", 'o', "FILE", TEXT_INTO(struct pack_options, output), "the archive, such as module.tar.gz"},
	{"dereference", 0, NULL, FLAG_INTO(struct pack_options, dereference),
		"pack what symbolic links lead to, also out of DIR (caches of Hugging Face, DVC and Bazel "
		"are made of links); without it they are refused"},
	{"format", 0, "FORMAT", TEXT_INTO(struct pack_options, format),
		"tf-hub, tfjs or archive (default: tfjs where there is a model.json and no SavedModel); "
		"archive: "
		"files of any kind, such as Keras, PyTorch, ONNX or GGUF",
		.choices = "tf-hub tfjs archive"},
	{0},
};

const struct command command_pack = {
	.name = "pack",
	.summary = "make a reproducible archive of a folder",
	.forms = {"DIR -o FILE"},
	.remarks = "Packs a module's folder canonically: the same files give the same bytes. The archive is "
		   "then held against the rules for publishing; FILE is written only where it keeps them.",
	.groups = {{rows, 0}},
	.options_size = sizeof(struct pack_options),
	.run = run,
};

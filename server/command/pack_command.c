/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
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
	enum pack_links links;
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
	       packing_run("pack", folder, options->links, format, draft.fd, err) &&
	       commit_draft(&draft, output, err) && print_result(output, draft.fd, format, err);
}

static const struct option long_options[] = {
	{"output", required_argument, NULL, 'o'},
	{"format", required_argument, NULL, 'f'},
	{"dereference", no_argument, NULL, 'L'},
	{NULL, 0, NULL, 0},
};

static bool read_options(int argc, char **argv, struct pack_options *options)
{
	int letter;

	while ((letter = getopt_long(argc, argv, "o:", long_options, NULL)) != -1) {
		if (letter == '?')
			return false;
		if (letter == 'L')
			options->links = PACK_LINKS_FOLLOWED;
		else
			*(letter == 'o' ? &options->output : &options->format) = optarg;
	}
	return true;
}

int command_pack(int argc, char **argv)
{
	struct pack_options options = {0};
	enum format format;
	struct err err;

	if (!read_options(argc, argv, &options))
		return COMMAND_MISUSE;
	if (argc - optind != 1 || !options.output)
		return command_misuse("pack", "pack takes one folder and -o FILE");
	format = guess_folder(argv[optind]);
	if (options.format && (!format_parse(options.format, &format) || !formats[format].is_archive))
		return command_misuse("pack", "--format takes tf-hub or tfjs, not \"%s\"", options.format);
	packing_tell_choice(argv[optind], options.format, format);
	return pack(argv[optind], format, &options, &err) ? COMMAND_DONE : command_fail(&err);
}

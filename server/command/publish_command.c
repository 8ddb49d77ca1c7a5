/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/command/command.h"
#include "server/command/destination.h"
#include "server/command/documentation_file.h"
#include "server/command/interruption.h"
#include "server/command/listing.h"
#include "server/command/packing.h"
#include "server/command/progress_bar.h"
#include "server/command/remote.h"
#include "server/module/archives/guess.h"

struct publish_options {
	struct remote_options remote;
	const char *documentation;
	const char *format; /* NULL: by what the file or folder holds */
	bool dereference;
	bool json;
};

/* ---- what ---- */

static bool open_temporary(int *out_fd, struct err *err)
{
	const char *folder = getenv("TMPDIR");
	AUTO_FREE char *path = mem_printf("%s/larder-publish-XXXXXX", folder && *folder ? folder : "/tmp");
	AUTO_FD int fd = mkostemp(path, O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, errno, "create %s", path);
	(void)unlink(path);
	*out_fd = TAKE_FD(fd);
	return true;
}

static bool choose_format(const struct publish_options *options, enum format guessed, enum format *out)
{
	*out = guessed;
	return !options->format || format_parse(options->format, out);
}

static bool open_folder(const char *folder, const struct publish_options *options, enum format *out_format,
	int *out_fd, struct err *err)
{
	AUTO_FD int fd = -1;

	if (!choose_format(options, guess_folder(folder), out_format) || !formats[*out_format].is_archive)
		return err_set(err, ERR_BAD_REQUEST, "A folder is published as tf-hub or tfjs, not as %s.",
			options->format);
	packing_tell_choice(folder, options->format, *out_format);
	if (!open_temporary(&fd, err) ||
		!packing_run("publish", folder,
			options->dereference ? PACK_LINKS_FOLLOWED : PACK_LINKS_REFUSED, *out_format, fd,
			err))
		return false;
	*out_fd = TAKE_FD(fd);
	return true;
}

static bool open_source(const char *path, const struct publish_options *options, enum format *out_format,
	int *out_fd, struct err *err)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0)
		return err_errno(err, errno, "open %s", path);
	if (S_ISDIR(status.st_mode))
		return open_folder(path, options, out_format, out_fd, err);
	if (!S_ISREG(status.st_mode))
		return err_set(err, ERR_BAD_REQUEST, "%s is neither a file nor a folder.", path);
	if (!choose_format(options, options->format ? FORMAT_TF_HUB : guess_file(path, fd), out_format))
		return err_set(err, ERR_BAD_REQUEST,
			"\"%s\" is no format; there are tf-hub, tfjs, tflite and coral.", options->format);
	*out_fd = TAKE_FD(fd);
	return true;
}

/* Before anything is sent: what is published cannot be taken back. */
static bool open_documentation(const char *path, const struct name *name, int *out_fd, struct err *err)
{
	return !path || documentation_file_open(path, name, out_fd, err);
}

/* ---- sending ---- */

static void show_progress(void *context, int64_t done_bytes, int64_t total_bytes)
{
	progress_bar_show(context, done_bytes, total_bytes);
}

static void print_violations(const json_t *problem)
{
	size_t i;
	json_t *violation;

	json_array_foreach(json_object_get(problem, "violations"), i, violation)
	{
		const char *rule = json_string_value(json_object_get(violation, "rule"));
		const char *path = json_string_value(json_object_get(violation, "path"));
		const char *message = json_string_value(json_object_get(violation, "message"));

		packing_print_finding(rule ? rule : "", path ? path : "", message ? message : "");
	}
}

/* PUTs and judges the answer; *out is the reply's JSON, or NULL. */
static bool send_file(struct remote *remote, const char *target, const char *media_type, int fd, json_t **out,
	struct err *err)
{
	AUTO(remote_reply_finish) struct remote_reply reply = {0};
	struct progress_bar progress;
	struct remote_upload upload = {.target = target,
		.media_type = media_type,
		.fd = fd,
		.progressed = show_progress,
		.context = &progress};
	bool sent;

	progress_bar_init(&progress, "uploading");
	sent = remote_send(remote, &upload, &reply, err);
	progress_bar_finish(&progress);
	if (!sent)
		return false;
	if (!remote_accepted(&reply, err)) {
		print_violations(reply.json);
		return false;
	}
	*out = TAKE(reply.json);
	return true;
}

static bool send_module(struct remote *remote, const struct name *name, int fd, json_t **out, struct err *err)
{
	const struct format_row *format = &formats[name->format];
	AUTO_FREE char *target =
		mem_printf("/%s?%s=%s", name_path(name).text, format->query_key, format->query_value);

	return send_file(remote, target, format->media_type, fd, out, err);
}

static bool send_documentation(struct remote *remote, const struct name *name, int fd, struct err *err)
{
	json_auto_t *version = NULL;
	bool created;

	return fd < 0 || documentation_file_send(remote, name, fd, &version, &created, err) ||
	       err_prefix(err, "The module is published, its documentation is not: ");
}

static void print_version(const json_t *version, bool as_json)
{
	const json_t *graphs = json_object_get(json_object_get(version, "saved_model"), "meta_graphs");

	if (as_json) {
		listing_print_json(version);
		return;
	}
	listing_print_artifacts(version);
	if (!graphs)
		return;
	(void)putchar('\n');
	listing_print_signatures(graphs);
}

static bool publish(
	const char *source, const char *url, const struct publish_options *options, struct err *err)
{
	AUTO(destination_finish) struct destination destination = {0};
	AUTO_REMOTE struct remote *remote = NULL;
	struct remote_options access = options->remote;
	AUTO_FD int documentation = -1;
	AUTO_FD int fd = -1;
	json_t *version = NULL;
	bool done;

	/* Hub URLs have a query, so people paste it. */
	if (strchr(url, '?'))
		return err_set(err, ERR_BAD_REQUEST,
			"%s: leave out what begins with \"?\"; the format is seen from the files, or said "
			"with --format.",
			url);
	if (!destination_read(url, options->remote.server, &destination, err))
		return false;
	access.server = destination.server;
	if (!remote_create(&access, &remote, err) ||
		!open_documentation(options->documentation, &destination.name, &documentation, err) ||
		!open_source(source, options, &destination.name.format, &fd, err) ||
		!send_module(remote, &destination.name, fd, &version, err))
		return false;
	done = send_documentation(remote, &destination.name, documentation, err);
	print_version(version, options->json);
	json_decref(version);
	return done;
}

/* ---- the command ---- */

static int run(void *options, int count, char **words)
{
	struct err err;

	if (count != 2)
		return command_misuse("publish", "publish takes a folder or file and the version's URL");
	interruption_watch(INTERRUPTED_PUBLISH);
	return publish(words[0], words[1], options, &err) ? COMMAND_DONE : command_fail(&err);
}

static const struct option_row rows[] = {
	{"dereference", 0, NULL, FLAG_INTO(struct publish_options, dereference),
		"pack what DIR's symbolic links lead to, also out of DIR"},
	{"documentation", 0, "FILE", TEXT_INTO(struct publish_options, documentation),
		"send this Markdown afterwards"},
	{"format", 0, "FORMAT", TEXT_INTO(struct publish_options, format),
		"tf-hub, tfjs, tflite or coral (default: by what DIR or FILE holds)",
		.choices = "tf-hub tfjs tflite coral"},
	{"json", 0, NULL, FLAG_INTO(struct publish_options, json), "print the version as JSON"},
	{0},
};

const struct command command_publish = {
	.name = "publish",
	.summary = "send a module to a registry",
	.forms = {"DIR|FILE URL"},
	.remarks =
		"Sends a module and prints what the registry saw in it. A folder is packed first. URL is the "
		"version's, such as http://127.0.0.1:8080/acme/half-plus-two/1; without http:// it is a path "
		"on the server.",
	.groups = {{rows, 0}, {remote_option_rows, offsetof(struct publish_options, remote)}},
	.options_size = sizeof(struct publish_options),
	.run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/command/attestant.h"
#include "server/command/cells.h"
#include "server/command/command.h"
#include "server/command/destination.h"
#include "server/command/documentation_file.h"
#include "server/command/interruption.h"
#include "server/command/listing.h"
#include "server/command/packing.h"
#include "server/command/part_file.h"
#include "server/command/progress_bar.h"
#include "server/command/remote.h"
#include "server/module/archives/guess.h"

struct publish_options {
	struct remote_options remote;
	struct signing_options signing;
	const char *documentation;
	const char *format; /* NULL: by what the file or folder holds */
	bool dereference;
	bool dry_run;
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
		return err_set(err, ERR_BAD_REQUEST,
			"A folder is published as tf-hub, tfjs or archive, not as %s.", options->format);
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
		return err_set(err, ERR_BAD_REQUEST, "%s is no file, and no folder to be packed.", path);
	if (!choose_format(options, options->format ? FORMAT_TF_HUB : guess_file(path, fd), out_format))
		return err_set(err, ERR_BAD_REQUEST, "\"%s\" is no format; it must be " FORMATS_IN_WORDS ".",
			options->format);
	if (!packing_check(path, *out_format, fd, err))
		return false;
	*out_fd = TAKE_FD(fd);
	return true;
}

/* Before anything is sent: what is published cannot be taken back. */
static bool open_documentation(const char *path, const struct name *name, int *out_fd, struct err *err)
{
	return !path || documentation_file_open(path, name, out_fd, err);
}

/* ---- sending ---- */

/* What is to be published, and what came of it. */
struct publishing {
	const struct publish_options *options;
	struct destination destination;
	struct remote *remote;
	json_t *warnings; /* of its name; NULL: none */
	int fd;
	int documentation;           /* -1: none */
	struct attestant *attestant; /* NULL: it is not signed */
	bool created;                /* else these very bytes were there */
	json_t *version;
};

static void finish(struct publishing *publishing)
{
	destination_finish(&publishing->destination);
	remote_destroy(publishing->remote);
	attestant_destroy(publishing->attestant);
	json_decref(publishing->version);
	json_decref(publishing->warnings);
	if (publishing->fd >= 0)
		(void)close(publishing->fd);
	if (publishing->documentation >= 0)
		(void)close(publishing->documentation);
}

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

/* PUTs, or asks whether that would do. */
static bool put(const struct publishing *publishing, struct remote_reply *reply, struct err *err)
{
	const struct name *name = &publishing->destination.name;
	const struct format_row *format = &formats[name->format];
	AUTO_FREE char *target =
		mem_printf("/%s?%s=%s", name_path(name).text, format->query_key, format->query_value);
	struct progress_bar progress;
	struct remote_upload upload = {.target = target,
		.media_type = format->media_type,
		.asks_only = publishing->options->dry_run,
		.fd = publishing->fd,
		.progressed = show_progress,
		.context = &progress};
	bool answered;

	progress_bar_init(&progress, "uploading");
	answered = remote_send(publishing->remote, &upload, reply, err);
	progress_bar_finish(&progress);
	return answered;
}

static bool send_module(struct publishing *publishing, struct err *err)
{
	AUTO(remote_reply_finish) struct remote_reply reply = {0};

	if (!put(publishing, &reply, err))
		return false;
	if (!remote_accepted(&reply, err)) {
		print_violations(reply.json);
		return false;
	}
	if (!json_is_object(reply.json))
		return remote_refuse_stranger(publishing->remote, err);
	publishing->created = reply.status == 201;
	publishing->version = TAKE(reply.json);
	publishing->warnings = json_incref(json_object_get(publishing->version, "warnings"));
	return true;
}

/* What it is then has its description and tags. */
static bool send_documentation(struct publishing *publishing, struct err *err)
{
	const struct name *name = &publishing->destination.name;
	json_t *version = NULL;
	bool created;

	if (publishing->documentation < 0)
		return true;
	if (!documentation_file_send(
		    publishing->remote, name, publishing->documentation, &version, &created, err))
		return err_prefix(err,
			"The module is there, its documentation is not (send it with `larder document`): ");
	json_decref(publishing->version);
	publishing->version = version;
	return true;
}

/* ---- telling ---- */

static char *url_of(const struct publishing *publishing)
{
	return mem_printf(
		"%s/%s", remote_server(publishing->remote), name_path(&publishing->destination.name).text);
}

/* Whoever takes the output is not to take them for it. */
static void print_warnings(const json_t *warnings)
{
	const json_t *warning;
	size_t i;

	json_array_foreach(warnings, i, warning)(void) fprintf(
		stderr, "warning: %s: %s\n", cell_text(warning, "rule"), cell_text(warning, "message"));
}

static void print_version(const struct publishing *publishing)
{
	AUTO_FREE char *url = url_of(publishing);

	print_warnings(publishing->warnings);
	if (publishing->options->json) {
		if (publishing->warnings)
			(void)json_object_set(publishing->version, "warnings", publishing->warnings);
		(void)json_object_set_new(publishing->version, "created", json_boolean(publishing->created));
		attestant_tell_json(publishing->attestant, publishing->version);
		listing_print_json(publishing->version);
		return;
	}
	(void)printf("%s: %s\n\n", publishing->created ? "published" : "already there", url);
	attestant_tell(publishing->attestant);
	listing_print_artifacts(publishing->version);
	listing_print_models(publishing->version);
}

/* ---- a dry run ---- */

/* The artifact that the server has of this format; "" where it has none, or does not say. */
static const char *find_digest(const json_t *version, enum format format)
{
	const json_t *artifact;
	size_t i;

	json_array_foreach(json_object_get(version, "artifacts"), i, artifact)
	{
		if (strcmp(cell_text(artifact, "format"), formats[format].name) == 0 &&
			strcmp(cell_text(artifact, "source"), "published") == 0)
			return cell_text(artifact, "digest");
	}
	return "";
}

/* Whether anything would be new; a server that nobody may read of does not tell. */
static bool look(struct publishing *publishing, struct digest *digest, int64_t *length, struct err *err)
{
	const struct name *name = &publishing->destination.name;
	AUTO_HASHER struct hasher *hasher = hasher_create();
	AUTO_FREE char *target = mem_printf("/api/v1/modules/%s", name_path(name).text);
	AUTO_FREE char *text = NULL;
	json_auto_t *version = NULL;
	struct err why;

	if (!part_file_hash(publishing->fd, hasher, length, err))
		return false;
	*digest = hasher_result(hasher);
	text = mem_printf("sha256:%s", digest->hex);
	publishing->created = !remote_get(publishing->remote, target, &version, &why) ||
			      strcmp(find_digest(version, name->format), text) != 0;
	return true;
}

static void print_outlook(const struct publishing *publishing, const struct digest *digest, int64_t length)
{
	const char *format = formats[publishing->destination.name.format].name;
	AUTO_FREE char *url = url_of(publishing);
	json_auto_t *report = NULL;

	if (!publishing->options->json) {
		(void)printf("%s: %s\n%s, %s, sha256:%s; nothing was sent\n",
			publishing->created ? "would be published" : "already there", url, format,
			number_size(length).text, digest->hex);
		return;
	}
	report = json_pack("{s:b, s:b, s:s, s:s, s:s+, s:I}", "dry_run", 1, "created",
		(int)publishing->created, "url", url, "format", format, "digest", "sha256:", digest->hex,
		"size_bytes", (json_int_t)length);
	listing_print_json(report);
}

/* Many a server lets any body come. */
static bool ask_who_is_there(struct remote *remote, struct err *err)
{
	json_auto_t *readiness = NULL;

	return remote_get(remote, "/readyz", &readiness, err);
}

/* Its attestations would be there before it. */
static bool is_for_signature(const struct publishing *publishing, const struct remote_reply *reply)
{
	return publishing->attestant && strcmp(cell_text(reply->json, "code"), "signature-required") == 0;
}

/* The server judges what it is told before a body: the token, the name, the digest, the size, its room. */
static bool ask(struct publishing *publishing, struct err *err)
{
	AUTO(remote_reply_finish) struct remote_reply reply = {0};
	struct digest digest;
	int64_t length;

	if (!ask_who_is_there(publishing->remote, err) || !put(publishing, &reply, err) ||
		(reply.status != 100 && !is_for_signature(publishing, &reply) &&
			!remote_accepted(&reply, err)))
		return false;
	if (reply.status != 100 && !is_for_signature(publishing, &reply))
		return err_set(err, ERR_UPSTREAM_FAILED,
			"%s took the module before it was sent: is it a Larder?",
			remote_server(publishing->remote));
	if (!look(publishing, &digest, &length, err))
		return false;
	print_outlook(publishing, &digest, length);
	return true;
}

/* ---- all of it ---- */

static bool read_url(struct publishing *publishing, const char *url, struct err *err)
{
	/* Hub URLs have a query, so people paste it. */
	if (strchr(url, '?'))
		return err_set(err, ERR_BAD_REQUEST,
			"%s: leave out what begins with \"?\"; the format is seen from the files, or said "
			"with --format.",
			url);
	return destination_read(url, publishing->options->remote.server, &publishing->destination, err);
}

/* All that can be wrong here, before anything is sent. */
static bool prepare(struct publishing *publishing, const char *source, const char *url, struct err *err)
{
	const struct publish_options *options = publishing->options;
	struct destination *destination = &publishing->destination;
	struct remote_options access = options->remote;

	if (!read_url(publishing, url, err))
		return false;
	access.server = destination->server;
	return remote_create(&access, &publishing->remote, err) &&
	       open_documentation(
		       options->documentation, &destination->name, &publishing->documentation, err) &&
	       open_source(source, options, &destination->name.format, &publishing->fd, err) &&
	       attestant_create(
		       &options->signing, &destination->name, publishing->fd, &publishing->attestant, err);
}

static bool publish(
	const char *source, const char *url, const struct publish_options *options, struct err *err)
{
	AUTO(finish) struct publishing publishing = {.options = options, .fd = -1, .documentation = -1};
	bool done;

	if (!prepare(&publishing, source, url, err))
		return false;
	if (options->dry_run)
		return ask(&publishing, err);
	if (!attestant_send(publishing.attestant, publishing.remote, err) || !send_module(&publishing, err))
		return false;
	done = send_documentation(&publishing, err);
	print_version(&publishing);
	return done;
}

/* ---- the command ---- */

static int run(void *options, int count, char **words)
{
	struct err err;

	if (count != 2)
		return command_misuse("publish", "publish takes a folder or file and the version's URL");
	if (!signing_options_check(&((const struct publish_options *)options)->signing, &err))
		return command_misuse("publish", "%s", err.text);
	interruption_watch(INTERRUPTED_PUBLISH);
	return publish(words[0], words[1], options, &err) ? COMMAND_DONE : command_fail(&err);
}

static const struct option_row rows[] = {
	{"dereference", 0, NULL, FLAG_INTO(struct publish_options, dereference),
		"pack what DIR's symbolic links lead to, also out of DIR"},
	{"documentation", 0, "FILE", TEXT_INTO(struct publish_options, documentation),
		"send this Markdown with it"},
	{"format", 0, "FORMAT", TEXT_INTO(struct publish_options, format),
		FORMATS_IN_WORDS " (default: by what DIR or FILE holds)", .choices = FORMATS_TO_CHOOSE},
	{"dry-run", 0, NULL, FLAG_INTO(struct publish_options, dry_run),
		"check everything, ask the registry whether it would take it, and send nothing"},
	{"json", 0, NULL, FLAG_INTO(struct publish_options, json),
		"print the version as JSON, with \"created\": whether it is new"},
	{0},
};

const struct command command_publish = {
	.name = "publish",
	.summary = "send a module to a registry",
	.forms = {"DIR|FILE URL"},
	.remarks =
		"Sends a module and prints its URL, whether it is new there, and what the registry saw in "
		"it. "
		"A folder is packed first. Module and documentation are held against the rules of registries "
		"before a byte is sent: a version's bytes can never be replaced. URL is the version's, such "
		"as "
		"http://127.0.0.1:8080/acme/half-plus-two/1; acme/half-plus-two/1 is a path on the server "
		"that "
		"--server names. Takes a token with the scope publish:GLOB.",
	.groups = {{rows, 0}, {signing_option_rows, offsetof(struct publish_options, signing)},
		{remote_option_rows, offsetof(struct publish_options, remote)}},
	.options_size = sizeof(struct publish_options),
	.run = run,
};

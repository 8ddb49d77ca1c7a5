/* SPDX-License-Identifier: Apache-2.0
 *
 * pull: gets one module from a daemon into a file, a new folder or standard output, and proves that it came
 * as it is kept there. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "common/uri.h"
#include "server/command/command.h"
#include "server/command/extraction.h"
#include "server/command/interruption.h"
#include "server/command/module_target.h"
#include "server/command/part_file.h"
#include "server/command/progress_bar.h"
#include "server/command/remote.h"
#include "server/module/name.h"

/* A try that brought WORTH_BYTES does not count as one. */
enum { TRIES_MAX = 5, REDIRECTS_MAX = 3, FIRST_WAIT_MS = 200, WORTH_BYTES = 1 << 20, FILE_NAME_MAX = 200 };

struct pull_options {
	struct remote_options remote;
	const char *output; /* NULL: the server's name for it, here */
	const char *unpack; /* the new folder */
	bool force;
};

/* Why a transfer was ended from here. */
enum stop {
	STOP_NONE,
	STOP_HERE,  /* the same file is here already */
	STOP_RESUME /* a part of it is */
};

struct pull {
	const struct pull_options *options;
	struct remote *remote;
	char *target; /* path and query on the server */
	char *output; /* NULL: standard output, or not known yet */
	bool is_standard;
	struct part_file part;
	bool is_open; /* the part */
	bool has_digest;
	struct digest digest; /* as the server says */
	enum stop stop;
	int redirects;
	int64_t total_bytes; /* 0: not known */
	struct progress_bar progress;
};

static void finish(struct pull *pull)
{
	part_file_finish(&pull->part);
	free(pull->output);
	free(pull->target);
	remote_destroy(pull->remote);
}

/* ---- where to ---- */

/* Not a path, not hidden, no option of some command, nothing that steers a terminal. */
static bool is_fit_name(const char *name)
{
	size_t length = strlen(name);

	for (const char *c = name; *c; c++) {
		if (*c <= ' ' || *c > '~' || strchr("/\\\"'*?:<>|", *c))
			return false;
	}
	return length > 0 && length <= FILE_NAME_MAX && *name != '.' && *name != '-';
}

static char *name_of_disposition(const char *disposition)
{
	static const char key[] = "filename=\"";
	const char *found = strcasestr(disposition, key);
	const char *from = found ? found + strlen(key) : "";

	return mem_dup_n(from, strcspn(from, "\""));
}

/* "half-plus-two_1.tar.gz", as a Larder would have it. */
static char *name_of_target(const char *target)
{
	AUTO_FREE char *path = mem_dup_n(target + 1, strcspn(target + 1, "?"));
	struct name name = {.format = FORMAT_TF_HUB};
	const char *slash;
	struct err err;

	if (!uri_decode(path, false) || !name_parse_versioned(path, &name, &err))
		return mem_dup("");
	for (size_t i = 0; i < FORMAT_COUNT; i++) {
		if (strstr(target + 1 + strcspn(target + 1, "?"), formats[i].query_key))
			name.format = (enum format)i;
	}
	slash = strrchr(name.handle, '/');
	return mem_printf("%s_%lld%s", slash ? slash + 1 : name.handle, (long long)name.version,
		formats[name.format].file_suffix);
}

static bool choose_name(const struct pull *pull, const struct remote_head *head, char **out, struct err *err)
{
	AUTO_FREE char *said = name_of_disposition(head->disposition);
	AUTO_FREE char *ours = name_of_target(pull->target);

	if (!is_fit_name(said) && !is_fit_name(ours))
		return err_set(
			err, ERR_BAD_REQUEST, "The server names no fit file for it: name one with -o FILE.");
	*out = is_fit_name(said) ? TAKE(said) : TAKE(ours);
	return true;
}

static bool is_folder(const char *path)
{
	struct stat status;

	return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

/* NULL where the name is the server's; *folder then ends with a slash, or is "". */
static char *read_output(const struct pull_options *options, char **folder)
{
	const char *said = options->unpack ? options->unpack : options->output;
	size_t length = said ? strlen(said) : 0;
	bool slash = length && said[length - 1] == '/';

	if (options->unpack) {
		while (length > 1 && said[length - 1] == '/')
			length--;
		return mem_dup_n(said, length);
	}
	if (said && !slash && !is_folder(said))
		return mem_dup(said);
	*folder = mem_printf("%s%s", said ? said : "", said && !slash ? "/" : "");
	return NULL;
}

static bool choose_output(struct pull *pull, const struct remote_head *head, struct err *err)
{
	AUTO_FREE char *folder = NULL;
	AUTO_FREE char *name = NULL;

	if (pull->is_standard || pull->output)
		return true;
	(void)read_output(pull->options, &folder);
	if (!choose_name(pull, head, &name, err) || (*folder && !file_make_folders(folder, err)))
		return false;
	pull->output = mem_printf("%s%s", folder, name);
	return true;
}

/* Holds what is there under the final name against a digest: *same where it is equal. ERR_CONFLICT where it
 * is another, which may not be replaced. */
static bool look_at_target(const struct pull *pull, const struct digest *digest, bool *same, struct err *err)
{
	AUTO_HASHER struct hasher *hasher = hasher_create();
	AUTO_FD int fd = -1;
	struct digest found;
	struct stat status;
	int64_t length;

	*same = false;
	if (pull->is_standard || pull->options->unpack || lstat(pull->output, &status) < 0)
		return true;
	fd = open(pull->output, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	if (fd >= 0 && (fstat(fd, &status) < 0 || !S_ISREG(status.st_mode)))
		return err_set(err, ERR_CONFLICT, "%s is no plain file: name another with -o.", pull->output);
	if (fd < 0 || !part_file_hash(fd, hasher, &length, err))
		return pull->options->force || err_errno(err, errno, "read %s, which is there", pull->output);
	found = hasher_result(hasher);
	*same = digest_equal(&found, digest);
	return *same || pull->options->force ||
	       err_set(err, ERR_CONFLICT,
		       "%s is there already, and is another file. Name another with -o, or replace it with "
		       "--force.",
		       pull->output);
}

/* ---- what it is to be ---- */

static bool read_etag(const char *etag, struct digest *out)
{
	size_t length = strlen(etag);
	AUTO_FREE char *inner = length > 2 ? mem_dup_n(etag + 1, length - 2) : mem_dup("");

	return etag[0] == '"' && etag[length ? length - 1 : 0] == '"' && digest_parse(inner, out);
}

static bool read_repr_digest(const char *value, struct digest *out)
{
	static const char key[] = "sha-256=:";
	const char *found = strstr(value, key);
	const char *from = found ? found + strlen(key) : "";
	AUTO_FREE char *text = mem_dup_n(from, strcspn(from, ":"));
	uint8_t bytes[32];

	if (!base64_decode(text, bytes, sizeof bytes))
		return false;
	*out = digest_from_bytes(bytes);
	return true;
}

static bool read_digest(struct pull *pull, const struct remote_head *head, struct err *err)
{
	struct digest etag;
	struct digest repr;
	bool has_etag = read_etag(head->etag, &etag);
	bool has_repr = read_repr_digest(head->repr_digest, &repr);

	if (has_etag && has_repr && !digest_equal(&etag, &repr))
		return err_set(err, ERR_DIGEST_MISMATCH,
			"The server contradicts itself: ETag and Repr-Digest are of different files.");
	pull->has_digest = has_etag || has_repr;
	if (pull->has_digest)
		pull->digest = has_etag ? etag : repr;
	return true;
}

/* ---- the transfer ---- */

static bool is_tagged_so(const struct pull *pull)
{
	return pull->part.has_tag && pull->has_digest && digest_equal(&pull->part.tag, &pull->digest);
}

/* Whether these are the bytes that were asked for. */
static bool goes_on(const struct pull *pull, const struct remote_head *head)
{
	AUTO_FREE char *range = mem_printf("bytes %lld-", (long long)pull->part.length_bytes);

	return strncasecmp(head->range, range, strlen(range)) == 0 && is_tagged_so(pull);
}

static bool open_part(struct pull *pull, struct err *err)
{
	if (!pull->is_open && !part_file_open(&pull->part, pull->is_standard ? NULL : pull->output, err))
		return false;
	if (!pull->is_open && is_tagged_so(pull) && pull->part.length_bytes > 0)
		pull->stop = STOP_RESUME;
	pull->is_open = true;
	return pull->stop == STOP_NONE;
}

static bool prepare_part(struct pull *pull, const struct remote_head *head, struct err *err)
{
	if (!open_part(pull, err))
		return false;
	if (head->status == 206 && !goes_on(pull, head)) {
		part_file_remove(&pull->part);
		return err_set(err, ERR_UPSTREAM_FAILED,
			"The server answers another part of the file than it was asked for.");
	}
	if (head->status != 206 &&
		!part_file_restart(&pull->part, pull->has_digest ? &pull->digest : NULL, err))
		return false;
	pull->total_bytes = head->length_bytes > 0 ? pull->part.length_bytes + head->length_bytes : 0;
	pull->progress.first_bytes = pull->part.length_bytes;
	return true;
}

static bool begin(void *context, const struct remote_head *head, struct err *err)
{
	struct pull *pull = context;
	bool same = false;

	if (!read_digest(pull, head, err) || !choose_output(pull, head, err))
		return false;
	if (pull->options->unpack && strcasestr(head->media_type, "octet-stream"))
		return err_set(
			err, ERR_BAD_REQUEST, "It is one file and no archive: pull it without --unpack.");
	if (pull->has_digest && !look_at_target(pull, &pull->digest, &same, err))
		return false;
	if (same) {
		pull->stop = STOP_HERE;
		return false;
	}
	return prepare_part(pull, head, err);
}

static bool take(void *context, const void *bytes, size_t length, struct err *err)
{
	struct pull *pull = context;

	if (!part_file_add(&pull->part, bytes, length, err))
		return false;
	progress_bar_show(&pull->progress, pull->part.length_bytes, pull->total_bytes);
	return true;
}

/* Only a path of the same server: the token is for no other. */
static bool follow(struct pull *pull, const struct remote_head *head, struct err *err)
{
	if (!*head->location || ++pull->redirects > REDIRECTS_MAX)
		return err_set(err, ERR_UPSTREAM_FAILED, "The server leads nowhere: is it a Larder?");
	free(pull->target);
	pull->target = remote_path_of(head->location);
	return true;
}

/* All bytes are here if nothing lies behind them; the digest will tell. */
static bool is_complete(const struct pull *pull, const struct remote_head *head)
{
	return head->status == 416 && pull->is_open && pull->part.has_tag;
}

static bool refuse(const struct pull *pull, const struct remote_reply *reply, struct err *err)
{
	if (remote_accepted(reply, err))
		return err_set(
			err, ERR_UPSTREAM_FAILED, "The server answers %ld, and no file.", reply->status);
	if (reply->status == 404 && (!strchr(pull->target, '?') || strstr(pull->target, "tf-hub-format")))
		(void)strncat(err->text,
			" \"larder list\" tells what there is; another format is asked for as "
			"PATH?lite-format=tflite, PATH?tfjs-format=compressed or "
			"PATH?archive-format=compressed",
			sizeof err->text - strlen(err->text) - 1);
	return false;
}

/* One request. *out_done: all bytes are here. Else it is to be repeated. */
static bool transfer(struct pull *pull, struct remote_head *head, bool *out_done, struct err *err)
{
	AUTO(remote_reply_finish) struct remote_reply reply = {0};
	AUTO_FREE char *etag = mem_printf("\"sha256:%s\"", pull->part.tag.hex);
	bool resumes = pull->is_open && pull->part.has_tag && pull->part.length_bytes > 0;
	struct remote_download download = {.target = pull->target,
		.first = resumes ? pull->part.length_bytes : 0,
		.etag = resumes ? etag : NULL,
		.begin = begin,
		.take = take,
		.context = pull};

	*out_done = false;
	pull->stop = STOP_NONE;
	if (!remote_get_file(pull->remote, &download, head, &reply, err)) {
		*out_done = pull->stop == STOP_HERE;
		return pull->stop != STOP_NONE;
	}
	if (head->status >= 300 && head->status < 400)
		return follow(pull, head, err);
	*out_done = head->status == 200 || head->status == 206 || is_complete(pull, head);
	return *out_done || refuse(pull, &reply, err);
}

/* Whether it broke off, after something had come: a server that was never there will not be in a moment. */
static bool may_go_on(const struct pull *pull, const struct remote_head *head, const struct err *err)
{
	bool broke = err->code == ERR_UPSTREAM_UNREACHABLE && (head->status != 0 || pull->is_open);

	return (broke || err->code == ERR_BUSY) && pull->stop == STOP_NONE;
}

static void wait_after(int tries, const struct err *err)
{
	(void)fprintf(stderr, "larder: %s Trying again.\n", err->text);
	clock_sleep_ms((int64_t)FIRST_WAIT_MS << (tries - 1));
}

static bool receive(struct pull *pull, struct err *err)
{
	struct remote_head head;
	bool done = false;
	int tries = 0;

	while (!done) {
		int64_t before = pull->part.length_bytes;

		if (transfer(pull, &head, &done, err))
			continue;
		tries = pull->part.length_bytes - before >= WORTH_BYTES ? 1 : tries + 1;
		if (!may_go_on(pull, &head, err) || tries >= TRIES_MAX)
			return false;
		progress_bar_finish(&pull->progress);
		wait_after(tries, err);
	}
	return true;
}

/* ---- the end ---- */

/* What was still being fetched by the server has its digest by now. */
static bool ask_for_digest(struct pull *pull, struct err *err)
{
	AUTO(remote_reply_finish) struct remote_reply reply = {0};
	struct remote_download download = {.target = pull->target, .head_only = true};
	struct remote_head head;

	if (!pull->has_digest && (!remote_get_file(pull->remote, &download, &head, &reply, err) ||
					 !read_digest(pull, &head, err)))
		return false;
	return pull->has_digest ||
	       err_set(err, ERR_DIGEST_MISMATCH,
		       "The server tells no digest, so nobody knows whether it came whole: "
		       "is it a Larder?");
}

static bool verify(struct pull *pull, struct err *err)
{
	struct digest found = part_file_digest(&pull->part);

	if (!ask_for_digest(pull, err)) {
		part_file_remove(&pull->part);
		return false;
	}
	if (digest_equal(&found, &pull->digest))
		return true;
	part_file_remove(&pull->part);
	return err_set(err, ERR_DIGEST_MISMATCH,
		"What came is sha256:%s, where the server says sha256:%s. %s: pull again.", found.hex,
		pull->digest.hex,
		pull->is_standard ? "What was written to standard output is of no use" : "It is removed");
}

static bool keep(struct pull *pull, bool *same, struct err *err)
{
	if (!look_at_target(pull, &pull->digest, same, err))
		return false;
	if (*same) {
		part_file_remove(&pull->part);
		return true;
	}
	if (!pull->options->unpack)
		return part_file_commit(&pull->part, pull->options->force, err);
	if (extraction_run(pull->part.fd, pull->output, 0666, err)) {
		part_file_remove(&pull->part);
		return true;
	}
	if (err->code == ERR_INVALID_MODULE)
		part_file_remove(&pull->part);
	return false;
}

static void tell(const struct pull *pull, bool same)
{
	FILE *out = pull->is_standard ? stderr : stdout;
	const char *where = pull->is_standard ? "standard output" : pull->output;

	if (same)
		(void)fprintf(out, "%s: already here, sha256:%s\n", where, pull->digest.hex);
	else
		(void)fprintf(out, "%s: %s, sha256:%s\n", where, number_size(pull->part.length_bytes).text,
			pull->digest.hex);
}

/* A part that can be gone on with is worth to be named. */
static void tell_of_part(const struct pull *pull)
{
	if (pull->is_open && pull->part.fd >= 0 && pull->part.has_tag && pull->part.length_bytes > 0)
		(void)fprintf(stderr, "larder: %s of it are in %s; to pull again goes on from there.\n",
			number_size(pull->part.length_bytes).text, pull->part.path);
}

static bool run(struct pull *pull, struct err *err)
{
	bool done;
	bool same;

	progress_bar_init(&pull->progress, "pulling");
	done = receive(pull, err);
	progress_bar_finish(&pull->progress);
	same = pull->stop == STOP_HERE;
	if (same)
		part_file_remove(&pull->part);
	done = done && (same || (verify(pull, err) && keep(pull, &same, err)));
	if (done)
		tell(pull, same);
	else
		tell_of_part(pull);
	return done;
}

static bool check_folder(const char *unpack, struct err *err)
{
	struct stat status;

	return !unpack || lstat(unpack, &status) < 0 ||
	       err_set(err, ERR_CONFLICT, "%s is there already: --unpack makes a new folder.", unpack);
}

/* What was interrupted is asked for the rest at once, where its name does not depend on the server's words.
 */
static bool open_interrupted(struct pull *pull, struct err *err)
{
	AUTO_FREE char *path = pull->output ? mem_printf("%s.part", pull->output) : NULL;

	pull->is_open = path && access(path, F_OK) == 0;
	return !pull->is_open || part_file_open(&pull->part, pull->output, err);
}

static bool pull_module(const char *path, const struct pull_options *options, struct err *err)
{
	AUTO(finish) struct pull pull = {.options = options, .part = {.fd = -1}};
	AUTO_BUFFER struct buffer target = {0};
	AUTO_FREE char *folder = NULL;

	pull.is_standard = options->output && strcmp(options->output, "-") == 0;
	pull.output = pull.is_standard ? NULL : read_output(options, &folder);
	if (!check_folder(options->unpack, err) || !remote_create(&options->remote, &pull.remote, err) ||
		!module_target_check(path, pull.remote, err) ||
		!module_target_write(path, remote_server(pull.remote), &target, err) ||
		!open_interrupted(&pull, err))
		return false;
	pull.target = mem_dup(buffer_string(&target));
	return run(&pull, err);
}

/* ---- the command ---- */

static int run_pull(void *values, int count, char **words)
{
	const struct pull_options *options = values;
	struct err err;

	if (count != 1)
		return command_misuse("pull", "pull takes one module, such as acme/half-plus-two/1");
	if (options->output && options->unpack)
		return command_misuse("pull", "-o and --unpack exclude each other");
	if ((options->output && !*options->output) || (options->unpack && !*options->unpack))
		return command_misuse("pull", "-o and --unpack take a name");
	if (options->output && strcmp(options->output, "-") == 0 && isatty(STDOUT_FILENO))
		return command_misuse(
			"pull", "a module is nothing to look at: send it to a program or a file");
	interruption_watch(options->output && strcmp(options->output, "-") == 0 ? INTERRUPTED_PULL_AWAY
										: INTERRUPTED_PULL);
	return pull_module(words[0], options, &err) ? COMMAND_DONE : command_fail(&err);
}

static const struct option_row rows[] = {
	{"output", 'o', "FILE|DIR", TEXT_INTO(struct pull_options, output),
		"write FILE, or into the folder DIR (one that is there, or ends with /); - is standard "
		"output, to be used only once it ends with status 0",
		.or_next = true},
	{"unpack", 0, "DIR", TEXT_INTO(struct pull_options, unpack),
		"unpack the archive into DIR, which is made"},
	{"force", 0, NULL, FLAG_INTO(struct pull_options, force),
		"replace FILE where it is another; an equal one stays"},
	{0},
};

const struct command command_pull = {
	.name = "pull",
	.summary = "get one module from a registry",
	.forms = {"PATH"},
	.remarks =
		"Gets a module and holds it against the digest that the registry has of it. PATH is a "
		"version, "
		"such as acme/half-plus-two/1 (the tf-hub archive) or 'acme/x/1?lite-format=tflite'; without "
		"a "
		"version the latest is meant. The file is named as half-plus-two_1.tar.gz. While it comes it "
		"is FILE.part; one that was interrupted is gone on with.",
	.groups = {{rows, 0}, {remote_option_rows, offsetof(struct pull_options, remote)}},
	.options_size = sizeof(struct pull_options),
	.run = run_pull,
};

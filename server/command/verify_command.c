/* SPDX-License-Identifier: Apache-2.0
 *
 * verify: whether what lies in a data folder is what it was; or whether a running daemon has what a lock file
 * names, to the byte. */
#include <jansson.h>
#include <stdio.h>

#include "common/number.h"
#include "common/own.h"
#include "server/command/command.h"
#include "server/command/listing.h"
#include "server/command/lockcheck.h"
#include "server/command/lockfile.h"
#include "server/command/remote.h"
#include "server/command/verify_store.h"

enum { RATE_BYTES = 32 << 20 };

struct verify_options {
	struct remote_options remote;
	struct place_options place;
	const char *lock;
	const char *rate;
	const char *from;
	const char *from_token_file;
	bool repair;
	bool anew;
	bool json;
};

static bool read_lock(const char *name, struct lockfile *out, struct err *err)
{
	AUTO(command_close_file) FILE *file = NULL;

	return command_open_file(name, &file, err) &&
	       (lockfile_read(file, out, err) || err_prefix(err, "%.200s: ", name));
}

/* What is known there and not as it was locked is different; all else that is not there is missing. */
struct counts {
	size_t same;
	size_t missing;
	size_t different;
};

static struct counts count(const struct lockfile *lockfile)
{
	struct counts counts = {
		lockcheck_count(lockfile, LOCK_SAME), 0, lockcheck_count(lockfile, LOCK_DIFFERENT)};

	counts.missing = lockfile->count - counts.same - counts.different;
	return counts;
}

static void print_json(const struct lockfile *lockfile, const struct counts *counts)
{
	json_t *artifacts = json_array();
	json_auto_t *report = NULL;

	for (size_t i = 0; i < lockfile->count; i++)
		json_array_append_new(artifacts, lockcheck_json(&lockfile->items[i]));
	report = json_pack("{s:o, s:I, s:I, s:I}", "artifacts", artifacts, "same", (json_int_t)counts->same,
		"missing", (json_int_t)counts->missing, "different", (json_int_t)counts->different);
	listing_print_json(report);
}

static int report(const struct lockfile *lockfile, bool as_json)
{
	const struct counts counts = count(lockfile);

	for (size_t i = 0; i < lockfile->count; i++) {
		if (lockcheck_is_fault(&lockfile->items[i]))
			lockcheck_tell(&lockfile->items[i]);
	}
	if (as_json)
		print_json(lockfile, &counts);
	else
		(void)printf("%zu as locked, %zu missing, %zu different\n", counts.same, counts.missing,
			counts.different);
	return counts.same == lockfile->count ? COMMAND_DONE : COMMAND_FAILED;
}

static int verify_lock(const struct verify_options *options)
{
	AUTO_LOCKFILE struct lockfile lockfile = {0};
	AUTO_REMOTE struct remote *remote = NULL;
	struct err err;

	if (options->repair || options->anew || options->rate || options->from || options->place.data ||
		options->place.config)
		return command_misuse("verify", "--lock asks a daemon: it goes with --server, --token, "
						"--token-file and --json only");
	if (!read_lock(options->lock, &lockfile, &err) || !remote_create(&options->remote, &remote, &err) ||
		!lockcheck_run(remote, &lockfile, &err))
		return command_fail(&err);
	return report(&lockfile, options->json);
}

static int run(void *values, int count, char **words)
{
	const struct verify_options *options = values;
	int64_t rate = RATE_BYTES;

	(void)words;
	if (count > 0)
		return command_misuse("verify", "verify takes no arguments: --lock FILE names a lock file");
	if (options->lock)
		return verify_lock(options);
	if (options->from && !options->repair)
		return command_misuse("verify", "--from goes with --repair");
	if (options->from_token_file && !options->from)
		return command_misuse("verify", "--from-token-file goes with --from URL");
	if (options->rate && !number_parse_size(options->rate, &rate))
		return command_misuse("verify", "--rate takes bytes a second, such as 32M, or 0; not \"%s\"",
			options->rate);
	return verify_store(&(struct verify_store_options){options->place, options->remote, rate,
		options->repair, options->anew, options->from, options->from_token_file, options->json});
}

enum { FORM_STORE = 1 << 0, FORM_LOCK = 1 << 1 };

static const struct option_row rows[] = {
	{"lock", 0, "FILE", TEXT_INTO(struct verify_options, lock),
		"what \"larder lock\" printed (-: standard input)", .forms = FORM_LOCK},
	{"repair", 0, NULL, FLAG_INTO(struct verify_options, repair),
		"have what is damaged or gone back: mirrored modules are fetched again by the daemon "
		"(--server)",
		.forms = FORM_STORE},
	{"from", 0, "DIR|URL", TEXT_INTO(struct verify_options, from),
		"restore from a backup, another data folder, or another registry, where they have the digest",
		.forms = FORM_STORE},
	{"from-token-file", 0, "FILE", TEXT_INTO(struct verify_options, from_token_file),
		"the file with the token for that registry", .forms = FORM_STORE},
	{"rate", 0, "BYTES", TEXT_INTO(struct verify_options, rate),
		"read so much a second, such as 8M (default: 32M; 0: as fast as can be)",
		.forms = FORM_STORE},
	{"anew", 0, NULL, FLAG_INTO(struct verify_options, anew),
		"begin with the first blob, also where an earlier run was interrupted", .forms = FORM_STORE},
	{"json", 0, NULL, FLAG_INTO(struct verify_options, json), "print JSON"},
	{0},
};

const struct command command_verify = {
	.name = "verify",
	.summary = "hold what is here against its digests, or a registry against a lock file",
	.forms = {"[--repair]", "--lock FILE"},
	.statuses = "1 also where anything is damaged or missing and was not mended, or is not as it was "
		    "locked.",
	.remarks =
		"Reads every blob of a data folder and holds it against its digest, whether a daemon runs on "
		"it or not, and can be interrupted: the next run goes on where it was. What is damaged or "
		"gone is given to nobody from then on, and named, a line for each artifact with tabs "
		"between: "
		"what became of it, its path and format, what is wrong. A mirrored one is dropped, and "
		"fetched again when it is asked for, with the digest that it had. A published one is held: "
		"its damaged file is moved to damaged/ in the data folder, and clients get 451 until it is "
		"restored.\nWith --repair mirrored ones are fetched again at once by the daemon on that "
		"folder, which --server names, and --from has all of them restored whose bytes are there; "
		"also those that an earlier run has found. Publishing the same bytes once more restores, "
		"too.\nWith --lock it holds what a running daemon has against a lock file, by the digests "
		"and sizes that it tells of, and fetches nothing. Names what is missing and what is "
		"different.",
	.groups = {{rows, 0}, {place_option_rows, offsetof(struct verify_options, place), FORM_STORE},
		{remote_option_rows, offsetof(struct verify_options, remote)}},
	.options_size = sizeof(struct verify_options),
	.run = run,
};

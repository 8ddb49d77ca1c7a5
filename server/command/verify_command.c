/* SPDX-License-Identifier: Apache-2.0
 *
 * verify: whether a running daemon has what a lock file names, to the byte. */
#include <jansson.h>
#include <stdio.h>

#include "common/own.h"
#include "server/command/command.h"
#include "server/command/listing.h"
#include "server/command/lockcheck.h"
#include "server/command/lockfile.h"
#include "server/command/remote.h"

struct verify_options {
	struct remote_options remote;
	const char *lock;
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

static int run(void *values, int count, char **words)
{
	AUTO_LOCKFILE struct lockfile lockfile = {0};
	AUTO_REMOTE struct remote *remote = NULL;
	const struct verify_options *options = values;
	struct err err;

	(void)words;
	if (!options->lock || count > 0)
		return command_misuse("verify", "verify takes --lock FILE");
	if (!read_lock(options->lock, &lockfile, &err) || !remote_create(&options->remote, &remote, &err) ||
		!lockcheck_run(remote, &lockfile, &err))
		return command_fail(&err);
	return report(&lockfile, options->json);
}

static const struct option_row rows[] = {
	{"lock", 0, "FILE", TEXT_INTO(struct verify_options, lock),
		"what \"larder lock\" printed (-: standard input)"},
	{"json", 0, NULL, FLAG_INTO(struct verify_options, json), "print JSON"},
	{0},
};

const struct command command_verify = {
	.name = "verify",
	.summary = "tell whether a registry has what a lock file names",
	.forms = {"--lock FILE"},
	.statuses = "1 also where anything is not as it was locked.",
	.remarks =
		"Holds what a running daemon has against a lock file, by the digests and sizes that it tells "
		"of, and fetches nothing. Names what is missing and what is different, and then exits with "
		"status 1.",
	.groups = {{rows, 0}, {remote_option_rows, offsetof(struct verify_options, remote)}},
	.options_size = sizeof(struct verify_options),
	.run = run,
};

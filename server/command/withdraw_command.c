/* SPDX-License-Identifier: Apache-2.0
 *
 * withdraw: versions that nobody is to get any more. */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/command/asking.h"
#include "server/command/command.h"
#include "server/command/destination.h"
#include "server/command/listing.h"

struct versions {
	struct destination *items;
	size_t count;
};

static void finish_versions(struct versions *versions)
{
	for (size_t i = 0; i < versions->count; i++)
		destination_finish(&versions->items[i]);
	free(versions->items);
}

static bool is_same_server(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

/* All of them before the first is gone: a wrong name must not come to light half-way. */
static bool read_versions(
	char **arguments, size_t count, const char *server, struct versions *out, struct err *err)
{
	out->items = mem_zero(count, sizeof *out->items);
	for (; out->count < count; out->count++) {
		if (!destination_read(arguments[out->count], server, &out->items[out->count], err))
			return false;
		if (!is_same_server(out->items[out->count].server, out->items[0].server)) {
			destination_finish(&out->items[out->count]);
			return err_set(err, ERR_BAD_REQUEST,
				"%s is on another server than %s: withdraw them one after the other.",
				arguments[out->count], *arguments);
		}
	}
	return true;
}

/* Whoever sits at a terminal is asked; a script has thought of it before. */
static bool confirm(const char *server, const struct versions *versions, struct err *err)
{
	char answer[16] = "";

	if (!isatty(STDIN_FILENO))
		return true;
	for (size_t i = 0; i < versions->count; i++)
		(void)fprintf(stderr, "%s\n", name_path(&versions->items[i].name).text);
	(void)fprintf(stderr,
		"Withdraw %s from %s? Clients are told that it is gone, and its number is never used again.\n"
		"This cannot be undone. [y/N] ",
		versions->count == 1 ? "this version" : "these versions", server);
	if (fgets(answer, sizeof answer, stdin) && (*answer == 'y' || *answer == 'Y'))
		return true;
	return err_set(err, ERR_BAD_REQUEST, "Nothing was withdrawn.");
}

static bool withdraw(struct remote *remote, const struct name *version, json_t *done, struct err *err)
{
	AUTO_FREE char *target = mem_printf("/%s", name_path(version).text);
	json_t *answer = NULL;

	if (!remote_delete(remote, target, &answer, err))
		return false;
	(void)json_array_append_new(done, answer);
	return true;
}

static bool withdraw_all(
	struct remote *remote, const struct versions *versions, bool as_json, struct err *err)
{
	json_auto_t *report = json_pack("{s:[]}", "withdrawn");
	json_t *done = json_object_get(report, "withdrawn");
	bool all = true;

	for (size_t i = 0; i < versions->count; i++) {
		const struct name *name = &versions->items[i].name;
		struct err why;

		if (withdraw(remote, name, done, &why)) {
			if (!as_json)
				(void)printf("withdrawn: %s\n", name_path(name).text);
		} else if (all) {
			*err = why;
			all = false;
		} else {
			(void)fprintf(stderr, "larder: %s\n", why.text);
		}
	}
	if (as_json)
		listing_print_json(report);
	return all;
}

/* ---- the command ---- */

struct withdraw_options {
	struct asking asking;
	bool yes;
};

static int run(void *values, int count, char **words)
{
	const struct withdraw_options *options = values;
	struct remote_options access = options->asking.remote;
	AUTO_REMOTE struct remote *remote = NULL;
	AUTO(finish_versions) struct versions versions = {0};
	struct err err;

	if (count == 0)
		return command_misuse("withdraw", "withdraw takes versions, such as acme/half-plus-two/1");
	if (!read_versions(words, (size_t)count, access.server, &versions, &err))
		return command_fail(&err);
	access.server = versions.items[0].server;
	if (!remote_create(&access, &remote, &err) ||
		!(options->yes || confirm(remote_server(remote), &versions, &err)) ||
		!withdraw_all(remote, &versions, options->asking.json, &err))
		return command_fail(&err);
	return COMMAND_DONE;
}

static const struct option_row rows[] = {
	{"yes", 0, NULL, FLAG_INTO(struct withdraw_options, yes), "do not ask"},
	{0},
};

const struct command command_withdraw = {
	.name = "withdraw",
	.summary = "take versions back for good",
	.forms = {"VERSION..."},
	.remarks = "Has a registry answer 410 for these versions, such as acme/half-plus-two/1, from now on. "
		   "Their "
		   "bytes are removed and their numbers never used again. Takes a token with the scope "
		   "withdraw:GLOB. On a terminal it asks before.",
	.groups = {{rows, 0}, {asking_option_rows, offsetof(struct withdraw_options, asking)},
		{remote_option_rows, offsetof(struct withdraw_options, asking.remote)}},
	.options_size = sizeof(struct withdraw_options),
	.run = run,
};

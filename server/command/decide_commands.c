/* SPDX-License-Identifier: Apache-2.0
 *
 * approve, reject: whether a version that has findings is given out. */
#include <jansson.h>
#include <stdio.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/command/asking.h"
#include "server/command/command.h"
#include "server/command/destination.h"
#include "server/command/listing.h"

struct decide_options {
	struct asking asking;
	const char *reason;
};

static bool decide(struct remote *remote, const struct name *name, const char *decision, const char *reason,
	json_t **out, struct err *err)
{
	AUTO_FREE char *target = mem_printf("/api/v1/decisions/%s", name_path(name).text);
	json_auto_t *body = json_pack("{s:s, s:s}", "decision", decision, "reason", reason);

	if (!body)
		return err_set(err, ERR_BAD_REQUEST, "the reason is no text in UTF-8");
	return remote_post(remote, target, body, out, err);
}

static int run(const struct decide_options *options, const char *decision, int count, char **words)
{
	struct remote_options access = options->asking.remote;
	AUTO_REMOTE struct remote *remote = NULL;
	AUTO(destination_finish) struct destination version = {0};
	json_auto_t *answer = NULL;
	struct err err;

	if (count != 1)
		return command_misuse(decision, "%s takes a version, such as acme/half-plus-two/1", decision);
	if (!options->reason || !*options->reason)
		return command_misuse(decision, "%s takes --reason: others will ask for it", decision);
	if (!destination_read(words[0], access.server, &version, &err))
		return command_fail(&err);
	access.server = version.server;
	if (!remote_create(&access, &remote, &err) ||
		!decide(remote, &version.name, decision, options->reason, &answer, &err))
		return command_fail(&err);
	if (options->asking.json)
		listing_print_json(answer);
	else
		(void)printf("%s: %s\n", name_path(&version.name).text,
			json_string_value(json_object_get(answer, "state")));
	return COMMAND_DONE;
}

static int run_approve(void *options, int count, char **words)
{
	return run(options, "approve", count, words);
}

static int run_reject(void *options, int count, char **words)
{
	return run(options, "reject", count, words);
}

static const struct option_row rows[] = {
	{"reason", 0, "TEXT", TEXT_INTO(struct decide_options, reason),
		"why; it is written to the audit log"},
	{0},
};

#define OPTIONS \
	{ \
		{rows, 0}, {asking_option_rows, offsetof(struct decide_options, asking)}, \
		{ \
			remote_option_rows, offsetof(struct decide_options, asking.remote) \
		} \
	}

const struct command command_approve = {
	.name = "approve",
	.summary = "give out a version that is held back",
	.forms = {"VERSION --reason TEXT"},
	.remarks =
		"Has a registry give out a version whose findings have it held back, such as "
		"acme/half-plus-two/1: all formats that it has now. larder reject takes that back. Takes a "
		"token with the scope approve:GLOB.",
	.groups = OPTIONS,
	.options_size = sizeof(struct decide_options),
	.run = run_approve,
};

const struct command command_reject = {
	.name = "reject",
	.summary = "hold a version back",
	.forms = {"VERSION --reason TEXT"},
	.remarks = "Has a registry answer 451 for a version, such as acme/half-plus-two/1, whatever its "
		   "findings. Its "
		   "bytes stay. larder approve takes that back. Takes a token with the scope approve:GLOB.",
	.groups = OPTIONS,
	.options_size = sizeof(struct decide_options),
	.run = run_reject,
};

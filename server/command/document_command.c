/* SPDX-License-Identifier: Apache-2.0
 *
 * document: what people are to know of a version. */
#include <jansson.h>
#include <stdio.h>

#include "common/own.h"
#include "server/command/asking.h"
#include "server/command/command.h"
#include "server/command/destination.h"
#include "server/command/documentation_file.h"
#include "server/command/listing.h"

static bool document(const struct asking *asking, const char *version, const char *path, struct err *err)
{
	AUTO(destination_finish) struct destination destination = {0};
	struct remote_options access = asking->remote;
	AUTO_REMOTE struct remote *remote = NULL;
	json_auto_t *answer = NULL;
	AUTO_FD int fd = -1;
	bool created;

	if (!destination_read(version, access.server, &destination, err) ||
		!documentation_file_open(path, &destination.name, &fd, err))
		return false;
	access.server = destination.server;
	if (!remote_create(&access, &remote, err) ||
		!documentation_file_send(remote, &destination.name, fd, &answer, &created, err))
		return false;
	if (asking->json)
		listing_print_json(answer);
	else
		(void)printf("%s: %s/%s\n", created ? "documented" : "documented anew", remote_server(remote),
			name_path(&destination.name).text);
	return true;
}

static int run(void *asking, int count, char **words)
{
	struct err err;

	if (count != 2)
		return command_misuse("document",
			"document takes a version and a file, such as acme/half-plus-two/1 README.md");
	return document(asking, words[0], words[1], &err) ? COMMAND_DONE : command_fail(&err);
}

const struct command command_document = {
	.name = "document",
	.summary = "send the documentation of a version",
	.forms = {"VERSION FILE.md"},
	.remarks =
		"Sends Markdown of at most 1 MiB, in place of what a version such as acme/half-plus-two/1 "
		"had. "
		"Where its first line is a heading of the hub's format (\"# Module acme/half-plus-two/1\"), "
		"its description and tags are taken from it. Takes a token with the scope publish:GLOB.",
	.groups = {{asking_option_rows, 0}, {remote_option_rows, offsetof(struct asking, remote)}},
	.options_size = sizeof(struct asking),
	.run = run,
};

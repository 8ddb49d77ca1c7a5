/* SPDX-License-Identifier: Apache-2.0
 *
 * argv → a command. */
#include "server/command/command.h"

static const struct command commands[] = {
	{"serve", "run the daemon",
		"usage: larder serve [--config FILE] [--listen ADDRESS:PORT] [--data DIR] [--offline] "
		"[--check]\n\n"
		"Serves, mirrors and takes modules. Prints \"listening on http://...\" once it is ready.\n\n"
		"  --config FILE          read this configuration; without one the defaults count\n"
		"  --listen ADDRESS:PORT  listen there; port 0 takes a free one (default: 127.0.0.1:8080)\n"
		"  --data DIR             keep everything in this folder (default: larder-data)\n"
		"  --offline              never ask an upstream\n"
		"  --check                read the configuration, report all of its faults, and end\n",
		command_serve},
	{"token", "create, list and revoke tokens",
		"usage: larder token create NAME --scope SCOPE... [--expires TIME] [--config FILE] [--data "
		"DIR]\n"
		"       larder token list [--json] [--config FILE] [--data DIR]\n"
		"       larder token revoke NAME [--config FILE] [--data DIR]\n\n"
		"A new token is printed once, alone on standard output; only its hash is kept. Works on the "
		"data\n"
		"folder itself, whether a daemon runs on it or not.\n\n"
		"  --scope SCOPE    what it may do; may be given several times:\n"
		"                     read             read, where that takes a token; every token may\n"
		"                     publish:GLOB     publish modules whose handle matches, such as "
		"publish:acme/*\n"
		"                     withdraw:GLOB    withdraw them\n"
		"                     admin            everything\n"
		"  --expires TIME   such as 90d, 12h or 30m; without it the token does not expire\n"
		"  --json           print JSON\n"
		"  --config FILE    the configuration that names the data folder\n"
		"  --data DIR       the data folder (default: larder-data)\n",
		command_token},
};

int main(int argc, char **argv)
{
	return command_run(commands, sizeof commands / sizeof *commands, argc, argv);
}

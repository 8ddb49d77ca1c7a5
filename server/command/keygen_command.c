/* SPDX-License-Identifier: Apache-2.0
 *
 * keygen: a pair of keys, to sign bundles and to verify them. */
#include <getopt.h>
#include <stdio.h>
#include <string.h>

#include "server/bundle/signature.h"
#include "server/command/command.h"

static const struct option long_options[] = {
	{"output", required_argument, NULL, 'o'},
	{NULL, 0, NULL, 0},
};

int command_keygen(int argc, char **argv)
{
	const char *output = NULL;
	struct digest id;
	struct err err;
	int letter;

	while ((letter = getopt_long(argc, argv, "o:", long_options, NULL)) != -1) {
		if (letter == '?')
			return COMMAND_MISUSE;
		output = optarg;
	}
	if (optind < argc || !output || !*output || output[strlen(output) - 1] == '/')
		return command_misuse("keygen", "keygen takes -o FILE, and nothing else");
	if (!signing_key_make(output, &id, &err))
		return command_fail(&err);
	(void)printf("%s: the private key, to sign with: keep it secret\n"
		     "%s.pub: the public key, to verify with: give it to those who import\n"
		     "key sha256:%s\n",
		output, output, id.hex);
	return COMMAND_DONE;
}

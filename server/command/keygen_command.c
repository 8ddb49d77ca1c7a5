/* SPDX-License-Identifier: Apache-2.0
 *
 * keygen: a pair of keys, to sign bundles and to verify them. */
#include <stdio.h>
#include <string.h>

#include "server/bundle/signature.h"
#include "server/command/command.h"

struct keygen_options {
	const char *output;
};

static int run(void *values, int count, char **words)
{
	const char *output = ((const struct keygen_options *)values)->output;
	struct digest id;
	struct err err;

	(void)words;
	if (count > 0 || !output || !*output || output[strlen(output) - 1] == '/')
		return command_misuse("keygen", "keygen takes -o FILE, and nothing else");
	if (!signing_key_make(output, &id, &err))
		return command_fail(&err);
	(void)printf("%s: the private key, to sign with: keep it secret\n"
		     "%s.pub: the public key, to verify with: give it to those who import\n"
		     "key sha256:%s\n",
		output, output, id.hex);
	return COMMAND_DONE;
}

static const struct option_row rows[] = {
	{"output", 'o', "FILE", TEXT_INTO(struct keygen_options, output), "the private key"},
	{0},
};

const struct command command_keygen = {
	.name = "keygen",
	.summary = "make a pair of keys, to sign bundles with",
	.forms = {"-o FILE"},
	.remarks = "Writes a new private key into FILE, for \"larder export --sign FILE\", and its public "
		   "half into "
		   "FILE.pub, for \"larder import --verify FILE.pub\". Ed25519, in PEM. Never overwrites a "
		   "file.",
	.groups = {{rows, 0}},
	.options_size = sizeof(struct keygen_options),
	.run = run,
};

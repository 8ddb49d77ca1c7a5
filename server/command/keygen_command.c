/* SPDX-License-Identifier: Apache-2.0
 *
 * keygen: a pair of keys, to sign bundles and to verify them. */
#include <stdio.h>
#include <string.h>

#include "server/bundle/signature.h"
#include "server/command/command.h"

struct keygen_options {
	const char *output;
	const char *type;
};

static int run(void *values, int count, char **words)
{
	const struct keygen_options *options = values;
	const char *output = options->output;
	bool is_p256 = options->type && strcmp(options->type, "p256") == 0;
	struct digest id;
	struct err err;

	(void)words;
	if (count > 0 || !output || !*output || output[strlen(output) - 1] == '/')
		return command_misuse("keygen", "keygen takes -o FILE, and nothing else");
	if (options->type && !is_p256 && strcmp(options->type, "ed25519") != 0)
		return command_misuse("keygen", "--type takes ed25519 or p256, not \"%s\"", options->type);
	if (!signing_key_make_kind(is_p256 ? KEY_P256 : KEY_ED25519, output, &id, &err))
		return command_fail(&err);
	(void)printf("%s: the private key, to sign with: keep it secret\n"
		     "%s.pub: the public key, to verify with: give it to those who import or load\n"
		     "key sha256:%s\n",
		output, output, id.hex);
	return COMMAND_DONE;
}

static const struct option_row rows[] = {
	{"output", 'o', "FILE", TEXT_INTO(struct keygen_options, output), "the private key"},
	{"type", 0, "TYPE", TEXT_INTO(struct keygen_options, type),
		"ed25519 (default), or p256: for OpenSSF model signing, which verifies no Ed25519; such a "
		"key signs "
		"modules, and no bundles",
		.choices = "ed25519 p256"},
	{0},
};

const struct command command_keygen = {
	.name = "keygen",
	.summary = "make a pair of keys, to sign modules and bundles with",
	.forms = {"-o FILE"},
	.remarks = "Writes a new private key into FILE, for \"larder publish --sign FILE\" and \"larder "
		   "export --sign "
		   "FILE\", and its public half into FILE.pub, for publish.trusted_keys, \"larder "
		   "verify-module --key "
		   "FILE.pub\" and \"larder import --verify FILE.pub\". In PEM. Never overwrites a file.",
	.groups = {{rows, 0}},
	.options_size = sizeof(struct keygen_options),
	.run = run,
};

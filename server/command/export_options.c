/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/export_options.h"

#include "common/number.h"
#include "server/bundle/contents.h"
#include "server/bundle/volumes.h"
#include "server/command/client_cache.h"
#include "server/command/export_place.h"

enum { ORIGINS_MAX = 16 };

/* Forms of the command. */
enum { BUNDLE = 1 << 0, CACHE = 1 << 1 };

const struct option_row export_option_rows[] = {
	{"output", 'o', "DIR|FILE.tar", TEXT_INTO(struct export_options, output),
		"where to: a folder, or one file", .forms = BUNDLE},
	{"want", 0, "FILE", TEXT_INTO(struct export_options, choice.want),
		"what the other side asked for: \"larder wants\" prints it there"},
	{"lock", 0, "FILE", TEXT_INTO(struct export_options, choice.lock),
		"exactly what \"larder lock\" printed"},
	{"collection", 0, "PUBLISHER/NAME", TEXT_INTO(struct export_options, choice.collection),
		"the modules of a collection, and its page"},
	{"since", 0, "BUNDLE|TIME", TEXT_INTO(struct export_options, since),
		"only what is new: not in BUNDLE (a folder or a file), or changed after TIME, such as "
		"2026-11-28",
		.forms = BUNDLE},
	{"documentation-only", 0, NULL, FLAG_INTO(struct export_options, words_only),
		"what is written of the modules, without their bytes", .forms = BUNDLE},
	{"split", 0, "SIZE", TEXT_INTO(struct export_options, split),
		"pieces of this size, such as 4000M: FILE.tar.001 and so on, and FILE.tar.pieces, which "
		"names them",
		.forms = BUNDLE},
	{"sign", 0, "KEY", TEXT_INTO(struct export_options, key),
		"sign it with this key of \"larder keygen\"", .forms = BUNDLE},
	{"name", 0, "NAME", TEXT_INTO(struct export_options, name), "how people call it", .forms = BUNDLE},
	{"tfhub-cache", 0, "DIR", TEXT_INTO(struct export_options, cache),
		"a cache of tensorflow_hub instead of a bundle", .forms = CACHE},
	{"as", 0, "ORIGIN", TEXTS_INTO(struct export_options, origins),
		"how the code begins its handles, such as https://tfhub.dev; may be given several times",
		.forms = CACHE},
	{"partial", 0, NULL, FLAG_INTO(struct export_options, partial),
		"write the rest where something is not here, or damaged; fails all the same"},
	{"force", 0, NULL, FLAG_INTO(struct export_options, force),
		"replace a whole bundle that is there; a folder is brought up to date", .forms = BUNDLE},
	{"dry-run", 0, NULL, FLAG_INTO(struct export_options, dry_run),
		"only tell what would be written, and how much"},
	{"json", 0, NULL, FLAG_INTO(struct export_options, json), "print the report as JSON"},
	{0},
};

static int check_cache_options(const struct export_options *options)
{
	struct err err;

	if (options->origins.count == 0)
		return command_misuse("export",
			"--tfhub-cache needs --as: how code begins its handles, such as https://tfhub.dev");
	if (options->origins.count > ORIGINS_MAX)
		return command_misuse("export", "--as is taken at most %d times", ORIGINS_MAX);
	for (size_t i = 0; i < options->origins.count; i++) {
		if (!client_cache_check_origin(options->origins.values[i], &err))
			return command_misuse("export", "%s", err.text);
	}
	if (!*options->cache || options->output || options->split || options->key || options->name ||
		options->since || options->words_only || options->force)
		return command_misuse(
			"export", "--tfhub-cache takes a folder, and none of the options of bundles");
	return COMMAND_DONE;
}

int export_options_check(const struct export_options *options, int64_t *out_split)
{
	if (options->cache)
		return check_cache_options(options);
	if (options->origins.count > 0)
		return command_misuse("export", "--as goes with --tfhub-cache");
	if (!options->dry_run && (!options->output || !*options->output))
		return command_misuse("export", "-o DIR or -o FILE.tar is missing");
	if (options->output && export_place_is_compressed(options->output))
		return command_misuse(
			"export", "a bundle is a folder or FILE.tar: compressed, it would not get smaller");
	if (options->split &&
		(!number_parse_size(options->split, out_split) || *out_split < VOLUMES_SPLIT_MIN))
		return command_misuse("export", "--split takes a size of at least 1M, such as 4000M");
	if (options->split && options->output && !export_place_is_tar(options->output))
		return command_misuse("export", "--split goes with -o FILE.tar");
	if (options->name && !bundle_name_is_plain(options->name))
		return command_misuse("export",
			"--name takes at most %d bytes of UTF-8, without control characters",
			BUNDLE_NAME_MAX);
	return COMMAND_DONE;
}

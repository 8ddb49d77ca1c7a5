/* SPDX-License-Identifier: Apache-2.0
 *
 * import: a bundle that was carried here becomes modules. */
#include <getopt.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/bundle/signature.h"
#include "server/command/command.h"
#include "server/command/data_folder.h"
#include "server/command/import_remote.h"
#include "server/command/import_talk.h"
#include "server/command/interruption.h"
#include "server/command/neighbour.h"
#include "server/command/progress_bar.h"
#include "server/command/text_table.h"
#include "server/registry/import_foreign.h"
#include "server/registry/reclaimable.h"
#include "server/store/catalog/catalog_opening.h"

/* ---- options ---- */

static const struct option long_options[] = {
	REMOTE_LONG_OPTIONS,
	{"as", required_argument, NULL, 'a'},
	{"verify", required_argument, NULL, 'v'},
	{"config", required_argument, NULL, 'c'},
	{"data", required_argument, NULL, 'd'},
	{"json", no_argument, NULL, 'j'},
	{"dry-run", no_argument, NULL, 'n'},
	{"partial", no_argument, NULL, 'p'},
	{NULL, 0, NULL, 0},
};

static bool take_option(struct import_options *options, int letter)
{
	switch (letter) {
	case 'a':
		options->as = optarg;
		return true;
	case 'v':
		options->key = optarg;
		return true;
	case 'c':
		options->config = optarg;
		return true;
	case 'd':
		options->data = optarg;
		return true;
	case 'j':
		options->json = true;
		return true;
	case 'n':
		options->dry_run = true;
		return true;
	case 'p':
		options->partial = true;
		return true;
	case '?':
		return false;
	default:
		options->is_remote = true;
		remote_take_option(&options->remote, letter, optarg);
		return true;
	}
}

/* That of the defaults, below where the command runs. */
static bool has_own_store(void)
{
	AUTO_CONFIG struct config *config = NULL;
	struct err err;

	return command_load_config(NULL, NULL, &config, &err) &&
	       data_folder_check(config->storage.data_dir, &err);
}

/* The registry that a variable names is meant where nothing else can be. */
static int choose_place(struct import_options *options)
{
	const char *server = getenv("LARDER_SERVER");
	bool has_folder = options->data || options->config;

	if (options->is_remote && has_folder)
		return command_misuse("import", "it goes into a data folder (--data, --config) or to a "
						"daemon (--server), not to both");
	if (!options->is_remote)
		options->is_remote = !has_folder && server && *server && !has_own_store();
	return COMMAND_DONE;
}

static int check_name(struct import_options *options)
{
	struct err err;

	if (!options->as)
		return COMMAND_DONE;
	if (options->key || options->dry_run || options->partial)
		return command_misuse("import", "--as is for a model, and the other options are for bundles");
	if (options->is_remote)
		return command_misuse("import", "--as takes a model into a data folder (--data, --config); "
						"to a daemon goes each of its "
						"layers that is a module by \"larder publish\"");
	if (!name_parse_versioned(options->as, &options->name, &err))
		return command_misuse("import", "--as takes HANDLE/VERSION: %s", err.text);
	return COMMAND_DONE;
}

static int read_options(int argc, char **argv, struct import_options *options)
{
	int letter, status;

	while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (!take_option(options, letter))
			return COMMAND_MISUSE;
	}
	if (argc - optind != 1 || !*argv[optind])
		return command_misuse("import", "import takes one DIR or FILE");
	options->path = argv[optind];
	status = choose_place(options);
	return status == COMMAND_DONE ? check_name(options) : status;
}

/* ---- running ---- */

struct stores {
	struct catalog *catalog;
	struct blobs *blobs;
	struct members *members;
};

static void finish_stores(struct stores *stores)
{
	members_close(stores->members);
	blobs_close(stores->blobs);
	catalog_close(stores->catalog);
}

static bool open_place(const struct import_options *options, const char *data_dir, struct err *err)
{
	bool is_new = false;

	if (options->dry_run && !data_folder_check(data_dir, err))
		return err->code == ERR_NOT_FOUND && err_prefix(err, "a dry run makes no data folder: ");
	if (!data_folder_make(data_dir, options->data || options->config, &is_new, err))
		return false;
	if (options->json)
		return true;
	(void)printf("into the data folder %s%s\n", data_folder_text(data_dir).text,
		is_new ? ", which is new" : "");
	(void)fflush(stdout);
	return true;
}

static bool open_stores(
	const struct import_options *options, const char *data_dir, struct stores *stores, struct err *err)
{
	static const struct members_limits unpacks_nothing;

	return open_place(options, data_dir, err) && catalog_open(data_dir, &stores->catalog, err) &&
	       blobs_open(data_dir, &stores->blobs, err) && blobs_hold_drafts(stores->blobs, err) &&
	       members_open(data_dir, &unpacks_nothing, &stores->members, err);
}

static bool import(const struct import_options *options, const struct config *config, struct stores *stores,
	const struct signing_key *key, struct import_talk *talk, struct import_report *report,
	struct err *err)
{
	const struct space_limits limits = {config->storage.max_bytes, config->storage.keep_free_bytes};
	const struct reclaimable reclaimable = reclaimable_members(stores->members);
	struct neighbour neighbour = {.data_dir = config->storage.data_dir};
	AUTO_COMMITTER
	struct committer *committer = committer_create(stores->catalog, stores->blobs, stores->members);
	AUTO_SPACE
	struct space *space =
		space_create(&limits, stores->catalog, stores->blobs, committer, &reclaimable, 1);
	const struct importer importer = {stores->catalog, stores->blobs, committer, space,
		config->storage.data_dir, config->storage.keep_free_bytes, config->publish.max_upload_bytes,
		{config->publish.max_unpacked_bytes, config->publish.max_members, config->publish.max_ratio}};
	const struct import_order order = {options->path, NULL, NULL, key, options->dry_run, options->partial,
		import_talk_tell, import_talk_show, talk};

	committer_set_forget(committer, neighbour_forget, &neighbour);
	return options->as ? import_foreign(&importer, &order, &options->name, report, err)
			   : importer_run(&importer, &order, report, err);
}

/* Programs are told of it as of any other. */
static int fail_early(
	const struct import_options *options, const struct signing_key *key, const struct err *err)
{
	AUTO(import_talk_finish) struct import_talk talk = {0};
	const struct import_report report = {0};

	import_talk_init(&talk, options, NULL);
	return import_talk_report(&talk, &report, key, err);
}

static int import_here(const struct import_options *options, const struct signing_key *key)
{
	AUTO_CONFIG struct config *config = NULL;
	AUTO(finish_stores) struct stores stores = {0};
	AUTO(import_talk_finish) struct import_talk talk = {0};
	struct import_report report = {0};
	struct err err;
	bool done;

	if (!command_load_config(options->config, options->data, &config, &err) ||
		!open_stores(options, config->storage.data_dir, &stores, &err))
		return fail_early(options, key, &err);
	import_talk_init(&talk, options, config);
	interruption_watch(INTERRUPTED_IMPORT);
	log_configure(LOG_LEVEL_WARN, config->log.format);
	done = import(options, config, &stores, key, &talk, &report, &err);
	return import_talk_report(&talk, &report, key, done ? NULL : &err);
}

static int import_there(const struct import_options *options, const struct signing_key *key)
{
	AUTO_REMOTE struct remote *remote = NULL;
	AUTO(import_talk_finish) struct import_talk talk = {0};
	struct import_report report = {0};
	struct err err;
	bool done;

	if (!remote_create(&options->remote, &remote, &err))
		return fail_early(options, key, &err);
	import_talk_init(&talk, options, NULL);
	interruption_watch(INTERRUPTED_IMPORT);
	done = import_remote(remote, key, &talk, &report, &err);
	return import_talk_report(&talk, &report, key, done ? NULL : &err);
}

int command_import(int argc, char **argv)
{
	AUTO_SIGNING_KEY struct signing_key *key = NULL;
	struct import_options options = {0};
	int status = read_options(argc, argv, &options);
	struct err err;

	if (status != COMMAND_DONE)
		return status;
	if (options.key && !signing_key_read_public(options.key, &key, &err))
		return fail_early(&options, key, &err);
	return options.is_remote ? import_there(&options, key) : import_here(&options, key);
}

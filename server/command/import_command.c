/* SPDX-License-Identifier: Apache-2.0
 *
 * import: a bundle that was carried here becomes modules. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/log.h"
#include "server/bundle/signature.h"
#include "server/command/command.h"
#include "server/command/data_folder.h"
#include "server/command/import_remote.h"
#include "server/command/import_talk.h"
#include "server/command/interruption.h"
#include "server/command/neighbour.h"
#include "server/command/shared_vault.h"
#include "server/registry/import_foreign.h"
#include "server/registry/reclaimable.h"
#include "server/store/catalog/catalog_opening.h"
#include "server/store/folder_lock.h"

/* ---- where to ---- */

/* That of the defaults, below where the command runs. */
static bool has_own_store(void)
{
	AUTO_CONFIG struct config *config = NULL;
	struct err err;

	return command_load_config(&(struct place_options){0}, &config, &err) &&
	       data_folder_check(config->storage.data_dir, &err);
}

/* The registry that a variable names is meant where nothing else can be. */
static int choose_place(struct import_options *options)
{
	const char *server = getenv("LARDER_SERVER");
	bool has_folder = options->place.data || options->place.config;

	options->is_remote = options->remote.server || options->remote.token || options->remote.token_file;

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

/* ---- running ---- */

struct stores {
	struct catalog *catalog;
	struct blobs *blobs;
	struct members *members;
	int lock_fd;
	struct shared_vault shared;
};

static void finish_stores(struct stores *stores)
{
	shared_vault_close(&stores->shared);
	members_close(stores->members);
	blobs_close(stores->blobs);
	catalog_close(stores->catalog);
	own_close(&stores->lock_fd);
}

static bool open_place(const struct import_options *options, const char *data_dir, struct err *err)
{
	bool is_new = false;

	if (options->dry_run && !data_folder_check(data_dir, err))
		return err->code == ERR_NOT_FOUND && err_prefix(err, "a dry run makes no data folder: ");
	if (!data_folder_make(data_dir, options->place.data || options->place.config, &is_new, err))
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
	static const struct archive_limits unpacks_nothing;

	return open_place(options, data_dir, err) && folder_lock_take_work(data_dir, &stores->lock_fd, err) &&
	       catalog_open(data_dir, &stores->catalog, err) && blobs_open(data_dir, &stores->blobs, err) &&
	       blobs_hold_drafts(stores->blobs, err) &&
	       members_open(data_dir, &unpacks_nothing, 0, &stores->members, err);
}

static bool import(const struct import_options *options, const struct config *config, struct stores *stores,
	const struct signing_key *key, struct import_talk *talk, struct import_report *report,
	struct err *err)
{
	const struct space_limits limits = {
		config_cache_bytes(config), config->storage.keep_free_bytes, config_cache_key(config)};
	const struct reclaimable reclaimable = reclaimable_members(stores->members);
	struct neighbour neighbour = {.data_dir = config->storage.data_dir};
	AUTO_COMMITTER
	struct committer *committer =
		committer_create(stores->catalog, stores->blobs, stores->members, stores->shared.vault);
	AUTO_SPACE
	struct space *space =
		space_create(&limits, stores->catalog, stores->blobs, committer, &reclaimable, 1);
	const struct importer importer = {stores->catalog, stores->blobs, committer, space,
		{config->storage.data_dir, config->storage.keep_free_bytes}, config->publish.max_upload_bytes,
		config->publish.archives, &config->safety};
	const struct import_order order = {options->path, NULL, NULL, NULL, key, options->dry_run,
		options->partial, import_talk_tell, import_talk_show, talk};

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
	AUTO(finish_stores) struct stores stores = {.lock_fd = -1};
	AUTO(import_talk_finish) struct import_talk talk = {0};
	struct import_report report = {0};
	struct err err;
	bool done;
	int status;

	if (!command_load_config(&options->place, &config, &err) ||
		!open_stores(options, config->storage.data_dir, &stores, &err))
		return fail_early(options, key, &err);
	status = shared_vault_open(config, stores.catalog, &stores.shared);
	if (status != COMMAND_DONE)
		return status;
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

/* ---- the command ---- */

static int run(void *values, int count, char **words)
{
	struct import_options *options = values;
	AUTO_SIGNING_KEY struct signing_key *key = NULL;
	struct err err;
	int status;

	if (count != 1 || !*words[0])
		return command_misuse("import", "import takes one DIR or FILE");
	options->path = words[0];
	status = choose_place(options);
	if (status == COMMAND_DONE)
		status = check_name(options);
	if (status != COMMAND_DONE)
		return status;
	if (options->key && !signing_key_read_public(options->key, &key, &err))
		return fail_early(options, key, &err);
	return options->is_remote ? import_there(options, key) : import_here(options, key);
}

enum { BUNDLE_HERE = 1 << 0, BUNDLE_THERE = 1 << 1, MODEL = 1 << 2, BUNDLE = BUNDLE_HERE | BUNDLE_THERE };

static const struct option_row rows[] = {
	{"as", 0, "HANDLE/VERSION", TEXT_INTO(struct import_options, as),
		"take a model that other tools have put into an image layout (ModelPack: "
		"application/vnd.cncf.model.*, application/vnd.cnai.*) as this version, and tell which of "
		"its "
		"layers are left",
		.forms = MODEL},
	{"verify", 0, "KEY", TEXT_INTO(struct import_options, key),
		"take it only if the owner of this public key has signed it", .forms = BUNDLE},
	{"dry-run", 0, NULL, FLAG_INTO(struct import_options, dry_run), "only tell what would come of it",
		.forms = BUNDLE},
	{"partial", 0, NULL, FLAG_INTO(struct import_options, partial),
		"record what can be, though other things cannot; fails all the same", .forms = BUNDLE},
	{"json", 0, NULL, FLAG_INTO(struct import_options, json), "print the report as JSON"},
	{0},
};

/* Unlike those of other commands: there is no default, and not every token will do. */
static const struct option_row daemon_rows[] = {
	{"server", 0, "URL", TEXT_INTO(struct remote_options, server),
		"a daemon instead of a folder (or $LARDER_SERVER, where no folder is named and none is "
		"here)"},
	{"token", 0, "TOKEN", TEXT_INTO(struct remote_options, token),
		"a token of scope admin (or $LARDER_TOKEN)", .or_next = true, .is_secret = true},
	{"token-file", 0, "FILE", TEXT_INTO(struct remote_options, token_file), "the file that holds it"},
	{0},
};

const struct command command_import = {
	.name = "import",
	.summary = "take in a bundle that was carried here",
	.forms = {"DIR|FILE", "DIR|FILE --server URL", "DIR|FILE --as HANDLE/VERSION"},
	.remarks =
		"Takes in what \"larder export\" has made: a folder, a tar, or its pieces (name any of them, "
		"or "
		"FILE.pieces). Each module is inspected as one that is published, each digest held against "
		"its "
		"bytes; when all are there, the whole is recorded at once. Fails, and records nothing, where "
		"something is damaged or contradicts what is here, and names it. To do it again goes on "
		"where "
		"it was interrupted (for a week), or changes nothing. Works on the data folder itself, as "
		"the "
		"user that it belongs to, whether a daemon runs on it or not; one that is new must be named. "
		"With --server it goes to a running "
		"daemon, by the same rules. On a node over a bucket ([store] kind = s3, which --config "
		"tells) "
		"each "
		"module goes into the bucket before it is on record: what other nodes have decides.",
	.groups = {{rows, 0},
		{place_option_rows, offsetof(struct import_options, place), BUNDLE_HERE | MODEL},
		{daemon_rows, offsetof(struct import_options, remote), BUNDLE_THERE}},
	.options_size = sizeof(struct import_options),
	.run = run,
};

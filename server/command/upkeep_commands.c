/* SPDX-License-Identifier: Apache-2.0 */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/command/bucket_gc.h"
#include "server/command/command.h"
#include "server/command/data_folder.h"
#include "server/command/listing.h"
#include "server/command/neighbour.h"
#include "server/command/shared_vault.h"
#include "server/registry/committer.h"
#include "server/registry/reclaimable.h"
#include "server/registry/shared_pins.h"
#include "server/registry/space.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_known.h"
#include "server/store/catalog/catalog_opening.h"
#include "server/store/catalog/catalog_space.h"
#include "server/store/outgoing.h"
#include "server/vault/bucket_sweep.h"
#include "server/vault/vault_alone.h"

struct upkeep_options {
	struct place_options place;
	bool list;
	bool json;
	bool dry_run;
	const char *grace;
};

/* Straight on the database, which a daemon may have open. */
static bool open_catalog(const struct upkeep_options *options, bool adds, struct config **config,
	struct catalog **out, struct err *err)
{
	bool is_named = options->place.data || options->place.config;
	bool is_new;

	return command_load_config(&options->place, config, err) &&
	       (adds ? data_folder_make((*config)->storage.data_dir, is_named, &is_new, err)
		     : data_folder_check((*config)->storage.data_dir, err)) &&
	       catalog_open((*config)->storage.data_dir, out, err);
}

/* ---- pin, unpin ---- */

static void print_json(const struct pin_row *pins, size_t count)
{
	json_t *list = json_array();
	json_t *all = json_pack("{s:o,s:I}", "pins", list, "total", (json_int_t)count);

	for (size_t i = 0; i < count; i++)
		(void)json_array_append_new(
			list, json_pack("{s:s,s:s}", "path", pins[i].pattern, "created_at",
				      clock_rfc3339(pins[i].created_at).text));
	(void)json_dumpf(all, stdout, JSON_INDENT(2));
	(void)putchar('\n');
	json_decref(all);
}

static void print_table(const struct pin_row *pins, size_t count)
{
	AUTO(text_table_finish) struct text_table table = {.columns = 2};

	text_table_add(&table, "PATH");
	text_table_add(&table, "CREATED");
	for (size_t i = 0; i < count; i++) {
		text_table_add(&table, pins[i].pattern);
		text_table_add(&table, clock_rfc3339(pins[i].created_at).text);
	}
	listing_print(&table);
}

static int list_pins(const struct upkeep_options *options)
{
	AUTO_CONFIG struct config *config = NULL;
	AUTO_CATALOG struct catalog *catalog = NULL;
	struct pin_row *pins;
	size_t count;
	struct err err;

	if (!open_catalog(options, false, &config, &catalog, &err) ||
		!catalog_list_pins(catalog, &pins, &count, &err))
		return command_fail(&err);
	(options->json ? print_json : print_table)(pins, count);
	pin_rows_destroy(pins, count);
	return COMMAND_DONE;
}

/* Blanks and commas would make it a list of patterns, and no handle begins with a slash. */
static bool is_pattern(const char *path)
{
	return *path && *path != '/' && strlen(path) <= NAME_PATH_MAX && !strpbrk(path, ", \t\r\n");
}

static bool pin(struct vault *vault, struct catalog *catalog, const char *path, struct err *err)
{
	bool added;

	if (!shared_pins_add(vault, catalog, path, clock_now_s(), &added, err))
		return false;
	(void)fprintf(stderr, added ? "%s is pinned\n" : "%s was pinned before\n", path);
	return true;
}

static bool unpin(struct vault *vault, struct catalog *catalog, const char *path, struct err *err)
{
	if (!shared_pins_remove(vault, catalog, path, clock_now_s(), err))
		return false;
	(void)fprintf(stderr, "%s is not pinned any more\n", path);
	return true;
}

static int change_pins(const struct upkeep_options *options, const char *command, int count, char **paths,
	bool (*change)(struct vault *vault, struct catalog *catalog, const char *path, struct err *err))
{
	AUTO_CONFIG struct config *config = NULL;
	AUTO_CATALOG struct catalog *catalog = NULL;
	AUTO_SHARED_VAULT struct shared_vault shared = {0};
	int status;
	struct err err;

	if (count == 0)
		return command_misuse(command, "%s takes a PATH", command);
	for (int i = 0; i < count; i++) {
		if (!is_pattern(paths[i]))
			return command_misuse(command, "\"%s\" is no path of a module", paths[i]);
	}
	if (!open_catalog(options, change == pin, &config, &catalog, &err))
		return command_fail(&err);
	status = shared_vault_open(config, catalog, &shared);
	for (int i = 0; i < count && shared.vault; i++) {
		if (!change(shared.vault, catalog, paths[i], &err))
			status = command_fail(&err);
	}
	return status;
}

static int run_pin(void *values, int count, char **words)
{
	const struct upkeep_options *options = values;

	if (options->list)
		return count > 0 ? command_misuse("pin", "--list takes no PATH") : list_pins(options);
	return options->json ? command_misuse("pin", "--json goes with --list")
			     : change_pins(options, "pin", count, words, pin);
}

static int run_unpin(void *options, int count, char **words)
{
	return change_pins(options, "unpin", count, words, unpin);
}

enum { PIN_LIST = 1 << 1 };

static const struct option_row pin_rows[] = {
	{"list", 0, NULL, FLAG_INTO(struct upkeep_options, list), "print what is pinned", .forms = PIN_LIST},
	{"json", 0, NULL, FLAG_INTO(struct upkeep_options, json), "print JSON", .forms = PIN_LIST},
	{0},
};

const struct command command_pin = {
	.name = "pin",
	.summary = "keep mirrored modules, however full the disk is",
	.forms = {"PATH...", "--list"},
	.remarks =
		"A pinned module is never removed to make room. PATH is a version, such as "
		"google/nnlm-en-dim50/2, or a handle with all of its versions; * and ? match as in a shell: "
		"'google/*'. It also counts for what is fetched later. Works on the data folder itself, "
		"whether a daemon runs on it or not. Of a node over a bucket ([store] kind = s3, which "
		"--config tells) it counts on all nodes.",
	.groups = {{pin_rows, 0}, {place_option_rows, offsetof(struct upkeep_options, place)}},
	.options_size = sizeof(struct upkeep_options),
	.run = run_pin,
};

const struct command command_unpin = {
	.name = "unpin",
	.summary = "let go of what was pinned",
	.forms = {"PATH..."},
	.remarks = "PATH is as it was pinned; \"larder pin --list\" shows it.",
	.groups = {{place_option_rows, offsetof(struct upkeep_options, place)}},
	.options_size = sizeof(struct upkeep_options),
	.run = run_unpin,
};

/* ---- gc ---- */

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

struct garbage {
	struct catalog *catalog;
	int64_t count;
	int64_t bytes;
};

static bool count_unneeded(void *context, const struct digest *digest, int64_t size_bytes)
{
	struct garbage *garbage = context;
	bool needed = true;
	struct err err;

	if (catalog_needs_blob(garbage->catalog, digest, &needed, &err) && !needed) {
		garbage->count++;
		garbage->bytes += size_bytes;
	}
	return true;
}

static void print_count(const char *what, bool dry_run, int64_t count, int64_t bytes)
{
	(void)printf("%s%lld %s (%s)\n", dry_run ? "would remove " : "removed ", (long long)count, what,
		number_size(bytes).text);
}

static bool count_garbage(
	struct stores *stores, struct garbage *blobs, struct garbage *unpacked, struct err *err)
{
	*blobs = *unpacked = (struct garbage){.catalog = stores->catalog};
	(void)members_each(stores->members, count_unneeded, unpacked);
	return blobs_each(stores->blobs, count_unneeded, blobs, err);
}

/* Each step is safe beside a daemon: the committer keeps the two apart. */
static bool collect(const struct upkeep_options *options, struct stores *stores,
	const struct space_limits *limits, struct neighbour *neighbour, struct err *err)
{
	static const _Atomic bool never = false;
	const struct reclaimable reclaimable = reclaimable_members(stores->members);
	AUTO_COMMITTER
	struct committer *committer =
		committer_create(stores->catalog, stores->blobs, stores->members, vault_alone());
	AUTO_SPACE
	struct space *space =
		space_create(limits, stores->catalog, stores->blobs, committer, &reclaimable, 1);
	struct garbage files;
	struct garbage unpacked;
	struct eviction eviction = {0};
	int64_t absences;

	committer_set_forget(committer, neighbour_forget, neighbour);
	catalog_audit_evictions(stores->catalog);
	if (!count_garbage(stores, &files, &unpacked, err) ||
		(!options->dry_run && (!committer_sweep_blobs(committer, &never, err) ||
					      !outgoing_sweep(neighbour->data_dir, err))))
		return false;
	print_count("files that nothing needs", options->dry_run, files.count, files.bytes);
	print_count("unpacked archives that nothing needs", options->dry_run, unpacked.count, unpacked.bytes);
	if (!(options->dry_run ? space_preview : space_enforce)(space, &eviction, err))
		return false;
	print_count("mirrored modules, used least recently", options->dry_run, (int64_t)eviction.count,
		eviction.bytes);
	return options->dry_run || catalog_prune_absences(stores->catalog, clock_now_s(), &absences, err);
}

static bool open_stores(const char *data_dir, struct stores *stores, struct err *err)
{
	static const struct archive_limits unpacks_nothing;

	return data_folder_check(data_dir, err) && catalog_open(data_dir, &stores->catalog, err) &&
	       blobs_open(data_dir, &stores->blobs, err) &&
	       members_open(data_dir, &unpacks_nothing, 0, &stores->members, err);
}

static bool collect_here(const struct upkeep_options *options, const struct config *config,
	struct stores *stores, struct err *err)
{
	const struct space_limits limits = {
		config_cache_bytes(config), config->storage.keep_free_bytes, config_cache_key(config)};
	struct neighbour neighbour = {.data_dir = config->storage.data_dir};

	return collect(options, stores, &limits, &neighbour, err);
}

/* A bucket is swept also from where no node has been. */
static int collect_all(const struct upkeep_options *options, const struct config *config, int64_t grace_s)
{
	AUTO(finish_stores) struct stores stores = {0};
	bool is_shared = config->store.kind == STORE_S3;
	struct err err;
	bool here = open_stores(config->storage.data_dir, &stores, &err);

	if (!here && !(is_shared && err.code == ERR_NOT_FOUND))
		return command_fail(&err);
	log_configure(LOG_LEVEL_WARN, config->log.format);
	if (here && !collect_here(options, config, &stores, &err))
		return command_fail(&err);
	return is_shared ? bucket_gc(config, stores.catalog, grace_s, options->dry_run) : COMMAND_DONE;
}

static int run_gc(void *values, int count, char **words)
{
	const struct upkeep_options *options = values;
	AUTO_CONFIG struct config *config = NULL;
	int64_t grace_s = SWEEP_GRACE_S;
	struct err err;

	(void)words;
	if (count > 0)
		return command_misuse("gc", "gc takes no arguments");
	if (options->grace && !command_parse_duration(options->grace, &grace_s))
		return command_misuse("gc", "--grace takes a time such as 24h, not \"%s\"", options->grace);
	if (!command_load_config(&options->place, &config, &err))
		return command_fail(&err);
	if (options->grace && config->store.kind != STORE_S3)
		return command_misuse("gc", "--grace is for a bucket ([store] kind = s3)");
	return collect_all(options, config, grace_s);
}

static const struct option_row gc_rows[] = {
	{"dry-run", 0, NULL, FLAG_INTO(struct upkeep_options, dry_run), "only print what would be removed"},
	{"grace", 0, "TIME", TEXT_INTO(struct upkeep_options, grace),
		"leave what was written to a bucket since (default: 24h); less only while no node publishes"},
	{0},
};

const struct command command_gc = {
	.name = "gc",
	.summary = "remove what nothing needs, and what is over the limits",
	.forms = {""},
	.remarks =
		"Removes files and unpacked archives that no module needs, and mirrored modules, least "
		"recently "
		"used first, until storage.max_bytes and storage.keep_free_bytes hold; what is unpacked goes "
		"before any module. Safe while a daemon runs, which does the same by itself when it needs "
		"room. What is published, pinned or being read stays.\nOver a bucket ([store] kind = s3) "
		"that goes for the node's own disk and store.cache_bytes; then the bucket is swept, by one "
		"node at a time: blobs that no identity names, and those of versions that were withdrawn, "
		"once they are older than 24 hours; mirrored blobs over storage.max_bytes; leases and hints "
		"older than 7 days. Each is printed with the reason. Identities stay, so that a version "
		"never has other bytes.",
	.groups = {{gc_rows, 0}, {place_option_rows, offsetof(struct upkeep_options, place)}},
	.options_size = sizeof(struct upkeep_options),
	.run = run_gc,
};

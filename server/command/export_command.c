/* SPDX-License-Identifier: Apache-2.0
 *
 * export: what a data folder has, or a part of it, becomes a bundle, or the cache of a client. */
#include <errno.h>
#include <getopt.h>
#include <inttypes.h>
#include <jansson.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/container.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/bundle/contents.h"
#include "server/bundle/exporting.h"
#include "server/bundle/volumes.h"
#include "server/command/cache_export.h"
#include "server/command/command.h"
#include "server/command/export_description.h"
#include "server/command/export_gaps.h"
#include "server/command/export_place.h"
#include "server/command/export_report.h"
#include "server/command/lockfile.h"
#include "server/command/progress_bar.h"
#include "server/command/wishes.h"
#include "server/store/catalog/catalog_collections.h"
#include "server/store/catalog/catalog_opening.h"
#include "server/store/outgoing.h"

enum { ORIGINS_MAX = 16 };

struct options {
	const char *output;
	const char *config;
	const char *data;
	const char *want;
	const char *lock;
	const char *collection;
	const char *since;
	const char *split;
	const char *key;
	const char *name;
	const char *cache; /* NULL: a bundle is written */
	const char *origins[ORIGINS_MAX];
	size_t origin_count;
	bool words_only;
	bool partial;
	bool force;
	bool dry_run;
	bool json;
};

/* One run, with all that it has open. */
struct run {
	const struct options *options;
	struct config *config;
	struct catalog *catalog;
	struct selection selection;
	struct signing_key *key;
	struct outlet *outlet;
	struct base *base;
	struct exporting_options exporting;
	struct export_report report;
	struct export_watch watch;
	struct progress_bar progress;
	int signals; /* tells of those that end it */
	int64_t split_bytes;
	enum export_ending ending;
	bool has_old_time; /* that of a bundle which is there */
};

static void finish(struct run *run)
{
	outlet_close(run->outlet);
	base_close(run->base);
	signing_key_destroy(run->key);
	selection_finish(&run->selection);
	catalog_close(run->catalog);
	config_destroy(run->config);
	own_close(&run->signals);
}

/* ---- options ---- */

static const struct option long_options[] = {
	{"output", required_argument, NULL, 'o'},
	{"config", required_argument, NULL, 'c'},
	{"data", required_argument, NULL, 'd'},
	{"want", required_argument, NULL, 'w'},
	{"lock", required_argument, NULL, 'l'},
	{"collection", required_argument, NULL, 'C'},
	{"since", required_argument, NULL, 's'},
	{"split", required_argument, NULL, 'S'},
	{"sign", required_argument, NULL, 'k'},
	{"name", required_argument, NULL, 'N'},
	{"tfhub-cache", required_argument, NULL, 't'},
	{"as", required_argument, NULL, 'a'},
	{"documentation-only", no_argument, NULL, 'D'},
	{"partial", no_argument, NULL, 'p'},
	{"force", no_argument, NULL, 'f'},
	{"dry-run", no_argument, NULL, 'n'},
	{"json", no_argument, NULL, 'j'},
	{NULL, 0, NULL, 0},
};

/* Where the argument of a letter goes. */
static const char **text_of(struct options *options, int letter)
{
	const struct {
		int letter;
		const char **text;
	} rows[] = {{'o', &options->output}, {'c', &options->config}, {'d', &options->data},
		{'w', &options->want}, {'l', &options->lock}, {'C', &options->collection},
		{'s', &options->since}, {'S', &options->split}, {'k', &options->key}, {'N', &options->name},
		{'t', &options->cache},
		{'a', options->origin_count < ORIGINS_MAX ? &options->origins[options->origin_count] : NULL}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (rows[i].letter == letter)
			return rows[i].text;
	}
	return NULL;
}

static bool *flag_of(struct options *options, int letter)
{
	const struct {
		int letter;
		bool *flag;
	} rows[] = {{'D', &options->words_only}, {'p', &options->partial}, {'f', &options->force},
		{'n', &options->dry_run}, {'j', &options->json}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (rows[i].letter == letter)
			return rows[i].flag;
	}
	return NULL;
}

static bool read_options(int argc, char **argv, struct options *options)
{
	int letter;

	while ((letter = getopt_long(argc, argv, "o:", long_options, NULL)) != -1) {
		const char **text = text_of(options, letter);
		bool *flag = flag_of(options, letter);

		if (letter == 'a' && !text)
			(void)command_misuse("export", "--as is taken at most %d times", ORIGINS_MAX);
		options->origin_count += letter == 'a' && text;
		if (text)
			*text = optarg;
		else if (flag)
			*flag = true;
		else
			return false;
	}
	return true;
}

static bool is_tar(const char *path)
{
	size_t length = strlen(path);

	return length > 4 && strcmp(path + length - 4, ".tar") == 0;
}

static int check_cache_options(const struct options *options)
{
	struct err err;

	if (options->origin_count == 0)
		return command_misuse("export",
			"--tfhub-cache needs --as: how code begins its handles, such as https://tfhub.dev");
	for (size_t i = 0; i < options->origin_count; i++) {
		if (!client_cache_check_origin(options->origins[i], &err))
			return command_misuse("export", "%s", err.text);
	}
	if (!*options->cache || options->output || options->split || options->key || options->name ||
		options->since || options->words_only || options->force)
		return command_misuse(
			"export", "--tfhub-cache takes a folder, and none of the options of bundles");
	return COMMAND_DONE;
}

static int check_options(const struct options *options, int64_t *out_split)
{
	if (options->cache)
		return check_cache_options(options);
	if (options->origin_count > 0)
		return command_misuse("export", "--as goes with --tfhub-cache");
	if (!options->dry_run && (!options->output || !*options->output))
		return command_misuse("export", "-o DIR or -o FILE.tar is missing");
	if (options->output && export_place_is_compressed(options->output))
		return command_misuse(
			"export", "a bundle is a folder or FILE.tar: compressed, it would not get smaller");
	if (options->split &&
		(!number_parse_size(options->split, out_split) || *out_split < VOLUMES_SPLIT_MIN))
		return command_misuse("export", "--split takes a size of at least 1M, such as 4000M");
	if (options->split && options->output && !is_tar(options->output))
		return command_misuse("export", "--split goes with -o FILE.tar");
	if (options->name && !bundle_name_is_plain(options->name))
		return command_misuse("export",
			"--name takes at most %d bytes of UTF-8, without control characters",
			BUNDLE_NAME_MAX);
	return COMMAND_DONE;
}

/* ---- what goes ---- */

static bool read_want(struct run *run, struct err *err)
{
	AUTO(wishes_finish) struct wishes wishes = {0};
	AUTO(command_close_file) FILE *file = NULL;

	if (!run->options->want)
		return true;
	if (!command_open_file(run->options->want, &file, err))
		return false;
	if (!wishes_read(&wishes, file, err))
		return err_prefix(err, "%.200s: ", run->options->want);
	for (size_t i = 0; i < wishes.count; i++) {
		if (!selection_add_path(&run->selection, wishes.items[i].path, err))
			return err_prefix(err, "%.200s: ", run->options->want);
	}
	return wishes.count > 0 ||
	       err_set(err, ERR_BAD_REQUEST, "%.200s asks for nothing", run->options->want);
}

static bool read_lock(struct run *run, struct err *err)
{
	AUTO_LOCKFILE struct lockfile lockfile = {0};
	AUTO(command_close_file) FILE *file = NULL;

	if (!run->options->lock)
		return true;
	if (!command_open_file(run->options->lock, &file, err))
		return false;
	if (!lockfile_read(file, &lockfile, err))
		return err_prefix(err, "%.200s: ", run->options->lock);
	for (size_t i = 0; i < lockfile.count; i++) {
		const struct locked *locked = &lockfile.items[i];
		AUTO_FREE char *text = mem_printf("%s/%" PRId64, locked->handle, locked->version);
		const struct selected selected = {.text = text,
			.has_format = true,
			.format = locked->format,
			.has_digest = true,
			.digest = locked->digest,
			.gap = GAP_UNKNOWN};

		if (!selection_add(&run->selection, &selected, err))
			return false;
	}
	return lockfile.count > 0 ||
	       err_set(err, ERR_BAD_REQUEST, "%.200s names nothing", run->options->lock);
}

static bool read_collection(struct run *run, struct err *err)
{
	const char *path = run->options->collection;
	const char *slash = path ? strchr(path, '/') : NULL;
	AUTO(collection_details_finish) struct collection_details details = {0};
	AUTO_FREE char *publisher = slash ? mem_dup_n(path, (size_t)(slash - path)) : NULL;
	bool found = false;

	if (!path)
		return true;
	if (slash && !catalog_find_collection(run->catalog, publisher, slash + 1,
			     &(struct collection_part){.limit = SIZE_MAX}, &details, &found, err))
		return false;
	if (!found)
		return err_set(err, ERR_NOT_FOUND, "there is no collection %.200s here", path);
	for (size_t i = 0; i < details.module_count; i++) {
		const struct selected selected = {
			.text = details.modules[i].handle, .may_lack = true, .gap = GAP_UNKNOWN};

		if (!selection_add(&run->selection, &selected, err))
			return false;
	}
	/* One without a module that is known here has a page only. */
	return details.module_count > 0 || selection_add_path(&run->selection, path, err);
}

static bool read_selection(struct run *run, int argc, char **argv, struct err *err)
{
	struct selection *selection = &run->selection;

	for (int i = optind; i < argc; i++) {
		if (!selection_add_path(selection, argv[i], err))
			return false;
	}
	if (!read_want(run, err) || !read_lock(run, err) || !read_collection(run, err))
		return false;
	selection->words_only = run->options->words_only;
	run->exporting.with_pages = selection->count == 0 && selection->pattern_count == 0;
	selection_seal(selection);
	return true;
}

/* ---- watching ---- */

static bool show(struct export_watch *watch, int64_t done_bytes, int64_t total_bytes, struct err *err)
{
	struct run *run = CONTAINER_OF(watch, struct run, watch);
	struct signalfd_siginfo info;

	if (read(run->signals, &info, sizeof info) == sizeof info)
		return err_set(err, ERR_BUSY,
			"interrupted: the same command goes on where it was, and nobody can take what is "
			"there for whole");
	if (total_bytes > 0)
		progress_bar_show(&run->progress, done_bytes, total_bytes);
	return true;
}

static void watch_signals(struct run *run)
{
	sigset_t set;

	/* A limit on the size of files is told like a full medium. */
	(void)signal(SIGXFSZ, SIG_IGN);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	run->signals = signalfd(-1, &set, SFD_NONBLOCK | SFD_CLOEXEC);
	run->watch.progressed = show;
}

/* ---- when it is made ---- */

static bool read_time_of_folder(const char *output, int64_t *out)
{
	AUTO_BUFFER struct buffer text = {0};
	json_auto_t *index = NULL;
	const char *created;

	outlet_read_index(output, &text);
	index = text.length > 0 ? json_loadb(text.data, text.length, 0, NULL) : NULL;
	created = json_string_value(json_object_get(
		json_object_get(json_array_get(json_object_get(index, "manifests"), 0), "annotations"),
		"org.opencontainers.image.created"));
	return created && clock_parse_rfc3339(created, out);
}

static bool read_time_of_tar(const struct run *run, int64_t *out)
{
	AUTO_FREE char *path = mem_printf("%s%s", run->options->output, run->options->split ? ".pieces" : "");
	AUTO_BASE struct base *base = NULL;
	struct stat status;
	struct err err;

	if (lstat(path, &status) < 0 || !S_ISREG(status.st_mode) ||
		!base_open(path, run->config->storage.data_dir, &base, &err))
		return false;
	*out = base_created(base);
	return true;
}

/* Of a bundle that is there whole, so that the same content gives the same bytes. */
static bool read_old_time(const struct run *run, int64_t *out)
{
	const char *output = run->options->output;

	return output && (is_tar(output) ? read_time_of_tar(run, out) : read_time_of_folder(output, out));
}

static bool set_header(struct run *run, struct err *err)
{
	struct bundle_header *header = &run->exporting.header;
	const char *epoch = getenv("SOURCE_DATE_EPOCH");

	if (epoch && !number_parse(epoch, &header->created_s))
		return err_set(err, ERR_BAD_REQUEST, "SOURCE_DATE_EPOCH must be a number of seconds");
	run->has_old_time = !epoch && read_old_time(run, &header->created_s);
	if (!epoch && !run->has_old_time)
		header->created_s = clock_now_s();
	(void)snprintf(header->name, sizeof header->name, "%s", run->options->name ? run->options->name : "");
	(void)snprintf(header->server, sizeof header->server, "larder %s", LARDER_VERSION);
	return true;
}

static bool set_since(struct run *run, struct err *err)
{
	struct bundle_header *header = &run->exporting.header;
	const char *since = run->options->since;

	if (!since)
		return true;
	if (clock_parse_rfc3339(since, &header->since_s)) {
		run->exporting.changed_since_s = header->since_s;
		return true;
	}
	if (!base_open(since, run->config->storage.data_dir, &run->base, err))
		return err_prefix(
			err, "--since %.100s is no time such as 2026-11-28, and no bundle: ", since);
	run->exporting.base = run->base;
	header->since_s = base_created(run->base);
	return true;
}

/* ---- running ---- */

static bool open_outlet(struct run *run, bool replace, struct err *err)
{
	const struct options *options = run->options;

	return is_tar(options->output)
		       ? outlet_open_tar(options->output, run->split_bytes, replace, &run->outlet, err)
		       : outlet_open_folder(options->output, replace, &run->outlet, err);
}

static bool pass(struct run *run, struct outlet *outlet, const char *what, struct err *err)
{
	bool done;

	run->exporting.outlet = outlet;
	progress_bar_init(&run->progress, what);
	done = exporting_run(&run->exporting, &run->report, err);
	progress_bar_finish(&run->progress);
	return done;
}

/* Whether this very bundle is there, to the byte. */
static bool prove(struct run *run, bool *out, struct err *err)
{
	const char *output = run->options->output;
	AUTO_OUTLET struct outlet *outlet = NULL;

	*out = (is_tar(output) ? outlet_prove_tar(output, run->split_bytes, &outlet, err)
			       : outlet_prove_folder(output, &outlet, err)) &&
	       pass(run, outlet, "proving", err);
	/* What cannot be compared is told of when it is written. */
	return *out || !outlet || err->code == ERR_CONFLICT;
}

/* Whether the folder says that it has this very bundle. */
static bool claims_it(const struct run *run)
{
	AUTO_BUFFER struct buffer text = {0};

	if (is_tar(run->options->output))
		return false;
	outlet_read_index(run->options->output, &text);
	return text.length > 0 && strstr(text.data, run->report.index.digest.hex);
}

static bool write_bundle(struct run *run, struct err *err)
{
	bool is_same = claims_it(run);

	/* The old time was for nothing: another bundle is made. */
	if (run->has_old_time && !is_same)
		run->exporting.header.created_s = clock_now_s();
	run->ending = is_same && !run->options->force ? EXPORT_MENDED : EXPORT_WRITTEN;
	return open_outlet(run, run->options->force || is_same, err) &&
	       pass(run, run->outlet, "exporting", err);
}

static bool export(struct run *run, struct err *err)
{
	bool is_there = false;

	/* Nothing is touched before it is known what will come of it. */
	if (!pass(run, NULL, "exporting", err))
		return false;
	export_gaps_tell(&run->selection);
	if (!export_gaps_check(&run->selection, run->options->partial, err))
		return false;
	run->ending = EXPORT_LOOKED;
	if (run->options->dry_run)
		return true;
	if (!run->options->force && !prove(run, &is_there, err))
		return false;
	run->ending = EXPORT_WAS_THERE;
	return is_there || write_bundle(run, err);
}

/* A dry run may name none. */
static bool check_place(const struct run *run, struct err *err)
{
	const char *place = run->options->cache ? run->options->cache : run->options->output;

	return !place || export_place_check(place, run->config->storage.data_dir, err);
}

static bool prepare(struct run *run, int argc, char **argv, struct err *err)
{
	const struct options *options = run->options;

	if (!command_load_config(options->config, options->data, &run->config, err) ||
		!command_check_store(run->config->storage.data_dir, err) || !check_place(run, err) ||
		!outgoing_sweep(run->config->storage.data_dir, err) ||
		!catalog_open(run->config->storage.data_dir, &run->catalog, err) ||
		!read_selection(run, argc, argv, err) || !set_header(run, err) || !set_since(run, err) ||
		(options->key && !signing_key_read_private(options->key, &run->key, err)))
		return false;
	watch_signals(run);
	run->exporting.catalog = run->catalog;
	run->exporting.data_dir = run->config->storage.data_dir;
	run->exporting.selection = &run->selection;
	run->exporting.collection = options->collection;
	run->exporting.key = run->key;
	run->exporting.watch = &run->watch;
	run->exporting.describe = export_description;
	return true;
}

/* As of an import: what is lacking is a failure, also where the rest is written. */
static int status_of(const struct run *run)
{
	size_t position = 0;

	return selection_next_gap(&run->selection, &position) ? COMMAND_FAILED : COMMAND_DONE;
}

/* ---- a client's cache ---- */

static bool fill_cache(struct run *run, struct cache_report *report, struct err *err)
{
	const struct options *options = run->options;
	const struct cache_export caching = {run->catalog, run->config->storage.data_dir, &run->selection,
		options->cache, options->origins, options->origin_count, &run->watch};
	bool looked;
	bool done;

	progress_bar_init(&run->progress, "unpacking");
	looked = cache_export_look(&caching, report, err);
	export_gaps_tell(&run->selection);
	if (!looked || !export_gaps_check(&run->selection, run->options->partial, err))
		return false;
	done = options->dry_run || cache_export_run(&caching, report, err);
	progress_bar_finish(&run->progress);
	return done;
}

static int export_cache(struct run *run)
{
	const struct options *options = run->options;
	struct cache_report report = {0};
	struct err err;

	if (!fill_cache(run, &report, &err))
		return command_fail(&err);
	if (options->json)
		cache_report_print_json(
			&report, options->cache, options->dry_run, export_gaps_json(&run->selection));
	else
		cache_report_print(&report, options->cache, options->dry_run);
	return status_of(run);
}

static int export_bundle(struct run *run)
{
	const struct options *options = run->options;
	struct err err;
	bool done = export(run, &err);
	const struct export_telling telling = {done ? run->ending : EXPORT_FAILED, options->output,
		options->dry_run, &run->report, &run->selection, run->key, done ? NULL : &err};

	export_report_print(&telling, options->json);
	return done ? status_of(run) : command_fail(&err);
}

int command_export(int argc, char **argv)
{
	struct options options = {0};
	AUTO(finish) struct run run = {.options = &options, .signals = -1};
	struct err err;
	int status;

	if (!read_options(argc, argv, &options))
		return COMMAND_MISUSE;
	status = check_options(&options, &run.split_bytes);
	if (status != COMMAND_DONE)
		return status;
	if (!prepare(&run, argc, argv, &err))
		return command_fail(&err);
	if (options.cache)
		return export_cache(&run);
	return export_bundle(&run);
}

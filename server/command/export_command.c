/* SPDX-License-Identifier: Apache-2.0
 *
 * export: what a data folder has, or a part of it, becomes a bundle, or the cache of a client. */
#include <errno.h>
#include <getopt.h>
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
#include "server/command/data_folder.h"
#include "server/command/export_choice.h"
#include "server/command/export_description.h"
#include "server/command/export_gaps.h"
#include "server/command/export_place.h"
#include "server/command/export_report.h"
#include "server/command/progress_bar.h"
#include "server/store/catalog/catalog_opening.h"
#include "server/store/outgoing.h"

enum { ORIGINS_MAX = 16, TRIES_MAX = 3 };

struct options {
	const char *output;
	const char *config;
	const char *data;
	struct export_choice choice;
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
	const char *what; /* is done with the files */
	int signals;      /* tells of those that end it */
	int64_t split_bytes;
	enum export_ending ending;
	bool has_old_time; /* that of a bundle which is there */
	struct damages damages;
	int pieces; /* of what was written, or is there */
};

static void finish(struct run *run)
{
	outlet_close(run->outlet);
	base_close(run->base);
	signing_key_destroy(run->key);
	selection_finish(&run->selection);
	damages_finish(&run->damages);
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
		{'w', &options->choice.want}, {'l', &options->choice.lock},
		{'C', &options->choice.collection}, {'s', &options->since}, {'S', &options->split},
		{'k', &options->key}, {'N', &options->name}, {'t', &options->cache},
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

/* ---- watching ---- */

static void show_progress(struct run *run, const struct export_progress *progress)
{
	static const char *const things[] = {"versions", "files"};
	const struct progress_work work = {progress->bytes, progress->total_bytes, progress->count,
		progress->total_count, things[progress->copies]};

	progress_bar_work(&run->progress, progress->copies ? run->what : "looking at what goes", &work);
}

static bool show(struct export_watch *watch, const struct export_progress *progress, struct err *err)
{
	struct run *run = CONTAINER_OF(watch, struct run, watch);
	struct signalfd_siginfo info;

	if (read(run->signals, &info, sizeof info) == sizeof info)
		return err_set(err, ERR_BUSY,
			"interrupted: the same command goes on where it was, and nobody can take what is "
			"there for whole");
	show_progress(run, progress);
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
	(void)sigaddset(&set, SIGHUP);
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
	run->what = what;
	progress_bar_init(&run->progress, what);
	done = exporting_run(&run->exporting, &run->report, err);
	progress_bar_finish(&run->progress);
	if (done && outlet)
		run->pieces = outlet->pieces;
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

static bool make(struct run *run, struct err *err)
{
	bool is_there = false;

	if (!run->options->force && !prove(run, &is_there, err))
		return false;
	run->ending = EXPORT_WAS_THERE;
	return is_there || write_bundle(run, err);
}

/* What is found to be damaged is left out the next time. A disk that loses more each time is given up. */
static bool make_whole(struct run *run, struct err *err)
{
	bool done = false;

	for (int tries = 0; !done && tries < TRIES_MAX; tries++) {
		size_t before = run->damages.count;

		outlet_close(TAKE(run->outlet));
		done = make(run, err);
		if (!done && (!run->options->partial || err->code != ERR_DIGEST_MISMATCH ||
				     run->damages.count == before))
			return false;
	}
	return done;
}

static bool export(struct run *run, struct err *err)
{
	/* Nothing is touched before it is known what will come of it. */
	if (!pass(run, NULL, "exporting", err))
		return false;
	export_gaps_tell(&run->selection);
	if (!export_gaps_check(&run->selection, run->options->partial, err) ||
		!export_damages_check(&run->damages, run->options->partial, err))
		return false;
	run->ending = EXPORT_LOOKED;
	return run->options->dry_run || make_whole(run, err);
}

/* A dry run may name none. */
static bool check_place(const struct run *run, struct err *err)
{
	const char *place = run->options->cache ? run->options->cache : run->options->output;

	return !place || export_place_check(place, run->config->storage.data_dir, err);
}

/* As ssh does; a stick's file system may know no better. */
static bool read_key(struct run *run, struct err *err)
{
	const char *path = run->options->key;
	int mode;

	if (!path)
		return true;
	if (!signing_key_read_private(path, &run->key, err))
		return false;
	if (signing_key_is_exposed(path, &mode))
		(void)fprintf(stderr,
			"larder: others than its owner may read or change the key %s (mode %04o), and "
			"whoever can "
			"signs as "
			"you: \"chmod 600\" it\n",
			path, (unsigned)mode);
	return true;
}

static bool read_selection(struct run *run, struct err *err)
{
	struct selection *selection = &run->selection;

	if (!export_choice_read(&run->options->choice, run->catalog, selection, err))
		return false;
	selection->words_only = run->options->words_only;
	run->exporting.with_pages = selection->count == 0 && selection->pattern_count == 0;
	return true;
}

static bool prepare(struct run *run, struct err *err)
{
	const struct options *options = run->options;

	if (!command_load_config(options->config, options->data, &run->config, err) ||
		!data_folder_check(run->config->storage.data_dir, err) || !check_place(run, err) ||
		!outgoing_sweep(run->config->storage.data_dir, err) ||
		!catalog_open(run->config->storage.data_dir, &run->catalog, err) ||
		!read_selection(run, err) || !set_header(run, err) || !set_since(run, err) ||
		!read_key(run, err))
		return false;
	watch_signals(run);
	run->exporting.catalog = run->catalog;
	run->exporting.data_dir = run->config->storage.data_dir;
	run->exporting.selection = &run->selection;
	run->exporting.collection = options->choice.collection;
	run->exporting.key = run->key;
	run->exporting.watch = &run->watch;
	run->exporting.damages = &run->damages;
	run->exporting.describe = export_description;
	return true;
}

/* As of an import: what is lacking is a failure, also where the rest is written. */
static int status_of(const struct run *run)
{
	size_t position = 0;
	bool lacks = selection_next_gap(&run->selection, &position) || run->damages.count > 0;

	return lacks ? COMMAND_FAILED : COMMAND_DONE;
}

/* ---- a client's cache ---- */

static bool fill_cache(struct run *run, struct cache_report *report, struct err *err)
{
	const struct options *options = run->options;
	const struct cache_export caching = {run->catalog, run->config->storage.data_dir, &run->selection,
		options->cache, options->origins, options->origin_count, &run->watch, &run->damages};
	bool looked;
	bool done;

	run->what = "unpacking";
	progress_bar_init(&run->progress, run->what);
	looked = cache_export_look(&caching, report, err);
	export_gaps_tell(&run->selection);
	if (!looked || !export_gaps_check(&run->selection, run->options->partial, err))
		return false;
	done = options->dry_run || cache_export_run(&caching, report, err);
	progress_bar_finish(&run->progress);
	return done;
}

static int export_cache(struct run *run, bool prepared, struct err *err)
{
	const struct options *options = run->options;
	struct cache_report report = {0};
	bool done = prepared && fill_cache(run, &report, err);
	const struct cache_telling telling = {
		options->cache, options->dry_run, &report, &run->selection, &run->damages, done ? NULL : err};

	if (options->json)
		cache_report_print_json(&telling);
	else if (done)
		cache_report_print(&telling);
	export_damages_tell(&run->damages);
	return done ? status_of(run) : command_fail(err);
}

static int export_bundle(struct run *run, bool prepared, struct err *err)
{
	const struct options *options = run->options;
	bool done = prepared && export(run, err);
	const struct export_telling telling = {done ? run->ending : EXPORT_FAILED, options->output,
		run->pieces, options->dry_run, &run->report, &run->selection, &run->damages, run->key,
		done ? NULL : err};

	export_report_print(&telling, options->json);
	export_damages_tell(&run->damages);
	return done ? status_of(run) : command_fail(err);
}

int command_export(int argc, char **argv)
{
	struct options options = {0};
	AUTO(finish) struct run run = {.options = &options, .signals = -1};
	struct err err;
	bool prepared;
	int status;

	if (!read_options(argc, argv, &options))
		return COMMAND_MISUSE;
	options.choice.paths = argv + optind;
	status = check_options(&options, &run.split_bytes);
	if (status != COMMAND_DONE)
		return status;
	prepared = prepare(&run, &err);
	return options.cache ? export_cache(&run, prepared, &err) : export_bundle(&run, prepared, &err);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * export: what a data folder has, or a part of it, becomes a bundle, or the cache of a client. */
#include <errno.h>
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
#include "server/command/export_options.h"
#include "server/command/export_place.h"
#include "server/command/export_report.h"
#include "server/command/progress_bar.h"
#include "server/store/catalog/catalog_audit.h"
#include "server/store/catalog/catalog_opening.h"
#include "server/store/outgoing.h"

enum { TRIES_MAX = 3 };

/* One run, with all that it has open. */
struct run {
	const struct export_options *options;
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
		!base_open(path, &run->exporting.scratch, &base, &err))
		return false;
	*out = base_created(base);
	return true;
}

/* Of a bundle that is there whole, so that the same content gives the same bytes. */
static bool read_old_time(const struct run *run, int64_t *out)
{
	const char *output = run->options->output;

	return output &&
	       (export_place_is_tar(output) ? read_time_of_tar(run, out) : read_time_of_folder(output, out));
}

static bool set_header(struct run *run, struct err *err)
{
	struct bundle_header *header = &run->exporting.header;
	const char *epoch = getenv("SOURCE_DATE_EPOCH");
	struct audit_head head;

	if (epoch && !number_parse(epoch, &header->created_s))
		return err_set(err, ERR_BAD_REQUEST, "SOURCE_DATE_EPOCH must be a number of seconds");
	run->has_old_time = !epoch && read_old_time(run, &header->created_s);
	if (!epoch && !run->has_old_time)
		header->created_s = clock_now_s();
	(void)snprintf(header->name, sizeof header->name, "%s", run->options->name ? run->options->name : "");
	(void)snprintf(header->server, sizeof header->server, "larder %s", LARDER_VERSION);
	if (!catalog_audit_head(run->catalog, &head, err))
		return false;
	header->has_audit_head = head.exists;
	header->audit_head = head.hash;
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
	if (!base_open(since, &run->exporting.scratch, &run->base, err))
		return err_prefix(
			err, "--since %.100s is no time such as 2026-11-28, and no bundle: ", since);
	run->exporting.base = run->base;
	header->since_s = base_created(run->base);
	return true;
}

/* ---- running ---- */

static bool open_outlet(struct run *run, bool replace, struct err *err)
{
	const struct export_options *options = run->options;

	return export_place_is_tar(options->output)
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

	*out = (export_place_is_tar(output) ? outlet_prove_tar(output, run->split_bytes, &outlet, err)
					    : outlet_prove_folder(output, &outlet, err)) &&
	       pass(run, outlet, "proving", err);
	/* What cannot be compared is told of when it is written. */
	return *out || !outlet || err->code == ERR_CONFLICT;
}

/* Whether the folder says that it has this very bundle. */
static bool claims_it(const struct run *run)
{
	AUTO_BUFFER struct buffer text = {0};

	if (export_place_is_tar(run->options->output))
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
	const struct export_options *options = run->options;

	if (!command_load_config(&options->place, &run->config, err))
		return false;
	run->exporting.scratch =
		(struct scratch_place){run->config->storage.data_dir, run->config->storage.keep_free_bytes};
	damages_init(&run->damages, &run->exporting.scratch);
	if (!data_folder_check(run->config->storage.data_dir, err) || !check_place(run, err) ||
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
	const struct export_options *options = run->options;
	const struct cache_export caching = {run->catalog, run->config->storage.data_dir, &run->selection,
		options->cache, options->origins.values, options->origins.count, &run->watch, &run->damages};
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
	const struct export_options *options = run->options;
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
	const struct export_options *options = run->options;
	bool done = prepared && export(run, err);
	const struct export_telling telling = {done ? run->ending : EXPORT_FAILED, options->output,
		run->pieces, options->dry_run, &run->report, &run->selection, &run->damages, run->key,
		done ? NULL : err};

	export_report_print(&telling, options->json);
	export_damages_tell(&run->damages);
	return done ? status_of(run) : command_fail(err);
}

static int run_export(void *values, int count, char **words)
{
	struct export_options *options = values;
	AUTO(finish) struct run run = {.options = options, .signals = -1};
	int status = export_options_check(options, &run.split_bytes);
	struct err err;
	bool prepared;

	(void)count;
	if (status != COMMAND_DONE)
		return status;
	options->choice.paths = words;
	prepared = prepare(&run, &err);
	return options->cache ? export_cache(&run, prepared, &err) : export_bundle(&run, prepared, &err);
}

const struct command command_export = {
	.name = "export",
	.summary = "write modules into a bundle, to be carried to another Larder",
	.forms = {"[PATH|GLOB]... -o DIR|FILE.tar", "[PATH|GLOB]... --tfhub-cache DIR --as ORIGIN..."},
	.remarks = "Writes what is here into an OCI image layout, which \"larder import\" reads: with a PATH "
		   "or a "
		   "GLOB only those modules, such as acme/x (all of its versions), acme/x/1 (all of its "
		   "formats), "
		   "'acme/x/1?lite-format=tflite' or 'acme/*'. Works on the data folder itself, whether a "
		   "daemon "
		   "runs on it or not. What was interrupted is gone on with by the same command. Fails where "
		   "what "
		   "is asked for is not here, and names it; nothing is written then.\n"
		   "With --tfhub-cache, unpacks SavedModels to where tensorflow_hub looks before it asks a "
		   "server, "
		   "so that code runs unchanged with TFHUB_CACHE_DIR=DIR. What is there stays.",
	.groups = {{export_option_rows, 0}, {place_option_rows, offsetof(struct export_options, place)}},
	.options_size = sizeof(struct export_options),
	.run = run_export,
};

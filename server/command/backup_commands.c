/* SPDX-License-Identifier: Apache-2.0
 *
 * backup, restore: a data folder into another folder while a daemon serves, and a new one of that. */
#include <jansson.h>
#include <stdio.h>
#include <sys/resource.h>

#include "common/clock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/command/command.h"
#include "server/command/data_folder.h"
#include "server/command/interruption.h"
#include "server/command/listing.h"
#include "server/command/progress_bar.h"
#include "server/registry/backup.h"
#include "server/registry/restore.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog_opening.h"

enum { NICENESS = 10 };

struct backup_options {
	struct place_options place;
	const char *rate;
	bool link;
	bool checks;
	bool prune;
	bool json;
};

/* What is told, of both commands. */
struct talk {
	struct progress_bar bar;
	json_t *faults; /* NULL: lines are printed */
};

static void init_talk(struct talk *talk, const char *what, bool as_json)
{
	progress_bar_init(&talk->bar, what);
	talk->faults = as_json ? json_array() : NULL;
}

static void finish_talk(struct talk *talk)
{
	progress_bar_finish(&talk->bar);
	json_decref(talk->faults);
}

static void tell_progress(void *context, const char *what, const struct backup_progress *progress)
{
	struct talk *talk = context;
	const struct progress_work work = {
		progress->bytes, progress->total_bytes, progress->blobs, progress->total_blobs, "blobs"};

	progress_bar_work(&talk->bar, what, &work);
}

static void tell_fault(struct talk *talk, const struct pass_blob *blob, const char *path, const char *format,
	const char *detail)
{
	AUTO_FREE char *digest = mem_printf("sha256:%s", blob->digest.hex);

	if (talk->faults) {
		(void)json_array_append_new(
			talk->faults, json_pack("{s:s, s:s?, s:s, s:I, s:s}", "path", path ? path : digest,
					      "format", format, "digest", digest, "size_bytes",
					      (json_int_t)blob->size_bytes, "detail", detail));
		return;
	}
	progress_bar_finish(&talk->bar);
	(void)printf("left out\t%s%s%s%s\t%s\n", path ? path : digest, format ? " (" : "",
		format ? format : "", format ? ")" : "", detail);
	(void)fflush(stdout);
}

static void tell_faulty(void *context, const struct pass_blob *blob, const struct name *names, size_t count,
	const char *detail)
{
	if (count == 0)
		tell_fault(context, blob, NULL, NULL, detail);
	for (size_t i = 0; i < count; i++)
		tell_fault(context, blob, name_path(&names[i]).text, formats[names[i].format].name, detail);
}

static struct backup_watch watch_of(struct talk *talk)
{
	return (struct backup_watch){tell_progress, tell_faulty, talk};
}

static bool read_rate(const char *text, struct read_rate *rate)
{
	*rate = (struct read_rate){0};
	return !text || number_parse_size(text, &rate->bytes_per_s);
}

static void print_json(const struct talk *talk, const struct backup_marker *marker,
	const struct backup_report *report, const struct err *failure)
{
	json_auto_t *all = json_pack("{s:s, s:I, s:I, s:b, s:I, s:I, s:I, s:I, s:s?}", "at",
		clock_rfc3339(marker->at_s).text, "blobs", (json_int_t)marker->blobs, "bytes",
		(json_int_t)marker->bytes, "index_only", (int)marker->is_index, "new_blobs",
		(json_int_t)report->new_blobs, "new_bytes", (json_int_t)report->new_bytes, "pruned_blobs",
		(json_int_t)report->pruned_blobs, "pruned_bytes", (json_int_t)report->pruned_bytes, "error",
		failure ? failure->text : NULL);

	(void)json_object_set(all, "left_out", talk->faults);
	listing_print_json(all);
}

static int end(struct talk *talk, const struct backup_marker *marker, const struct backup_report *report,
	const struct err *failure)
{
	progress_bar_finish(&talk->bar);
	if (talk->faults)
		print_json(talk, marker, report, failure);
	if (failure)
		return command_fail(failure);
	return report->faulty > 0 ? COMMAND_FAILED : COMMAND_DONE;
}

/* ---- backup ---- */

struct stores {
	struct catalog *catalog;
	struct blobs *blobs;
	struct backup_folder folder;
};

static void finish_stores(struct stores *stores)
{
	backup_folder_finish(&stores->folder);
	blobs_close(stores->blobs);
	catalog_close(stores->catalog);
}

static void print_backup(
	const char *folder, const struct backup_marker *marker, const struct backup_report *report)
{
	if (marker->is_index)
		(void)printf("%s has the index as of %s; the blobs are the bucket's, and no part of it\n",
			folder, clock_rfc3339(marker->at_s).text);
	else
		(void)printf("%s has all as of %s: %lld blobs (%s), of which %lld (%s) are new; %lld left "
			     "out, %lld pruned (%s)\n",
			folder, clock_rfc3339(marker->at_s).text, (long long)marker->blobs,
			number_size(marker->bytes).text, (long long)report->new_blobs,
			number_size(report->new_bytes).text, (long long)report->faulty,
			(long long)report->pruned_blobs, number_size(report->pruned_bytes).text);
}

static int back_up(const struct backup_options *options, const char *path, struct read_rate *rate)
{
	AUTO_CONFIG struct config *config = NULL;
	AUTO(finish_stores) struct stores stores = {.folder.fd = -1};
	AUTO(finish_talk) struct talk talk = {0};
	struct backup_order order;
	struct backup_report report;
	struct err err;
	bool done;

	if (!command_load_config(&options->place, &config, &err) ||
		!data_folder_check(config->storage.data_dir, &err) ||
		!catalog_open(config->storage.data_dir, &stores.catalog, &err) ||
		!blobs_open(config->storage.data_dir, &stores.blobs, &err) ||
		!backup_folder_open(path, &stores.folder, &err))
		return command_fail(&err);
	log_configure(LOG_LEVEL_WARN, config->log.format);
	init_talk(&talk, "backing up", options->json);
	interruption_watch(INTERRUPTED_BACKUP);
	(void)setpriority(PRIO_PROCESS, 0, NICENESS);
	order = (struct backup_order){config->storage.data_dir, stores.catalog, stores.blobs, rate,
		config->store.kind == STORE_S3, options->link, options->checks, options->prune,
		watch_of(&talk)};
	done = backup_run(&order, &stores.folder, &report, &err);
	if (done && !options->json) {
		progress_bar_finish(&talk.bar);
		print_backup(path, &stores.folder.marker, &report);
	}
	return end(&talk, &stores.folder.marker, &report, done ? NULL : &err);
}

static int run_backup(void *values, int count, char **words)
{
	const struct backup_options *options = values;
	struct read_rate rate;

	if (count != 1)
		return command_misuse("backup", "backup takes the folder DIR to back up into");
	if (!read_rate(options->rate, &rate))
		return command_misuse("backup", "--rate takes bytes a second, such as 32M, or 0; not \"%s\"",
			options->rate);
	return back_up(options, words[0], &rate);
}

static const struct option_row backup_rows[] = {
	{"link", 0, NULL, FLAG_INTO(struct backup_options, link),
		"by hard links, on the same file system: takes no room, and guards against mistakes, not "
		"against the disk"},
	{"check", 0, NULL, FLAG_INTO(struct backup_options, checks),
		"read what is there from before, too, and copy what is damaged anew"},
	{"prune", 0, NULL, FLAG_INTO(struct backup_options, prune),
		"remove from DIR what is not in the data folder any more"},
	{"rate", 0, "BYTES", TEXT_INTO(struct backup_options, rate),
		"read so much a second, such as 32M (default: as fast as can be)"},
	{"json", 0, NULL, FLAG_INTO(struct backup_options, json), "print the report as JSON"},
	{0},
};

const struct command command_backup = {
	.name = "backup",
	.summary = "back up a data folder while a daemon serves from it",
	.forms = {"DIR"},
	.statuses = "1 also where something was damaged or gone, and was left out.",
	.remarks =
		"Copies the database as it is at one moment, and the blobs that it names, each held against "
		"its digest on the way. DIR must be empty, new, or a backup of before: then only what is new "
		"is copied. It has the backup of before until the new one is whole, whatever happens in "
		"between. Restore it with \"larder restore\"; \"larder verify --repair --from DIR\" takes "
		"single blobs out of it.\nOf a node over a bucket ([store] kind = s3, which --config tells) "
		"only the index is backed up: the blobs are the bucket's, and so is their safety.",
	.groups = {{backup_rows, 0}, {place_option_rows, offsetof(struct backup_options, place)}},
	.options_size = sizeof(struct backup_options),
	.run = run_backup,
};

/* ---- restore ---- */

static void print_restore(
	const char *data_dir, const struct backup_marker *marker, const struct backup_report *report)
{
	(void)printf("%s is as of %s, by Larder %s: %lld blobs, %lld left out%s\n", data_dir,
		clock_rfc3339(marker->at_s).text, marker->larder, (long long)(marker->blobs - report->faulty),
		(long long)report->faulty, marker->is_index ? "; the blobs are the bucket's" : "");
}

static int restore(const struct backup_options *options, const char *path, struct read_rate *rate)
{
	AUTO_CONFIG struct config *config = NULL;
	AUTO(finish_stores) struct stores stores = {.folder.fd = -1};
	AUTO(finish_talk) struct talk talk = {0};
	struct backup_report report;
	struct err err;
	bool done;

	if (!command_load_config(&options->place, &config, &err) ||
		!backup_folder_read(path, &stores.folder, &err))
		return command_fail(&err);
	log_configure(LOG_LEVEL_WARN, config->log.format);
	init_talk(&talk, "restoring", options->json);
	interruption_watch(INTERRUPTED_RESTORE);
	done = restore_run(&(struct restore_order){config->storage.data_dir, rate, watch_of(&talk)},
		&stores.folder, &report, &err);
	if (done && !options->json) {
		progress_bar_finish(&talk.bar);
		print_restore(config->storage.data_dir, &stores.folder.marker, &report);
	}
	return end(&talk, &stores.folder.marker, &report, done ? NULL : &err);
}

static int run_restore(void *values, int count, char **words)
{
	const struct backup_options *options = values;
	struct read_rate rate;

	if (count != 1)
		return command_misuse("restore", "restore takes the folder DIR of a backup");
	if (!options->place.data && !options->place.config)
		return command_misuse("restore", "name the new data folder with --data, or its configuration "
						 "with --config");
	if (!read_rate(options->rate, &rate))
		return command_misuse("restore", "--rate takes bytes a second, such as 32M, or 0; not \"%s\"",
			options->rate);
	return restore(options, words[0], &rate);
}

static const struct option_row restore_rows[] = {
	{"rate", 0, "BYTES", TEXT_INTO(struct backup_options, rate),
		"read so much a second, such as 32M (default: as fast as can be)"},
	{"json", 0, NULL, FLAG_INTO(struct backup_options, json), "print the report as JSON"},
	{0},
};

const struct command command_restore = {
	.name = "restore",
	.summary = "make a new data folder of a backup",
	.forms = {"DIR"},
	.statuses = "1 also where something in the backup was damaged or gone, and was left out.",
	.remarks =
		"Makes a data folder (--data) of what \"larder backup\" has put into DIR, each blob held "
		"against its digest on the way. The folder must be new or empty. Where it is interrupted, "
		"nothing can use that folder until the same command has come to its end, and it goes on with "
		"the rest. A blob that is not whole in the backup is named and left out: what was mirrored "
		"is fetched again, what was published can be restored from elsewhere with \"larder verify "
		"--repair --from\". Run it as the user that the daemon runs as.",
	.groups = {{restore_rows, 0}, {place_option_rows, offsetof(struct backup_options, place)}},
	.options_size = sizeof(struct backup_options),
	.run = run_restore,
};

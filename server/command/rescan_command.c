/* SPDX-License-Identifier: Apache-2.0
 *
 * rescan: what is here is judged by the safety rules of this release. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/command/command.h"
#include "server/command/data_folder.h"
#include "server/command/interruption.h"
#include "server/command/listing.h"
#include "server/command/progress_bar.h"
#include "server/command/shared_vault.h"
#include "server/module/safety/safety_tables.h"
#include "server/registry/rescan.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog_opening.h"
#include "server/store/catalog/catalog_outdated.h"

enum { NICENESS = 10, RATE_BYTES = 32 << 20 };

struct rescan_options {
	struct place_options place;
	const char *rate;
	bool dry_run;
	bool json;
};

static const char *const outcomes[RESCAN_OUTCOME_COUNT] = {[RESCAN_UNCHANGED] = "unchanged",
	[RESCAN_JUDGED] = "judged",
	[RESCAN_HELD] = "held",
	[RESCAN_UNREADABLE] = "unreadable"};

struct talk {
	const struct rescan_options *options;
	struct progress_bar bar;
	int64_t total;
	size_t count;
	size_t counts[RESCAN_OUTCOME_COUNT];
	json_t *artifacts; /* NULL: lines are printed */
};

static void finish_talk(struct talk *talk)
{
	progress_bar_finish(&talk->bar);
	json_decref(talk->artifacts);
}

static void tell(void *context, const struct rescanned *what)
{
	struct talk *talk = context;
	const char *format = formats[what->format].name;

	talk->counts[what->outcome]++;
	talk->count++;
	if (talk->artifacts) {
		(void)json_array_append_new(talk->artifacts,
			json_pack("{s:s, s:s, s:s, s:s}", "path", what->path, "format", format, "outcome",
				outcomes[what->outcome], "detail", what->detail));
	} else {
		progress_bar_finish(&talk->bar);
		(void)printf("%s\t%s (%s)\t%s\n", outcomes[what->outcome], what->path, format, what->detail);
		(void)fflush(stdout);
	}
	/* Names that have the same bytes are one of the total. */
	progress_bar_step(&talk->bar, "judging",
		(int64_t)talk->count < talk->total ? (int64_t)talk->count : talk->total, talk->total,
		talk->count, "artifacts");
}

static void print_json(const struct talk *talk, const struct err *failure)
{
	json_auto_t *report = json_pack("{s:I, s:b, s:s?}", "rules", (json_int_t)safety_version, "dry_run",
		(int)talk->options->dry_run, "error", failure ? failure->text : NULL);

	(void)json_object_set(report, "artifacts", talk->artifacts);
	for (size_t i = 0; i < RESCAN_OUTCOME_COUNT; i++)
		(void)json_object_set_new(report, outcomes[i], json_integer((json_int_t)talk->counts[i]));
	listing_print_json(report);
}

static int finish(struct talk *talk, const struct err *failure)
{
	const size_t *counts = talk->counts;

	progress_bar_finish(&talk->bar);
	if (talk->artifacts)
		print_json(talk, failure);
	else
		(void)printf("%sby version %u of the rules: %zu unchanged, %zu with other findings, %zu held "
			     "back, %zu unreadable\n",
			talk->options->dry_run ? "would be, " : "", safety_version, counts[RESCAN_UNCHANGED],
			counts[RESCAN_JUDGED], counts[RESCAN_HELD], counts[RESCAN_UNREADABLE]);
	if (failure)
		return command_fail(failure);
	return counts[RESCAN_UNREADABLE] > 0 ? COMMAND_FAILED : COMMAND_DONE;
}

struct stores {
	struct catalog *catalog;
	struct blobs *blobs;
	struct shared_vault shared;
};

static void finish_stores(struct stores *stores)
{
	shared_vault_close(&stores->shared);
	blobs_close(stores->blobs);
	catalog_close(stores->catalog);
}

/* All of it, where no daemon has come to that yet. */
static bool count(struct catalog *catalog, int64_t *out, struct err *err)
{
	bool more = true;

	while (more) {
		if (!catalog_count_on(catalog, &more, err))
			return false;
	}
	return catalog_count_outdated(catalog, out, err);
}

static int rescan(const struct rescan_options *options, const char *patterns, int64_t rate)
{
	AUTO_CONFIG struct config *config = NULL;
	AUTO(finish_stores) struct stores stores = {0};
	AUTO(finish_talk) struct talk talk = {.options = options};
	struct rescan_order order = {patterns, rate, options->dry_run, tell, &talk};
	struct err err;
	int status;

	if (!command_load_config(&options->place, &config, &err) ||
		!data_folder_check(config->storage.data_dir, &err) ||
		!catalog_open(config->storage.data_dir, &stores.catalog, &err) ||
		!blobs_open(config->storage.data_dir, &stores.blobs, &err) ||
		!count(stores.catalog, &talk.total, &err))
		return command_fail(&err);
	status = shared_vault_open(config, stores.catalog, &stores.shared);
	if (status != COMMAND_DONE)
		return status;
	log_configure(LOG_LEVEL_WARN, config->log.format);
	if (options->json)
		talk.artifacts = json_array();
	progress_bar_init(&talk.bar, "judging");
	if (!options->dry_run)
		interruption_watch(INTERRUPTED_RESCAN);
	/* A daemon's clients go before it. */
	(void)setpriority(PRIO_PROCESS, 0, NICENESS);
	return finish(
		&talk, rescan_run(&(struct rescan_tools){stores.catalog, stores.blobs, stores.shared.vault,
					  config->storage.data_dir, &config->safety},
			       &order, &err)
			       ? NULL
			       : &err);
}

/* Blanks and commas would make it a list of patterns. */
static int read_patterns(int count, char **words, char **out)
{
	AUTO_FREE char *list = NULL;

	for (int i = 0; i < count; i++) {
		char *longer;

		if (!*words[i] || *words[i] == '/' || strpbrk(words[i], ", \t\r\n"))
			return command_misuse("rescan", "\"%s\" is no path of a module", words[i]);
		longer = mem_printf("%s%s%s", list ? list : "", list ? " " : "", words[i]);
		free(list);
		list = longer;
	}
	*out = TAKE(list);
	return COMMAND_DONE;
}

static int run(void *values, int count, char **words)
{
	const struct rescan_options *options = values;
	AUTO_FREE char *patterns = NULL;
	int64_t rate = RATE_BYTES;
	int status;

	if (options->rate && !number_parse_size(options->rate, &rate))
		return command_misuse("rescan", "--rate takes bytes a second, such as 32M, or 0; not \"%s\"",
			options->rate);
	status = read_patterns(count, words, &patterns);
	return status == COMMAND_DONE ? rescan(options, patterns, rate) : status;
}

static const struct option_row rows[] = {
	{"rate", 0, "BYTES", TEXT_INTO(struct rescan_options, rate),
		"read so much a second, such as 8M (default: 32M; 0: as fast as can be)"},
	{"dry-run", 0, NULL, FLAG_INTO(struct rescan_options, dry_run), "only tell what would come of it"},
	{"json", 0, NULL, FLAG_INTO(struct rescan_options, json), "print the report as JSON"},
	{0},
};

const struct command command_rescan = {
	.name = "rescan",
	.summary = "judge what is here by the safety rules of this release",
	.forms = {"[PATH...]"},
	.remarks =
		"Reads again what an older version of the rules has judged, writes down what is found now, "
		"and "
		"holds back what [safety] of the configuration (--config) holds back or refuses, until "
		"somebody "
		"approves it; what people have decided stays. PATH is a version, such as acme/model/1, or a "
		"handle with all of its versions; * and ? match as in a shell. What has the same bytes is "
		"judged with it. Prints a line for each artifact: judged (the findings are others), held, "
		"unchanged or unreadable, its path and format, and why, with tabs between them. What is "
		"damaged is named, and stays as it is. Works on the data folder itself, whether a daemon "
		"runs on it or not, and can be interrupted: the next run goes on with what is left. Of a "
		"node over a bucket ([store] kind = s3, which --config tells) it reads what is on that node, "
		"and what it holds back is held back on all nodes.",
	.groups = {{rows, 0}, {place_option_rows, offsetof(struct rescan_options, place)}},
	.options_size = sizeof(struct rescan_options),
	.statuses = "It is 1 also where something could not be read.",
	.run = run,
};

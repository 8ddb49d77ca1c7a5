/* SPDX-License-Identifier: Apache-2.0
 *
 * store: the bucket of the configuration; whether it can be trusted, and a data folder into it or out of it.
 */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/own.h"
#include "server/command/command.h"
#include "server/command/listing.h"
#include "server/command/store_export.h"
#include "server/command/store_import.h"
#include "server/command/terminal.h"
#include "server/command/text_table.h"
#include "server/upstream/s3/bucket_probe.h"

struct store_options {
	struct place_options place;
	bool json;
	bool dry_run;
};

static void print_table(const struct probe_report *report)
{
	static const char *const headings[] = {"STEP", "RESULT", "TIME", "WHAT"};
	AUTO(text_table_finish)
	struct text_table table = {.columns = 4, .room = terminal_columns(STDOUT_FILENO), .elastic = 1 << 3};

	text_table_add_row(&table, headings);
	for (size_t i = 0; i < report->count; i++) {
		const struct probe_step *step = &report->steps[i];

		text_table_add(&table, step->name);
		text_table_add(&table, probe_verdict_name(step->verdict));
		text_table_printf(&table, "%" PRId64 " ms", step->time_ms);
		text_table_add(&table, step->detail);
	}
	text_table_print(&table, stdout, isatty(STDOUT_FILENO));
}

static void print_remedies(const struct probe_report *report)
{
	(void)fflush(stdout);
	for (size_t i = 0; i < report->count; i++) {
		const struct probe_step *step = &report->steps[i];

		if (step->remedy)
			(void)fprintf(stderr, "%s: %s.\n  %s.\n", step->name, step->detail, step->remedy);
	}
}

static void print_json(const struct probe_report *report)
{
	json_t *steps = json_array();
	json_auto_t *all = NULL;

	for (size_t i = 0; i < report->count; i++) {
		const struct probe_step *step = &report->steps[i];

		json_array_append_new(steps,
			json_pack("{s:s, s:s, s:I, s:s, s:s*}", "step", step->name, "result",
				probe_verdict_name(step->verdict), "time_ms", (json_int_t)step->time_ms,
				"detail", step->detail, "remedy", step->remedy));
	}
	all = json_pack("{s:b, s:o}", "sound", report->sound, "steps", steps);
	listing_print_json(all);
}

static int check(const struct config *config, bool as_json)
{
	AUTO_BUCKET struct bucket *bucket = bucket_create(&config->store.bucket);
	struct probe_report report;

	bucket_probe(bucket, true, &report);
	if (as_json) {
		print_json(&report);
	} else {
		print_table(&report);
		print_remedies(&report);
	}
	return report.sound ? COMMAND_DONE : COMMAND_FAILED;
}

static int run(void *values, int count, char **words)
{
	const struct store_options *options = values;
	AUTO_CONFIG struct config *config = NULL;
	struct err err;

	if (count != 1 || (strcmp(*words, "check") != 0 && strcmp(*words, "import") != 0 &&
				  strcmp(*words, "export") != 0))
		return command_misuse("store", "store takes one word: check, import or export");
	if (strcmp(*words, "export") == 0 && !options->place.data)
		return command_misuse(
			"store", "store export takes --data DIR: the folder that it all goes into");
	if (!command_load_config(&options->place, &config, &err))
		return command_fail(&err);
	if (!config->store.bucket.name) {
		(void)err_set(&err, ERR_BAD_REQUEST,
			"the configuration names no bucket: [store] bucket, and --config FILE where it "
			"stands");
		return command_fail(&err);
	}
	if (strcmp(*words, "import") == 0)
		return store_import(config, options->dry_run, options->json);
	return strcmp(*words, "check") == 0 ? check(config, options->json)
					    : store_export(config, options->dry_run, options->json);
}

enum { CHECK = 1 << 0, IMPORT = 1 << 1, EXPORT = 1 << 2, MOVES = IMPORT | EXPORT };

static const struct option_row rows[] = {
	{"config", 0, "FILE", TEXT_INTO(struct store_options, place.config),
		"read this configuration; without one the defaults count"},
	{"data", 0, "DIR", TEXT_INTO(struct store_options, place.data),
		"the data folder; export must be told, import takes data_dir of the configuration without",
		.forms = MOVES},
	{"dry-run", 0, NULL, FLAG_INTO(struct store_options, dry_run), "only tell what would come of it",
		.forms = MOVES},
	{"json", 0, NULL, FLAG_INTO(struct store_options, json), "print JSON"},
	{0},
};

const struct command command_store = {
	.name = "store",
	.summary = "prove a bucket, and move a data folder into it or out of it",
	.forms = {"check", "import", "export --data DIR"},
	.statuses = "1 also where the bucket cannot be trusted, has other bytes under a name, or a file is "
		    "damaged.",
	.remarks =
		"check tries the bucket that [store] of the configuration names: whether it can be reached, "
		"whether it "
		"creates an object only once and exchanges it only by its ETag, whether listings show "
		"what was "
		"written, whether the clocks agree, what the credentials may, and how fast it is. Writes "
		"objects "
		"below probe/ and removes them. Each failure comes with what to do.\n"
		"import sends what a data folder has, published and mirrored, and what was withdrawn, "
		"into that "
		"bucket: each module's bytes, then what they are. Each file is held against its digest "
		"before it "
		"is sent, and read back from the bucket. What is there already is not sent again: the "
		"same "
		"command goes on after an interruption. Where the bucket has other bytes under a name, "
		"these "
		"stay, the name is told, and the rest goes on. In the folder nothing changes but a note, "
		"once the bucket has all of it and no daemon runs there: a node over the bucket may start on "
		"it "
		"then. A daemon may run meanwhile; what it takes meanwhile may be left out, so run the "
		"command once more at the "
		"end. "
		"Documentation, valid tokens, pins, and what is held back or was decided of that come "
		"along; what the bucket has of these stays.\n"
		"export takes what the bucket has into a data folder that is whole by itself, new or not, in "
		"the same way: each artifact is verified as one that is fetched, and what is there is not "
		"taken again. It does not go into the folder of a node over a bucket.",
	.groups = {{rows, 0}},
	.options_size = sizeof(struct store_options),
	.run = run,
};

/* SPDX-License-Identifier: Apache-2.0
 *
 * import: a bundle that was carried here becomes modules. */
#include <getopt.h>
#include <jansson.h>
#include <signal.h>
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
#include "server/command/neighbour.h"
#include "server/command/progress_bar.h"
#include "server/command/text_table.h"
#include "server/registry/import_foreign.h"
#include "server/registry/reclaimable.h"
#include "server/store/catalog/catalog_opening.h"

/* In JSON; the others are counted. */
enum { REMARKS_MAX = 1000 };

struct options {
	const char *path;
	const char *key;
	const char *config;
	const char *data;
	const char *as;
	struct name name; /* that of --as */
	bool json;
	bool dry_run;
	bool partial;
};

/* What is said while it runs. */
struct talk {
	const struct options *options;
	const struct config *config;
	struct progress_bar bar;
	json_t *remarks;
	size_t more;
};

static const char *const remark_words[] = {
	[REMARK_REFUSED] = "refused", [REMARK_FAULTY] = "faulty", [REMARK_LEFT] = "left"};

/* ---- options ---- */

static const struct option long_options[] = {
	{"as", required_argument, NULL, 'a'},
	{"verify", required_argument, NULL, 'v'},
	{"config", required_argument, NULL, 'c'},
	{"data", required_argument, NULL, 'd'},
	{"json", no_argument, NULL, 'j'},
	{"dry-run", no_argument, NULL, 'n'},
	{"partial", no_argument, NULL, 'p'},
	{NULL, 0, NULL, 0},
};

static bool take_option(struct options *options, int letter)
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
	default:
		return false;
	}
}

static int check_name(struct options *options)
{
	struct err err;

	if (!options->as)
		return COMMAND_DONE;
	if (options->key || options->dry_run || options->partial)
		return command_misuse("import", "--as is for a model, and the other options are for bundles");
	if (!name_parse_versioned(options->as, &options->name, &err))
		return command_misuse("import", "--as takes HANDLE/VERSION: %s", err.text);
	return COMMAND_DONE;
}

static int read_options(int argc, char **argv, struct options *options)
{
	int letter;

	while ((letter = getopt_long(argc, argv, "", long_options, NULL)) != -1) {
		if (!take_option(options, letter))
			return COMMAND_MISUSE;
	}
	if (argc - optind != 1 || !*argv[optind])
		return command_misuse("import", "import takes one DIR or FILE");
	options->path = argv[optind];
	return check_name(options);
}

/* ---- while it runs ---- */

static json_t *findings_json(const struct examination *examination)
{
	json_t *list = json_array();

	for (size_t i = 0; examination && i < examination->finding_count; i++) {
		const struct finding *finding = &examination->findings[i];
		AUTO_FREE char *path = mem_dup(finding->path);
		AUTO_FREE char *message = mem_dup(finding->message);

		text_table_blank_controls(path);
		text_table_blank_controls(message);
		if (!finding->publishable)
			(void)json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "rule", finding->rule,
								  "path", path, "message", message));
	}
	return list;
}

static void print_findings(const json_t *findings)
{
	const json_t *finding;
	size_t i;

	json_array_foreach(findings, i, finding)
	{
		const char *path = json_string_value(json_object_get(finding, "path"));

		(void)fprintf(stderr, "  %s%s%s: %s\n", json_string_value(json_object_get(finding, "rule")),
			*path ? ", " : "", path, json_string_value(json_object_get(finding, "message")));
	}
}

static void print_remark(const struct import_told *told, const char *detail, const json_t *findings)
{
	(void)fprintf(stderr, "%s%s%s%s: %s\n", told->name, told->format ? " (" : "",
		told->format ? told->format : "", told->format ? ")" : "", detail);
	print_findings(findings);
}

static void tell(void *context, const struct import_told *told)
{
	struct talk *talk = context;
	AUTO_FREE char *detail = mem_dup(told->detail);
	json_auto_t *findings = findings_json(told->examination);

	text_table_blank_controls(detail);
	if (!talk->options->json) {
		progress_bar_finish(&talk->bar);
		print_remark(told, detail, findings);
	} else if (json_array_size(talk->remarks) < REMARKS_MAX) {
		(void)json_array_append_new(
			talk->remarks, json_pack("{s:s, s:s?, s:s, s:s, s:O}", "name", told->name, "format",
					       told->format, "remark", remark_words[told->remark], "detail",
					       detail, "findings", findings));
	} else {
		talk->more++;
	}
}

/* Below that many bytes the versions take the time. */
enum { FEW_BYTES = 64 << 20 };

static void show(void *context, const struct import_progress *progress)
{
	static const char *const words[] = {[IMPORT_READING] = "reading what is in it",
		[IMPORT_COPYING] = "importing",
		[IMPORT_RECORDING] = "recording",
		[IMPORT_SETTLING] = "withdrawing"};
	struct talk *talk = context;

	if (progress->phase == IMPORT_COPYING && (progress->total_bytes >= FEW_BYTES || progress->said == 0))
		progress_bar_show(&talk->bar, progress->done_bytes, progress->total_bytes);
	else
		progress_bar_step(&talk->bar, words[progress->phase], progress->read, progress->said,
			progress->count, "versions and pages");
}

/* It ends as it would have: nothing needs to be put in order. */
static void say_interrupted(int number)
{
	static const char words[] = "\nlarder: interrupted: the same command goes on where it was\n";

	(void)!write(STDERR_FILENO, words, sizeof words - 1);
	(void)raise(number);
}

static void watch_signals(void)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	struct sigaction action = {.sa_handler = say_interrupted, .sa_flags = (int)SA_RESETHAND};

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
		(void)sigaction(numbers[i], &action, NULL);
}

/* ---- the report ---- */

static json_t *documents_json(const size_t counts[DOCS_OUTCOME_COUNT])
{
	return json_pack("{s:I, s:I, s:I}", "new", (json_int_t)counts[DOCS_NEW], "changed",
		(json_int_t)counts[DOCS_CHANGED], "left", (json_int_t)counts[DOCS_LEFT]);
}

static json_t *bundle_json(const struct import_report *report, const struct signing_key *key)
{
	if (!report->contents.hex[0])
		return json_null();
	return json_pack("{s:s?, s:s?, s:s+, s:b, s:s?}", "name",
		report->header.name[0] ? report->header.name : NULL, "created_at",
		report->header.created_s ? clock_rfc3339(report->header.created_s).text : NULL, "digest",
		"sha256:", report->contents.hex, "signed", (int)report->is_signed, "verified_by",
		key ? signing_key_id(key).hex : NULL);
}

static void print_json(const struct talk *talk, const struct import_report *report,
	const struct signing_key *key, const struct err *err)
{
	json_auto_t *all = json_pack("{s:o, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "bundle",
		bundle_json(report, key), "versions", (json_int_t)report->versions, "new",
		(json_int_t)report->outcomes[IMPORT_NEW], "changed",
		(json_int_t)report->outcomes[IMPORT_CHANGED], "unchanged",
		(json_int_t)report->outcomes[IMPORT_SAME], "refused",
		(json_int_t)report->outcomes[IMPORT_REFUSED], "faulty", (json_int_t)report->faulty,
		"withdrawn", (json_int_t)report->withdrawn);

	(void)json_object_update_new(all,
		json_pack("{s:o, s:o, s:{s:I, s:I}, s:b, s:b, s:b, s:O, s:I, s:s?}", "documentation",
			documents_json(report->documents), "pages", documents_json(report->pages), "copied",
			"blobs", (json_int_t)report->copied_blobs, "bytes", (json_int_t)report->copied_bytes,
			"dry_run", (int)talk->options->dry_run, "recorded", (int)report->recorded,
			"signer_recorded", (int)report->signer_noted, "remarks", talk->remarks,
			"more_remarks", (json_int_t)talk->more, "failure", err ? err->text : NULL));
	(void)json_dumpf(all, stdout, JSON_INDENT(2));
	(void)putchar('\n');
}

static void print_head(
	const struct options *options, const struct import_report *report, const struct signing_key *key)
{
	AUTO_FREE char *name = mem_dup(report->header.name);

	text_table_blank_controls(name);
	(void)printf("%s %s%sof %s: %zu version%s\n", options->as ? "model" : "bundle", name,
		*name ? " " : "", clock_rfc3339(report->header.created_s).text, report->versions,
		report->versions == 1 ? "" : "s");
	if (key)
		(void)printf("signed by the owner of %s (%s)\n", options->key, signing_key_id(key).hex);
	else if (!options->as)
		(void)puts(report->is_signed ? "it is signed, and nobody has checked by whom: --verify KEY "
					       "does"
					     : "it is not signed");
}

static void print_documents(const char *of, const size_t counts[DOCS_OUTCOME_COUNT])
{
	if (counts[DOCS_NEW] + counts[DOCS_CHANGED] + counts[DOCS_LEFT] > 0)
		(void)printf("documentation of %s: %zu new, %zu changed, %zu left as it is\n", of,
			counts[DOCS_NEW], counts[DOCS_CHANGED], counts[DOCS_LEFT]);
}

static size_t count_pages(const struct import_report *report)
{
	return report->pages[DOCS_NEW] + report->pages[DOCS_CHANGED];
}

/* What is mirrored goes to make room: how much that would be is known once it is needed. */
static void print_room(const struct import_report *report, const struct config *config)
{
	struct statvfs disk;
	int64_t free_bytes;

	(void)printf("to copy: %s\n", number_size(report->wanted_bytes).text);
	if (statvfs(config->storage.data_dir, &disk) != 0)
		return;
	free_bytes = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
	if (free_bytes - report->wanted_bytes < config->storage.keep_free_bytes)
		(void)printf("there is not enough room for that: %s are free in %s, and %s are to stay so "
			     "(storage.keep_free_bytes): make room there, or lower it, unless enough of what "
			     "is mirrored can go\n",
			number_size(free_bytes).text, config->storage.data_dir,
			number_size(config->storage.keep_free_bytes).text);
}

static void print_text(
	const struct talk *talk, const struct import_report *report, const struct signing_key *key)
{
	const struct options *options = talk->options;

	print_head(options, report, key);
	if (report->outcomes[IMPORT_SAME] == report->versions && count_pages(report) == 0) {
		(void)puts(report->signer_noted
				   ? "nothing changed, but for who has signed it: that is on record "
				     "from now on"
				   : "nothing changed");
		return;
	}
	(void)printf("%s%zu new, %zu changed, %zu unchanged, %zu refused, %zu faulty\n",
		report->recorded || (options->partial && !options->dry_run) ? "" : "would be: ",
		report->outcomes[IMPORT_NEW], report->outcomes[IMPORT_CHANGED], report->outcomes[IMPORT_SAME],
		report->outcomes[IMPORT_REFUSED], report->faulty);
	if (report->withdrawn > 0)
		(void)printf("withdrawn: %zu\n", report->withdrawn);
	print_documents("versions", report->documents);
	print_documents("publishers and collections", report->pages);
	if (options->dry_run)
		print_room(report, talk->config);
	else
		(void)printf("copied: %zu files, %s\n", report->copied_blobs,
			number_size(report->copied_bytes).text);
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

/* A new folder is made only where it was named: the default is one below where the command runs. */
static bool check_new(const struct options *options, const char *data_dir, struct err *err)
{
	if (!options->data && !options->config)
		return err_set(err, ERR_NOT_FOUND,
			"there is no store in %.150s: name its folder with --data, or its configuration with "
			"--config; --data %.150s makes a new one there",
			data_dir, data_dir);
	return !options->dry_run || err_set(err, ERR_NOT_FOUND,
					    "there is no store in %.150s: a dry run makes none, and tells "
					    "what would become of one "
					    "that is there. Without --dry-run the import makes it",
					    data_dir);
}

static bool open_place(const struct options *options, const char *data_dir, struct err *err)
{
	bool is_new;

	if (!data_folder_look(data_dir, &is_new, err) || (is_new && !check_new(options, data_dir, err)) ||
		!file_make_folders(data_dir, err))
		return false;
	if (options->json)
		return true;
	(void)printf("into the data folder %s%s\n", data_folder_text(data_dir).text,
		is_new ? ", which is new" : "");
	(void)fflush(stdout);
	return true;
}

static bool open_stores(
	const struct options *options, const char *data_dir, struct stores *stores, struct err *err)
{
	static const struct members_limits unpacks_nothing;

	return open_place(options, data_dir, err) && catalog_open(data_dir, &stores->catalog, err) &&
	       blobs_open(data_dir, &stores->blobs, err) && blobs_hold_drafts(stores->blobs, err) &&
	       members_open(data_dir, &unpacks_nothing, &stores->members, err);
}

static bool import(const struct options *options, const struct config *config, struct stores *stores,
	const struct signing_key *key, struct talk *talk, struct import_report *report, struct err *err)
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
	const struct import_order order = {
		options->path, key, options->dry_run, options->partial, tell, show, talk};

	committer_set_forget(committer, neighbour_forget, &neighbour);
	return options->as ? import_foreign(&importer, &order, &options->name, report, err)
			   : importer_run(&importer, &order, report, err);
}

static int report_on(struct talk *talk, const struct import_report *report, const struct signing_key *key,
	const struct err *err)
{
	progress_bar_finish(&talk->bar);
	if (talk->options->json)
		print_json(talk, report, key, err);
	else if (report->versions > 0 || report->recorded)
		print_text(talk, report, key);
	(void)fflush(stdout);
	return err ? command_fail(err) : COMMAND_DONE;
}

static void finish_talk(struct talk *talk)
{
	json_decref(talk->remarks);
}

int command_import(int argc, char **argv)
{
	struct options options = {0};
	AUTO_CONFIG struct config *config = NULL;
	AUTO_SIGNING_KEY struct signing_key *key = NULL;
	AUTO(finish_stores) struct stores stores = {0};
	AUTO(finish_talk) struct talk talk = {.options = &options, .remarks = json_array()};
	int status = read_options(argc, argv, &options);
	struct import_report report = {0};
	struct err err;
	bool done;

	if (status != COMMAND_DONE)
		return status;
	progress_bar_init(&talk.bar, "importing");
	if ((options.key && !signing_key_read_public(options.key, &key, &err)) ||
		!command_load_config(options.config, options.data, &config, &err) ||
		!open_stores(&options, config->storage.data_dir, &stores, &err))
		return command_fail(&err);
	talk.config = config;
	watch_signals();
	log_configure(LOG_LEVEL_WARN, config->log.format);
	done = import(&options, config, &stores, key, &talk, &report, &err);
	return report_on(&talk, &report, key, done ? NULL : &err);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * import-docs: a tree of documentation in the hub's format becomes publishers, collections and listed
 * modules, and its tables tell where Kaggle has what once had another name. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/command/command.h"
#include "server/command/data_folder.h"
#include "server/command/text_table.h"
#include "server/module/documents/doctree.h"
#include "server/registry/invalidation.h"
#include "server/store/catalog/catalog_docs.h"
#include "server/store/catalog/catalog_opening.h"
#include "server/store/catalog/catalog_places.h"
#include "server/upstream/kaggle_map.h"

/* Other writers, such as a daemon, get their turn between two transactions. */
enum { DOCUMENTS_AT_ONCE = 200 };

static const char *const outcome_keys[DOCS_OUTCOME_COUNT] = {
	[DOCS_NEW] = "new", [DOCS_CHANGED] = "changed", [DOCS_SAME] = "unchanged", [DOCS_LEFT] = "left"};

struct options {
	struct place_options place;
	bool json;
	bool dry_run;
};

/* What came of a run. */
struct tally {
	size_t kinds[HUBDOC_KIND_COUNT];
	size_t outcomes[DOCS_OUTCOME_COUNT];
	size_t places[DOCS_OUTCOME_COUNT];
	size_t places_gone; /* taken back */
};

struct run {
	const struct options *options;
	const char *tree;
	struct catalog *catalog;
	int64_t now_s; /* of all that it brings: lists are sorted by it */
	struct docs_import *import;
	size_t pending; /* taken, but not committed */
	struct tally taken;
	struct tally durable; /* of it; the same after each commit */
	size_t others;
	json_t *faults;
	struct kaggle_map *places; /* of all tables, taken at the end */
	bool has_table;
	bool spoiled; /* a table has a fault */
};

static void finish_run(struct run *run)
{
	docs_import_end(run->import);
	json_decref(run->faults);
	kaggle_map_destroy(run->places);
}

/* ---- transactions ---- */

static bool begin(struct run *run, struct err *err)
{
	return run->import || docs_import_begin(run->catalog, run->now_s, &run->import, err);
}

static size_t changes(const struct tally *tally)
{
	return tally->outcomes[DOCS_NEW] + tally->outcomes[DOCS_CHANGED] + tally->places[DOCS_NEW] +
	       tally->places[DOCS_CHANGED] + tally->places_gone;
}

/* A row of the audit log for each transaction that changes something. */
static bool note(struct run *run, struct err *err)
{
	size_t count = changes(&run->taken) - changes(&run->durable);
	char detail[64];

	(void)snprintf(detail, sizeof detail, "%zu documents and places that are new or changed", count);
	return count == 0 || docs_import_audit(run->import, run->tree, detail, err);
}

static bool commit(struct run *run, struct err *err)
{
	if (!run->import || run->options->dry_run)
		return true;
	if (!note(run, err) || !docs_import_commit(run->import, err))
		return false;
	docs_import_end(TAKE(run->import));
	run->pending = 0;
	run->durable = run->taken;
	return true;
}

/* ---- documents ---- */

static bool add_fault(struct run *run, const char *path, size_t line, const char *detail)
{
	AUTO_FREE char *shown = mem_dup(path);
	AUTO_FREE char *said = mem_dup(detail);

	text_table_blank_controls(shown);
	text_table_blank_controls(said);
	(void)json_array_append_new(run->faults,
		json_pack("{s:s, s:I, s:s}", "path", shown, "line", (json_int_t)line, "detail", said));
	return true;
}

static bool add_document(struct run *run, const struct hubdoc *doc, const char *markdown, struct err *err)
{
	enum docs_outcome outcome;

	if (!begin(run, err) || !docs_import_add(run->import, doc, markdown, &outcome, err))
		return false;
	run->taken.kinds[doc->kind]++;
	run->taken.outcomes[outcome]++;
	return ++run->pending < DOCUMENTS_AT_ONCE || commit(run, err);
}

/* ---- tables ---- */

/* What all tables of a tree tell is taken, in place of what was imported before. Of a part of them nobody
 * knows what it leaves out: where one has a fault, all stays as it was. */
static bool add_table_fault(struct run *run, const char *path, const char *detail)
{
	run->spoiled = true;
	return add_fault(run, path, 0, detail);
}

static bool gather(void *context, const struct name *old, const struct name *place, struct err *err)
{
	struct run *run = context;

	(void)err;
	kaggle_map_add(run->places, old, place);
	return true;
}

static bool add_table(struct run *run, const struct doctree_page *page, struct err *err)
{
	AUTO_KAGGLE_MAP struct kaggle_map *map = NULL;
	size_t count = kaggle_map_count(run->places);
	struct err why;

	run->has_table = true;
	if (page->fault)
		return add_table_fault(run, page->path, page->fault);
	if (!kaggle_map_parse(page->markdown, &map, &why))
		return add_table_fault(run, page->path, why.text);
	if (count + kaggle_map_count(map) <= PLACES_MAX)
		return kaggle_map_each(map, gather, run, err);
	(void)err_set(&why, ERR_TOO_LARGE,
		"with its %zu names there would be more than %d with a place at Kaggle: leave out what "
		"nobody asks for",
		kaggle_map_count(map), PLACES_MAX);
	return add_table_fault(run, page->path, why.text);
}

static bool add_place(void *context, const struct name *old, const struct name *place, struct err *err)
{
	struct run *run = context;
	enum docs_outcome outcome;

	if (!begin(run, err) || !docs_import_place(run->import, old, place, &outcome, err))
		return false;
	run->taken.places[outcome]++;
	return ++run->pending < DOCUMENTS_AT_ONCE || commit(run, err);
}

static bool drop_place(void *context, const struct name *old, const struct name *place, struct err *err)
{
	struct run *run = context;

	(void)place;
	if (!begin(run, err) || !docs_import_drop_place(run->import, old, err))
		return false;
	run->taken.places_gone++;
	return ++run->pending < DOCUMENTS_AT_ONCE || commit(run, err);
}

struct stale {
	const struct kaggle_map *wanted;
	struct kaggle_map *found;
};

static bool note_stale(void *context, const struct name *old, const struct name *place, struct err *err)
{
	struct stale *stale = context;

	(void)err;
	if (!kaggle_map_has(stale->wanted, old))
		kaggle_map_add(stale->found, old, place);
	return true;
}

static bool take_places(struct run *run, struct err *err)
{
	AUTO_KAGGLE_MAP struct kaggle_map *gone = kaggle_map_create();
	struct stale stale = {run->places, gone};
	struct err why;

	if (!run->has_table || run->spoiled)
		return true;
	if (!kaggle_map_seal(run->places, &why)) {
		(void)err_prefix(&why, "of all such tables together: ");
		return add_table_fault(run, DOCTREE_TABLE, why.text);
	}
	return catalog_each_place(run->catalog, note_stale, &stale, err) &&
	       kaggle_map_each(gone, drop_place, run, err) &&
	       kaggle_map_each(run->places, add_place, run, err) && commit(run, err);
}

/* ---- pages ---- */

/* Not all Markdown in a tree is documentation of models; where that belongs, it has to be. */
static bool note_free_text(struct run *run, const char *path)
{
	if (strstr(path, "assets/docs/"))
		return add_fault(run, path, 1,
			"the first line must be \"# Module publisher/name/version\" or of another kind");
	run->others++;
	return true;
}

static bool take_page(void *context, const struct doctree_page *page, struct err *err)
{
	AUTO_HUBDOC struct hubdoc *doc = NULL;
	struct run *run = context;
	struct err why;
	bool is_one;
	size_t line;

	if (page->is_table)
		return add_table(run, page, err);
	if (page->fault)
		return add_fault(run, page->path, 0, page->fault);
	if (!hubdoc_read(page->markdown, &doc, &is_one, &line, &why))
		return add_fault(run, page->path, line, why.text);
	if (!is_one)
		return note_free_text(run, page->path);
	if (!hubdoc_check_complete(doc, &why))
		return add_fault(run, page->path, 1, why.text);
	return add_document(run, doc, page->markdown, err);
}

static bool import_tree(struct run *run, struct err *err)
{
	size_t others = 0;

	if (!doctree_read(run->tree, KAGGLE_MAP_BYTES_MAX, take_page, run, &others, err))
		return false;
	run->others += others;
	return begin(run, err) && docs_import_link(run->import, err) && commit(run, err) &&
	       take_places(run, err);
}

/* A daemon has the places in memory. One that does not hear has them when it starts again. */
static bool tell_daemon(const struct run *run, const char *data_dir, struct err *err)
{
	const struct tally *taken = &run->taken;
	bool is_other = taken->places[DOCS_NEW] + taken->places[DOCS_CHANGED] + taken->places_gone > 0;

	return !is_other || run->options->dry_run || invalidation_send(data_dir, INVALIDATION_PLACES, err);
}

/* ---- the report ---- */

static size_t sum(const size_t *numbers, size_t count)
{
	size_t total = 0;

	for (size_t i = 0; i < count; i++)
		total += numbers[i];
	return total;
}

static json_t *places_json(const struct run *run)
{
	json_t *places = json_object();

	for (size_t i = 0; i < DOCS_LEFT; i++)
		(void)json_object_set_new(
			places, outcome_keys[i], json_integer((json_int_t)run->taken.places[i]));
	(void)json_object_set_new(places, "gone", json_integer((json_int_t)run->taken.places_gone));
	return places;
}

static void print_json(const struct run *run)
{
	json_t *kinds = json_object();
	json_t *report = json_pack("{s:I, s:o, s:I, s:b}", "documents",
		(json_int_t)sum(run->taken.kinds, HUBDOC_KIND_COUNT), "kinds", kinds, "other_files",
		(json_int_t)run->others, "dry_run", (int)run->options->dry_run);

	for (enum hubdoc_kind kind = 0; kind < HUBDOC_KIND_COUNT; kind++)
		(void)json_object_set_new(
			kinds, hubdoc_kind_name(kind), json_integer((json_int_t)run->taken.kinds[kind]));
	for (size_t i = 0; i < DOCS_OUTCOME_COUNT; i++)
		(void)json_object_set_new(
			report, outcome_keys[i], json_integer((json_int_t)run->taken.outcomes[i]));
	(void)json_object_set_new(report, "places", places_json(run));
	(void)json_object_set(report, "faults", run->faults);
	(void)json_dumpf(report, stdout, JSON_INDENT(2));
	(void)putchar('\n');
	json_decref(report);
}

static void print_faults(const struct run *run)
{
	size_t i;
	const json_t *fault;

	json_array_foreach(run->faults, i, fault)
	{
		(void)fprintf(stderr, "%s", json_string_value(json_object_get(fault, "path")));
		if (json_integer_value(json_object_get(fault, "line")) > 0)
			(void)fprintf(stderr, ":%lld",
				(long long)json_integer_value(json_object_get(fault, "line")));
		(void)fprintf(stderr, ": %s\n", json_string_value(json_object_get(fault, "detail")));
	}
}

static void print_counts(const struct run *run)
{
	size_t documents = sum(run->taken.kinds, HUBDOC_KIND_COUNT);

	(void)printf("%zu documents: %zu versions of modules, %zu collections, %zu publishers\n", documents,
		sum(run->taken.kinds, HUBDOC_PUBLISHER), run->taken.kinds[HUBDOC_COLLECTION],
		run->taken.kinds[HUBDOC_PUBLISHER]);
	if (documents > 0 && run->taken.outcomes[DOCS_SAME] == documents)
		(void)puts("nothing changed");
	else
		(void)printf("%s%zu new, %zu changed, %zu unchanged, %zu left as they are\n",
			run->options->dry_run ? "would be " : "", run->taken.outcomes[DOCS_NEW],
			run->taken.outcomes[DOCS_CHANGED], run->taken.outcomes[DOCS_SAME],
			run->taken.outcomes[DOCS_LEFT]);
	if (sum(run->taken.places, DOCS_OUTCOME_COUNT) + run->taken.places_gone > 0)
		(void)printf("%zu old names with their places at Kaggle: %zu new, %zu changed, %zu "
			     "unchanged, %zu taken back\n",
			sum(run->taken.places, DOCS_OUTCOME_COUNT), run->taken.places[DOCS_NEW],
			run->taken.places[DOCS_CHANGED], run->taken.places[DOCS_SAME],
			run->taken.places_gone);
	if (json_array_size(run->faults) > 0)
		(void)printf("%zu with faults, left out\n", json_array_size(run->faults));
}

static int report(const struct run *run)
{
	if (run->options->json) {
		print_json(run);
	} else {
		print_counts(run);
		(void)fflush(stdout);
		print_faults(run);
	}
	return json_array_size(run->faults) > 0 ? COMMAND_FAILED : COMMAND_DONE;
}

/* What was committed before the failure stays, and is told of. */
static int break_off(struct run *run, const char *data_dir, const struct err *why)
{
	struct err err;

	if (!run->options->dry_run)
		run->taken = run->durable;
	(void)tell_daemon(run, data_dir, &err);
	(void)report(run);
	return command_fail(why);
}

/* ---- the command ---- */

static int run(void *values, int count, char **words)
{
	const struct options *options = values;
	AUTO_CONFIG struct config *config = NULL;
	AUTO_CATALOG struct catalog *catalog = NULL;
	bool is_named = options->place.data || options->place.config;
	struct err err;
	bool is_new;

	if (count != 1 || !*words[0])
		return command_misuse("import-docs", "import-docs takes one DIR or TAR");
	if (!command_load_config(&options->place, &config, &err) ||
		!(options->dry_run ? data_folder_check(config->storage.data_dir, &err)
				   : data_folder_make(config->storage.data_dir, is_named, &is_new, &err)) ||
		!catalog_open(config->storage.data_dir, &catalog, &err))
		return command_fail(&err);
	AUTO(finish_run)
	struct run run = {.options = options,
		.tree = words[0],
		.catalog = catalog,
		.now_s = clock_now_s(),
		.faults = json_array(),
		.places = kaggle_map_create()};
	return import_tree(&run, &err) && tell_daemon(&run, config->storage.data_dir, &err)
		       ? report(&run)
		       : break_off(&run, config->storage.data_dir, &err);
}

static const struct option_row rows[] = {
	{"dry-run", 0, NULL, FLAG_INTO(struct options, dry_run), "only report what would change"},
	{"json", 0, NULL, FLAG_INTO(struct options, json), "print the report as JSON"},
	{0},
};

const struct command command_import_docs = {
	.name = "import-docs",
	.summary = "list modules that a documentation tree tells of",
	.forms = {"DIR|TAR"},
	.remarks =
		"Reads a folder or tar.gz of Markdown as tfhub.dev has it. Publishers and collections get "
		"their "
		"pages; versions that are not here are listed with their tags and documentation, and fetched "
		"at first use. Deployments (Lite, Tfjs, Coral) are listed under the name that clients ask "
		"for: "
		"publisher/lite-model/name. A kaggle_map.tsv in it tells where Kaggle has what once had "
		"another "
		"name, in the form of hub.kaggle_map, in place of all that was imported so before; where one "
		"has a fault, that stays. What a publisher has documented stays. Safe while a daemon runs; "
		"to do it again changes nothing. Fails, with each file and line, where documents have "
		"faults; "
		"the others are taken all the same.",
	.groups = {{rows, 0}, {place_option_rows, offsetof(struct options, place)}},
	.options_size = sizeof(struct options),
	.run = run,
};

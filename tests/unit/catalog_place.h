/* SPDX-License-Identifier: Apache-2.0
 *
 * A catalog in a folder of its own, names and examinations to keep in it, and a way past it to its tables.
 * Include after cmocka.h. */
#ifndef TESTS_UNIT_CATALOG_PLACE_H
#define TESTS_UNIT_CATALOG_PLACE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_keep.h"
#include "server/store/catalog/catalog_opening.h"
#include "server/store/catalog/catalog_rows.h"
#include "server/store/catalog/catalog_withdraw.h"

enum { NOW = 1700000000 };

/* ---- a catalog in a folder of its own ---- */

struct place {
	char *folder;
	struct catalog *catalog;
};

static inline int set_up(void **state)
{
	struct place *place = mem_zero(1, sizeof *place);
	struct err err = {0};

	place->folder = mem_dup("/tmp/larder-test.XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	if (!catalog_open(place->folder, &place->catalog, &err))
		fail_msg("%s", err.text);
	*state = place;
	return 0;
}

static inline int tear_down(void **state)
{
	struct place *place = *state;
	AUTO_FREE char *command = mem_printf("rm -rf '%s'", place->folder);

	catalog_close(place->catalog);
	assert_int_equal(system(command), 0);
	free(place->folder);
	free(place);
	return 0;
}

static inline struct catalog *catalog_of(void **state)
{
	return ((struct place *)*state)->catalog;
}

static inline void reopen(struct place *place)
{
	struct err err = {0};

	catalog_close(place->catalog);
	if (!catalog_open(place->folder, &place->catalog, &err))
		fail_msg("%s", err.text);
}

/* The same file by another handle, past the catalog. */
static inline struct db *open_beside(const struct place *place)
{
	AUTO_FREE char *path = mem_printf("%s/larder.db", place->folder);
	struct err err = {0};
	struct db *db = NULL;

	if (!db_open(path, catalog_migrations, catalog_migration_count, &db, &err))
		fail_msg("%s", err.text);
	return db;
}

static inline void run_beside(const struct place *place, const char *const *statements, size_t count)
{
	struct db *db = open_beside(place);
	struct err err = {0};
	AUTO_TXN struct txn *txn = NULL;

	assert_true(db_write(db, &txn, &err));
	for (size_t i = 0; i < count; i++) {
		if (!txn_run(txn, statements[i], NULL, 0, &err))
			fail_msg("%s", err.text);
	}
	assert_true(txn_commit(txn, &err));
	txn_end(TAKE(txn));
	db_close(db);
}

static inline int64_t ask_beside(const struct place *place, const char *text)
{
	struct db *db = open_beside(place);
	struct err err = {0};
	AUTO_TXN struct txn *txn = NULL;
	int64_t number;

	assert_true(db_read(db, &txn, &err));
	struct rows *rows = txn_query(txn, text, NULL, 0);
	number = rows_next(rows) ? rows_int(rows, 0) : -1;
	if (!rows_done(rows, &err))
		fail_msg("%s", err.text);
	rows_finish(rows);
	txn_end(TAKE(txn));
	db_close(db);
	return number;
}

/* ---- things to keep ---- */

static inline struct name name_of(const char *path, enum format format)
{
	struct name name = {.format = format};
	const char *slash = strrchr(path, '/');

	(void)snprintf(name.handle, sizeof name.handle, "%.*s", (int)(slash - path), path);
	name.version = atoll(slash + 1);
	return name;
}

static inline struct checksums checksums_of(const char *content)
{
	struct checksums checksums = {
		.sha256 = digest_of(content, strlen(content)), .has_md5 = true, .md5 = {1, 2, 3}};

	return checksums;
}

static inline struct examination *examination_of(enum format format)
{
	struct examination *examination = mem_zero(1, sizeof *examination);

	examination->format = format;
	examination->unpacked_bytes = 30;
	examination->file_count = 2;
	examination->member_count = 3;
	examination->members = mem_zero(3, sizeof *examination->members);
	examination->members[0] = (struct examined_member){mem_dup("variables"), true, 0};
	examination->members[1] = (struct examined_member){mem_dup("variables/z"), false, 10};
	examination->members[2] = (struct examined_member){mem_dup("a.pb"), false, 20};
	examination->finding_count = 1;
	examination->findings = mem_zero(1, sizeof *examination->findings);
	examination->findings[0] = (struct finding){.severity = SEVERITY_WARNING,
		.rule = "folder-order",
		.path = mem_dup("variables"),
		.message = mem_dup("Put it first.")};
	return examination;
}

/* What one keep needs; source decides who brought it. */
struct wish {
	const char *path;
	enum format format;
	const char *content;
	enum version_source source;
	struct saved_model *model; /* taken */
};

static inline bool try_keep(
	struct catalog *catalog, const struct wish *wish, enum kept *kept, struct err *err)
{
	struct name name = name_of(wish->path, wish->format);
	struct checksums checksums = checksums_of(wish->content);
	struct examination *examination = examination_of(wish->format);
	bool is_published = wish->source == SOURCE_PUBLISHED;
	bool done;

	examination->saved_model = wish->model;
	done = catalog_keep(catalog,
		&(struct keeping){.name = &name,
			.source = wish->source,
			.published_by = is_published ? "ci" : NULL,
			.upstream = is_published ? NULL : "tfhub",
			.checksums = &checksums,
			.size_bytes = (int64_t)strlen(wish->content),
			.examination = examination,
			.now_s = NOW},
		kept, err);
	examination_destroy(examination);
	return done;
}

static inline enum kept keep(struct catalog *catalog, const char *path, enum format format,
	const char *content, enum version_source source)
{
	struct wish wish = {path, format, content, source, NULL};
	enum kept kept = KEPT_AGAIN;
	struct err err = {0};

	if (!try_keep(catalog, &wish, &kept, &err))
		fail_msg("%s", err.text);
	return kept;
}

static inline enum err_code refusal(
	struct catalog *catalog, const char *path, const char *content, enum version_source source)
{
	struct wish wish = {path, FORMAT_TF_HUB, content, source, NULL};
	struct err err = {0};
	enum kept kept;

	return try_keep(catalog, &wish, &kept, &err) ? ERR_NONE : err.code;
}

static inline struct artifact find(struct catalog *catalog, const char *path, enum format format, bool *found)
{
	struct name name = name_of(path, format);
	struct artifact artifact = {0};
	struct err err = {0};

	if (!catalog_find_artifact(catalog, &name, &artifact, found, &err))
		fail_msg("%s", err.text);
	return artifact;
}

static inline bool is_claimed(struct catalog *catalog, const char *content)
{
	struct digest digest = digest_of(content, strlen(content));
	struct err err = {0};
	bool claimed = false;

	assert_true(catalog_claims_blob(catalog, &digest, &claimed, &err));
	return claimed;
}

static inline void forget(struct catalog *catalog, const char *content)
{
	struct digest digest = digest_of(content, strlen(content));
	struct err err = {0};

	assert_true(catalog_forget_blob(catalog, &digest, &err));
}

/* ---- withdrawing ---- */

struct orphans {
	struct digest digests[FORMAT_COUNT];
	size_t count;
};

static inline void collect(void *context, const struct digest *digest)
{
	struct orphans *orphans = context;

	assert_true(orphans->count < FORMAT_COUNT);
	orphans->digests[orphans->count++] = *digest;
}

static inline enum err_code withdraw(struct catalog *catalog, const char *path, struct orphans *orphans)
{
	struct name name = name_of(path, FORMAT_TF_HUB);
	const struct withdrawal withdrawal = {&name, "ci", NOW + 1};
	struct err err = {0};

	*orphans = (struct orphans){0};
	return catalog_withdraw(catalog, &withdrawal, collect, orphans, &err) ? ERR_NONE : err.code;
}

/* ---- saved models ---- */

static inline struct tensors tensors_of(const struct tensor *items, size_t count)
{
	struct tensors tensors = {mem_zero(count, sizeof *items), count, count};

	for (size_t i = 0; i < count; i++) {
		struct tensor *to = &tensors.items[i];

		*to = items[i];
		to->name = mem_dup(items[i].name);
		to->tensor = mem_dup(items[i].tensor);
		to->values = mem_dup(items[i].values);
		to->indices = mem_dup(items[i].indices);
		to->dense_shape = mem_dup(items[i].dense_shape);
		to->type = mem_dup(items[i].type);
		if (items[i].shape.rank) {
			to->shape.dimensions = mem_zero(items[i].shape.rank, sizeof(int64_t));
			memcpy(to->shape.dimensions, items[i].shape.dimensions,
				items[i].shape.rank * sizeof(int64_t));
		}
	}
	return tensors;
}

static int64_t wide[] = {-1, 0, INT64_MAX, INT64_MIN, 784};
static const struct tensor all_kinds[] = {
	{.name = (char *)"unset", .tensor = (char *)"x:0", .dtype = 1},
	{.name = (char *)"unknown",
		.tensor = (char *)"y:0",
		.dtype = 101,
		.shape = {SHAPE_UNKNOWN_RANK, 0, NULL}},
	{.name = (char *)"scalar", .tensor = (char *)"z:0", .dtype = 7, .shape = {SHAPE_KNOWN, 0, NULL}},
	{.name = (char *)"wide", .tensor = (char *)"", .dtype = 77, .shape = {SHAPE_KNOWN, 5, wide}},
	{.name = (char *)"coo",
		.encoding = TENSOR_COO,
		.values = (char *)"v",
		.indices = (char *)"i",
		.dense_shape = (char *)"d",
		.dtype = 9},
	{.name = (char *)"composite",
		.encoding = TENSOR_COMPOSITE,
		.type = (char *)"Ragged\xc3\xa9",
		.dtype = 3},
	{.name = (char *)"literal", .encoding = TENSOR_LITERAL, .type = (char *)"False"},
};
enum { KINDS = sizeof all_kinds / sizeof *all_kinds };

static inline void fill_graph(struct meta_graph *graph, bool is_rich)
{
	graph->tensorflow_version = mem_dup(is_rich ? "2.11.0" : "");
	if (!is_rich)
		return;
	graph->tags = mem_zero(2, sizeof *graph->tags);
	graph->tags[graph->tag_count++] = mem_dup("serve");
	graph->tags[graph->tag_count++] = mem_dup("train");
	graph->signatures = mem_zero(2, sizeof *graph->signatures);
	graph->signatures[graph->signature_count++] = (struct signature){
		mem_dup("a"), mem_dup(""), tensors_of(all_kinds, KINDS), tensors_of(all_kinds, 1)};
	graph->signatures[graph->signature_count++] = (struct signature){
		mem_dup("b"), mem_dup("predict"), tensors_of(NULL, 0), tensors_of(all_kinds, 2)};
	graph->callables = mem_zero(3, sizeof *graph->callables);
	for (size_t i = 0; i < 3; i++)
		graph->callables[graph->callable_count++] = (struct callable){
			mem_dup("__call__"), tensors_of(all_kinds + i, KINDS - i), tensors_of(all_kinds, i)};
	graph->ops = mem_zero(2, sizeof *graph->ops);
	graph->ops[graph->op_count++] = (struct op_count){mem_dup("Add"), INT64_MAX};
	graph->ops[graph->op_count++] = (struct op_count){mem_dup("MatMul"), 2};
}

static inline struct saved_model *rich_model(void)
{
	struct saved_model *model = mem_zero(1, sizeof *model);

	model->tf1_hub = model->truncated = true;
	model->schema_version = 1;
	model->meta_graphs = mem_zero(2, sizeof *model->meta_graphs);
	model->meta_graph_count = 2;
	fill_graph(&model->meta_graphs[0], true);
	fill_graph(&model->meta_graphs[1], false);
	return model;
}

/* A test with a catalog of its own. */
#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

#endif

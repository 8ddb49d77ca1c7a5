/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>

#include "common/mem.h"
#include "server/store/catalog_rows.h"
#include "server/store/catalog_search.h"

enum { NOW = 1700000000 };

/* ---- a catalog in a folder of its own ---- */

struct place {
	char *folder;
	struct catalog *catalog;
};

static int set_up(void **state)
{
	struct place *place = mem_zero(1, sizeof *place);
	struct err err = {0};

	place->folder = mem_dup("/tmp/test_catalog.XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	if (!catalog_open(place->folder, &place->catalog, &err))
		fail_msg("%s", err.text);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;
	AUTO_FREE char *command = mem_printf("rm -rf '%s'", place->folder);

	catalog_close(place->catalog);
	assert_int_equal(system(command), 0);
	free(place->folder);
	free(place);
	return 0;
}

static struct catalog *catalog_of(void **state)
{
	return ((struct place *)*state)->catalog;
}

static void reopen(struct place *place)
{
	struct err err = {0};

	catalog_close(place->catalog);
	if (!catalog_open(place->folder, &place->catalog, &err))
		fail_msg("%s", err.text);
}

/* The same file by another handle, past the catalog. */
static struct db *open_beside(const struct place *place)
{
	AUTO_FREE char *path = mem_printf("%s/larder.db", place->folder);
	struct err err = {0};
	struct db *db = NULL;

	if (!db_open(path, catalog_migrations, catalog_migration_count, &db, &err))
		fail_msg("%s", err.text);
	return db;
}

static void run_beside(const struct place *place, const char *const *statements, size_t count)
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

static int64_t ask_beside(const struct place *place, const char *text)
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

static struct name name_of(const char *path, enum format format)
{
	struct name name = {.format = format};
	const char *slash = strrchr(path, '/');

	(void)snprintf(name.handle, sizeof name.handle, "%.*s", (int)(slash - path), path);
	name.version = atoll(slash + 1);
	return name;
}

static struct checksums checksums_of(const char *content)
{
	struct checksums checksums = {.sha256 = digest_of(content, strlen(content)), .md5 = {1, 2, 3}};

	return checksums;
}

static struct examination *examination_of(enum format format)
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

static bool try_keep(struct catalog *catalog, const struct wish *wish, enum kept *kept, struct err *err)
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

static enum kept keep(struct catalog *catalog, const char *path, enum format format, const char *content,
	enum version_source source)
{
	struct wish wish = {path, format, content, source, NULL};
	enum kept kept = KEPT_AGAIN;
	struct err err = {0};

	if (!try_keep(catalog, &wish, &kept, &err))
		fail_msg("%s", err.text);
	return kept;
}

static enum err_code refusal(
	struct catalog *catalog, const char *path, const char *content, enum version_source source)
{
	struct wish wish = {path, FORMAT_TF_HUB, content, source, NULL};
	struct err err = {0};
	enum kept kept;

	return try_keep(catalog, &wish, &kept, &err) ? ERR_NONE : err.code;
}

static struct artifact find(struct catalog *catalog, const char *path, enum format format, bool *found)
{
	struct name name = name_of(path, format);
	struct artifact artifact = {0};
	struct err err = {0};

	if (!catalog_find_artifact(catalog, &name, &artifact, found, &err))
		fail_msg("%s", err.text);
	return artifact;
}

static bool is_claimed(struct catalog *catalog, const char *content)
{
	struct digest digest = digest_of(content, strlen(content));
	struct err err = {0};
	bool claimed = false;

	assert_true(catalog_claims_blob(catalog, &digest, &claimed, &err));
	return claimed;
}

static void forget(struct catalog *catalog, const char *content)
{
	struct digest digest = digest_of(content, strlen(content));
	struct err err = {0};

	assert_true(catalog_forget_blob(catalog, &digest, &err));
}

/* ---- keeping ---- */

static void keeps_and_finds(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct checksums checksums = checksums_of("bytes");
	struct artifact artifact;
	bool found = true;

	(void)find(catalog, "acme/x/1", FORMAT_TF_HUB, &found);
	assert_false(found);
	assert_int_equal(
		keep(catalog, "acme/x/1", FORMAT_TF_HUB, "bytes", SOURCE_PUBLISHED), KEPT_NEW_VERSION);
	assert_int_equal(
		keep(catalog, "acme/x/1", FORMAT_TFJS, "others", SOURCE_PUBLISHED), KEPT_NEW_ARTIFACT);
	assert_int_equal(keep(catalog, "acme/x/1", FORMAT_TF_HUB, "bytes", SOURCE_PUBLISHED), KEPT_AGAIN);
	reopen(*state);
	catalog = catalog_of(state);
	artifact = find(catalog, "acme/x/1", FORMAT_TF_HUB, &found);
	assert_true(found && artifact.recorded && artifact.cached);
	assert_int_equal(artifact.source, SOURCE_PUBLISHED);
	assert_int_equal(artifact.state, STATE_ACTIVE);
	assert_string_equal(artifact.checksums.sha256.hex, checksums.sha256.hex);
	assert_memory_equal(artifact.checksums.md5, checksums.md5, 16);
	assert_int_equal(artifact.size_bytes, 5);
	assert_int_equal(artifact.unpacked_bytes, 30);
	assert_int_equal(artifact.file_count, 2);
	assert_int_equal(artifact.created_at, NOW);
	artifact = find(catalog, "acme/x/1", FORMAT_TFLITE, &found);
	assert_true(found && !artifact.recorded && !artifact.cached);
	(void)find(catalog, "acme/x/2", FORMAT_TF_HUB, &found);
	assert_false(found);
	assert_int_equal(
		ask_beside(*state, "SELECT count(*) FROM audit WHERE action = 'publish' AND who = 'ci'"), 2);
}

static void identity_does_not_change(void **state)
{
	static const struct {
		enum version_source before, after;
		enum err_code code;
	} cases[] = {
		{SOURCE_PUBLISHED, SOURCE_PUBLISHED, ERR_CONFLICT},
		{SOURCE_PUBLISHED, SOURCE_MIRRORED, ERR_CONFLICT},
		{SOURCE_MIRRORED, SOURCE_PUBLISHED, ERR_CONFLICT},
		{SOURCE_MIRRORED, SOURCE_MIRRORED, ERR_QUARANTINED},
	};
	struct catalog *catalog = catalog_of(state);
	struct digest before = digest_of("before", 6);
	bool found;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_FREE char *path = mem_printf("acme/case-%zu/1", i);

		(void)keep(catalog, path, FORMAT_TF_HUB, "before", cases[i].before);
		assert_int_equal(refusal(catalog, path, "after", cases[i].after), cases[i].code);
		assert_string_equal(
			find(catalog, path, FORMAT_TF_HUB, &found).checksums.sha256.hex, before.hex);
		assert_int_equal(refusal(catalog, path, "before", cases[i].after), ERR_NONE);
	}
	assert_false(is_claimed(catalog, "after"));
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM audit WHERE action = 'quarantine'"
					    " AND detail LIKE '%sha256:%sha256:%'"),
		1);
}

static void eviction_keeps_the_digest(void **state)
{
	struct catalog *catalog = catalog_of(state);
	bool found;

	(void)keep(catalog, "google/x/1", FORMAT_TF_HUB, "bytes", SOURCE_MIRRORED);
	assert_true(is_claimed(catalog, "bytes"));
	forget(catalog, "bytes");
	forget(catalog, "never seen");
	assert_false(is_claimed(catalog, "bytes"));
	assert_false(find(catalog, "google/x/1", FORMAT_TF_HUB, &found).cached);
	assert_int_equal(refusal(catalog, "google/x/1", "changed", SOURCE_MIRRORED), ERR_QUARANTINED);
	assert_int_equal(keep(catalog, "google/x/1", FORMAT_TF_HUB, "bytes", SOURCE_MIRRORED), KEPT_AGAIN);
	assert_true(find(catalog, "google/x/1", FORMAT_TF_HUB, &found).cached);
}

struct orphans {
	struct digest digests[FORMAT_COUNT];
	size_t count;
};

static void collect(void *context, const struct digest *digest)
{
	struct orphans *orphans = context;

	assert_true(orphans->count < FORMAT_COUNT);
	orphans->digests[orphans->count++] = *digest;
}

static enum err_code withdraw(struct catalog *catalog, const char *path, struct orphans *orphans)
{
	struct name name = name_of(path, FORMAT_TF_HUB);
	struct err err = {0};

	*orphans = (struct orphans){0};
	return catalog_withdraw(catalog, &name, "ci", NOW + 1, collect, orphans, &err) ? ERR_NONE : err.code;
}

static void withdraws_for_good(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct orphans orphans;
	struct digest alone = digest_of("alone", 5);
	bool found;

	(void)keep(catalog, "acme/x/1", FORMAT_TF_HUB, "shared", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/x/1", FORMAT_TFJS, "alone", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/y/1", FORMAT_TF_HUB, "shared", SOURCE_PUBLISHED);
	assert_int_equal(withdraw(catalog, "acme/x/9", &orphans), ERR_NOT_FOUND);
	assert_int_equal(withdraw(catalog, "acme/x/1", &orphans), ERR_NONE);
	assert_int_equal(orphans.count, 1);
	assert_string_equal(orphans.digests[0].hex, alone.hex);
	assert_false(is_claimed(catalog, "alone"));
	assert_true(is_claimed(catalog, "shared"));
	assert_int_equal(find(catalog, "acme/x/1", FORMAT_TF_HUB, &found).state, STATE_WITHDRAWN);
	assert_int_equal(withdraw(catalog, "acme/x/1", &orphans), ERR_GONE);
	assert_int_equal(refusal(catalog, "acme/x/1", "shared", SOURCE_PUBLISHED), ERR_GONE);
	assert_int_equal(withdraw(catalog, "acme/y/1", &orphans), ERR_NONE);
	assert_int_equal(orphans.count, 1);
	assert_false(is_claimed(catalog, "shared"));
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM audit WHERE action = 'withdraw'"), 2);
}

static void one_blob_is_inspected_once(void **state)
{
	struct catalog *catalog = catalog_of(state);

	(void)keep(catalog, "acme/x/1", FORMAT_TF_HUB, "same", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/y/1", FORMAT_TF_HUB, "same", SOURCE_PUBLISHED);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM blobs"), 1);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM members"), 3);
	(void)keep(catalog, "acme/y/1", FORMAT_TFJS, "same", SOURCE_PUBLISHED);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM inspections"), 2);
}

static void a_listed_version_becomes_real(void **state)
{
	static const char *const listed[] = {
		"INSERT INTO publishers (id, name) VALUES (7, 'google')",
		"INSERT INTO modules (id, publisher_id, handle) VALUES (8, 7, 'google/x')",
		"INSERT INTO versions (id, module_id, version, source, description, created_at, updated_at)"
		" VALUES (9, 8, 1, 'listed', 'A text module.', 5, 5)",
		"UPDATE modules SET latest_id = 9, latest_source = 'listed' WHERE id = 8",
	};
	struct catalog *catalog = catalog_of(state);
	struct module_list list;
	struct artifact artifact;
	struct err err = {0};
	bool found;

	run_beside(*state, listed, sizeof listed / sizeof *listed);
	artifact = find(catalog, "google/x/1", FORMAT_TF_HUB, &found);
	assert_true(found && !artifact.recorded);
	assert_int_equal(artifact.source, SOURCE_LISTED);
	assert_int_equal(
		keep(catalog, "google/x/1", FORMAT_TF_HUB, "bytes", SOURCE_MIRRORED), KEPT_NEW_VERSION);
	assert_int_equal(find(catalog, "google/x/1", FORMAT_TF_HUB, &found).source, SOURCE_MIRRORED);
	assert_true(catalog_list_modules(catalog, &(struct module_query){.limit = 10}, &list, &err));
	assert_int_equal(list.count, 1);
	assert_string_equal(list.items[0].description, "A text module.");
	assert_int_equal(list.items[0].source, SOURCE_MIRRORED);
	module_list_finish(&list);
}

static void finds_the_latest_version(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct orphans orphans;
	struct err err = {0};
	int64_t version = 0;
	bool found = true;

	assert_true(catalog_latest_version(catalog, "acme/x", FORMAT_COUNT, &version, &found, &err));
	assert_false(found);
	(void)keep(catalog, "acme/x/2", FORMAT_TF_HUB, "two", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/x/10", FORMAT_TFJS, "ten", SOURCE_PUBLISHED);
	assert_true(catalog_latest_version(catalog, "acme/x", FORMAT_COUNT, &version, &found, &err));
	assert_true(found && version == 10);
	assert_true(catalog_latest_version(catalog, "acme/x", FORMAT_TF_HUB, &version, &found, &err));
	assert_true(found && version == 2);
	assert_int_equal(withdraw(catalog, "acme/x/10", &orphans), ERR_NONE);
	assert_true(catalog_latest_version(catalog, "acme/x", FORMAT_COUNT, &version, &found, &err));
	assert_true(found && version == 2);
	assert_true(catalog_latest_version(catalog, "acme/x", FORMAT_TFJS, &version, &found, &err));
	assert_false(found);
}

static void counts_downloads(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct name name = name_of("acme/x/1", FORMAT_TF_HUB);
	struct name unknown = name_of("acme/unknown/1", FORMAT_TF_HUB);
	struct catalog_totals totals;
	struct err err = {0};
	bool found;

	(void)keep(catalog, "acme/x/1", FORMAT_TF_HUB, "bytes", SOURCE_PUBLISHED);
	assert_true(catalog_count_downloads(catalog, &name, 3, NOW + 5, &err));
	assert_true(catalog_count_downloads(catalog, &name, 4, NOW + 6, &err));
	assert_true(catalog_count_downloads(catalog, &unknown, 4, NOW + 6, &err));
	assert_int_equal(find(catalog, "acme/x/1", FORMAT_TF_HUB, &found).downloads, 7);
	assert_true(catalog_count(catalog, &totals, &err));
	assert_int_equal(totals.downloads, 7);
	assert_int_equal(totals.modules, 1);
	assert_int_equal(totals.versions, 1);
	assert_int_equal(totals.artifacts, 1);
	assert_int_equal(totals.cached_artifacts, 1);
	assert_int_equal(totals.blobs, 1);
	assert_int_equal(totals.blob_bytes, 5);
	assert_true(catalog_check(catalog, &err));
	assert_true(catalog_check(catalog, &err));
}

/* ---- saved models ---- */

static struct tensors tensors_of(const struct tensor *items, size_t count)
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

static void fill_graph(struct meta_graph *graph, bool is_rich)
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

static struct saved_model *rich_model(void)
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

static void assert_same_text(const char *a, const char *b)
{
	assert_int_equal(a == NULL, b == NULL);
	if (a)
		assert_string_equal(a, b);
}

static void assert_same_tensors(const struct tensors *a, const struct tensors *b)
{
	assert_int_equal(a->count, b->count);
	for (size_t i = 0; i < a->count; i++) {
		const struct tensor *x = &a->items[i], *y = &b->items[i];

		assert_same_text(x->name, y->name);
		assert_int_equal(x->encoding, y->encoding);
		assert_same_text(x->tensor, y->tensor);
		assert_same_text(x->values, y->values);
		assert_same_text(x->indices, y->indices);
		assert_same_text(x->dense_shape, y->dense_shape);
		assert_same_text(x->type, y->type);
		assert_int_equal(x->dtype, y->dtype);
		assert_int_equal(x->shape.kind, y->shape.kind);
		assert_int_equal(x->shape.rank, y->shape.rank);
		if (x->shape.rank)
			assert_memory_equal(
				x->shape.dimensions, y->shape.dimensions, x->shape.rank * sizeof(int64_t));
	}
}

static void assert_same_graph(const struct meta_graph *a, const struct meta_graph *b)
{
	assert_same_text(a->tensorflow_version, b->tensorflow_version);
	assert_int_equal(a->tag_count, b->tag_count);
	for (size_t i = 0; i < a->tag_count; i++)
		assert_same_text(a->tags[i], b->tags[i]);
	assert_int_equal(a->signature_count, b->signature_count);
	for (size_t i = 0; i < a->signature_count; i++) {
		assert_same_text(a->signatures[i].name, b->signatures[i].name);
		assert_same_text(a->signatures[i].method, b->signatures[i].method);
		assert_same_tensors(&a->signatures[i].inputs, &b->signatures[i].inputs);
		assert_same_tensors(&a->signatures[i].outputs, &b->signatures[i].outputs);
	}
	assert_int_equal(a->callable_count, b->callable_count);
	for (size_t i = 0; i < a->callable_count; i++) {
		assert_same_text(a->callables[i].name, b->callables[i].name);
		assert_same_tensors(&a->callables[i].inputs, &b->callables[i].inputs);
		assert_same_tensors(&a->callables[i].outputs, &b->callables[i].outputs);
	}
	assert_int_equal(a->op_count, b->op_count);
	for (size_t i = 0; i < a->op_count; i++) {
		assert_same_text(a->ops[i].op, b->ops[i].op);
		assert_int_equal(a->ops[i].count, b->ops[i].count);
	}
}

static void a_saved_model_comes_back_exactly(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct name name = name_of("acme/x/1", FORMAT_TF_HUB);
	struct wish wish = {"acme/x/1", FORMAT_TF_HUB, "bytes", SOURCE_PUBLISHED, rich_model()};
	struct saved_model *expected = rich_model();
	struct version_details details;
	struct err err = {0};
	enum kept kept;
	bool found;

	assert_true(try_keep(catalog, &wish, &kept, &err));
	(void)keep(catalog, "acme/x/1", FORMAT_TFJS, "more", SOURCE_PUBLISHED);
	assert_true(catalog_find_version(catalog, &name, &details, &found, &err));
	assert_true(found);
	assert_string_equal(details.published_by, "ci");
	assert_null(details.upstream);
	assert_int_equal(details.created_at, NOW);
	assert_int_equal(details.artifact_count, 2);
	assert_int_equal(details.artifacts[0].artifact.name.format, FORMAT_TF_HUB);
	assert_int_equal(details.artifacts[1].artifact.name.format, FORMAT_TFJS);
	assert_int_equal(details.artifacts[0].warning_count, 1);
	assert_string_equal(details.artifacts[0].warnings[0].rule, "folder-order");
	assert_string_equal(details.artifacts[0].warnings[0].message, "Put it first.");
	assert_true(details.saved_model->tf1_hub && details.saved_model->truncated &&
		    !details.saved_model->is_text);
	assert_int_equal(details.saved_model->schema_version, 1);
	assert_int_equal(details.saved_model->meta_graph_count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_same_graph(&details.saved_model->meta_graphs[i], &expected->meta_graphs[i]);
	version_details_finish(&details);
	saved_model_destroy(expected);
	name.version = 2;
	assert_true(catalog_find_version(catalog, &name, &details, &found, &err));
	assert_false(found);
}

static void lists_files_by_page(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct name name = name_of("acme/x/1", FORMAT_TF_HUB);
	struct file_row *files;
	struct err err = {0};
	int64_t total;
	size_t count;

	(void)keep(catalog, "acme/x/1", FORMAT_TF_HUB, "bytes", SOURCE_PUBLISHED);
	assert_true(catalog_list_files(catalog, &name, 1, 10, &files, &count, &total, &err));
	assert_int_equal(total, 2);
	assert_int_equal(count, 1);
	assert_string_equal(files[0].path, "a.pb");
	assert_int_equal(files[0].size_bytes, 20);
	file_rows_destroy(files, count);
	name.version = 2;
	assert_true(catalog_list_files(catalog, &name, 0, 10, &files, &count, &total, &err));
	assert_int_equal(total + (int64_t)count, 0);
	file_rows_destroy(files, count);
}

static enum err_code document(struct catalog *catalog, const char *path, const char *markdown, bool *created)
{
	struct name name = name_of(path, FORMAT_TF_HUB);
	struct hubdoc *head = NULL;
	struct err err = {0};
	bool is_one, done;
	size_t line;

	assert_true(hubdoc_read(markdown, &head, &is_one, &line, &err));
	done = catalog_set_documentation(
		catalog, &name, &(struct documentation){markdown, head, "ci", NOW}, created, &err);
	hubdoc_destroy(head);
	return done ? ERR_NONE : err.code;
}

static void documents_a_version(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct name name = name_of("acme/x/1", FORMAT_TF_HUB);
	struct orphans orphans;
	struct err err = {0};
	char *markdown = NULL;
	bool created = false;

	assert_int_equal(document(catalog, "acme/x/1", "# X", &created), ERR_NOT_FOUND);
	(void)keep(catalog, "acme/x/1", FORMAT_TF_HUB, "bytes", SOURCE_PUBLISHED);
	assert_true(catalog_find_documentation(catalog, &name, &markdown, &err));
	assert_null(markdown);
	assert_int_equal(document(catalog, "acme/x/1", "# X", &created), ERR_NONE);
	assert_true(created);
	assert_int_equal(document(catalog, "acme/x/1", "# Y", &created), ERR_NONE);
	assert_false(created);
	assert_true(catalog_find_documentation(catalog, &name, &markdown, &err));
	assert_string_equal(markdown, "# Y");
	free(markdown);
	assert_int_equal(withdraw(catalog, "acme/x/1", &orphans), ERR_NONE);
	assert_int_equal(document(catalog, "acme/x/1", "# Z", &created), ERR_GONE);
}

static void documentation_makes_tags(void **state)
{
	static const char with_head[] = "# Placeholder acme/x/1\nÜber.\n<!-- task: b -->\n<!-- task: a -->\n"
					"<!-- language: Ä -->\n# Body\n";
	struct catalog *catalog = catalog_of(state);
	struct name name = name_of("acme/x/1", FORMAT_TF_HUB);
	struct version_details details;
	struct err err = {0};
	bool created, found;

	(void)keep(catalog, "acme/x/1", FORMAT_TF_HUB, "bytes", SOURCE_PUBLISHED);
	assert_int_equal(document(catalog, "acme/x/1", with_head, &created), ERR_NONE);
	assert_true(catalog_find_version(catalog, &name, &details, &found, &err));
	assert_string_equal(details.description, "Über.");
	assert_int_equal(details.tags.count, 3);
	assert_string_equal(details.tags.items[1].kind, "task");
	assert_string_equal(details.tags.items[1].value, "a");
	version_details_finish(&details);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM current_documents WHERE documentation = '# Body' || char(10)"), 1);
	/* Free text says none of this. */
	assert_int_equal(document(catalog, "acme/x/1", "# Y", &created), ERR_NONE);
	assert_true(catalog_find_version(catalog, &name, &details, &found, &err));
	assert_string_equal(details.description, "");
	assert_int_equal(details.tags.count, 0);
	version_details_finish(&details);
}

/* ---- listing ---- */

/* How many match, with the first handle checked where one is given. */
static int64_t total_of(struct catalog *catalog, struct module_query query, const char *first)
{
	struct module_list list;
	struct err err = {0};
	int64_t total;

	query.limit = 200;
	if (!catalog_list_modules(catalog, &query, &list, &err))
		fail_msg("%s", err.text);
	total = list.total;
	assert_int_equal(total, list.count);
	if (first)
		assert_string_equal(list.items[0].handle, first);
	module_list_finish(&list);
	return total;
}

static void filters_modules(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct orphans orphans;

	(void)keep(catalog, "acme/Half_Plus-Two/1", FORMAT_TF_HUB, "1", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/halfXplus/1", FORMAT_TFJS, "2", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme-2/x/1", FORMAT_TFLITE, "3", SOURCE_MIRRORED);
	(void)keep(catalog, "zoo/a/b/1", FORMAT_TF_HUB, "4", SOURCE_MIRRORED);
	(void)keep(catalog, "zoo/gone/1", FORMAT_TF_HUB, "5", SOURCE_MIRRORED);
	assert_int_equal(withdraw(catalog, "zoo/gone/1", &orphans), ERR_NONE);
	forget(catalog, "4");
	const struct {
		const char *q;
		enum facet facet;
		const char *value;
		int64_t total;
		const char *first;
	} cases[] = {
		{NULL, 0, NULL, 4, "acme-2/x"},
		{NULL, FACET_PUBLISHER, "acme", 2, "acme/Half_Plus-Two"},
		{NULL, FACET_PUBLISHER, "acm", 0, NULL},
		{NULL, FACET_PUBLISHER, "zoo", 1, "zoo/a/b"},
		{"PLUS half", 0, NULL, 2, "acme/Half_Plus-Two"},
		{"  half_plus  ", 0, NULL, 1, "acme/Half_Plus-Two"},
		{"%", 0, NULL, 0, NULL},
		{"\\", 0, NULL, 0, NULL},
		{"half zoo", 0, NULL, 0, NULL},
		{"a a a a a a a a a a a a a a a a", 0, NULL, 4, NULL},
		{"x", FACET_PUBLISHER, "acme", 1, "acme/halfXplus"},
		{NULL, FACET_FORMAT, "tfjs", 1, "acme/halfXplus"},
		{NULL, FACET_FORMAT, "coral", 0, NULL},
		{NULL, FACET_SOURCE, "mirrored", 2, "acme-2/x"},
		{NULL, FACET_CACHED, "true", 3, NULL},
		{NULL, FACET_CACHED, "false", 1, "zoo/a/b"},
	};
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct module_filter filter = {cases[i].facet, cases[i].value};
		struct module_query query = {
			.q = cases[i].q, .filters = &filter, .filter_count = filter.value != NULL};

		assert_int_equal(total_of(catalog, query, cases[i].first), cases[i].total);
	}
}

static void refuses_too_many_words(void **state)
{
	struct module_query query = {.q = "a a a a a a a a a a a a a a a a a", .limit = 1};
	struct module_list list;
	struct err err = {0};

	assert_false(catalog_list_modules(catalog_of(state), &query, &list, &err));
	assert_int_equal(err.code, ERR_BAD_REQUEST);
}

static void summarises_a_module(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct orphans orphans;
	struct module_list list;
	struct version_row *versions;
	struct publisher_row *publishers;
	struct err err = {0};
	size_t count;

	(void)keep(catalog, "acme/x/1", FORMAT_TF_HUB, "one", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/x/3", FORMAT_TF_HUB, "three", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/x/3", FORMAT_TFLITE, "lite", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/x/2", FORMAT_TF_HUB, "two", SOURCE_PUBLISHED);
	assert_int_equal(withdraw(catalog, "acme/x/2", &orphans), ERR_NONE);
	assert_true(catalog_list_modules(catalog, &(struct module_query){.limit = 5}, &list, &err));
	assert_int_equal(list.items[0].latest_version, 3);
	assert_int_equal(list.items[0].version_count, 2);
	assert_int_equal(list.items[0].versions[0], 1);
	assert_int_equal(list.items[0].versions[1], 3);
	assert_true(list.items[0].formats[FORMAT_TF_HUB] && list.items[0].formats[FORMAT_TFLITE]);
	assert_false(list.items[0].formats[FORMAT_TFJS]);
	assert_true(list.items[0].cached);
	assert_int_equal(list.items[0].size_bytes, 9);
	assert_int_equal(list.items[0].updated_at, NOW + 1);
	assert_string_equal(list.items[0].description, "");
	assert_null(list.next);
	module_list_finish(&list);
	assert_true(catalog_list_versions(catalog, "acme/x", &versions, &count, &err));
	assert_int_equal(count, 3);
	assert_int_equal(versions[1].version, 2);
	assert_int_equal(versions[1].state, STATE_WITHDRAWN);
	free(versions);
	assert_true(catalog_list_publishers(catalog, &publishers, &count, &err));
	assert_int_equal(count, 1);
	assert_string_equal(publishers[0].display_name, "acme");
	assert_int_equal(publishers[0].modules, 1);
	publisher_rows_destroy(publishers, count);
}

enum { MANY = 5000, PAGE = 200 };

static void pages_stay_stable(void **state)
{
	static const char *const fill[] = {
		"INSERT INTO publishers (id, name) VALUES (1, 'many')",
		"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 5000)"
		" INSERT INTO modules (id, publisher_id, handle) SELECT i, 1, printf('many/m%05d', i) FROM n",
		"INSERT INTO versions (id, module_id, version, source, created_at, updated_at)"
		" SELECT id, id, 1, 'listed', 1, 1 FROM modules",
		"UPDATE modules SET latest_id = id, latest_source = 'listed'",
	};
	struct catalog *catalog = catalog_of(state);
	struct err err = {0};
	char last[NAME_PATH_MAX + 1] = "";
	AUTO_FREE char *after = mem_dup("");
	size_t seen = 0;

	run_beside(*state, fill, sizeof fill / sizeof *fill);
	while (after) {
		struct module_query query = {.q = "M", .after = after, .sort = SORT_NAME, .limit = PAGE};
		struct module_list list;

		assert_true(catalog_list_modules(catalog, &query, &list, &err));
		assert_true(list.total >= MANY);
		for (size_t i = 0; i < list.count; i++) {
			assert_true(strcmp(list.items[i].handle, last) > 0);
			(void)snprintf(last, sizeof last, "%s", list.items[i].handle);
		}
		seen += list.count;
		free(after);
		after = TAKE(list.next);
		module_list_finish(&list);
		/* What comes in before the page does not move it. */
		if (seen == PAGE)
			(void)keep(catalog, "many/m00000/1", FORMAT_TF_HUB, "new", SOURCE_MIRRORED);
	}
	assert_int_equal(seen, MANY);
}

/* ---- absences and tokens ---- */

static void absences_expire(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct name name = name_of("google/absent/1", FORMAT_TF_HUB);
	struct name other = name_of("google/absent/1", FORMAT_TFJS);
	struct err err = {0};
	int64_t until = -1;

	assert_true(catalog_find_absent(catalog, &name, NOW, &until, &err));
	assert_int_equal(until, 0);
	assert_true(catalog_remember_absent(catalog, &name, NOW + 10, &err));
	assert_true(catalog_remember_absent(catalog, &name, NOW + 20, &err));
	assert_true(catalog_find_absent(catalog, &name, NOW + 19, &until, &err));
	assert_int_equal(until, NOW + 20);
	assert_true(catalog_find_absent(catalog, &name, NOW + 20, &until, &err));
	assert_int_equal(until, 0);
	assert_true(catalog_find_absent(catalog, &other, NOW, &until, &err));
	assert_int_equal(until, 0);
}

static enum err_code add_token(
	struct catalog *catalog, const char *name, const char *secret, int64_t now_s, int64_t expires_at)
{
	struct digest hash = digest_of(secret, strlen(secret));
	struct err err = {0};

	return catalog_add_token(catalog, name, &hash, "read publish:acme/*", now_s, expires_at, &err)
		       ? ERR_NONE
		       : err.code;
}

static void tokens_live_and_end(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct digest hash = digest_of("s3", 2);
	struct token_secret *tokens;
	struct err err = {0};
	size_t count = 9;

	assert_true(catalog_list_tokens(catalog, &tokens, &count, &err));
	assert_int_equal(count, 0);
	token_secrets_destroy(tokens, count);
	assert_int_equal(add_token(catalog, "ci", "s1", NOW, NOW + 10), ERR_NONE);
	assert_int_equal(add_token(catalog, "ci", "s2", NOW + 9, 0), ERR_CONFLICT);
	assert_int_equal(add_token(catalog, "ci", "s2", NOW + 10, 0), ERR_NONE);
	assert_true(catalog_revoke_token(catalog, "ci", NOW + 11, &err));
	assert_false(catalog_revoke_token(catalog, "ci", NOW + 11, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(add_token(catalog, "ci", "s3", NOW + 12, 0), ERR_NONE);
	assert_true(catalog_list_tokens(catalog, &tokens, &count, &err));
	assert_int_equal(count, 3);
	assert_string_equal(tokens[0].row.name, "ci");
	assert_string_equal(tokens[0].row.scopes, "read publish:acme/*");
	assert_int_equal(tokens[0].row.revoked_at, 0);
	assert_true(digest_equal(&tokens[0].hash, &hash));
	assert_int_equal(tokens[1].row.revoked_at, NOW + 11);
	assert_int_equal(tokens[2].row.expires_at, NOW + 10);
	token_secrets_destroy(tokens, count);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM audit WHERE action LIKE 'token-%'"), 4);
}

/* ---- many at once ---- */

enum { THREADS = 6, ROUNDS = 15 };

struct worker {
	struct catalog *catalog;
	int number;
	char failure[sizeof((struct err *)NULL)->text];
};

static void *work(void *argument)
{
	struct worker *worker = argument;
	struct err err = {0};

	for (int i = 1; i <= ROUNDS && !worker->failure[0]; i++) {
		AUTO_FREE char *path = mem_printf("acme/m%d/%d", worker->number, i);
		struct wish wish = {path, FORMAT_TF_HUB, path, SOURCE_PUBLISHED, rich_model()};
		struct name name = name_of(path, FORMAT_TF_HUB);
		struct version_details details = {0};
		struct module_list list = {0};
		enum kept kept;
		bool found = false;

		if (!try_keep(worker->catalog, &wish, &kept, &err) ||
			!catalog_find_version(worker->catalog, &name, &details, &found, &err) ||
			!catalog_list_modules(
				worker->catalog, &(struct module_query){.limit = 50}, &list, &err))
			(void)snprintf(worker->failure, sizeof worker->failure, "%s", err.text);
		else if (!found || details.saved_model->meta_graph_count != 2 ||
			 (int64_t)list.count != list.total)
			(void)snprintf(worker->failure, sizeof worker->failure, "%s is not whole", path);
		version_details_finish(&details);
		module_list_finish(&list);
	}
	return NULL;
}

static void threads_share_it(void **state)
{
	struct worker workers[THREADS] = {0};
	pthread_t threads[THREADS];

	for (int i = 0; i < THREADS; i++) {
		workers[i].catalog = catalog_of(state);
		workers[i].number = i;
		assert_int_equal(pthread_create(&threads[i], NULL, work, &workers[i]), 0);
	}
	for (int i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_string_equal(workers[i].failure, "");
	}
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM versions"), THREADS * ROUNDS);
	assert_int_equal(ask_beside(*state, "SELECT modules FROM publishers"), THREADS);
}

/* What `test_catalog keep FOLDER NAME COUNT` does in a process of its own: keeps versions, a byte on standard
 * output each. */
static int keep_many(const char *folder, const char *name, int count)
{
	struct catalog *catalog = NULL;
	struct err err = {0};
	enum kept kept;

	if (!catalog_open(folder, &catalog, &err)) {
		(void)fprintf(stderr, "%s\n", err.text);
		return 1;
	}
	for (int i = 1; i <= count; i++) {
		AUTO_FREE char *path = mem_printf("acme/%s/%d", name, i);
		struct wish wish = {path, FORMAT_TF_HUB, path, SOURCE_PUBLISHED, rich_model()};

		if (!try_keep(catalog, &wish, &kept, &err)) {
			(void)fprintf(stderr, "%s\n", err.text);
			return 1;
		}
		if (write(STDOUT_FILENO, ".", 1) != 1)
			return 1;
	}
	catalog_close(catalog);
	return 0;
}

static pid_t start_keeping(const char *folder, const char *name, const char *count, int *out_fd)
{
	int ends[2];
	pid_t child;

	assert_int_equal(pipe(ends), 0);
	child = fork();
	assert_true(child >= 0);
	if (child == 0) {
		(void)dup2(ends[1], STDOUT_FILENO);
		(void)close(ends[0]);
		(void)close(ends[1]);
		(void)execl("/proc/self/exe", "test_catalog", "keep", folder, name, count, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(close(ends[1]), 0);
	*out_fd = ends[0];
	return child;
}

static int wait_for(pid_t child)
{
	int status = -1;

	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void processes_share_it(void **state)
{
	const struct place *place = *state;
	int one_fd, two_fd;
	pid_t one = start_keeping(place->folder, "one", "30", &one_fd);
	pid_t two = start_keeping(place->folder, "two", "30", &two_fd);

	for (int i = 1; i <= 10; i++) {
		AUTO_FREE char *path = mem_printf("acme/three/%d", i);

		assert_int_equal(
			keep(place->catalog, path, FORMAT_TF_HUB, path, SOURCE_PUBLISHED), KEPT_NEW_VERSION);
	}
	assert_int_equal(wait_for(one), 0);
	assert_int_equal(wait_for(two), 0);
	assert_int_equal(close(one_fd), 0);
	assert_int_equal(close(two_fd), 0);
	assert_int_equal(ask_beside(place, "SELECT count(*) FROM versions"), 70);
}

/* Killed at whatever point it is at after `kept` versions were acknowledged. */
static void kill_after(const struct place *place, const char *name, int kept)
{
	int fd;
	pid_t child = start_keeping(place->folder, name, "100000", &fd);
	char byte;

	for (int i = 0; i < kept; i++)
		assert_int_equal(read(fd, &byte, 1), 1);
	assert_int_equal(kill(child, SIGKILL), 0);
	assert_true(WIFSIGNALED(wait_for(child)));
	while (read(fd, &byte, 1) == 1)
		kept++;
	assert_int_equal(close(fd), 0);
	AUTO_FREE char *count =
		mem_printf("SELECT count(*) >= %d FROM versions v JOIN modules m ON m.id = v.module_id"
			   " WHERE m.handle = 'acme/%s'",
			kept, name);
	assert_int_equal(ask_beside(place, count), 1);
}

static void a_killed_process_leaves_whole_versions(void **state)
{
	static const char broken[] =
		"SELECT count(*) FROM versions v LEFT JOIN artifacts a ON a.version_id = v.id"
		" LEFT JOIN inspections i ON i.blob_id = a.blob_id WHERE"
		" (SELECT count(*) FROM members WHERE inspection_id = i.id) <> 3 OR"
		" (SELECT count(*) FROM op_counts o JOIN meta_graphs g ON g.id = o.meta_graph_id"
		"  WHERE g.inspection_id = i.id) <> 2 OR"
		" (SELECT count(*) FROM tensors t JOIN functions f ON f.id = t.function_id"
		"  JOIN meta_graphs g ON g.id = f.meta_graph_id WHERE g.inspection_id = i.id) <> 31 OR"
		" NOT EXISTS (SELECT 1 FROM audit s, modules m WHERE m.id = v.module_id"
		"  AND s.subject = m.handle || '/' || v.version)";
	const struct place *place = *state;

	for (int round = 0; round < 5; round++) {
		AUTO_FREE char *name = mem_printf("killed-%d", round);

		kill_after(place, name, 1 + 3 * round);
	}
	assert_int_equal(ask_beside(place, "SELECT integrity_check = 'ok' FROM pragma_integrity_check"), 1);
	assert_int_equal(ask_beside(place, "SELECT count(*) FROM pragma_foreign_key_check"), 0);
	assert_int_equal(ask_beside(place, broken), 0);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		TEST(keeps_and_finds),
		TEST(identity_does_not_change),
		TEST(eviction_keeps_the_digest),
		TEST(withdraws_for_good),
		TEST(one_blob_is_inspected_once),
		TEST(a_listed_version_becomes_real),
		TEST(finds_the_latest_version),
		TEST(counts_downloads),
		TEST(a_saved_model_comes_back_exactly),
		TEST(lists_files_by_page),
		TEST(documents_a_version), TEST(documentation_makes_tags),
		TEST(filters_modules),
		TEST(refuses_too_many_words),
		TEST(summarises_a_module),
		TEST(pages_stay_stable),
		TEST(absences_expire),
		TEST(tokens_live_and_end),
		TEST(threads_share_it),
		TEST(processes_share_it),
		TEST(a_killed_process_leaves_whole_versions),
	};

	if (argc == 5 && strcmp(argv[1], "keep") == 0)
		return keep_many(argv[2], argv[3], atoi(argv[4]));
	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * What the catalog gives back of SavedModels and of the files of archives. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_inspection.h"
#include "server/store/catalog/catalog_keep.h"
#include "server/store/catalog/catalog_versions.h"
#include "tests/unit/catalog_place.h"

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

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_saved_model_comes_back_exactly),
		TEST(lists_files_by_page),
	};

	return cmocka_run_group_tests_name("catalog_models", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/module/savedmodel/comparison.h"

enum { FLOAT32 = 1, INT32 = 3, MANY = 4096 };

static int64_t any_by_eight[] = {-1, 8};
static int64_t four_by_eight[] = {4, 8};

#define TENSOR(name_, dtype_, dimensions_) \
	{ \
		.name = (char *)(name_), .dtype = (dtype_), .shape = { SHAPE_KNOWN, 2, dimensions_ } \
	}
#define LITERAL(name_, value) \
	{ \
		.name = (char *)(name_), .encoding = TENSOR_LITERAL, .type = (char *)(value) \
	}
#define TENSORS(...) \
	{ \
		(struct tensor[]){__VA_ARGS__}, \
			sizeof((struct tensor[]){__VA_ARGS__}) / sizeof(struct tensor), 0 \
	}
#define NONE \
	{ \
		NULL, 0, 0 \
	}

/* A model of one meta graph that has these callables, sorted by name. */
struct modelled {
	struct meta_graph graph;
	struct saved_model model;
};

static const struct saved_model *model_of(struct modelled *out, struct callable *callables, size_t count)
{
	out->graph = (struct meta_graph){
		.tensorflow_version = (char *)"", .callables = callables, .callable_count = count};
	out->model = (struct saved_model){.meta_graphs = &out->graph, .meta_graph_count = 1};
	return &out->model;
}

static struct comparison compare_callables(
	struct callable *from, size_t from_count, struct callable *to, size_t to_count)
{
	static struct modelled models[2]; /* what comes of it points into them */
	struct comparison comparison;

	compare_models(
		model_of(&models[0], from, from_count), model_of(&models[1], to, to_count), &comparison);
	assert_int_equal(comparison.signatures.count, 0);
	return comparison;
}

static void test_traces_that_are_equal_belong_together(void **state)
{
	struct callable from[] = {
		{(char *)"__call__",
			TENSORS(TENSOR("x", FLOAT32, any_by_eight), LITERAL("training", "False")), NONE},
		{(char *)"__call__", TENSORS(TENSOR("x", FLOAT32, any_by_eight), LITERAL("training", "True")),
			NONE},
	};
	struct callable turned[] = {from[1], from[0]};
	AUTO(comparison_finish) struct comparison comparison = compare_callables(from, 2, turned, 2);

	(void)state;
	assert_int_equal(comparison.callables.count, 0);
	assert_false(comparison.breaking);
}

static void test_a_trace_that_is_gone_breaks(void **state)
{
	struct callable from[] = {
		{(char *)"f", TENSORS(LITERAL("training", "False")), NONE},
		{(char *)"f", TENSORS(LITERAL("training", "True")), NONE},
	};
	AUTO(comparison_finish) struct comparison gone = compare_callables(from, 2, &from[1], 1);
	AUTO(comparison_finish) struct comparison come = compare_callables(&from[1], 1, from, 2);

	(void)state;
	assert_int_equal(gone.callables.count, 1);
	assert_int_equal(gone.callables.items[0].change, CHANGE_REMOVED);
	assert_ptr_equal(gone.callables.items[0].inputs.items[0].from, &from[0].inputs.items[0]);
	assert_true(gone.breaking);
	assert_int_equal(come.callables.count, 1);
	assert_int_equal(come.callables.items[0].change, CHANGE_ADDED);
	assert_false(come.breaking);
}

static void test_literals_are_held_against_each_other(void **state)
{
	struct callable from = {(char *)"f", TENSORS(LITERAL("training", "False")), NONE};
	struct callable to = {(char *)"f", TENSORS(LITERAL("training", "True")), NONE};
	AUTO(comparison_finish) struct comparison comparison = compare_callables(&from, 1, &to, 1);

	(void)state;
	assert_int_equal(comparison.callables.count, 1);
	assert_int_equal(comparison.callables.items[0].change, CHANGE_CHANGED);
	assert_int_equal(comparison.callables.items[0].inputs.count, 1);
	assert_true(comparison.breaking);
}

/* Outputs of callables may have no names. */
static void test_without_names_places_count(void **state)
{
	struct callable from = {(char *)"f", NONE,
		TENSORS(TENSOR(NULL, FLOAT32, any_by_eight), TENSOR(NULL, INT32, any_by_eight))};
	struct callable to = {(char *)"f", NONE,
		TENSORS(TENSOR(NULL, FLOAT32, four_by_eight), TENSOR(NULL, INT32, any_by_eight),
			TENSOR(NULL, INT32, any_by_eight))};
	AUTO(comparison_finish) struct comparison comparison = compare_callables(&from, 1, &to, 1);
	const struct tensor_changes *outputs = &comparison.callables.items[0].outputs;

	(void)state;
	assert_int_equal(outputs->count, 2);
	assert_ptr_equal(outputs->items[0].to, &to.outputs.items[0]);
	assert_int_equal(outputs->items[1].change, CHANGE_ADDED);
	assert_ptr_equal(outputs->items[1].to, &to.outputs.items[2]);
	assert_false(comparison.breaking);
}

static void test_other_encodings_and_types_break(void **state)
{
	struct callable from = {(char *)"f", TENSORS(TENSOR("x", FLOAT32, any_by_eight)), NONE};
	struct callable to[] = {
		{(char *)"f", TENSORS({.name = (char *)"x", .dtype = FLOAT32, .encoding = TENSOR_COO}), NONE},
		{(char *)"f",
			TENSORS({.name = (char *)"x",
				.dtype = FLOAT32,
				.encoding = TENSOR_COMPOSITE,
				.type = (char *)"RaggedTensorSpec"}),
			NONE},
	};

	(void)state;
	for (size_t i = 0; i < sizeof to / sizeof *to; i++) {
		AUTO(comparison_finish) struct comparison comparison = compare_callables(&from, 1, &to[i], 1);

		assert_true(comparison.breaking);
	}
}

/* As many as a model may have, all of one name: none is forgotten, and nobody waits for it. */
static void test_very_many_traces(void **state)
{
	struct tensor input = TENSOR("x", FLOAT32, any_by_eight), other = TENSOR("x", INT32, any_by_eight);
	AUTO_FREE struct callable *from = mem_zero(MANY, sizeof *from);
	AUTO_FREE struct callable *to = mem_zero(MANY, sizeof *to);
	AUTO(comparison_finish) struct comparison comparison = {0};

	(void)state;
	for (size_t i = 0; i < MANY; i++) {
		from[i] = (struct callable){(char *)"f", {&input, 1, 1}, NONE};
		to[i] = (struct callable){(char *)"f", {&other, 1, 1}, NONE};
	}
	comparison = compare_callables(from, MANY, to, MANY - 1);
	assert_int_equal(comparison.callables.count, MANY);
	assert_int_equal(comparison.callables.items[0].change, CHANGE_CHANGED);
	assert_int_equal(comparison.callables.items[MANY - 1].change, CHANGE_REMOVED);
}

static void test_ops_of_all_meta_graphs_count(void **state)
{
	struct op_count serve[] = {{(char *)"Add", 2}, {(char *)"Mul", 1}};
	struct op_count train[] = {{(char *)"Add", 3}, {(char *)"Relu", 1}};
	struct op_count both[] = {{(char *)"Add", 5}, {(char *)"Mul", 4}};
	char *tags[] = {(char *)"train"};
	struct meta_graph from[] = {
		{.ops = serve, .op_count = 2}, {.tags = tags, .tag_count = 1, .ops = train, .op_count = 2}};
	struct meta_graph to = {.ops = both, .op_count = 2};
	struct saved_model old = {.meta_graphs = from, .meta_graph_count = 2};
	struct saved_model new = {.meta_graphs = &to, .meta_graph_count = 1};
	AUTO(comparison_finish) struct comparison comparison = {0};

	(void)state;
	compare_models(&old, &new, &comparison);
	assert_int_equal(comparison.op_count, 2);
	assert_string_equal(comparison.ops[0].op, "Mul");
	assert_int_equal(comparison.ops[0].from, 1);
	assert_int_equal(comparison.ops[0].to, 4);
	assert_string_equal(comparison.ops[1].op, "Relu");
	assert_int_equal(comparison.ops[1].to, 0);
	assert_false(comparison.breaking);
}

static void test_nothing_to_compare(void **state)
{
	static const struct saved_model none;
	AUTO(comparison_finish) struct comparison comparison = {0};

	(void)state;
	compare_models(&none, &none, &comparison);
	assert_false(comparison.breaking);
	assert_int_equal(comparison.op_count + comparison.callables.count + comparison.signatures.count, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_traces_that_are_equal_belong_together),
		cmocka_unit_test(test_a_trace_that_is_gone_breaks),
		cmocka_unit_test(test_literals_are_held_against_each_other),
		cmocka_unit_test(test_without_names_places_count),
		cmocka_unit_test(test_other_encodings_and_types_break),
		cmocka_unit_test(test_very_many_traces),
		cmocka_unit_test(test_ops_of_all_meta_graphs_count),
		cmocka_unit_test(test_nothing_to_compare),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

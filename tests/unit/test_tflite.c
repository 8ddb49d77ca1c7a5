/* SPDX-License-Identifier: Apache-2.0
 *
 * What is found out about a TensorFlow Lite model: every reference of it, and what lies behind them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "common/file.h"
#include "common/own.h"
#include "server/module/examination.h"
#include "tests/unit/tflite_writer.h"

static const char testdata[] = "../shared/testdata/tflite";

static struct examination *examine(const struct buffer *bytes, size_t length)
{
	struct memory_stream memory;
	struct examination *examination = NULL;
	struct err err;

	if (!examination_run(memory_stream_init(&memory, bytes->data, length), FORMAT_TFLITE,
		    &(struct archive_limits){0}, &examination, &err))
		fail_msg("%s", err.text);
	assert_int_equal(examination->unpacked_bytes, length);
	return examination;
}

static const char *rule_of(const struct buffer *bytes, size_t length)
{
	AUTO_EXAMINATION struct examination *examination = examine(bytes, length);

	return examination->finding_count ? examination->findings[0].rule : "";
}

static bool proves_end(const struct buffer *bytes)
{
	AUTO_EXAMINATION struct examination *examination = examine(bytes, bytes->length);

	assert_int_equal(examination->finding_count, 0);
	return examination->has_proved_end;
}

static void write_tensor(struct buffer *out, size_t from)
{
	size_t tensor = flat_table_for(out, from, "4444404404");
	size_t quantization;
	size_t variant;

	(void)flat_vector_for(out, flat_cell(out, tensor, 0), 3, 4);
	flat_string_for(out, flat_cell(out, tensor, 3), "input");
	quantization = flat_table_for(out, flat_cell(out, tensor, 4), "0044444");
	(void)flat_vector_for(out, flat_cell(out, quantization, 2), 2, 4);
	(void)flat_vector_for(out, flat_cell(out, quantization, 3), 2, 8);
	flat_set(out, flat_cell(out, quantization, 4), 1);
	(void)flat_vector_for(
		out, flat_cell(out, flat_table_for(out, flat_cell(out, quantization, 5), "4"), 0), 5, 1);
	size_t sparsity = flat_table_for(out, flat_cell(out, tensor, 6), "404");
	(void)flat_vector_for(out, flat_cell(out, sparsity, 0), 2, 4);
	size_t dimension = flat_one_for(out, flat_cell(out, sparsity, 2), "004400");
	flat_set(out, flat_cell(out, dimension, 2), 3);
	(void)flat_vector_for(
		out, flat_cell(out, flat_table_for(out, flat_cell(out, dimension, 3), "4"), 0), 5, 1);
	(void)flat_vector_for(out, flat_cell(out, tensor, 7), 3, 4);
	variant = flat_one_for(out, flat_cell(out, tensor, 9), "4");
	(void)flat_vector_for(out, flat_cell(out, variant, 0), 1, 4);
}

static void write_operator(struct buffer *out, size_t from)
{
	size_t operator_at = flat_table_for(out, from, "4444440048800");

	(void)flat_vector_for(out, flat_cell(out, operator_at, 1), 2, 4);
	(void)flat_vector_for(out, flat_cell(out, operator_at, 2), 1, 4);
	flat_set(out, flat_cell(out, operator_at, 3), 17);
	(void)flat_vector_for(
		out, flat_cell(out, flat_table_for(out, flat_cell(out, operator_at, 4), "4"), 0), 4, 4);
	(void)flat_vector_for(out, flat_cell(out, operator_at, 5), 7, 1);
	(void)flat_vector_for(out, flat_cell(out, operator_at, 8), 1, 4);
}

/* A model with something of everything; its last byte belongs to its last buffer. */
static void write_model(struct buffer *out)
{
	size_t model = flat_begin(out, "44444444");
	size_t subgraph;
	size_t signature;
	size_t buffer;

	flat_string_for(
		out, flat_cell(out, flat_one_for(out, flat_cell(out, model, 1), "0444"), 1), "Custom");
	subgraph = flat_one_for(out, flat_cell(out, model, 2), "44444");
	write_tensor(out, flat_vector_for(out, flat_cell(out, subgraph, 0), 1, 4));
	(void)flat_vector_for(out, flat_cell(out, subgraph, 1), 1, 4);
	(void)flat_vector_for(out, flat_cell(out, subgraph, 2), 1, 4);
	write_operator(out, flat_vector_for(out, flat_cell(out, subgraph, 3), 1, 4));
	flat_string_for(out, flat_cell(out, subgraph, 4), "main");
	flat_string_for(out, flat_cell(out, model, 3), "made for a test");
	(void)flat_vector_for(out, flat_cell(out, model, 5), 1, 4);
	flat_string_for(out, flat_cell(out, flat_one_for(out, flat_cell(out, model, 6), "44"), 0), "meta");
	signature = flat_one_for(out, flat_cell(out, model, 7), "44444");
	flat_string_for(out, flat_cell(out, flat_one_for(out, flat_cell(out, signature, 0), "44"), 0), "x");
	flat_string_for(out, flat_cell(out, flat_one_for(out, flat_cell(out, signature, 1), "44"), 0), "y");
	flat_string_for(out, flat_cell(out, signature, 2), "serving_default");
	flat_string_for(out, flat_cell(out, signature, 3), "serve");
	buffer = flat_one_for(out, flat_cell(out, model, 4), "488");
	memset(out->data + flat_vector_for(out, flat_cell(out, buffer, 0), 33, 1), '\n', 33);
}

static void test_takes_what_is_whole(void **state)
{
	AUTO_BUFFER struct buffer rich = {0};
	AUTO_BUFFER struct buffer least = {0};

	write_model(&rich);
	assert_string_equal(rule_of(&rich, rich.length), "");
	assert_true(proves_end(&rich));
	tflite_write(&least, "weights", 7);
	assert_true(proves_end(&least));
}

/* Each byte less is missed, wherever the cut is. */
static void test_misses_each_byte(void **state)
{
	AUTO_BUFFER struct buffer model = {0};

	write_model(&model);
	for (size_t length = 0; length < model.length; length++) {
		const char *rule = rule_of(&model, length);

		if (length >= 8 && strcmp(rule, "tflite-cut") != 0)
			fail_msg("cut at %zu of %zu: \"%s\"", length, model.length, rule);
	}
	assert_string_equal(rule_of(&model, 8), "tflite-cut");
	assert_string_equal(rule_of(&model, 7), "tflite-magic");
}

/* Whatever stands in a cell, it is judged within the file (AddressSanitizer watches). */
static void test_bears_any_number_anywhere(void **state)
{
	static const uint32_t numbers[] = {
		0, 1, 3, 4, 0x7ffffffc, 0x7fffffff, 0x80000000, 0xfffffffc, 0xffffffff};
	AUTO_BUFFER struct buffer model = {0};
	size_t refused = 0;

	write_model(&model);
	for (size_t at = 8; at + 4 <= model.length; at += 2) {
		uint32_t before;

		memcpy(&before, model.data + at, sizeof before);
		for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
			flat_set(&model, at, numbers[i]);
			refused += rule_of(&model, model.length)[0] != '\0';
		}
		flat_set(&model, at, before);
	}
	assert_true(refused > 500);
	assert_string_equal(rule_of(&model, model.length), "");
}

static void test_refuses_noise(void **state)
{
	for (unsigned seed = 0; seed < 300; seed++) {
		AUTO_BUFFER struct buffer noise = {0};

		srand(seed);
		flat_put(&noise, 4 * (2 + (unsigned)rand() % 20), 4);
		buffer_add(&noise, "TFL3", 4);
		for (int i = 0; i < 200; i++)
			flat_put(&noise, (uint64_t)rand() % (seed % 2 ? 256 : 3), 1);
		if (rule_of(&noise, noise.length)[0] == '\0')
			fail_msg("noise of seed %u passes", seed);
	}
}

/* 65,536 times 65,536 tables, in a file of half a megabyte. */
static void test_follows_shared_references_only_so_far(void **state)
{
	enum { MANY = 1 << 16 };
	AUTO_BUFFER struct buffer out = {0};
	size_t model = flat_begin(&out, "40404");
	size_t graphs = flat_vector_for(&out, flat_cell(&out, model, 2), MANY, 4);
	size_t graph = flat_table_for(&out, graphs, "4");
	size_t tensors = flat_vector_for(&out, flat_cell(&out, graph, 0), MANY, 4);
	size_t tensor = flat_table_for(&out, tensors, "4");

	(void)flat_vector_for(&out, flat_cell(&out, tensor, 0), 1, 4);
	for (size_t i = 0; i < MANY; i++) {
		flat_set(&out, graphs + 4 * i, (uint32_t)(graph - graphs - 4 * i));
		flat_set(&out, tensors + 4 * i, (uint32_t)(tensor - tensors - 4 * i));
	}
	(void)flat_one_for(&out, flat_cell(&out, model, 4), "");
	assert_string_equal(rule_of(&out, out.length), "tflite-broken");
}

static void test_knows_what_lies_behind(void **state)
{
	static const char zip[] = "PK\3\4 a file and its entry PK\5\6\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
	AUTO_BUFFER struct buffer model = {0};

	tflite_write(&model, "weights", 7);
	for (int i = 0; i < 16; i++) {
		flat_put(&model, 0, 1);
		assert_true(proves_end(&model));
	}
	flat_put(&model, 0, 8);
	assert_false(proves_end(&model));
	model.length -= 8;
	buffer_add(&model, zip, sizeof zip - 1);
	assert_true(proves_end(&model));
	assert_string_equal(rule_of(&model, model.length - 1), "");
	assert_string_equal(rule_of(&model, model.length - 22), "tflite-cut");
	buffer_add(&model, "anything", 8);
	assert_false(proves_end(&model));
}

static void test_finds_large_buffers_outside(void **state)
{
	AUTO_BUFFER struct buffer model = {0};
	size_t root = flat_begin(&model, "40404");
	size_t buffer;

	(void)flat_one_for(&model, flat_cell(&model, root, 2), "");
	buffer = flat_one_for(&model, flat_cell(&model, root, 4), "088");
	flat_set(&model, flat_cell(&model, buffer, 2), 100);
	assert_string_equal(rule_of(&model, model.length), "");
	flat_set(&model, flat_cell(&model, buffer, 1), (uint32_t)model.length);
	assert_string_equal(rule_of(&model, model.length), "tflite-cut");
	for (int i = 0; i < 100; i++)
		flat_put(&model, 1, 1);
	assert_true(proves_end(&model));
	assert_string_equal(rule_of(&model, model.length - 1), "tflite-cut");
	flat_set(&model, flat_cell(&model, buffer, 1) + 4, 0x7fffffff);
	assert_string_equal(rule_of(&model, model.length), "tflite-broken");
}

static void translate(const struct buffer *from, struct buffer *to)
{
	for (size_t i = 0; i < from->length; i++) {
		if (from->data[i] == '\n')
			buffer_add(to, "\r", 1);
		buffer_add(to, &from->data[i], 1);
	}
}

static void test_tells_translated_line_ends(void **state)
{
	AUTO_BUFFER struct buffer model = {0};
	AUTO_BUFFER struct buffer translated = {0};

	write_model(&model);
	translate(&model, &translated);
	assert_string_equal(rule_of(&translated, translated.length), "tflite-text-mode");
}

static void test_wants_what_every_model_has(void **state)
{
	static const char *const patterns[] = {"", "4", "40400", "40004"};

	for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++) {
		AUTO_BUFFER struct buffer model = {0};
		size_t root = flat_begin(&model, patterns[i]);

		if (i == 2)
			(void)flat_one_for(&model, flat_cell(&model, root, 2), "");
		if (i == 3)
			(void)flat_one_for(&model, flat_cell(&model, root, 4), "");
		assert_string_equal(rule_of(&model, model.length), "tflite-broken");
	}
}

static void check_real(const char *folder, const char *name)
{
	AUTO_FREE char *path = NULL;
	AUTO_BUFFER struct buffer model = {0};
	AUTO_BUFFER struct buffer translated = {0};
	struct err err;

	if (asprintf(&path, "%s/%s", folder, name) < 0 || !file_read_all(path, 1 << 20, &model, &err))
		fail();
	if (!proves_end(&model))
		fail_msg("%s is not said to be whole", path);
	for (size_t part = 0; part < 64; part++) {
		if (rule_of(&model, model.length * part / 64)[0] == '\0')
			fail_msg("%zu/64 of %s pass", part, path);
	}
	translate(&model, &translated);
	if (translated.length > model.length && rule_of(&translated, translated.length)[0] == '\0')
		fail_msg("%s passes with other line ends", path);
}

static void test_takes_real_models(void **state)
{
	DIR *models = opendir(testdata);
	struct dirent *entry;

	if (!models)
		skip();
	while ((entry = readdir(models))) {
		AUTO_FREE char *folder = NULL;
		DIR *inner;
		struct dirent *file;

		if (entry->d_name[0] == '.' || asprintf(&folder, "%s/%s", testdata, entry->d_name) < 0)
			continue;
		inner = opendir(folder);
		assert_non_null(inner);
		while ((file = readdir(inner))) {
			if (file->d_name[0] != '.')
				check_real(folder, file->d_name);
		}
		(void)closedir(inner);
	}
	(void)closedir(models);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_takes_what_is_whole),
		cmocka_unit_test(test_misses_each_byte),
		cmocka_unit_test(test_bears_any_number_anywhere),
		cmocka_unit_test(test_refuses_noise),
		cmocka_unit_test(test_follows_shared_references_only_so_far),
		cmocka_unit_test(test_knows_what_lies_behind),
		cmocka_unit_test(test_finds_large_buffers_outside),
		cmocka_unit_test(test_tells_translated_line_ends),
		cmocka_unit_test(test_wants_what_every_model_has),
		cmocka_unit_test(test_takes_real_models),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

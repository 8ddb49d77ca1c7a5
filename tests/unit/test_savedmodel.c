/* SPDX-License-Identifier: Apache-2.0
 *
 * What is read of a SavedModel at the edges: merging, limits, hostile and huge files. What orderly files say
 * is compared with Google's runtime by tests/oracle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/module/savedmodel/savedmodel.h"

/* ---- A small writer of the wire format ---- */

static void put_varint(struct buffer *out, uint64_t value)
{
	do {
		uint8_t byte = (uint8_t)(value & 0x7f) | (value > 0x7f ? 0x80 : 0);

		buffer_add(out, &byte, 1);
		value >>= 7;
	} while (value > 0);
}

static void put_bytes(struct buffer *out, uint32_t number, const char *bytes, size_t length)
{
	put_varint(out, number << 3 | 2);
	put_varint(out, length);
	buffer_add(out, bytes, length);
}

static void put_string(struct buffer *out, uint32_t number, const char *string)
{
	put_bytes(out, number, string, strlen(string));
}

static void put_number(struct buffer *out, uint32_t number, uint64_t value)
{
	put_varint(out, number << 3);
	put_varint(out, value);
}

/* Appends inner as a field of out and empties it. */
static void put_message(struct buffer *out, uint32_t number, struct buffer *inner)
{
	put_bytes(out, number, buffer_string(inner), inner->length);
	buffer_finish(inner);
}

/* An entry of a map, at number 5 for signatures and 1 or 2 for tensors. */
static void put_entry(struct buffer *out, uint32_t number, const char *key, struct buffer *value)
{
	struct buffer entry = {0};

	put_string(&entry, 1, key);
	put_message(&entry, 2, value);
	put_message(out, number, &entry);
}

static struct saved_model *read_buffer(const struct buffer *bytes, struct err *err)
{
	struct memory_stream memory;
	struct saved_model *model = NULL;

	err->text[0] = '\0';
	(void)saved_model_read(memory_stream_init(&memory, bytes->data, bytes->length), NULL, &model, err);
	return model;
}

/* Makes the buffer the one meta graph of a model, and reads that. */
static struct saved_model *read_meta_graph(struct buffer *graph, struct err *err)
{
	AUTO_BUFFER struct buffer bytes = {0};

	put_message(&bytes, 2, graph);
	return read_buffer(&bytes, err);
}

static struct saved_model *read_text(const char *text, struct err *err)
{
	struct memory_stream memory;
	struct saved_model *model = NULL;

	err->text[0] = '\0';
	(void)saved_model_read_text(memory_stream_init(&memory, text, strlen(text)), NULL, &model, err);
	return model;
}

/* ---- Merging ---- */

static void merges_embedded_messages(void **state)
{
	struct buffer graph = {0};
	struct buffer inner = {0};
	struct err err;

	(void)state;
	put_string(&inner, 4, "b");
	put_string(&inner, 5, "1.0");
	put_message(&graph, 1, &inner);
	put_string(&inner, 4, "a");
	put_string(&inner, 5, "2.0");
	put_message(&graph, 1, &inner);

	AUTO_SAVED_MODEL struct saved_model *model = read_meta_graph(&graph, &err);
	assert_non_null(model);
	assert_int_equal(model->meta_graphs[0].tag_count, 2);
	assert_string_equal(model->meta_graphs[0].tags[0], "a");
	assert_string_equal(model->meta_graphs[0].tags[1], "b");
	assert_string_equal(model->meta_graphs[0].tensorflow_version, "2.0");
}

static void keeps_the_last_entry_of_a_map(void **state)
{
	struct buffer graph = {0};
	struct buffer value = {0};
	struct err err;

	(void)state;
	put_string(&value, 3, "first");
	put_entry(&graph, 5, "s", &value);
	put_string(&value, 3, "other");
	put_entry(&graph, 5, "a", &value);
	put_entry(&graph, 5, "s", &value);

	AUTO_SAVED_MODEL struct saved_model *model = read_meta_graph(&graph, &err);
	assert_non_null(model);
	assert_int_equal(model->meta_graphs[0].signature_count, 2);
	assert_string_equal(model->meta_graphs[0].signatures[0].method, "other");
	/* The last entry wins whole: its method is unset, not merged. */
	assert_string_equal(model->meta_graphs[0].signatures[1].method, "");
}

static void keeps_the_last_member_of_a_oneof(void **state)
{
	struct buffer graph = {0};
	struct buffer info = {0};
	struct buffer coo = {0};
	struct buffer signature = {0};
	struct err err;

	(void)state;
	put_string(&coo, 1, "v:0");
	put_message(&info, 4, &coo);
	put_string(&coo, 2, "i:0");
	put_message(&info, 4, &coo);
	put_entry(&signature, 1, "merged", &info);
	put_string(&coo, 1, "v:0");
	put_message(&info, 4, &coo);
	put_string(&info, 1, "x:0");
	put_string(&coo, 2, "i:0");
	put_message(&info, 4, &coo);
	put_entry(&signature, 1, "reset", &info);
	put_entry(&graph, 5, "s", &signature);

	AUTO_SAVED_MODEL struct saved_model *model = read_meta_graph(&graph, &err);
	assert_non_null(model);
	struct tensors *inputs = &model->meta_graphs[0].signatures[0].inputs;
	assert_int_equal(inputs->items[0].encoding, TENSOR_COO);
	assert_string_equal(inputs->items[0].values, "v:0");
	assert_string_equal(inputs->items[0].indices, "i:0");
	assert_string_equal(inputs->items[1].values, "");
	assert_string_equal(inputs->items[1].indices, "i:0");
}

static void leaves_out_the_init_signature(void **state)
{
	struct buffer graph = {0};
	struct buffer signature = {0};
	struct err err;

	(void)state;
	put_entry(&graph, 5, "__saved_model_init_op", &signature);
	AUTO_SAVED_MODEL struct saved_model *model = read_meta_graph(&graph, &err);
	assert_non_null(model);
	assert_int_equal(model->meta_graphs[0].signature_count, 0);
	assert_false(model->truncated);
}

/* ---- Refusals and limits ---- */

static void refuses_what_is_no_model(void **state)
{
	static const struct {
		const char *bytes;
		size_t length;
		const char *what;
	} cases[] = {
		{"", 0, "no meta graph"},
		{"\x08\x01", 2, "no meta graph"},
		{"\x12\x05", 2, "ends within a field"},
		{"\x1f\x8b\x08\x00", 4, "malformed"},
		{"\x12\x05\x0a\x03\x22\x01\xff", 7, "not UTF-8"},
		{"\x12\x06\x0a\x04\x22\x02\xc3\x28", 8, "not UTF-8"},
		{"\x12\x06\x0a\x04\x22\x02\x00\x61", 8, "contains a NUL"},
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		struct buffer bytes = {.data = (char *)cases[i].bytes, .length = cases[i].length};

		assert_null(read_buffer(&bytes, &err));
		assert_int_equal(err.code, ERR_INVALID_MODULE);
		if (!strstr(err.text, cases[i].what))
			fail_msg("case %zu: \"%s\" where \"%s\" belongs", i, err.text, cases[i].what);
	}
}

static void leaves_out_names_that_are_too_long(void **state)
{
	AUTO_FREE char *name = mem_zero(SAVED_MODEL_STRING_MAX + 2, 1);
	struct buffer graph = {0};
	struct buffer value = {0};
	struct err err;

	(void)state;
	memset(name, 'n', SAVED_MODEL_STRING_MAX + 1);
	put_string(&value, 4, name);
	put_string(&value, 4, "serve");
	put_message(&graph, 1, &value);
	put_entry(&graph, 5, name, &value);
	put_entry(&graph, 5, name + 1, &value);

	AUTO_SAVED_MODEL struct saved_model *model = read_meta_graph(&graph, &err);
	assert_non_null(model);
	assert_true(model->truncated);
	assert_int_equal(model->meta_graphs[0].tag_count, 1);
	assert_string_equal(model->meta_graphs[0].tags[0], "serve");
	assert_int_equal(model->meta_graphs[0].signature_count, 1);
	assert_string_equal(model->meta_graphs[0].signatures[0].name, name + 1);
}

/* What is listed is bounded, the rest counted. */
static void keeps_so_many_signatures(void **state)
{
	struct buffer graph = {0};
	struct buffer empty = {0};
	struct err err;
	char name[32];

	(void)state;
	for (int i = 1; i <= 100000; i++) {
		(void)snprintf(name, sizeof name, "s%06d", i);
		put_entry(&graph, 5, name, &empty);
	}
	AUTO_SAVED_MODEL struct saved_model *model = read_meta_graph(&graph, &err);
	assert_non_null(model);
	assert_true(model->truncated);
	assert_int_equal(model->counts.signatures, 100000);
	assert_in_range(model->meta_graphs[0].signature_count, 1000, 10000);
	assert_string_equal(model->meta_graphs[0].signatures[0].name, "s000001");
}

static void put_tags(struct buffer *graph, int count)
{
	struct buffer info = {0};

	for (int i = 0; i < count; i++)
		put_string(&info, 4, "t");
	put_message(graph, 1, &info);
}

static void put_inputs(struct buffer *graph, int count)
{
	struct buffer signature = {0};
	struct buffer tensor = {0};
	char name[32];

	for (int i = 0; i < count; i++) {
		(void)snprintf(name, sizeof name, "x%d", i);
		put_string(&tensor, 1, name);
		put_entry(&signature, 1, name, &tensor);
	}
	put_entry(graph, 5, "s", &signature);
}

/* A million of anything is counted, and what comes after it is as well. */
static void counts_what_it_does_not_keep(void **state)
{
	struct buffer graph = {0};
	struct err err;

	(void)state;
	put_tags(&graph, 1000000);
	put_inputs(&graph, 100000);
	AUTO_SAVED_MODEL struct saved_model *model = read_meta_graph(&graph, &err);
	assert_non_null(model);
	assert_true(model->truncated);
	assert_int_equal(model->counts.meta_graphs, 1);
	assert_int_equal(model->counts.tags, 1000000);
	assert_int_equal(model->counts.signatures, 1);
	assert_int_equal(model->counts.tensors, 100000);
}

static void put_shape(struct buffer *graph, int dimensions)
{
	struct buffer shape = {0};
	struct buffer tensor = {0};
	struct buffer signature = {0};

	for (int i = 0; i < dimensions; i++)
		put_string(&shape, 2, "");
	put_message(&tensor, 3, &shape);
	put_entry(&signature, 1, "x", &tensor);
	put_entry(graph, 5, "s", &signature);
}

static void refuses_more_dimensions_than_tensorflow_has(void **state)
{
	static const int good[] = {0, 1, 254};
	static const int bad[] = {255, 1000, 500000};
	struct err err;

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		struct buffer graph = {0};

		put_shape(&graph, good[i]);
		AUTO_SAVED_MODEL struct saved_model *model = read_meta_graph(&graph, &err);
		assert_non_null(model);
		assert_int_equal(model->meta_graphs[0].signatures[0].inputs.items[0].shape.rank, good[i]);
	}
	for (size_t i = 0; i < 3; i++) {
		struct buffer graph = {0};

		put_shape(&graph, bad[i]);
		assert_null(read_meta_graph(&graph, &err));
		assert_non_null(strstr(err.text, "254"));
	}
}

static void keeps_so_many_ops(void **state)
{
	struct buffer graph = {0};
	struct buffer graph_def = {0};
	struct buffer node = {0};
	struct err err;
	char name[32];

	(void)state;
	for (int i = 100000; i > 0; i--) {
		(void)snprintf(name, sizeof name, "Op%d", i);
		put_string(&node, 2, name);
		put_message(&graph_def, 1, &node);
	}
	put_message(&graph, 2, &graph_def);
	AUTO_SAVED_MODEL struct saved_model *model = read_meta_graph(&graph, &err);
	assert_non_null(model);
	assert_true(model->truncated);
	assert_in_range(model->meta_graphs[0].op_count, 1000, SAVED_MODEL_OPS_MAX);
	assert_int_equal(model->counts.nodes, 100000);
}

static void keeps_so_many_meta_graphs(void **state)
{
	AUTO_BUFFER struct buffer bytes = {0};
	struct err err;

	(void)state;
	for (int i = 0; i <= SAVED_MODEL_META_GRAPHS_MAX; i++)
		put_string(&bytes, 2, "");
	AUTO_SAVED_MODEL struct saved_model *model = read_buffer(&bytes, &err);
	assert_non_null(model);
	assert_true(model->truncated);
	assert_int_equal(model->meta_graph_count, SAVED_MODEL_META_GRAPHS_MAX);
}

/* One large concrete function that very many function objects name: the file is small, what it says is not.
 */
static void bounds_what_callables_repeat(void **state)
{
	enum { LEAVES = 2000, NAMES = 20000, CHILDREN = 1000 };
	struct buffer graph = {0};
	struct buffer objects = {0};
	struct buffer root = {0};
	struct buffer function = {0};
	struct buffer node = {0};
	struct buffer tuple = {0};
	struct buffer value = {0};
	struct buffer concrete = {0};
	struct err err;

	(void)state;
	for (int i = 0; i < CHILDREN; i++) {
		put_number(&node, 1, 1);
		put_string(&node, 2, "f");
		put_message(&root, 1, &node);
	}
	put_message(&objects, 1, &root);
	for (int i = 0; i < NAMES; i++)
		put_string(&function, 1, "c");
	put_message(&node, 6, &function);
	put_message(&objects, 1, &node);
	for (int i = 0; i < LEAVES; i++) {
		put_number(&value, 14, 1);
		put_message(&tuple, 1, &value);
	}
	put_message(&value, 52, &tuple);
	put_message(&concrete, 4, &value);
	put_entry(&objects, 2, "c", &concrete);
	put_message(&graph, 7, &objects);

	AUTO_SAVED_MODEL struct saved_model *model = read_meta_graph(&graph, &err);
	assert_non_null(model);
	assert_true(model->truncated);
	assert_int_equal(model->meta_graphs[0].callable_count, 1);
	assert_int_equal(model->meta_graphs[0].callables[0].outputs.count, LEAVES);
	assert_string_equal(model->meta_graphs[0].callables[0].outputs.items[7].name, "output_7");
	assert_string_equal(model->meta_graphs[0].callables[0].outputs.items[7].type, "True");
}

/* ---- Huge graphs, made while they are read ---- */

/* Gives a head, then one piece again and again, then a tail. */
struct long_stream {
	struct stream stream;
	const struct buffer *parts[3]; /* each is given times[i] times */
	int64_t times[3];
	int part;
};

static bool long_next(struct stream *stream, const uint8_t **data, size_t *length, struct err *err)
{
	struct long_stream *whole = (struct long_stream *)stream;

	(void)err;
	while (whole->part < 3 && whole->times[whole->part] == 0)
		whole->part++;
	*length = whole->part < 3 ? whole->parts[whole->part]->length : 0;
	if (*length > 0) {
		*data = (const uint8_t *)whole->parts[whole->part]->data;
		whole->times[whole->part]--;
	}
	return true;
}

static size_t varint_size(uint64_t value)
{
	size_t size = 1;

	while (value >>= 7)
		size++;
	return size;
}

/* A model with a constant of 300 MiB in a NodeDef's attribute, then the op. */
static void passes_a_huge_constant_through(void **state)
{
	enum { PIECE = 1 << 20, PIECES = 300 };
	const uint64_t constant = (uint64_t)PIECE * PIECES;
	const uint64_t attribute = 1 + varint_size(constant) + constant;
	const uint64_t node = 1 + varint_size(attribute) + attribute + 7; /* and the op */
	const uint64_t graph = 1 + varint_size(node) + node;
	const uint64_t meta_graph = 1 + varint_size(graph) + graph;
	AUTO_BUFFER struct buffer head = {0};
	AUTO_BUFFER struct buffer piece = {.data = mem_zero(PIECE, 1), .length = PIECE};
	AUTO_BUFFER struct buffer tail = {0};
	const struct {
		uint32_t number;
		uint64_t length;
	} opens[] = {{2, meta_graph}, {2, graph}, {1, node}, {5, attribute}, {8, constant}};
	struct long_stream whole = {{long_next}, {&head, &piece, &tail}, {1, PIECES, 1}, 0};
	struct saved_model *found = NULL;
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof opens / sizeof opens[0]; i++) {
		put_varint(&head, opens[i].number << 3 | 2);
		put_varint(&head, opens[i].length);
	}
	put_string(&tail, 2, "Const");
	assert_true(saved_model_read(&whole.stream, NULL, &found, &err));
	AUTO_SAVED_MODEL struct saved_model *model = found;
	assert_int_equal(model->meta_graphs[0].op_count, 1);
	assert_string_equal(model->meta_graphs[0].ops[0].op, "Const");
	assert_false(model->truncated);
}

/* Very many small nodes: counted, not kept. */
static void counts_very_many_nodes(void **state)
{
	enum { NODES = 2000000 };
	AUTO_BUFFER struct buffer head = {0};
	AUTO_BUFFER struct buffer nodes = {0};
	AUTO_BUFFER struct buffer none = {0};
	struct long_stream whole = {{long_next}, {&head, &nodes, &none}, {1, NODES, 0}, 0};
	struct saved_model *found = NULL;
	struct buffer node = {0};
	struct err err;

	(void)state;
	put_string(&node, 1, "a_node_with_some_name");
	put_string(&node, 2, "Identity");
	put_message(&nodes, 1, &node);
	put_varint(&head, 2 << 3 | 2);
	put_varint(&head, 1 + varint_size(nodes.length * NODES) + nodes.length * NODES);
	put_varint(&head, 2 << 3 | 2);
	put_varint(&head, nodes.length * NODES);
	assert_true(saved_model_read(&whole.stream, NULL, &found, &err));
	AUTO_SAVED_MODEL struct saved_model *model = found;
	assert_int_equal(model->meta_graphs[0].ops[0].count, NODES);
	assert_false(model->truncated);
}

static void refuses_endless_text(void **state)
{
	enum { PIECE = 1 << 20 };
	AUTO_BUFFER struct buffer head = {0};
	AUTO_BUFFER struct buffer piece = {.data = mem_zero(PIECE, 1), .length = PIECE};
	AUTO_BUFFER struct buffer tail = {0};
	struct long_stream whole = {{long_next}, {&head, &piece, &tail}, {1, 1000, 1}, 0};
	struct saved_model *model = NULL;
	struct err err;

	(void)state;
	buffer_add_string(&head, "meta_graphs { graph_def { node { op: \"Const\" attr { value: \"");
	memset(piece.data, 'x', PIECE);
	buffer_add_string(&tail, "\" } } } }");
	assert_false(saved_model_read_text(&whole.stream, NULL, &model, &err));
	assert_int_equal(err.code, ERR_INVALID_MODULE);
	assert_non_null(strstr(err.text, "256 MiB"));
}

/* ---- Text ---- */

static void reads_text_in_all_its_forms(void **state)
{
	struct err err;
	AUTO_SAVED_MODEL struct saved_model *model = read_text(
		"# a comment\n"
		"saved_model_schema_version: 0x10; unknown { deep < x: [1, -2.5e-3, {y: inf}] > }\n"
		"meta_graphs: < meta_info_def { tags: ['b', \"a\" 'c'] tensorflow_version: \"\\x31.\\060\" "
		"},\n"
		"  any_info { [type.googleapis.com/some.Type] { value: 1 } [ext.name]: - 7 }\n"
		"  signature_def { key: 'gr\\u00f6\\303\\237e' value { method_name: 'm'\n"
		"    inputs { key: 'x' value { name: 'x:0' dtype: DT_FLOAT_REF tensor_shape { dim { size: -1 "
		"} dim {} } } }\n"
		"    inputs { key: 'y' value { dtype: 77 tensor_shape { unknown_rank: true } } } } }\n"
		"  graph_def { node { op: 'Const' } node { op: 'Const' } }\n"
		">",
		&err);

	(void)state;
	if (!model)
		fail_msg("%s", err.text);
	const struct meta_graph *graph = &model->meta_graphs[0];
	const struct tensors *inputs = &graph->signatures[0].inputs;
	assert_true(model->is_text);
	assert_int_equal(model->schema_version, 16);
	assert_int_equal(graph->tag_count, 2);
	assert_string_equal(graph->tags[0], "ac");
	assert_string_equal(graph->tensorflow_version, "1.0");
	assert_string_equal(graph->signatures[0].name, "größe");
	assert_int_equal(inputs->items[0].dtype, 101);
	assert_int_equal(inputs->items[0].shape.rank, 2);
	assert_int_equal(inputs->items[0].shape.dimensions[0], -1);
	assert_int_equal(inputs->items[1].dtype, 77);
	assert_int_equal(inputs->items[1].shape.kind, SHAPE_UNKNOWN_RANK);
	assert_int_equal(graph->ops[0].count, 2);
}

static void refuses_malformed_text(void **state)
{
	static const struct {
		const char *text;
		const char *what;
	} cases[] = {
		{"meta_graphs {", "ends within a message"},
		{"meta_graphs {\n>", "line 2"},
		{"meta_graphs { } }", "name is missing"},
		{"meta_graphs 1", "colon is missing"},
		{"meta_graphs: 1", "not of its field's type"},
		{"meta_graphs: 'x'", "string stands"},
		{"saved_model_schema_version { }", "message stands"},
		{"saved_model_schema_version: x", "not of its field's type"},
		{"saved_model_schema_version: 9223372036854775808", "not of its field's type"},
		{"saved_model_schema_version: [1]", "list stands"},
		{"saved_model_schema_version:", "value is missing"},
		{"meta_graphs [{} {}]", "colon is missing"},
		{"meta_graphs: [{} {}]", "lacks a comma"},
		{"x: 'abc", "does not end in its line"},
		{"x: 'a\nb'", "does not end in its line"},
		{"x: '\\q'", "unknown escape"},
		{"x: '\\xg'", "lacks digits"},
		{"x: '\\ud800'", "stands for no character"},
		{"x: '\\777'", "stands for no byte"},
		{"[a {", "does not end"},
		{"[a", "does not end"},
		{"meta_graphs { meta_info_def { tags: '\\xff' } }", "not UTF-8"},
		{"meta_graphs { meta_info_def { tags: '\\0' } }", "NUL"},
		{"", "no meta graph"},
		{"# nothing", "no meta graph"},
	};
	struct err err;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_null(read_text(cases[i].text, &err));
		assert_int_equal(err.code, ERR_INVALID_MODULE);
		if (!strstr(err.text, cases[i].what))
			fail_msg("%s: \"%s\" where \"%s\" belongs", cases[i].text, err.text, cases[i].what);
	}
}

static void bounds_the_depth_of_text(void **state)
{
	AUTO_BUFFER struct buffer text = {0};
	struct err err;

	(void)state;
	for (int i = 0; i < 100000; i++)
		buffer_add_string(&text, "a{");
	assert_null(read_text(buffer_string(&text), &err));
	assert_non_null(strstr(err.text, "nested too deeply"));
}

/* ---- Types ---- */

static void names_types_as_python_does(void **state)
{
	static const struct {
		int64_t number;
		const char *name;
	} cases[] = {
		{0, "invalid"},
		{1, "float32"},
		{7, "string"},
		{14, "bfloat16"},
		{19, "float16"},
		{33, "float4_e2m1fn"},
		{34, "dtype_34"},
		{77, "dtype_77"},
		{101, "float32_ref"},
		{133, "float4_e2m1fn_ref"},
		{134, "dtype_134"},
		{100, "dtype_100"},
	};
	int64_t number;

	(void)state;
	for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		assert_string_equal(dtype_name(cases[i].number).text, cases[i].name);
		assert_true(dtype_parse(cases[i].name, &number));
		assert_int_equal(number, cases[i].number);
	}
	assert_false(dtype_parse("float", &number));
	assert_false(dtype_parse("invalid_ref", &number));
	assert_false(dtype_parse("dtype_x", &number));
	assert_string_equal(dtype_name(-1).text, "dtype_-1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(merges_embedded_messages),
		cmocka_unit_test(keeps_the_last_entry_of_a_map),
		cmocka_unit_test(keeps_the_last_member_of_a_oneof),
		cmocka_unit_test(leaves_out_the_init_signature),
		cmocka_unit_test(refuses_what_is_no_model),
		cmocka_unit_test(leaves_out_names_that_are_too_long),
		cmocka_unit_test(keeps_so_many_signatures),
		cmocka_unit_test(counts_what_it_does_not_keep),
		cmocka_unit_test(refuses_more_dimensions_than_tensorflow_has),
		cmocka_unit_test(keeps_so_many_ops),
		cmocka_unit_test(keeps_so_many_meta_graphs),
		cmocka_unit_test(bounds_what_callables_repeat),
		cmocka_unit_test(passes_a_huge_constant_through),
		cmocka_unit_test(counts_very_many_nodes),
		cmocka_unit_test(refuses_endless_text),
		cmocka_unit_test(reads_text_in_all_its_forms),
		cmocka_unit_test(refuses_malformed_text),
		cmocka_unit_test(bounds_the_depth_of_text),
		cmocka_unit_test(names_types_as_python_does),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

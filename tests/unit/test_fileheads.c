/* SPDX-License-Identifier: Apache-2.0
 *
 * What heads of safetensors, GGUF and ONNX files say, whole and in every broken form of it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "common/buffer.h"
#include "common/container.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/module/formats/fileheads.h"
#include "server/module/savedmodel/dtype.h"
#include "server/module/savedmodel/savedmodel.h"

/* ---- writing ---- */

static void add_le(struct buffer *out, uint64_t value, unsigned bytes)
{
	for (unsigned i = 0; i < bytes; i++)
		buffer_add(out, &(uint8_t){(uint8_t)(value >> 8 * i)}, 1);
}

static void add_safetensors(struct buffer *out, const char *json)
{
	add_le(out, strlen(json), 8);
	buffer_add_string(out, json);
	buffer_add(out, "weights", 7);
}

static void add_gguf_text(struct buffer *out, const char *text)
{
	add_le(out, strlen(text), 8);
	buffer_add_string(out, text);
}

static void add_gguf_tensor(
	struct buffer *out, const char *name, size_t rank, const uint64_t *sizes, unsigned type)
{
	add_gguf_text(out, name);
	add_le(out, rank, 4);
	for (size_t i = 0; i < rank; i++)
		add_le(out, sizes[i], 8);
	add_le(out, type, 4);
	add_le(out, 0, 8);
}

/* Metadata of every kind, and two tensors. */
static void add_gguf(struct buffer *out)
{
	static const unsigned sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};

	buffer_add_string(out, "GGUF");
	add_le(out, 3, 4);
	add_le(out, 2, 8);
	add_le(out, 15, 8);
	for (unsigned type = 0; type <= 12; type++) {
		if (sizes[type] == 0)
			continue;
		add_gguf_text(out, "k");
		add_le(out, type, 4);
		add_le(out, 1, sizes[type]);
	}
	add_gguf_text(out, "general.architecture");
	add_le(out, 8, 4);
	add_gguf_text(out, "llama");
	for (unsigned type = 4; type <= 8; type += 4) {
		add_gguf_text(out, "tokenizer.ggml.tokens");
		add_le(out, 9, 4);
		add_le(out, type, 4);
		add_le(out, 2, 8);
		for (int i = 0; i < 2; i++)
			type == 8 ? add_gguf_text(out, "tok") : add_le(out, 7, 4);
	}
	add_gguf_text(out, "nested");
	add_le(out, 9, 4);
	add_le(out, 9, 4);
	add_le(out, 1, 8);
	add_le(out, 0, 4);
	add_le(out, 3, 8);
	buffer_add(out, "abc", 3);
	add_gguf_tensor(out, "output.weight", 2, (const uint64_t[]){4096, 32000}, 14);
	add_gguf_tensor(out, "blk.0.attn_norm.weight", 1, (const uint64_t[]){4096}, 0);
}

static void add_varint(struct buffer *out, uint64_t value)
{
	for (; value >= 0x80; value >>= 7)
		buffer_add(out, &(uint8_t){(uint8_t)(value | 0x80)}, 1);
	buffer_add(out, &(uint8_t){(uint8_t)value}, 1);
}

static void add_number(struct buffer *out, unsigned field, uint64_t value)
{
	add_varint(out, field << 3);
	add_varint(out, value);
}

static void add_bytes(struct buffer *out, unsigned field, const void *bytes, size_t length)
{
	add_varint(out, field << 3 | 2);
	add_varint(out, length);
	buffer_add(out, bytes, length);
}

static void add_text(struct buffer *out, unsigned field, const char *text)
{
	add_bytes(out, field, text, strlen(text));
}

/* Moves the inner message into a field. */
static void add_message(struct buffer *out, unsigned field, struct buffer *inner)
{
	add_bytes(out, field, inner->data ? inner->data : "", inner->length);
	buffer_finish(inner);
	*inner = (struct buffer){0};
}

/* Of a dimension -1 has a name, and -2 nothing. */
static void add_value(struct buffer *out, unsigned field, const char *name, unsigned dtype, size_t rank,
	const int64_t *sizes)
{
	struct buffer value = {0}, type = {0}, tensor = {0}, shape = {0}, dimension = {0};

	for (size_t i = 0; i < rank; i++) {
		if (sizes[i] >= 0)
			add_number(&dimension, 1, (uint64_t)sizes[i]);
		else if (sizes[i] == -1)
			add_text(&dimension, 2, "batch");
		add_message(&shape, 1, &dimension);
	}
	add_number(&tensor, 1, dtype);
	if (sizes)
		add_message(&tensor, 2, &shape);
	add_message(&type, 1, &tensor);
	add_text(&value, 1, name);
	add_message(&value, 2, &type);
	add_message(out, field, &value);
}

static void add_onnx(struct buffer *out)
{
	struct buffer graph = {0}, inner = {0}, deep = {0};

	for (int i = 0; i < 3; i++) {
		add_text(&inner, 1, "x");
		add_text(&inner, 4, i < 2 ? "MatMul" : "Relu");
		add_message(&graph, 1, &inner);
	}
	add_text(&graph, 2, "main");
	add_number(&inner, 1, 8);
	add_text(&inner, 8, "w");
	add_text(&inner, 9, "raw weights");
	add_message(&graph, 5, &inner);
	add_value(&graph, 11, "x", 1, 3, (const int64_t[]){-1, 784, -2});
	add_value(&graph, 11, "w", 1, 1, (const int64_t[]){8});
	add_value(&graph, 11, "ids", 7, 0, (const int64_t[]){0});
	add_value(&graph, 12, "y", 16, 0, NULL);
	add_text(&deep, 4, "");
	add_text(&inner, 1, "list");
	add_message(&inner, 2, &deep);
	add_message(&graph, 12, &inner);
	add_number(out, 1, 8);
	add_text(out, 2, "pytorch");
	add_message(out, 7, &graph);
	add_text(&inner, 1, "");
	add_message(out, 8, &inner);
}

/* ---- reading, in pieces of any length ---- */

struct pieces {
	struct stream stream;
	const uint8_t *data;
	size_t left;
	size_t piece;
	bool fails; /* at its end */
};

static bool next_piece(struct stream *stream, const uint8_t **data, size_t *length, struct err *err)
{
	struct pieces *pieces = CONTAINER_OF(stream, struct pieces, stream);

	if (pieces->left == 0 && pieces->fails)
		return err_set(err, ERR_INTERNAL, "the disk");
	*data = pieces->data;
	*length = pieces->left < pieces->piece ? pieces->left : pieces->piece;
	pieces->data += *length;
	pieces->left -= *length;
	return true;
}

static bool read_as(struct fileheads *heads, const char *path, const void *data, size_t length, size_t piece,
	struct err *err)
{
	struct pieces pieces = {{.next = next_piece}, data, length, piece, false};

	return fileheads_read(heads, path, (int64_t)length, &pieces.stream, err);
}

/* "x:float32[-1,784];" */
static void tell(const struct tensors *tensors, struct buffer *out)
{
	for (size_t i = 0; i < tensors->count; i++) {
		const struct tensor *tensor = &tensors->items[i];

		buffer_printf(out, "%s:%s", tensor->name,
			tensor->encoding == TENSOR_COMPOSITE ? tensor->type : dtype_name(tensor->dtype).text);
		for (size_t d = 0; d < tensor->shape.rank; d++)
			buffer_printf(out, "%c%lld", d ? ',' : '[', (long long)tensor->shape.dimensions[d]);
		buffer_add_string(out, tensor->shape.rank > 0                     ? "]"
				       : tensor->shape.kind == SHAPE_KNOWN        ? "[]"
				       : tensor->shape.kind == SHAPE_UNKNOWN_RANK ? "?"
										  : "");
		buffer_add_string(out, ";");
	}
}

static void assert_signature(const struct signature *signature, const char *name, const char *method,
	const char *inputs, const char *outputs)
{
	AUTO_BUFFER struct buffer in = {0};
	AUTO_BUFFER struct buffer out = {0};

	tell(&signature->inputs, &in);
	tell(&signature->outputs, &out);
	assert_string_equal(signature->name, name);
	assert_string_equal(signature->method, method);
	assert_string_equal(buffer_string(&in), inputs);
	assert_string_equal(buffer_string(&out), outputs);
}

static const char plain_json[] =
	"{\"__metadata__\":{\"format\":\"pt\",\"shape\":\"[1]\"},"
	"\"b\":{\"dtype\":\"BF16\",\"shape\":[2,3],\"data_offsets\":[0,12]},"
	"\"a\":{\"shape\":[],\"dtype\":\"F8_E4M3\",\"data_offsets\":[12,13]},"
	"\"c\":{\"dtype\":\"NEW\",\"data_offsets\":[12,13],\"more\":{\"shape\":[7]}}}   ";

/* ---- tests ---- */

static void test_each_kind_in_pieces_of_any_length(void **state)
{
	(void)state;
	for (size_t piece = 1; piece < 64; piece += 1 + piece / 4) {
		AUTO(fileheads_finish) struct fileheads heads = {0};
		AUTO_BUFFER struct buffer safetensors = {0};
		AUTO_BUFFER struct buffer gguf = {0};
		AUTO_BUFFER struct buffer onnx = {0};
		struct saved_model *model;
		struct err err = {0};

		add_safetensors(&safetensors, plain_json);
		add_gguf(&gguf);
		add_onnx(&onnx);
		assert_true(read_as(&heads, "README.md", "text", 4, piece, &err));
		assert_true(read_as(
			&heads, "c/m.safetensors", safetensors.data, safetensors.length, piece, &err));
		assert_true(read_as(&heads, "b.GGUF", gguf.data, gguf.length, piece, &err));
		assert_true(read_as(&heads, "a.onnx", onnx.data, onnx.length, piece, &err));
		model = fileheads_take(&heads);
		assert_non_null(model);
		assert_int_equal(model->kind, MODEL_FILES);
		assert_false(model->truncated);
		assert_int_equal(model->meta_graphs[0].signature_count, 3);
		assert_signature(&model->meta_graphs[0].signatures[0], "a.onnx", "onnx",
			"x:float32[-1,784,-1];ids:int64[];", "y:bfloat16?;list:sequence;");
		assert_signature(&model->meta_graphs[0].signatures[1], "b.GGUF", "gguf", "",
			"blk.0.attn_norm.weight:float32[4096];output.weight:q6_k[4096,32000];");
		assert_signature(&model->meta_graphs[0].signatures[2], "c/m.safetensors", "safetensors", "",
			"a:float8_e4m3fn[];b:bfloat16[2,3];c:invalid;");
		assert_int_equal(model->meta_graphs[0].op_count, 2);
		assert_string_equal(model->meta_graphs[0].ops[0].op, "MatMul");
		assert_int_equal(model->meta_graphs[0].ops[0].count, 2);
		saved_model_destroy(model);
	}
}

static void test_nothing_is_listed_of_other_files(void **state)
{
	AUTO(fileheads_finish) struct fileheads heads = {0};
	static const char *const others[] = {"model.bin", "safetensors", "x.gguf.txt", "a.onnx/b", ""};
	struct err err = {0};

	(void)state;
	for (size_t i = 0; i < sizeof others / sizeof *others; i++)
		assert_true(read_as(&heads, others[i], "noise", 5, 5, &err));
	assert_null(fileheads_take(&heads));
}

static void assert_broken(const char *path, const void *data, size_t length)
{
	AUTO(fileheads_finish) struct fileheads heads = {0};
	struct err err = {0};

	assert_false(read_as(&heads, path, data, length, 7, &err));
	assert_int_equal(err.code, ERR_INVALID_MODULE);
	assert_null(fileheads_take(&heads));
}

static void test_every_cut_is_told(void **state)
{
	AUTO_BUFFER struct buffer safetensors = {0};
	AUTO_BUFFER struct buffer gguf = {0};

	(void)state;
	add_safetensors(&safetensors, plain_json);
	add_gguf(&gguf);
	for (size_t length = 0; length < safetensors.length - strlen("weights"); length++)
		assert_broken("m.safetensors", safetensors.data, length);
	for (size_t length = 0; length < gguf.length; length++)
		assert_broken("m.gguf", gguf.data, length);
	assert_broken("m.onnx", "", 0);
	assert_broken("m.onnx", "\x08\x08", 2);
	assert_broken("m.onnx", "\x3a\x7f", 2);
}

static void test_hostile_heads_of_safetensors(void **state)
{
	static const char *const texts[] = {"", " ", "[]", "7", "\"a\"", "{\"a\":7}", "{\"a\":[1]}",
		"{\"a\":{\"shape\":[1.5]}}", "{\"a\":{\"shape\":[-1]}}", "{\"a\":{\"shape\":[1e3]}}",
		"{\"a\":{\"shape\":[99999999999999999999]}}", "{\"a\":{\"shape\":[1]}", "{\"a\":{}}}",
		"{\"a\"}", "{\"a\":{\"x\":[[[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]]]}}", "{\"\xff\":{}}"};
	AUTO_FREE char *name = mem_zero(200001, 1);
	AUTO_FREE char *head = NULL;

	(void)state;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		AUTO_BUFFER struct buffer file = {0};

		add_safetensors(&file, texts[i]);
		assert_broken("m.safetensors", file.data, file.length);
	}
	for (size_t length = 5000; length <= 200000; length *= 40) {
		AUTO_BUFFER struct buffer file = {0};

		memset(name, 'n', length);
		head = (free(head), mem_printf("{\"%s\":{\"dtype\":\"F32\",\"shape\":[1]}}", name));
		add_safetensors(&file, head);
		assert_broken("m.safetensors", file.data, file.length);
	}
	assert_broken("m.safetensors", "\xff\xff\xff\xff\xff\xff\xff\xff{}", 10);
	assert_broken("m.safetensors", "\x00\xe1\xf5\x05\0\0\0\0{}", 10);
}

static void test_hostile_heads_of_gguf(void **state)
{
	(void)state;
	for (unsigned what = 0; what < 8; what++) {
		AUTO_BUFFER struct buffer file = {0};

		buffer_add_string(&file, what == 0 ? "GGML" : "GGUF");
		add_le(&file, what == 1 ? 4 : 3, 4);
		add_le(&file, what == 2 ? UINT64_MAX : 1, 8);
		add_le(&file, what == 3 ? UINT64_MAX : what >= 4 && what <= 6, 8);
		if (what >= 4 && what <= 6) {
			add_gguf_text(&file, "k");
			add_le(&file, what == 4 ? 13 : 9, 4);
			add_le(&file, what == 5 ? 12 : 9, 4);
			add_le(&file, UINT64_MAX / 4, 8);
		}
		add_gguf_tensor(
			&file, "t", what == 7 ? 1 : 2, (const uint64_t[]){what == 7 ? UINT64_MAX : 1, 1}, 0);
		assert_broken("m.gguf", file.data, file.length);
	}
}

static void test_a_stream_that_fails_is_no_fault_of_the_file(void **state)
{
	static const char *const paths[] = {"m.safetensors", "m.gguf", "m.onnx"};

	(void)state;
	for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
		AUTO(fileheads_finish) struct fileheads heads = {0};
		struct pieces pieces = {
			{.next = next_piece}, (const uint8_t *)"GGUF", i == 1 ? 4 : 0, 4, true};
		struct err err = {0};

		assert_false(fileheads_read(&heads, paths[i], 1000, &pieces.stream, &err));
		assert_int_equal(err.code, ERR_INTERNAL);
	}
}

/* What is listed is bounded, and says so. */
static void test_very_many_tensors(void **state)
{
	AUTO(fileheads_finish) struct fileheads heads = {0};
	AUTO_BUFFER struct buffer json = {0};
	AUTO_BUFFER struct buffer file = {0};
	struct saved_model *model;
	struct err err = {0};

	(void)state;
	for (int i = 0; i < 50000; i++)
		buffer_printf(&json, "%s\"layers.%d.weight\":{\"dtype\":\"F16\",\"shape\":[%d,64]}",
			i ? "," : "{", i, i);
	buffer_add_string(&json, "}");
	add_safetensors(&file, buffer_string(&json));
	assert_true(read_as(&heads, "m.safetensors", file.data, file.length, 70000, &err));
	model = fileheads_take(&heads);
	assert_true(model->truncated);
	assert_int_equal(model->counts.tensors, 50000);
	assert_int_equal(model->meta_graphs[0].signature_count, 1);
	assert_in_range(model->meta_graphs[0].signatures[0].outputs.count, 1000, 49999);
	saved_model_destroy(model);
}

/* A graph of inputs with this type, as the bytes of TypeProto. */
static void add_typed(struct buffer *out, const void *type, size_t length)
{
	struct buffer graph = {0}, value = {0};

	add_text(&value, 1, "x");
	add_bytes(&value, 2, type, length);
	add_message(&graph, 11, &value);
	add_message(out, 7, &graph);
}

static void test_types_of_onnx(void **state)
{
	static const struct {
		const char *type;
		size_t length;
		const char *inputs;
	} rows[] = {
		{"\x0a\x02\x08\x01", 4, "x:float32?;"},
		{"\x0a\x04\x08\x01\x08\x07", 6, "x:int64?;"},
		{"\x0a\x02\x08\x01\x0a\x02\x08\x07", 8, "x:int64?;"},
		{"\x0a\x04\x08\x01\x08\x7f", 6, "x:float32?;"},
		{"\x0a\x02\x08\x01\x20\x00", 6, "x:float32?;"}, /* a sequence is a message */
		{"\x0a\x02\x08\x01\x22\x00", 6, "x:sequence?;"},
		{"\x22\x00\x2a\x00", 4, "x:map;"},
		{"", 0, "x:invalid;"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		AUTO(fileheads_finish) struct fileheads heads = {0};
		AUTO_BUFFER struct buffer file = {0};
		AUTO_SAVED_MODEL struct saved_model *model = NULL;
		struct err err = {0};

		add_typed(&file, rows[i].type, rows[i].length);
		assert_true(read_as(&heads, "m.onnx", file.data, file.length, 3, &err));
		model = fileheads_take(&heads);
		assert_signature(&model->meta_graphs[0].signatures[0], "m.onnx", "onnx", rows[i].inputs, "");
	}
}

/* Each takes two bytes of the file. */
static void test_very_many_inputs_of_nothing(void **state)
{
	enum { MANY = 300000 };
	AUTO(fileheads_finish) struct fileheads heads = {0};
	AUTO_SAVED_MODEL struct saved_model *model = NULL;
	AUTO_BUFFER struct buffer file = {0};
	struct buffer graph = {0};
	struct err err = {0};

	(void)state;
	for (int i = 0; i < MANY; i++)
		buffer_add(&graph, "\x5a\x00", 2);
	add_message(&file, 7, &graph);
	assert_true(read_as(&heads, "m.onnx", file.data, file.length, 70000, &err));
	model = fileheads_take(&heads);
	assert_true(model->truncated);
	assert_int_equal(model->counts.tensors, MANY);
	assert_in_range(model->meta_graphs[0].signatures[0].inputs.count, 1000, MANY / 10);
}

/* ---- names ---- */

static void add_onnx_named(struct buffer *out, unsigned field, const void *name, size_t length)
{
	struct buffer graph = {0}, inner = {0};

	add_bytes(&inner, field == 1 ? 4 : field == 5 ? 8 : 1, name, length);
	add_message(&graph, field, &inner);
	add_message(out, 7, &graph);
}

static void add_gguf_named(struct buffer *out, const void *name, size_t length)
{
	buffer_add_string(out, "GGUF");
	add_le(out, 3, 4);
	add_le(out, 1, 8);
	add_le(out, 0, 8);
	add_le(out, length, 8);
	buffer_add(out, name, length);
	add_le(out, 0, 4);
	add_le(out, 0, 4);
	add_le(out, 0, 8);
}

/* What pages, JSON and the search show must be text. */
static void test_names_are_text(void **state)
{
	static const struct {
		const char *name;
		size_t length;
		bool is_text;
	} rows[] = {{"a.weight", 8, true}, {"\xc3\xa4\xf0\x9f\xa6\x80", 6, true}, {"<b>&\"'", 6, true},
		{"a\nb\x1b[31m", 8, true}, {"\xff", 1, false}, {"a\0b", 3, false}, {"\0", 1, false},
		{"\xed\xa0\x80", 3, false}, {"\xc0\xaf", 2, false}, {"a\xc3", 2, false},
		{"\xf4\x90\x80\x80", 4, false}};
	static const unsigned fields[] = {1, 5, 11, 12};

	(void)state;
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (size_t kind = 0; kind <= sizeof fields / sizeof *fields; kind++) {
			AUTO(fileheads_finish) struct fileheads heads = {0};
			AUTO_BUFFER struct buffer file = {0};
			struct err err = {0};

			if (kind == 0)
				add_gguf_named(&file, rows[i].name, rows[i].length);
			else
				add_onnx_named(&file, fields[kind - 1], rows[i].name, rows[i].length);
			if (read_as(&heads, kind == 0 ? "m.gguf" : "m.onnx", file.data, file.length, 3,
				    &err) != rows[i].is_text)
				fail_msg("name %zu, kind %zu: %s", i, kind, err.text);
			if (!rows[i].is_text)
				assert_null(fileheads_take(&heads));
		}
	}
}

static void test_names_of_safetensors_are_text(void **state)
{
	static const char *const broken[] = {"a\\u0000b", "\\u0000", "\\udc00", "\xff", "\xed\xa0\x80"};

	(void)state;
	for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
		AUTO_BUFFER struct buffer file = {0};
		AUTO_FREE char *json = mem_printf("{\"%s\":{\"dtype\":\"F32\",\"shape\":[]}}", broken[i]);

		add_safetensors(&file, json);
		assert_broken("m.safetensors", file.data, file.length);
	}
}

/* ---- several files ---- */

/* Very many tensors, operations and inputs of a file that is broken behind them take nothing from the files
 * behind it. */
static void test_a_broken_file_takes_no_room(void **state)
{
	AUTO(fileheads_finish) struct fileheads heads = {0};
	AUTO_SAVED_MODEL struct saved_model *model = NULL;
	AUTO_BUFFER struct buffer json = {0};
	AUTO_BUFFER struct buffer many = {0};
	AUTO_BUFFER struct buffer good = {0};
	AUTO_BUFFER struct buffer broken = {0};
	struct buffer graph = {0};
	struct err err = {0};

	(void)state;
	for (int i = 0; i < 50000; i++)
		buffer_printf(&json, "%s\"layers.%d.weight\":{\"dtype\":\"F16\",\"shape\":[%d,64]}",
			i ? "," : "{", i, i);
	add_safetensors(&many, buffer_string(&json));
	for (int i = 0; i < 5000; i++) {
		AUTO_FREE char *op = mem_printf("Op%d", i);
		struct buffer node = {0};

		add_text(&node, 4, op);
		add_message(&graph, 1, &node);
	}
	buffer_add(&graph, "\x0a\x7f", 2);
	add_message(&broken, 7, &graph);
	add_onnx(&good);
	for (int i = 0; i < 3; i++) {
		assert_false(read_as(&heads, "a.safetensors", many.data, many.length, 70000, &err));
		assert_false(read_as(&heads, "b.onnx", broken.data, broken.length, 70000, &err));
	}
	for (int i = 0; i < 3; i++)
		assert_true(read_as(&heads, "c.onnx", good.data, good.length, 70000, &err));
	model = fileheads_take(&heads);
	assert_false(model->truncated);
	assert_int_equal(model->counts.signatures, 3);
	assert_int_equal(model->counts.tensors, 12);
	assert_int_equal(model->counts.nodes, 9);
	assert_int_equal(model->meta_graphs[0].op_count, 2);
	assert_string_equal(model->meta_graphs[0].ops[0].op, "MatMul");
	assert_int_equal(model->meta_graphs[0].ops[0].count, 6);
	assert_signature(&model->meta_graphs[0].signatures[2], "c.onnx", "onnx",
		"x:float32[-1,784,-1];ids:int64[];", "y:bfloat16?;list:sequence;");
}

/* All of them share one room. */
static void test_very_many_files(void **state)
{
	AUTO(fileheads_finish) struct fileheads heads = {0};
	AUTO_SAVED_MODEL struct saved_model *model = NULL;
	AUTO_BUFFER struct buffer good = {0};
	struct err err = {0};

	(void)state;
	add_onnx(&good);
	for (int i = 0; i < 5000; i++) {
		AUTO_FREE char *path = mem_printf("%d.onnx", i);

		assert_true(read_as(&heads, path, good.data, good.length, 70000, &err));
	}
	model = fileheads_take(&heads);
	assert_true(model->truncated);
	assert_int_equal(model->meta_graphs[0].op_count, 2);
	assert_in_range(model->meta_graphs[0].signature_count, 100, 4999);
	assert_int_equal(model->counts.signatures, model->meta_graphs[0].signature_count);
	/* An initialized input that had no room is none that is left out. */
	assert_in_range(model->counts.tensors, 4 * model->counts.signatures, 5 * model->counts.signatures);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_kind_in_pieces_of_any_length),
		cmocka_unit_test(test_nothing_is_listed_of_other_files),
		cmocka_unit_test(test_every_cut_is_told),
		cmocka_unit_test(test_hostile_heads_of_safetensors),
		cmocka_unit_test(test_hostile_heads_of_gguf),
		cmocka_unit_test(test_a_stream_that_fails_is_no_fault_of_the_file),
		cmocka_unit_test(test_very_many_tensors),
		cmocka_unit_test(test_types_of_onnx),
		cmocka_unit_test(test_very_many_inputs_of_nothing),
		cmocka_unit_test(test_names_are_text),
		cmocka_unit_test(test_names_of_safetensors_are_text),
		cmocka_unit_test(test_a_broken_file_takes_no_room),
		cmocka_unit_test(test_very_many_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/module/archives/pack.h"
#include "server/module/examination.h"
#include "server/module/safety/safety_ops.h"
#include "server/module/safety/safety_policy.h"
#include "server/module/safety/safety_rules.h"
#include "server/module/safety/scan.h"
#include "tests/unit/tar_writer.h"
#include "tests/unit/tflite_writer.h"

static const char testdata[] = "../shared/testdata";
static const struct archive_limits usual = {
	.max_unpacked_bytes = 64 << 20, .max_members = 1000, .max_ratio = 200};

static struct examination *examine(const void *bytes, size_t length, enum format format)
{
	struct memory_stream memory;
	struct examination *examination = NULL;
	struct err err;

	if (!examination_run(memory_stream_init(&memory, bytes, length), format, &usual, &examination, &err))
		fail_msg("%s", err.text);
	return examination;
}

/* "rule where: detail\n" of each. */
static char *told(const struct safety_findings *findings)
{
	AUTO_BUFFER struct buffer out = {0};

	for (size_t i = 0; i < findings->count; i++)
		buffer_printf(&out, "%s %s: %s\n", safety_rules[findings->items[i].rule].name,
			findings->items[i].where, findings->items[i].detail);
	return buffer_take(&out);
}

/* ---- real models ---- */

static void expect_calm(const struct examination *examination, const char *name)
{
	AUTO_FREE char *all = told(&examination->safety);

	for (size_t i = 0; i < examination->safety.count; i++) {
		if (safety_rules[examination->safety.items[i].rule].severity > SAFETY_SEVERITY_INFO)
			fail_msg("%s:\n%s", name, all);
	}
}

static struct examination *examine_folder(const char *folder, enum format format)
{
	char path[] = "/tmp/test_safety_XXXXXX";
	AUTO_FD int fd = mkstemp(path);
	AUTO_BUFFER struct buffer packed = {0};
	struct err err;

	if (fd < 0 || !pack_folder(folder, PACK_LINKS_REFUSED, fd, NULL, &err) ||
		!file_read_all(path, 64 << 20, &packed, &err))
		fail_msg("%s", err.text);
	(void)unlink(path);
	return examine(packed.data, packed.length, format);
}

static struct examination *examine_file(const char *folder, enum format format)
{
	AUTO_BUFFER struct buffer bytes = {0};
	DIR *dir = opendir(folder);
	struct dirent *entry = NULL;
	struct err err;

	assert_non_null(dir);
	while ((entry = readdir(dir)) && entry->d_name[0] == '.')
		;
	assert_non_null(entry);
	AUTO_FREE char *path = mem_printf("%s/%s", folder, entry->d_name);
	(void)closedir(dir);
	if (!file_read_all(path, 64 << 20, &bytes, &err))
		fail_msg("%s", err.text);
	return examine(bytes.data, bytes.length, format);
}

static size_t examine_kind(const char *kind, enum format format)
{
	AUTO_FREE char *folder = mem_printf("%s/%s", testdata, kind);
	DIR *dir = opendir(folder);
	struct dirent *entry;
	size_t count = 0;

	if (!dir)
		skip();
	while ((entry = readdir(dir))) {
		AUTO_FREE char *path = mem_printf("%s/%s", folder, entry->d_name);

		if (entry->d_name[0] == '.')
			continue;
		AUTO_EXAMINATION struct examination *examination = formats[format].is_archive
									   ? examine_folder(path, format)
									   : examine_file(path, format);
		expect_calm(examination, path);
		count++;
	}
	(void)closedir(dir);
	return count;
}

static void finds_nothing_in_real_models(void **state)
{
	assert_true(examine_kind("savedmodel", FORMAT_TF_HUB) > 10);
	assert_true(examine_kind("tfjs", FORMAT_TFJS) > 3);
	assert_true(examine_kind("tflite", FORMAT_TFLITE) > 3);
}

/* ---- graphs ---- */

static void put_number(struct buffer *out, uint64_t value)
{
	while (value >= 0x80) {
		buffer_add(out, &(uint8_t){(uint8_t)(value | 0x80)}, 1);
		value >>= 7;
	}
	buffer_add(out, &(uint8_t){(uint8_t)value}, 1);
}

static void put_field(struct buffer *out, unsigned number, const void *bytes, size_t length)
{
	put_number(out, number << 3 | 2);
	put_number(out, length);
	buffer_add(out, bytes, length);
}

static void put_text(struct buffer *out, unsigned number, const char *text)
{
	put_field(out, number, text, strlen(text));
}

/* A node, within what is field number of the graph or the function. */
static void put_node(struct buffer *out, unsigned number, const char *name, const char *op,
	const char *attribute, const char *text)
{
	AUTO_BUFFER struct buffer node = {0};
	AUTO_BUFFER struct buffer entry = {0};
	AUTO_BUFFER struct buffer value = {0};
	AUTO_BUFFER struct buffer list = {0};

	put_text(&node, 1, name);
	put_text(&node, 2, op);
	if (attribute) {
		bool is_list = strcmp(attribute, "debug_urls") == 0;

		put_text(&list, 2, text);
		if (is_list)
			put_field(&value, 1, list.data, list.length);
		else
			put_text(&value, 2, text);
		put_text(&entry, 1, attribute);
		put_field(&entry, 2, value.data, value.length);
		put_field(&node, 5, entry.data, entry.length);
	}
	put_field(out, number, node.data, node.length);
}

/* The findings of a module whose model has this meta graph's fields. */
static struct examination *examine_meta_graph(const struct buffer *meta)
{
	AUTO_BUFFER struct buffer model = {0};
	AUTO_BUFFER struct buffer tar = {0};
	AUTO_BUFFER struct buffer packed = {0};

	buffer_add(&model, "\x08\x01", 2);
	put_field(&model, 2, meta->data, meta->length);
	(void)tar_member_bytes(&tar, "saved_model.pb", '0', model.data, model.length);
	tar_zeros(&tar, 2 * TAR_WRITER_BLOCK);
	gzip_bytes(tar.data, tar.length, &packed);
	return examine(packed.data, packed.length, FORMAT_TF_HUB);
}

enum within { IN_GRAPH, IN_FUNCTION, IN_UNNAMED_FUNCTION };

static char *told_of_node(
	enum within within, const char *name, const char *op, const char *attribute, const char *text)
{
	AUTO_BUFFER struct buffer graph = {0};
	AUTO_BUFFER struct buffer function = {0};
	AUTO_BUFFER struct buffer signature = {0};
	AUTO_BUFFER struct buffer library = {0};
	AUTO_BUFFER struct buffer meta = {0};

	if (within == IN_GRAPH) {
		put_node(&graph, 1, name, op, attribute, text);
	} else {
		put_node(&function, 3, "inner", op, attribute, text);
		put_text(&signature, 1, name);
		if (within == IN_FUNCTION)
			put_field(&function, 1, signature.data, signature.length);
		put_field(&library, 1, function.data, function.length);
		put_field(&graph, 2, library.data, library.length);
	}
	put_field(&meta, 2, graph.data, graph.length);
	AUTO_EXAMINATION struct examination *examination = examine_meta_graph(&meta);
	return told(&examination->safety);
}

static const struct node_row {
	enum safety_rule_id rule; /* SAFETY_RULE_COUNT: none */
	enum within within;
	const char *name;
	const char *op;
	const char *attribute;
	const char *text;
} node_rows[] = {
	{SAFETY_OP_FILE_READ, IN_GRAPH, "n", "ReadFile", NULL, NULL},
	{SAFETY_RULE_COUNT, IN_GRAPH, "ReadFile", "Identity", NULL, NULL},
	{SAFETY_OP_FILE_READ, IN_FUNCTION, "__inference_f_1", "TFRecordDatasetV2", NULL, NULL},
	{SAFETY_OP_FILE_READ, IN_GRAPH, "n", "DecodeProtoV2", "descriptor_source", "/etc/passwd"},
	{SAFETY_RULE_COUNT, IN_GRAPH, "n", "DecodeProtoV2", "descriptor_source", "bytes://\n\x01"},
	{SAFETY_RULE_COUNT, IN_GRAPH, "n", "DecodeProtoV2", "descriptor_source", "local://"},
	{SAFETY_OP_FILE_READ, IN_GRAPH, "n", "FixedUnigramCandidateSampler", "vocab_file", "/etc/shadow"},
	{SAFETY_RULE_COUNT, IN_GRAPH, "n", "FixedUnigramCandidateSampler", "vocab_file", ""},
	{SAFETY_OP_FILE_READ, IN_GRAPH, "n", "RestoreV2", NULL, NULL},
	{SAFETY_OP_FILE_WRITE, IN_GRAPH, "n", "WriteFile", NULL, NULL},
	{SAFETY_OP_FILE_WRITE, IN_FUNCTION, "__inference_f_1", "SaveV2", NULL, NULL},
	{SAFETY_OP_FILE_WRITE, IN_UNNAMED_FUNCTION, "", "SaveV2", NULL, NULL},
	{SAFETY_RULE_COUNT, IN_GRAPH, "n", "ShardedFilename", NULL, NULL},
	{SAFETY_OP_SAVER, IN_GRAPH, "save/SaveV2", "SaveV2", NULL, NULL},
	{SAFETY_OP_SAVER, IN_FUNCTION, "__inference__traced_save_17", "SaveV2", NULL, NULL},
	{SAFETY_OP_ASSET_READ, IN_GRAPH, "n", "InitializeTableFromTextFileV2", NULL, NULL},
	{SAFETY_RULE_COUNT, IN_GRAPH, "n", "InitializeTableV2", NULL, NULL},
	{SAFETY_OP_NETWORK, IN_GRAPH, "n", "DataServiceDatasetV4", NULL, NULL},
	{SAFETY_OP_NETWORK, IN_GRAPH, "n", "IO>KafkaReadableInit", NULL, NULL},
	{SAFETY_OP_NETWORK, IN_FUNCTION, "f", "Rpc", NULL, NULL},
	{SAFETY_RULE_COUNT, IN_GRAPH, "n", "OptimizeDatasetV2", NULL, NULL},
	{SAFETY_OP_REMOTE, IN_GRAPH, "n", "RemoteCall", NULL, NULL},
	{SAFETY_RULE_COUNT, IN_GRAPH, "n", "StatefulPartitionedCall", NULL, NULL},
	{SAFETY_OP_PYTHON, IN_FUNCTION, "f", "EagerPyFunc", NULL, NULL},
	{SAFETY_RULE_COUNT, IN_GRAPH, "PyFunc", "PartitionedCall", NULL, NULL},
	{SAFETY_OP_NATIVE_CODE, IN_GRAPH, "n", "TRTEngineOp", NULL, NULL},
	{SAFETY_RULE_COUNT, IN_GRAPH, "n", "XlaCallModule", NULL, NULL},
	{SAFETY_OP_HIDDEN_GRAPH, IN_GRAPH, "n", "DatasetFromGraph", NULL, NULL},
	{SAFETY_RULE_COUNT, IN_GRAPH, "n", "DatasetToGraphV2", NULL, NULL},
	{SAFETY_OP_SHARED_MEMORY, IN_GRAPH, "n", "ImmutableConst", "memory_region_name", "/etc/passwd"},
	{SAFETY_RULE_COUNT, IN_GRAPH, "n", "Const", "memory_region_name", "/etc/passwd"},
	{SAFETY_OP_PRINT_FILE, IN_FUNCTION, "f", "PrintV2", "output_stream", "file:///root/.bashrc"},
	{SAFETY_RULE_COUNT, IN_FUNCTION, "f", "PrintV2", "output_stream", "stderr"},
	{SAFETY_OP_DEBUG_URL, IN_GRAPH, "n", "DebugIdentityV2", "debug_urls", "grpc://10.0.0.1:1"},
	{SAFETY_RULE_COUNT, IN_GRAPH, "n", "DebugIdentityV2", NULL, NULL},
	{SAFETY_OP_ABORT, IN_GRAPH, "n", "Abort", NULL, NULL},
	{SAFETY_OP_FILE_READ, IN_GRAPH, "n", "Skipgram", NULL, NULL},
	{SAFETY_OP_FILE_WRITE, IN_GRAPH, "n", "DumpTensor", NULL, NULL},
	{SAFETY_OP_NETWORK, IN_FUNCTION, "f", "RpcCall", NULL, NULL},
	{SAFETY_RULE_COUNT, IN_GRAPH, "n", "Assert", NULL, NULL},
	{SAFETY_OP_CUSTOM, IN_GRAPH, "n", "ZeroOut", NULL, NULL},
	{SAFETY_RULE_COUNT, IN_GRAPH, "n", "ZerosLike", NULL, NULL},
	{SAFETY_OP_COMPANION, IN_FUNCTION, "f", "WordpieceTokenizeWithOffsets", NULL, NULL},
	{SAFETY_OP_COMPANION, IN_FUNCTION, "f", "TFText>FastWordpieceTokenizeWithOffsets", NULL, NULL},
};

static void judges_nodes(void **state)
{
	for (size_t i = 0; i < sizeof node_rows / sizeof *node_rows; i++) {
		const struct node_row *row = &node_rows[i];
		AUTO_FREE char *all =
			told_of_node(row->within, row->name, row->op, row->attribute, row->text);
		bool tells_text = row->rule < SAFETY_RULE_COUNT && row->attribute;
		AUTO_FREE char *wanted =
			row->rule == SAFETY_RULE_COUNT
				? mem_dup("")
				: mem_printf("%s saved_model.pb: %s%s%s%s%s\n", safety_rules[row->rule].name,
					  row->op, tells_text ? ", " : "", tells_text ? row->attribute : "",
					  tells_text ? " = " : "", tells_text ? row->text : "");

		assert_string_equal(all, wanted);
	}
}

/* In a function's node, an attribute that stands for what the function is called with. */
static char *told_of_placeholder(const char *op, const char *attribute)
{
	AUTO_BUFFER struct buffer value = {0};
	AUTO_BUFFER struct buffer entry = {0};
	AUTO_BUFFER struct buffer node = {0};
	AUTO_BUFFER struct buffer function = {0};
	AUTO_BUFFER struct buffer library = {0};
	AUTO_BUFFER struct buffer graph = {0};
	AUTO_BUFFER struct buffer meta = {0};

	put_text(&value, 9, "stderr");
	put_text(&entry, 1, attribute);
	put_field(&entry, 2, value.data, value.length);
	put_text(&node, 2, op);
	put_field(&node, 5, entry.data, entry.length);
	put_field(&function, 3, node.data, node.length);
	put_field(&library, 1, function.data, function.length);
	put_field(&graph, 2, library.data, library.length);
	put_field(&meta, 2, graph.data, graph.length);
	AUTO_EXAMINATION struct examination *examination = examine_meta_graph(&meta);
	return told(&examination->safety);
}

static void finds_attributes_that_callers_give(void **state)
{
	for (size_t i = 0; i < safety_op_count; i++) {
		const struct safety_op *op = &safety_ops[i];

		if (!op->attribute[0])
			continue;
		AUTO_FREE char *all = told_of_placeholder(op->name, op->attribute);
		AUTO_FREE char *wanted =
			mem_printf("%s saved_model.pb: %s, %s = what its function is called with\n",
				safety_rules[op->rule].name, op->name, op->attribute);

		assert_string_equal(all, wanted);
	}
	AUTO_FREE char *other = told_of_placeholder("PrintV2", "end");
	assert_string_equal(other, "");
}

/* Another attribute that a rule asks for does not stand in its way. */
static void looks_at_each_attribute(void **state)
{
	struct safety_values values = {0};

	safety_values_note(&values, "vocab_file", "x");
	safety_values_note(&values, "output_stream", "stderr");
	safety_values_note(&values, "output_stream", "file:///x");
	safety_values_note(&values, "output_stream", "stdout");
	safety_values_note(&values, "descriptor_source", "local://");
	AUTO(safety_findings_finish) struct safety_findings findings = {0};
	safety_ops_judge(
		&findings, "m", &(struct safety_node){.op = "PrintV2", .name = "n", .values = &values});
	AUTO_FREE char *all = told(&findings);
	assert_string_equal(all, "op-print-file m: PrintV2, output_stream = file:///x\n");
}

/* Nodes for which there is no room are told of, and those behind them. */
static void passes_over_no_node(void **state)
{
	AUTO_BUFFER struct buffer graph = {0};
	AUTO_BUFFER struct buffer meta = {0};
	AUTO_BUFFER struct buffer name = {0};

	for (size_t i = 0; i < 5000; i++)
		buffer_add(&name, "x", 1);
	buffer_add(&name, "", 1);
	put_node(&graph, 1, "n", name.data, NULL, NULL);
	for (int i = 0; i < 6000; i++) {
		AUTO_FREE char *op = mem_printf("Made%d", i);

		put_node(&graph, 1, "n", op, NULL, NULL);
	}
	put_node(&graph, 1, "n", "WriteFile", NULL, NULL);
	put_field(&meta, 2, graph.data, graph.length);
	AUTO_EXAMINATION struct examination *examination = examine_meta_graph(&meta);
	assert_true(safety_findings_has(&examination->safety, SAFETY_OP_HIDDEN_GRAPH));
	assert_true(safety_findings_has(&examination->safety, SAFETY_OP_FILE_WRITE));
	assert_true(examination->safety.count <= SAFETY_FINDINGS_MAX);
	assert_int_equal(examination->safety.items[0].rule, SAFETY_OP_FILE_WRITE);
}

static const char *const bad_assets[] = {
	"../vocab.txt", "/etc/passwd", "a/../../b", "..", "a\\b", "gs://b/v"};
static const char *const good_assets[] = {"vocab.txt", "a/..b", "a/b..", "..a"};

static char *told_of_asset(const char *name)
{
	AUTO_BUFFER struct buffer asset = {0};
	AUTO_BUFFER struct buffer meta = {0};

	put_text(&asset, 2, name);
	put_field(&meta, 6, asset.data, asset.length);
	AUTO_EXAMINATION struct examination *examination = examine_meta_graph(&meta);
	return told(&examination->safety);
}

static void finds_assets_outside(void **state)
{
	for (size_t i = 0; i < sizeof bad_assets / sizeof *bad_assets; i++) {
		AUTO_FREE char *all = told_of_asset(bad_assets[i]);
		AUTO_FREE char *wanted = mem_printf("asset-path saved_model.pb: %s\n", bad_assets[i]);

		assert_string_equal(all, wanted);
	}
	for (size_t i = 0; i < sizeof good_assets / sizeof *good_assets; i++) {
		AUTO_FREE char *all = told_of_asset(good_assets[i]);

		assert_string_equal(all, "");
	}
}

/* ---- files ---- */

#define BYTES(literal) literal, sizeof(literal) - 1

static const struct file_row {
	const char *name;
	const char *bytes;
	size_t length;
	const char *rules; /* of what is found, each with a blank before it */
} file_rows[] = {
	{"a/keras_metadata.pb", BYTES("\x0a\x20{\"class_name\": \"Lambda\", \"config\": {}}"),
		" keras-lambda"},
	{"config.json", BYTES("{\"class_name\" : \"\\u004cambda\"}"), " keras-lambda"},
	{"config.json", BYTES("{\"class_name\": \"__lambda__\", \"config\": {\"code\": \"4w==\"}}"),
		" keras-lambda"},
	{"m.pbtxt", BYTES("metadata: \"{\\\"class_name\\\": \\\"Lambda\\\"}\""), " keras-lambda"},
	{"m.pbtxt", BYTES("metadata: \"{\\\"class_name\\\": \\\"\\\\u004cambda\\\"}\""), " keras-lambda"},
	{"m.h5", BYTES("\x89HDF\r\n\x1a\n\0\0\"function_type\":\"lambda\""), " keras-lambda"},
	{"config.json", BYTES("{\"name\": \"Lambda\", \"class_name\": \"LambdaCallback\"}"), ""},
	{"config.json", BYTES("[\"class_name\", \"Lambda\"]"), ""},
	{"config.json", BYTES("{\"module\": \"os\", \"class_name\": \"Dense\"}"), " keras-import"},
	{"config.json", BYTES("{\"class_name\": \"Dense\", \"module\": \"os.path\"}"), " keras-import"},
	{"config.json", BYTES("{\"class_name\": \"function\", \"config\": \"eval\"}"), " keras-import"},
	{"m.h5", BYTES("{\"class_name\": \"TFOpLambda\", \"config\": {\"function\": \"io.write_file\"}}"),
		" keras-import"},
	{"config.json", BYTES("{\"module\": \"keras.layers\", \"class_name\": \"Dense\"}"), ""},
	{"config.json", BYTES("{\"class_name\": \"TFOpLambda\", \"config\": {\"function\": \"math.add\"}}"),
		""},
	{"package.json", BYTES("{\"module\": \"index\", \"name\": \"x\"}"), ""},
	{"notes.txt", BYTES("\"class_name\": \"Lambda\""), ""},
	{"keras_metadata.pb", BYTES("\x22\x0c\x5c{\"class_name\": \"Lambda\"}"), " keras-lambda"},
	{"m.h5", BYTES("\"\\u{\"class_name\": \"Lambda\"}"), " keras-lambda"},
	{"config.json", BYTES("{\"x\": \"a\\\\\", \"layers\": [{\"class_name\": \"Lambda\"}]}"),
		" keras-lambda"},
	{"config.json", BYTES("{\"x\": \"{\\u0022class_name\\u0022: \\u0022Lambda\\u0022}\"}"),
		" keras-lambda"},
	{"m.pbtxt", BYTES("metadata: \"{\\042class\\x5fname\\\":\\n\\\"\\114ambda\\042}\""), " keras-lambda"},
	{"config.json", BYTES("{\"class_name\": \"Lambda layers are not used\"}"), ""},
	{"config.json", BYTES("{\"a\": \"class_name\", \"b\": \"Lambda\"}"), ""},
	{"model.json", BYTES("{\"node\":[{\"op\":\"MyOp\"},{\"op\":\"_FusedConv2D\"}]}"), " tfjs-custom-op"},
	{"model.json", BYTES("{\"node\":[{\"name\":\"MyOp\",\"op\":\"Add\"},{\"op\":\"Prelu\"}]}"), ""},
	{"model.json", BYTES("{\"class_name\":\"MyLayer\",\"config\":{}}"), " tfjs-custom-layer"},
	{"model.json", BYTES("{\"class_name\":\"Dense\",\"config\":{\"name\":\"MyLayer\"}}"), ""},
	{"other.json", BYTES("{\"class_name\":\"MyLayer\",\"op\":\"MyOp\"}"), ""},
	{"w.pkl", BYTES("\x80\x02}q\0."), " pickle"},
	{"w.txt", BYTES("}q."), ""},
	{"w.pkl",
		BYTES("\x80\x02"
		      "cfoo.bar\nBaz\nq\0."),
		" pickle-import pickle"},
	{"w.pkl",
		BYTES("\x80\x02"
		      "ccollections\nOrderedDict\nq\0)Rq\1."),
		" pickle"},
	{"w.pkl", BYTES("\x80\x04\x8c\5posix\x94\x8c\6system\x94\x93\x94\x8c\2id\x94\x85\x94R\x94."),
		" pickle-danger pickle"},
	{"w.pkl", BYTES("\x80\x04\x8c\5posix\x94\x8c\6system\x94\x86\x94."), " pickle"},
	{"w.pkl",
		BYTES("\x80\x04\x8c\2os\x94"
		      "0\x8c\6system\x94"
		      "0h\0h\1\x93."),
		" pickle-danger pickle"},
	{"w.pkl", BYTES("\x80\x04S'o\\x73'\nS'system'\n\x93."), " pickle-danger pickle"},
	{"w.pt", BYTES("cos\nsystem\n(S'id'\ntR."), " pickle-danger pickle"},
	{"w.pt", BYTES("(ios\nsystem\n."), " pickle-danger pickle"},
	{"w.bin",
		BYTES("\x80\x02."
		      "\x80\x02"
		      "cos\nsystem\n."),
		" pickle-danger pickle"},
	{"w.bin",
		BYTES("\x80\x02"
		      "\x80\x02"
		      "cos\nsystem\n."),
		" pickle-danger pickle"},
	{"w.pkl",
		BYTES("\x80\x02"
		      "\x82\1."),
		" pickle-danger pickle"},
	{"w.pkl",
		BYTES("\x80\x02"
		      "cbuiltins\neval\n."),
		" pickle-danger pickle"},
	{"w.pkl",
		BYTES("\x80\x02"
		      "cbuiltins\nset\n."),
		" pickle"},
	{"w.bin",
		BYTES("\x80\x02"
		      "cos\nsystem\n\xff"),
		" pickle-danger pickle-unread"},
	{"w.pkl", BYTES("\x80\x02}\xff"), " pickle-unread"},
	{"w.pkl", BYTES("\x80\x02}"), " pickle-unread"},
	{"w.pkl", BYTES("\x80\x04\x8c\5torch\x8c\x09os.system\x93."), " pickle-danger pickle"},
	{"w.pkl", BYTES("\x80\x04\x8c\5torch\x8c\x08hub.load\x93."), " pickle-danger pickle"},
	{"w.pkl", BYTES("\x80\x04\x8c\5torch\x8c\x0fos.path.islink2\x93."), " pickle-danger pickle"},
	{"w.pkl",
		BYTES("\x80\x04\x8c\x08"
		      "datetime\x8c\x10__builtins__.get\x93."),
		" pickle-danger pickle"},
	{"w.pkl",
		BYTES("\x80\x04\x8c\x0b"
		      "collections\x8c\x0c__builtins__\x93."),
		" pickle-danger pickle"},
	{"w.pkl",
		BYTES("\x80\x04\x8c\x01m\x8c\x0b"
		      "a.b.c.d.e.f\x93."),
		" pickle-danger pickle"},
	{"w.pkl", BYTES("\x80\x04\x8c\x01m\x8c\x0bOuter.Inner\x93."), " pickle-import pickle"},
	{"w.pkl",
		BYTES("\x80\x04\x8c\x0b"
		      "collections\x8c\x15OrderedDict.__class__\x93."),
		" pickle-danger pickle"},
	{"w.pkl",
		BYTES("\x80\x04\x8c\x0b"
		      "collections\x8c\x14OrderedDict.fromkeys\x93."),
		" pickle-import pickle"},
	{"w.bin", BYTES("Np1_0\n0g10\n."), " pickle-danger pickle"},
	{"w.bin", BYTES("Np\x01\x02\n."), ""},
	{"weights",
		BYTES("\x80\1"
		      "cos\nsystem\n."),
		" pickle-danger pickle"},
	{"vocab.txt", BYTES("cos\nsystem\n(S'id'\ntR."), " pickle-danger pickle"},
	{"m.params", BYTES("(ios\nsystem\n."), " pickle-danger pickle"},
	{"m.params", BYTES("(dp0\nS'a'\ncos.path\njoin\ns."), " pickle-danger pickle"},
	{"vocab.txt", BYTES("cos\ncost\ncosta\ncot\ncotton\ncould\ncount\ndo\n"), ""},
	{"vocab.txt", BYTES("cos\nsystem\n.\nR\n"), ""},
	{"vocab.txt", BYTES("cos\nsystem\ncat\ndog\nRome\n"), ""},
	{"vocab.txt", BYTES("(ios\nsystem\nd\n"), " pickle-danger pickle-unread"},
	{"vocab.txt", BYTES("ios\nsystem\n."), ""},
	{"vocab.txt", BYTES("cos\nsystem\n(S'id'\ntR\n"), " pickle-danger pickle-unread"},
	{"vocab.txt", BYTES("cos\nsystem\n(S'id'\ntp1\n0g0_1\nR\n"),
		" pickle-danger pickle-danger pickle-unread"},
	{"vocab.txt", BYTES("cos\nsystem\n]VIw\naR\n"), " pickle-danger pickle-unread"},
	{"vocab.txt", BYTES("ccollections\nOrderedDict\n)R(S'id'\nios\nsystem\n\xff"),
		" pickle-danger pickle-unread"},
	{"vocab.txt", BYTES("cat\ndog\nice\n(none)\nnews\n"), ""},
	{"vocab.txt", BYTES("cat\nin\n.\nR\n"), ""},
	{"w.bin", BYTES("}\xff\x01\x02"), ""},
	{"w.bin", BYTES("c\x01\x02\n\x03\n"), ""},
	{"x.npy",
		BYTES("\x93NUMPY\1\0\x16\0{'descr': '|O', ...} \n\x80\x02"
		      "cos\nsystem\n."),
		" pickle-danger pickle"},
	{"x.npy",
		BYTES("\x93NUMPY\1\0\x3c\0{'descr': '<f4', 'fortran_order': False, 'shape': (3, 2), }  "
		      "\n\x80\x02"
		      "cos\nsystem\n."),
		""},
	{"run",
		BYTES("\x7f"
		      "ELF\2\1\1"),
		" file-executable"},
	{"run.so",
		BYTES("\x7f"
		      "elf\2\1\1"),
		""},
	{"a.exe", BYTES("MZ++++++++++++++++++++++++++++++++++++++++++++++++++++++++++\x40\0\0\0PE\0\0"),
		" file-executable"},
	{"a.txt",
		BYTES("MZ is how this text begins, which is longer than the head of a program of Windows "
		      "is."),
		""},
	{"lib.dylib", BYTES("\xcf\xfa\xed\xfe\7"), " file-executable"},
	{"install", BYTES("#!/bin/sh\nrm -r /\n"), " file-script"},
	{"install.ps1", BYTES("Remove-Item"), " file-script"},
	{"README", BYTES("# !/bin/sh is no script here\n"), ""},
	{"modeling.py", BYTES("import os\n"), " file-python"},
	{"modeling.pyx.txt", BYTES("import os\n"), ""},
	{"demo.ipynb", BYTES("{\"cells\": []}"), " file-notebook"},
	{"demo.ipynb.json", BYTES("{\"cells\": []}"), ""},
	{"saved_model.cpb", BYTES("\x0a\0"), " op-hidden-graph"},
	{"more.npz", BYTES("xxPK\3\4"), " zip-unread"},
	{"more.keras", BYTES("PK\5\6"), " zip-unread"},
	{"more.tgz", BYTES("\x1f\x8b\x08\0"), " file-archive"},
	{"more.zip", BYTES("PK\3\4 no zip"), " zip-unread file-archive"},
	{"more.tgz", BYTES("\x1f\x8c\x08\0"), ""},
	{"id_rsa",
		BYTES("-----BEGIN OPENSSH PRIVATE "
		      "KEY-----\nb3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAA\n"),
		" secret-key"},
	{"cert.pem", BYTES("-----BEGIN CERTIFICATE-----\nMIIBszCCAVmgAwIBAgIUPRIVATEKEYxxxxxxxxxxxxxxxxxx\n"),
		""},
	{"doc.md", BYTES("It begins with -----BEGIN RSA PRIVATE KEY-----."), ""},
	{".env", BYTES("AWS_ACCESS_KEY_ID=AKIAQWERTYUIOPASDFGH\n"), " secret-token"},
	{".env", BYTES("AWS_ACCESS_KEY_ID=AKIAIOSFODNN7EXAMPLE\nx=xAKIAQWERTYUIOPASDFGH\n"), ""},
	{"a.json", BYTES("{\"t\": \"hf_abcdefghijklmnopqrstuvwxyzABCDEFGH\"}"), " secret-token"},
	{"a.json", BYTES("{\"t\": \"hf_abcdefghijklmnopqrstuvwxyzABCDEFG\"}"), ""},
};

static char *rules_of(const struct safety_findings *findings)
{
	AUTO_BUFFER struct buffer out = {0};

	buffer_add_string(&out, "");
	for (size_t i = 0; i < findings->count; i++)
		buffer_printf(&out, " %s", safety_rules[findings->items[i].rule].name);
	return buffer_take(&out);
}

/* In pieces of this length. */
static char *scan_in_pieces(const struct file_row *row, size_t piece)
{
	AUTO(safety_findings_finish) struct safety_findings findings = {0};
	AUTO_SCAN struct scan *scan = scan_create(&findings, row->name);
	bool wants_more = true;

	for (size_t at = 0; at < row->length && wants_more; at += piece) {
		size_t left = row->length - at;

		wants_more = scan_feed(scan, (const uint8_t *)row->bytes + at, left < piece ? left : piece);
	}
	scan_end(scan);
	safety_findings_sort(&findings);
	return rules_of(&findings);
}

static void judges_files(void **state)
{
	for (size_t i = 0; i < sizeof file_rows / sizeof *file_rows; i++) {
		for (size_t piece = 1; piece <= 64; piece = piece == 1 ? 7 : 9 * piece) {
			AUTO_FREE char *found = scan_in_pieces(&file_rows[i], piece);

			if (strcmp(found, file_rows[i].rules) != 0)
				fail_msg("%s, row %zu: \"%s\", not \"%s\"", file_rows[i].name, i, found,
					file_rows[i].rules);
		}
	}
}

enum { WORDS = 5000, LISTS = 60 };

struct words {
	char *of[WORDS];
};

static unsigned next_of(unsigned *state, unsigned below)
{
	*state = *state * 1103515245 + 12345;
	return (*state >> 16) % below;
}

static char *make_word(unsigned *state)
{
	static const char *const syllables[] = {"co", "s", "ti", "system", "io", "ca", "re", "mo", "un",
		"ing", "ed", "in", "al", "os", "re", "na", "be", "do", "ge", "ty", "po", "pe", "to", "R", ".",
		"(", ")", "t", "I", "V", "N", "0", "1", "'", "é"};
	AUTO_BUFFER struct buffer word = {0};
	unsigned count = 1 + next_of(state, 4);

	for (unsigned i = 0; i < count; i++)
		buffer_add_string(&word, syllables[next_of(state, i == 0 ? 23 : 35)]);
	return buffer_take(&word);
}

static int by_bytes(const void *left, const void *right)
{
	return strcmp(*(char *const *)left, *(char *const *)right);
}

static void expect_no_pickle(const struct words *words, const char *first)
{
	AUTO_BUFFER struct buffer list = {0};

	buffer_add_string(&list, first);
	for (size_t i = 0; i < WORDS; i++)
		buffer_printf(&list, "%s\n", words->of[i]);
	AUTO_FREE char *found = scan_in_pieces(
		&(struct file_row){.name = "vocab.txt", .bytes = list.data, .length = list.length}, 4096);
	if (found[0])
		fail_msg("\"%s\" of %.100s", found, list.data);
}

/* As they come, and sorted; behind what reads as an import. */
static void takes_no_words_for_pickles(void **state)
{
	static const char *const firsts[] = {"", "cos\ncost\n", "cos\nsystem\n", "csys\nc\nios\nof\n"};
	unsigned random = 1;

	for (int list = 0; list < LISTS; list++) {
		struct words words;

		for (size_t i = 0; i < WORDS; i++)
			words.of[i] = make_word(&random);
		for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++)
			expect_no_pickle(&words, firsts[i]);
		qsort(words.of, WORDS, sizeof *words.of, by_bytes);
		for (size_t i = 0; i < sizeof firsts / sizeof *firsts; i++)
			expect_no_pickle(&words, firsts[i]);
		for (size_t i = 0; i < WORDS; i++)
			free(words.of[i]);
	}
}

/* ---- the rules ---- */

/* Those that need a whole archive or model have tests of their own, here and in tests/http. */
static void trips_each_rule(void **state)
{
	for (int rule = 0; rule < SAFETY_RULE_COUNT; rule++) {
		bool is_tripped = rule == SAFETY_ASSET_PATH || rule == SAFETY_TFJS_REMOTE ||
				  rule == SAFETY_TFLITE_CUSTOM_OP || rule == SAFETY_TFLITE_METADATA;

		for (size_t i = 0; i < sizeof node_rows / sizeof *node_rows; i++)
			is_tripped = is_tripped || (int)node_rows[i].rule == rule;
		for (size_t i = 0; i < sizeof file_rows / sizeof *file_rows; i++)
			is_tripped = is_tripped || strstr(file_rows[i].rules, safety_rules[rule].name);
		assert_true(is_tripped);
		assert_true(strlen(safety_rules[rule].meaning) > 20);
		assert_memory_equal(safety_rules[rule].reference, "https://", 8);
	}
}

static void knows_each_op_of_its_list(void **state)
{
	for (size_t i = 0; i < safety_op_count; i++) {
		const char *name = safety_ops[i].name;
		bool is_of_tensorflow = safety_ops[i].rule != SAFETY_OP_COMPANION && !strchr(name, '*') &&
					strncmp(name, "SimpleML", 8) != 0;

		assert_ptr_equal(safety_op_find(name), &safety_ops[i]);
		if (is_of_tensorflow)
			assert_true(safety_op_is_known(name));
	}
	assert_true(safety_op_name_count > 1500);
	assert_true(
		safety_op_is_known("Abs") && safety_op_is_known("ZipDataset") && safety_op_is_known("_Arg"));
	assert_false(safety_op_is_known("") || safety_op_is_known("Ab") || safety_op_is_known("ZipDatasets"));
}

static void ranks_findings(void **state)
{
	AUTO(safety_findings_finish) struct safety_findings findings = {0};

	for (int rule = 0; rule < SAFETY_RULE_COUNT; rule++) {
		for (int i = 0; i < 50; i++)
			safety_findings_add(&findings, (enum safety_rule_id)rule, "a\nb", "%d\xff", i);
	}
	safety_findings_sort(&findings);
	assert_int_equal(findings.count, SAFETY_FINDINGS_MAX);
	assert_int_equal(findings.items[0].rule, SAFETY_PICKLE_DANGER);
	assert_string_equal(findings.items[0].where, "a\\x0ab");
	assert_string_equal(findings.items[0].detail, "0\\xff");
	for (int rule = 0; rule < SAFETY_RULE_COUNT; rule++) {
		assert_true(safety_findings_has(&findings, (enum safety_rule_id)rule));
		assert_true(findings.of_rule[rule] > 0);
	}
	assert_int_equal(findings.of_rule[SAFETY_PICKLE_DANGER], SAFETY_FINDINGS_OF_RULE_MAX);
	assert_int_equal(findings.of_rule[SAFETY_OP_SAVER], 1);
}

static void fill_but_for(struct safety_findings *findings, int left_out)
{
	for (int rule = 0; rule < SAFETY_RULE_COUNT; rule++) {
		for (int i = 0; i < 50 && rule != left_out; i++)
			safety_findings_add(findings, (enum safety_rule_id)rule, "m", "%d", i);
	}
}

/* Whatever else there is, and whether it comes before or behind it. */
static void asks_the_policy_for_each_rule(void **state)
{
	for (int rule = 0; rule < 2 * SAFETY_RULE_COUNT; rule++) {
		enum safety_rule_id wanted = (enum safety_rule_id)(rule / 2);
		AUTO_FREE char *rules = mem_printf("%s:refuse", safety_rules[wanted].name);
		const struct safety_policy policy = {SAFETY_WARN, SAFETY_WARN, rules};
		AUTO(safety_findings_finish) struct safety_findings findings = {0};

		if (rule % 2)
			safety_findings_add(&findings, wanted, "m", "x");
		fill_but_for(&findings, rule / 2);
		assert_int_equal(safety_policy_judge(&policy, true, "a/b", &findings).action,
			rule % 2 ? SAFETY_REFUSE : SAFETY_WARN);
		safety_findings_add(&findings, wanted, "m", "x");
		safety_findings_sort(&findings);
		assert_int_equal(safety_policy_judge(&policy, true, "a/b", &findings).action, SAFETY_REFUSE);
	}
}

static const struct {
	const char *rules;
	const char *handle;
	bool is_published;
	enum safety_action action;
	const char *text;
} policy_rows[] = {
	{NULL, "a/b", true, SAFETY_REFUSE, "op-file-write (WriteFile, in m)"},
	{NULL, "a/b", false, SAFETY_QUARANTINE, "op-file-write (WriteFile, in m)"},
	{"op-file-write:warn", "a/b", true, SAFETY_WARN, "op-file-write (WriteFile, in m) and 1 more"},
	{"op-file-write:off", "a/b", true, SAFETY_WARN, "op-custom (MyOp, in m)"},
	{"op-*:off", "a/b", true, SAFETY_OFF, ""},
	{"op-*@c/*:off", "a/b", true, SAFETY_REFUSE, "op-file-write (WriteFile, in m)"},
	{"op-*@a/*:off, high:warn", "a/b", true, SAFETY_WARN, "op-file-write (WriteFile, in m)"},
	{"medium:refuse high:warn", "a/b", false, SAFETY_REFUSE, "op-custom (MyOp, in m)"},
};

static void goes_by_the_policy(void **state)
{
	AUTO(safety_findings_finish) struct safety_findings findings = {0};
	struct err err;

	safety_findings_add(&findings, SAFETY_OP_FILE_WRITE, "m", "WriteFile");
	safety_findings_add(&findings, SAFETY_OP_CUSTOM, "m", "MyOp");
	for (size_t i = 0; i < sizeof policy_rows / sizeof *policy_rows; i++) {
		const struct safety_policy policy = {
			SAFETY_REFUSE, SAFETY_QUARANTINE, (char *)policy_rows[i].rules};
		struct safety_judgement judgement = safety_policy_judge(
			&policy, policy_rows[i].is_published, policy_rows[i].handle, &findings);

		assert_true(!policy_rows[i].rules || safety_policy_check(policy_rows[i].rules, &err));
		assert_int_equal(judgement.action, policy_rows[i].action);
		assert_string_equal(judgement.text, policy_rows[i].text);
	}
	assert_false(safety_policy_check("op-file-write", &err));
	assert_false(safety_policy_check("op-file-write:maybe", &err));
	assert_false(safety_policy_check("none:warn", &err));
	assert_false(safety_policy_check("@a:warn", &err));
	assert_false(safety_policy_check("op-*@:warn", &err));
	assert_false(safety_policy_check("op-*@acme/tok/1:warn", &err));
	assert_false(safety_policy_check("op-*@https://tfhub.dev/google/*:warn", &err));
	assert_false(safety_policy_check("op-*@acme/[:warn", &err));
	assert_false(safety_policy_check("op-*@acme/*:refuse@x:off", &err));
	assert_non_null(strstr(err.text, "acme/*:refuse@x:off"));
	assert_true(safety_policy_check("op-*@acme/[a-c]*:warn, op-*@acme/v1:warn", &err));
}

/* ---- TensorFlow Lite and TF.js ---- */

static size_t flat_vector_of_one(struct buffer *out, size_t from)
{
	size_t element;

	flat_refer(out, from);
	flat_put(out, 1, 4);
	element = out->length;
	flat_put(out, 0, 4);
	return element;
}

static char *told_of_custom_op(const char *name)
{
	AUTO_BUFFER struct buffer out = {0};
	size_t model, code;

	flat_put(&out, 0, 4);
	buffer_add(&out, "TFL3", 4);
	model = flat_table_for(&out, 0, "44404");
	code = flat_table_for(&out, flat_vector_of_one(&out, flat_cell(&out, model, 1)), "44");
	flat_refer(&out, flat_cell(&out, code, 1));
	flat_put(&out, strlen(name), 4);
	buffer_add(&out, name, strlen(name) + 1);
	(void)flat_table_for(&out, flat_vector_of_one(&out, flat_cell(&out, model, 2)), "");
	(void)flat_table_for(&out, flat_vector_of_one(&out, flat_cell(&out, model, 4)), "");
	flat_align(&out);
	AUTO_EXAMINATION struct examination *examination = examine(out.data, out.length, FORMAT_TFLITE);
	assert_int_equal(examination->finding_count, 0);
	return told(&examination->safety);
}

static void judges_ops_of_tensorflow_lite(void **state)
{
	AUTO_FREE char *custom = told_of_custom_op("MyOp");
	AUTO_FREE char *flex = told_of_custom_op("FlexWriteFile");
	AUTO_FREE char *calm = told_of_custom_op("FlexAdd");
	AUTO_FREE char *brought = told_of_custom_op("TFLite_Detection_PostProcess");

	assert_string_equal(custom, "tflite-custom-op : MyOp\n");
	assert_string_equal(flex, "op-file-write : WriteFile\n");
	assert_string_equal(calm, "");
	assert_string_equal(brought, "op-companion : TFLite_Detection_PostProcess\n");
}

static char *told_of_shard(const char *path, const char *member)
{
	AUTO_FREE char *json = mem_printf("{\"modelTopology\":{},\"weightsManifest\":[{\"paths\":[\"%s\"],"
					  "\"weights\":[]}]}",
		path);
	AUTO_BUFFER struct buffer tar = {0};
	AUTO_BUFFER struct buffer packed = {0};

	(void)tar_member_bytes(&tar, "model.json", '0', json, strlen(json));
	(void)tar_member_bytes(&tar, member, '0', "", 0);
	tar_zeros(&tar, 2 * TAR_WRITER_BLOCK);
	gzip_bytes(tar.data, tar.length, &packed);
	AUTO_EXAMINATION struct examination *examination = examine(packed.data, packed.length, FORMAT_TFJS);
	assert_int_equal(examination_count(examination, SEVERITY_VIOLATION), 0);
	return told(&examination->safety);
}

static void finds_weights_from_elsewhere(void **state)
{
	AUTO_FREE char *url = told_of_shard("https://evil.example/w.bin", "https:/evil.example/w.bin");
	AUTO_FREE char *near = told_of_shard("https/evil.example/w.bin", "https/evil.example/w.bin");

	assert_string_equal(url, "tfjs-remote model.json: https://evil.example/w.bin\n");
	assert_string_equal(near, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_nothing_in_real_models),
		cmocka_unit_test(judges_nodes),
		cmocka_unit_test(looks_at_each_attribute),
		cmocka_unit_test(passes_over_no_node),
		cmocka_unit_test(finds_assets_outside),
		cmocka_unit_test(judges_files),
		cmocka_unit_test(takes_no_words_for_pickles),
		cmocka_unit_test(trips_each_rule),
		cmocka_unit_test(knows_each_op_of_its_list),
		cmocka_unit_test(ranks_findings),
		cmocka_unit_test(asks_the_policy_for_each_rule),
		cmocka_unit_test(finds_attributes_that_callers_give),
		cmocka_unit_test(goes_by_the_policy),
		cmocka_unit_test(judges_ops_of_tensorflow_lite),
		cmocka_unit_test(finds_weights_from_elsewhere),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <dirent.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/file.h"
#include "common/own.h"
#include "server/module/examination.h"
#include "server/module/violations.h"
#include "tests/unit/tar_writer.h"
#include "tests/unit/tflite_writer.h"

static const char testdata[] = "../shared/testdata";
static const struct archive_limits usual = {
	.max_unpacked_bytes = 64 << 20, .max_members = 1000, .max_ratio = 200};

/* The smallest model: one meta graph, empty. */
static const char model[] = "\x08\x01\x12\x00";
static const char model_text[] = "meta_graphs { }";

static struct examination *examine_bytes(
	const void *bytes, size_t length, enum format format, const struct archive_limits *limits)
{
	struct memory_stream memory;
	struct examination *examination = NULL;
	struct err err;

	if (!examination_run(memory_stream_init(&memory, bytes, length), format, limits, &examination, &err))
		fail_msg("%s", err.text);
	return examination;
}

static struct examination *examine_tar(
	const struct buffer *tar, enum format format, const struct archive_limits *limits)
{
	AUTO_BUFFER struct buffer packed = {0};

	gzip_bytes(tar->data, tar->length, &packed);
	return examine_bytes(packed.data, packed.length, format, limits);
}

/* "rule path\n" of each finding. */
static void list_findings(const struct examination *examination, struct buffer *out)
{
	buffer_add_string(out, "");
	for (size_t i = 0; i < examination->finding_count; i++) {
		const struct finding *finding = &examination->findings[i];

		buffer_printf(out, "%s %s\n", finding->rule, finding->path);
		assert_true(strlen(finding->message) > 10);
	}
}

static void write_model(struct buffer *tar)
{
	(void)tar_member_bytes(tar, "saved_model.pb", '0', model, sizeof model - 1);
}

/* A sound module with a member of its own: what most rows differ in. */
struct member_row {
	const char *name;
	char type;
	const char *findings;
};

static const struct member_row member_rows[] = {
	{"x", '0', ""},
	{"./x", '0', ""},
	{".hidden", '0', ""},
	{"a/.gitkeep", '0', ""},
	{"a//b/./c/", '5', ""},
	{"a/\xc3\xa4", '0', ""},
	{"", '0', "name-empty \n"},
	{"./", '5', ""},
	{".", '5', ""},
	{"/", '5', ""},
	{"//", '5', ""},
	{"", '5', ""},
	{"/", '0', "tar-broken \n"},
	{"/..", '5', "name-absolute /..\nname-traversal /..\n"},
	{"l", '1', "member-type l\n"},
	{"l", '2', "member-type l\n"},
	{"l", '3', "member-type l\n"},
	{"l", '6', "member-type l\n"},
	{"l", 'V', "member-type l\n"},
	{"a\\b", '0', "name-backslash a\\b\n"},
	{"\\x", '0', "name-backslash \\x\n"},
	{"C:\\x", '0', "name-backslash C:\\x\n"},
	{"a\\..\\..\\x", '0', "name-traversal a\\..\\..\\x\nname-backslash a\\..\\..\\x\n"},
	{"..\\x", '0', "name-traversal ..\\x\nname-backslash ..\\x\n"},
	{"../x", '0', "name-traversal ../x\n"},
	{"..", '5', "name-traversal ..\n"},
	{"a/..", '5', "name-traversal a/..\n"},
	{"a/../x", '0', "name-traversal a/../x\n"},
	{"..x", '0', "name-traversal ..x\n"},
	{"./..x", '0', "name-traversal ./..x\n"},
	{"a/..x", '0', ""},
	{"/x", '0', "name-absolute /x\n"},
	{"/../x", '0', "name-absolute /../x\nname-traversal /../x\n"},
	{"\xff", '0', "name-not-utf8 \\xff\n"},
	{"a\nb", '0', "name-control a\\x0ab\n"},
	{"a\x7f", '0', "name-control a\\x7f\n"},
	{"\xc2\x85", '0', "name-control \\xc2\\x85\n"},
	{"saved_model.pb", '0', "name-duplicate saved_model.pb\n"},
	{"./saved_model.pb", '0', "name-duplicate saved_model.pb\n"},
	{"k", '0', "name-repeated k\n"},
	{"./k", '0', "name-repeated k\n"},
	{"a", '5', ""},
	{"./a/", '5', ""},
	{"\xc3\xa4", '5', "name-duplicate \xc3\xa4\n"},
	{"a", '0', "name-duplicate a\n"},
	{"A", '5', "name-case-collision A\n"},
	{"A/x", '0', "name-case-collision A/x\nfolder-missing A\n"},
	{"Saved_Model.pb", '0', "name-case-collision Saved_Model.pb\n"},
	{"\xc3\x84", '0', "name-case-collision \xc3\x84\n"},
	{"\xd0\x96", '0', "name-case-collision \xd0\x96\n"},
	{"\xd4\xb1", '0', "name-case-collision \xd4\xb1\n"},
	{"\xe1\x8e\xa0", '0', ""},
	{"\xf0\x90\x90\x80", '0', "name-case-collision \xf0\x90\x90\x80\n"},
	{"\xe2\x84\xaa", '0', "name-case-collision \xe2\x84\xaa\n"},
	{"\xe1\xba\x9e", '0', "name-case-collision \xe1\xba\x9e\n"},
	{"ss", '0', ""},
	{"\xc8\xba", '0', "name-case-collision \xc8\xba\n"},
	{"saved_model.pb/x", '0', "name-under-file saved_model.pb/x\n"},
	{"new/x", '0', "folder-missing new\n"},
	{"a/new/x", '0', "folder-missing a/new\n"},
	{"new/deep", '5', ""},
};

static void test_judges_members(void **state)
{
	for (size_t i = 0; i < sizeof member_rows / sizeof *member_rows; i++) {
		AUTO_BUFFER struct buffer tar = {0};
		AUTO_BUFFER struct buffer findings = {0};

		write_model(&tar);
		(void)tar_folder(&tar, "a");
		(void)tar_file(&tar, "\xc3\xa4", "");
		(void)tar_file(&tar, "\xd0\xb6", "");
		(void)tar_file(&tar, "\xd5\xa1", "");         /* Armenian */
		(void)tar_file(&tar, "\xf0\x90\x90\xa8", ""); /* Deseret */
		(void)tar_file(&tar, "k", "");                /* as the sign of Kelvin is */
		(void)tar_file(&tar, "\xc3\x9f", "");         /* sharp s, of two sizes */
		(void)tar_file(&tar, "\xe2\xb1\xa5", "");     /* whose capital has a byte less */
		(void)tar_header(&tar, member_rows[i].name, member_rows[i].type, 0);
		tar_end(&tar);
		AUTO_EXAMINATION struct examination *examination = examine_tar(&tar, FORMAT_TF_HUB, &usual);
		list_findings(examination, &findings);
		if (strcmp(findings.data, member_rows[i].findings) != 0)
			fail_msg("row %zu, %s: %s", i, member_rows[i].name, findings.data);
		assert_non_null(examination->saved_model);
	}
}

static void write_long_segment(struct buffer *tar)
{
	char name[257] = "";

	memset(name, 'x', 256);
	write_model(tar);
	tar_pax(tar, 'x', "path", name);
	(void)tar_file(tar, "x", "");
	memset(name, 'y', 255);
	name[255] = '\0';
	tar_pax(tar, 'x', "path", name);
	(void)tar_file(tar, "y", "");
}

static void write_text_model(struct buffer *tar)
{
	(void)tar_file(tar, "saved_model.pbtxt", model_text);
}

static void write_both_models(struct buffer *tar)
{
	(void)tar_file(tar, "saved_model.pbtxt", "garbage {");
	write_model(tar);
}

static void write_broken_model(struct buffer *tar)
{
	(void)tar_file(tar, "saved_model.pb", "garbage");
	(void)tar_file(tar, "../x", "");
}

static void write_broken_text(struct buffer *tar)
{
	(void)tar_file(tar, "saved_model.pbtxt", "garbage {");
}

static void write_empty_model(struct buffer *tar)
{
	(void)tar_file(tar, "saved_model.pb", "");
}

static void write_broken_with_text(struct buffer *tar)
{
	write_text_model(tar);
	(void)tar_file(tar, "saved_model.pb", "garbage");
}

static void write_nothing(struct buffer *tar)
{
}

static void write_wrapped(struct buffer *tar)
{
	(void)tar_folder(tar, "module/");
	(void)tar_file(tar, "._module", "");
	(void)tar_file(tar, "module/saved_model.pb", model);
}

static void write_two_wrapped(struct buffer *tar)
{
	(void)tar_folder(tar, "one/");
	(void)tar_folder(tar, "two/");
	(void)tar_file(tar, "one/saved_model.pb", model);
	(void)tar_file(tar, "two/saved_model.pb", model);
}

static void write_too_deep(struct buffer *tar)
{
	(void)tar_folder(tar, "one/two");
	(void)tar_file(tar, "one/two/saved_model.pb", model);
}

static void write_tf1_hub(struct buffer *tar)
{
	(void)tar_file(tar, "tfhub_module.pb", "\x08\x03");
	write_model(tar);
}

static void write_tf1_hub_format(struct buffer *tar)
{
	write_model(tar);
	(void)tar_file(tar, "tfhub_module.pb", "\x08\x03\x12\x01x");
}

static void write_folder_late(struct buffer *tar)
{
	write_model(tar);
	(void)tar_file(tar, "variables/one", "");
	(void)tar_file(tar, "variables/two", "");
	(void)tar_folder(tar, "variables/");
}

static void write_implied_collision(struct buffer *tar)
{
	write_model(tar);
	(void)tar_file(tar, "Assets/x", "");
	(void)tar_file(tar, "assets/y", "");
}

static void write_implied_file(struct buffer *tar)
{
	write_model(tar);
	(void)tar_file(tar, "a/x", "");
	(void)tar_file(tar, "a", "");
}

static void write_repeated_model(struct buffer *tar)
{
	write_model(tar);
	(void)tar_file(tar, "x", "");
	write_model(tar);
	write_model(tar);
}

static void write_changed_model(struct buffer *tar)
{
	write_model(tar);
	(void)tar_member_bytes(tar, "./saved_model.pb", '0', "\x08\x02\x12\x00", 4);
}

static void write_repeated_large(struct buffer *tar)
{
	AUTO_FREE char *bytes = mem_zero(300000, 1);

	write_model(tar);
	memset(bytes, 'x', 300000);
	for (int i = 0; i < 2; i++)
		(void)tar_member_bytes(tar, "x", '0', bytes, 300000);
	(void)tar_member_bytes(tar, "y", '0', bytes, 300000);
	bytes[150000] = 'y';
	(void)tar_member_bytes(tar, "y", '0', bytes, 300000);
}

static void write_case_of_folders(struct buffer *tar)
{
	write_model(tar);
	(void)tar_folder(tar, "Assets");
	(void)tar_folder(tar, "assets");
	(void)tar_file(tar, "Assets/x", "");
	(void)tar_file(tar, "assets/x", "");
	(void)tar_file(tar, "assets/y", "");
}

static void write_lfs_pointers(struct buffer *tar)
{
	static const char pointer[] =
		"version https://git-lfs.github.com/spec/v1\n"
		"oid sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\n"
		"size 12345\n";

	(void)tar_file(tar, "saved_model.pb", pointer);
	(void)tar_folder(tar, "assets");
	(void)tar_file(tar, "assets/vocab", pointer);
	(void)tar_file(tar, "readme", "see https://git-lfs.github.com/spec/v1");
}

static void write_backslash_folder(struct buffer *tar)
{
	write_model(tar);
	(void)tar_file(tar, "variables\\variables.index", "");
	(void)tar_file(tar, "a\\b\\c", "");
}

static void write_sparse(struct buffer *tar)
{
	struct buffer records = {0};

	write_model(tar);
	pax_record(&records, "GNU.sparse.size", "100000");
	pax_record(&records, "GNU.sparse.map", "99995,5");
	pax_record(&records, "GNU.sparse.name", "sparse");
	(void)tar_member_bytes(tar, "pax", 'x', records.data, records.length);
	(void)tar_file(tar, "GNUSparseFile.0/sparse", "hello");
	buffer_finish(&records);
}

static void write_repeated_sparse(struct buffer *tar)
{
	write_sparse(tar);
	write_sparse(tar);
}

/* A plain file, then a sparse one, and the other way round. */
static void write_sparse_and_plain(struct buffer *tar)
{
	AUTO_FREE char *bytes = mem_zero(100000, 1);

	memcpy(bytes + 99995, "hello", 5);
	write_sparse(tar);
	(void)tar_member_bytes(tar, "sparse", '0', bytes, 100000);
}

static void write_plain_and_sparse(struct buffer *tar)
{
	AUTO_FREE char *bytes = mem_zero(100000, 1);

	memcpy(bytes + 99995, "hello", 5);
	(void)tar_member_bytes(tar, "sparse", '0', bytes, 100000);
	write_sparse(tar);
}

/* Of the same size and CRC: they differ by CRC-32's own polynomial. */
static void write_forged(struct buffer *tar)
{
	uint8_t bytes[600] = "content";

	(void)tar_member_bytes(tar, "x", '0', bytes, sizeof bytes);
	(void)tar_file(tar, "y", "between");
	for (size_t i = 0; i < 5; i++)
		bytes[100 + i] ^= "\x41\x06\x71\xdb\x01"[i];
	(void)tar_member_bytes(tar, "x", '0', bytes, sizeof bytes);
	(void)tar_file(tar, "y", "between");
	(void)tar_file(tar, "y", "changed");
}

static void write_padding(struct buffer *tar)
{
	write_model(tar);
	tar_zeros(tar, 20480);
}

static void write_bad_header(struct buffer *tar)
{
	(void)tar_file(tar, "../x", "");
	buffer_add_string(tar, "garbage");
	tar_zeros(tar, 512 - 7);
}

struct archive_row {
	const char *label;
	enum format format;
	void (*write)(struct buffer *tar);
	const char *findings;
};

static const struct archive_row archive_rows[] = {
	{"long segment", FORMAT_TF_HUB, write_long_segment, NULL},
	{"text", FORMAT_TF_HUB, write_text_model, "pbtxt-only saved_model.pbtxt\n"},
	{"both", FORMAT_TF_HUB, write_both_models, ""},
	{"broken", FORMAT_TF_HUB, write_broken_model,
		"name-traversal ../x\nsaved-model-broken saved_model.pb\n"},
	{"broken text", FORMAT_TF_HUB, write_broken_text, "saved-model-broken saved_model.pbtxt\n"},
	{"empty model", FORMAT_TF_HUB, write_empty_model, "saved-model-broken saved_model.pb\n"},
	{"broken, text", FORMAT_TF_HUB, write_broken_with_text, "saved-model-broken saved_model.pb\n"},
	{"nothing", FORMAT_TF_HUB, write_nothing, "saved-model-missing \n"},
	{"wrapped", FORMAT_TF_HUB, write_wrapped, "wrapper-folder module/saved_model.pb\n"},
	{"two wrapped", FORMAT_TF_HUB, write_two_wrapped, "saved-model-missing \n"},
	{"too deep", FORMAT_TF_HUB, write_too_deep, "wrapper-folder one/two/saved_model.pb\n"},
	{"tf1", FORMAT_TF_HUB, write_tf1_hub, ""},
	{"tf1 format", FORMAT_TF_HUB, write_tf1_hub_format, "tfhub-module-format tfhub_module.pb\n"},
	{"folder late", FORMAT_TF_HUB, write_folder_late, "folder-missing variables\n"},
	{"implied collision", FORMAT_TF_HUB, write_implied_collision,
		"folder-missing Assets\nname-case-collision assets/y\nfolder-missing assets\n"},
	{"implied file", FORMAT_TF_HUB, write_implied_file, "folder-missing a\nname-duplicate a\n"},
	{"padding", FORMAT_TF_HUB, write_padding, ""},
	{"repeated", FORMAT_TF_HUB, write_repeated_model,
		"name-repeated saved_model.pb\nname-repeated saved_model.pb\n"},
	{"changed", FORMAT_TF_HUB, write_changed_model, "name-duplicate saved_model.pb\n"},
	{"repeated, large", FORMAT_TF_HUB, write_repeated_large, "name-repeated x\nname-duplicate y\n"},
	{"case of folders", FORMAT_TF_HUB, write_case_of_folders,
		"name-case-collision assets\nname-case-collision assets/x\n"},
	{"LFS pointers", FORMAT_TF_HUB, write_lfs_pointers,
		"lfs-pointer saved_model.pb\nlfs-pointer assets/vocab\n"
		"saved-model-broken saved_model.pb\n"},
	{"backslashes", FORMAT_TF_HUB, write_backslash_folder,
		"name-backslash variables\\variables.index\nname-backslash a\\b\\c\n"},
	{"sparse", FORMAT_TF_HUB, write_sparse, "sparse-member sparse\n"},
	{"repeated sparse", FORMAT_TF_HUB, write_repeated_sparse,
		"sparse-member sparse\nname-repeated saved_model.pb\nsparse-member sparse\nname-duplicate "
		"sparse\n"},
	{"sparse, then plain", FORMAT_TF_HUB, write_sparse_and_plain,
		"sparse-member sparse\nname-duplicate sparse\n"},
	{"plain, then sparse", FORMAT_TF_HUB, write_plain_and_sparse,
		"sparse-member sparse\nname-duplicate sparse\n"},
	{"archive, sparse, then plain", FORMAT_ARCHIVE, write_sparse_and_plain,
		"sparse-member sparse\nname-duplicate sparse\n"},
	{"archive, plain, then sparse", FORMAT_ARCHIVE, write_plain_and_sparse,
		"sparse-member sparse\nname-duplicate sparse\n"},
	{"archive, same CRC", FORMAT_ARCHIVE, write_forged,
		"name-duplicate x\nname-repeated y\nname-duplicate y\n"},
	{"archive, repeated", FORMAT_ARCHIVE, write_repeated_model,
		"name-repeated saved_model.pb\nname-repeated saved_model.pb\n"},
	{"archive, changed", FORMAT_ARCHIVE, write_changed_model, "name-duplicate saved_model.pb\n"},
	{"archive, repeated, large", FORMAT_ARCHIVE, write_repeated_large,
		"name-repeated x\nname-duplicate y\n"},
	{"bad header", FORMAT_TF_HUB, write_bad_header, "name-traversal ../x\ntar-broken \n"},
	{"tfjs nothing", FORMAT_TFJS, write_model, "model-json-missing \n"},
};

static void test_judges_archives(void **state)
{
	for (size_t i = 0; i < sizeof archive_rows / sizeof *archive_rows; i++) {
		AUTO_BUFFER struct buffer tar = {0};
		AUTO_BUFFER struct buffer findings = {0};

		archive_rows[i].write(&tar);
		tar_end(&tar);
		AUTO_EXAMINATION struct examination *examination =
			examine_tar(&tar, archive_rows[i].format, &usual);
		list_findings(examination, &findings);
		if (archive_rows[i].findings && strcmp(findings.data, archive_rows[i].findings) != 0)
			fail_msg("%s: %s", archive_rows[i].label, findings.data);
		if (!archive_rows[i].findings)
			assert_non_null(strstr(findings.data, "name-too-long xxx"));
	}
}

static void test_tells_tf1_hub_apart(void **state)
{
	for (int tf1 = 0; tf1 < 2; tf1++) {
		AUTO_BUFFER struct buffer tar = {0};

		(tf1 ? write_tf1_hub : write_model)(&tar);
		tar_end(&tar);
		AUTO_EXAMINATION struct examination *examination = examine_tar(&tar, FORMAT_TF_HUB, &usual);
		assert_int_equal(examination->saved_model->tf1_hub, tf1);
		assert_false(examination->saved_model->is_text);
	}
}

static void test_says_what_may_be_published(void **state)
{
	AUTO_BUFFER struct buffer tar = {0};

	write_text_model(&tar);
	(void)tar_file(&tar, "a/b", "");
	(void)tar_file(&tar, "../c", "");
	tar_end(&tar);
	AUTO_EXAMINATION struct examination *examination = examine_tar(&tar, FORMAT_TF_HUB, &usual);
	assert_int_equal(examination_count(examination, SEVERITY_VIOLATION), 1);
	assert_int_equal(examination_count(examination, SEVERITY_WARNING), 2);
	for (size_t i = 0; i < examination->finding_count; i++)
		assert_int_equal(examination->findings[i].publishable,
			strcmp(examination->findings[i].rule, "pbtxt-only") == 0);
}

static void test_lists_members(void **state)
{
	AUTO_BUFFER struct buffer tar = {0};

	(void)tar_folder(&tar, "./");
	(void)tar_folder(&tar, "./assets/");
	(void)tar_file(&tar, "./assets/vocab.txt", "hello");
	write_model(&tar);
	tar_end(&tar);
	AUTO_EXAMINATION struct examination *examination = examine_tar(&tar, FORMAT_TF_HUB, &usual);
	assert_int_equal(examination->finding_count, 0);
	assert_int_equal(examination->member_count, 3);
	assert_int_equal(examination->file_count, 2);
	assert_int_equal(examination->unpacked_bytes, 5 + sizeof model - 1);
	assert_string_equal(examination->members[0].path, "assets");
	assert_true(examination->members[0].is_folder);
	assert_string_equal(examination->members[1].path, "assets/vocab.txt");
	assert_int_equal(examination->members[1].size_bytes, 5);
}

/* However many warnings there are, a violation behind them is told. */
static void test_keeps_violations_among_many_warnings(void **state)
{
	AUTO_BUFFER struct buffer tar = {0};

	for (int i = 0; i < 300; i++) {
		char name[32];

		(void)snprintf(name, sizeof name, "folder%d/x", i);
		(void)tar_file(&tar, name, "");
	}
	(void)tar_file(&tar, "../x", "");
	tar_end(&tar);
	AUTO_EXAMINATION struct examination *examination = examine_tar(&tar, FORMAT_TF_HUB, &usual);
	assert_int_equal(examination->finding_count, EXAMINATION_FINDINGS_MAX);
	assert_int_equal(examination_count(examination, SEVERITY_VIOLATION), 2);
}

/* A hundred findings with which an artifact may be published hide none with which it may not. */
static void test_keeps_what_refuses_among_many_that_do_not(void **state)
{
	for (int rule = 0; rule < RULE_COUNT; rule++) {
		AUTO_EXAMINATION struct examination *examination = mem_zero(1, sizeof *examination);
		bool refused = false;

		for (int i = 0; i < EXAMINATION_FINDINGS_MAX; i++)
			violations_add(examination, RULE_FILE_HEAD, "x.gguf", "It is empty.");
		violations_add(examination, (enum rule)rule, "y", "It is odd.");
		violations_add(examination, RULE_FILE_HEAD, "z.gguf", "It is empty.");
		assert_int_equal(examination->finding_count, EXAMINATION_FINDINGS_MAX);
		assert_true(examination_breaks(examination, (enum rule)rule));
		for (size_t i = 0; i < examination->finding_count; i++)
			refused = refused || !examination->findings[i].publishable;
		assert_int_equal(refused, rule != RULE_FILE_HEAD && rule != RULE_PBTXT_ONLY);
	}
}

/* Each takes the place of the least that there is. */
static void test_keeps_the_gravest_findings(void **state)
{
	AUTO_EXAMINATION struct examination *examination = mem_zero(1, sizeof *examination);

	for (int i = 0; i < EXAMINATION_FINDINGS_MAX; i++)
		violations_add(examination, i < 97 ? RULE_FILE_HEAD : RULE_FOLDER_MISSING, "x", "Odd.");
	for (int i = 0; i < 2 * EXAMINATION_FINDINGS_MAX; i++)
		violations_add(examination, i % 2 ? RULE_NAME_EMPTY : RULE_SPARSE_MEMBER, "y", "Odd.");
	assert_int_equal(examination_count(examination, SEVERITY_VIOLATION), EXAMINATION_FINDINGS_MAX);
	assert_true(examination_breaks(examination, RULE_SPARSE_MEMBER));
	assert_false(examination_breaks(examination, RULE_GZIP_EXTRA));
}

static void assert_only(const struct examination *examination, const char *rule)
{
	assert_int_equal(examination->finding_count, 1);
	assert_string_equal(examination->findings[0].rule, rule);
}

static void test_refuses_broken_gzip(void **state)
{
	AUTO_BUFFER struct buffer tar = {0};
	AUTO_BUFFER struct buffer packed = {0};
	size_t whole;

	write_model(&tar);
	tar_end(&tar);
	gzip_bytes(tar.data, tar.length, &packed);
	whole = packed.length;
	for (size_t length = 0; length < whole; length++) {
		AUTO_EXAMINATION struct examination *cut =
			examine_bytes(packed.data, length, FORMAT_TF_HUB, &usual);

		assert_only(cut, "gzip-broken");
	}
	packed.data[whole - 6] ^= 1;
	AUTO_EXAMINATION struct examination *flipped =
		examine_bytes(packed.data, whole, FORMAT_TF_HUB, &usual);
	assert_only(flipped, "gzip-broken");
	packed.data[whole - 6] ^= 1;
	gzip_bytes(tar.data, tar.length, &packed);
	AUTO_EXAMINATION struct examination *second =
		examine_bytes(packed.data, packed.length, FORMAT_TF_HUB, &usual);
	assert_only(second, "gzip-broken");
	AUTO_EXAMINATION struct examination *trailing =
		examine_bytes(packed.data, whole + 1, FORMAT_TF_HUB, &usual);
	assert_only(trailing, "gzip-broken");
	memset(packed.data + whole, 0, packed.length - whole);
	AUTO_EXAMINATION struct examination *zeros =
		examine_bytes(packed.data, packed.length, FORMAT_TF_HUB, &usual);
	assert_int_equal(zeros->finding_count, 0);
}

/* Where only its end is missing, it is whole for clients. */
static void test_refuses_every_truncated_tar(void **state)
{
	AUTO_BUFFER struct buffer tar = {0};
	size_t members;

	write_model(&tar);
	members = tar.length;
	tar_end(&tar);
	for (size_t length = 0; length < tar.length; length += 8) {
		struct buffer cut = {.data = tar.data, .length = length};
		AUTO_EXAMINATION struct examination *examination = examine_tar(&cut, FORMAT_TF_HUB, &usual);

		assert_string_equal(examination->findings[examination->finding_count - 1].rule,
			length < members ? "tar-broken" : "tar-end-missing");
		assert_int_equal(examination_count(examination, SEVERITY_VIOLATION), length < members);
	}
}

static void test_passes_failures_of_the_source_on(void **state)
{
	AUTO_BUFFER struct buffer tar = {0};
	AUTO_BUFFER struct buffer packed = {0};
	struct examination *examination = NULL;
	struct err err;

	write_model(&tar);
	tar_end(&tar);
	gzip_bytes(tar.data, tar.length, &packed);
	for (size_t length = 0; length <= packed.length; length++) {
		for (int format = 0; format < FORMAT_COUNT; format++) {
			struct trickle trickle;

			if (length > 0 && !formats[format].is_archive)
				continue;
			assert_false(examination_run(trickle_init(&trickle, packed.data, length, true),
				(enum format)format, &usual, &examination, &err));
			assert_int_equal(err.code, ERR_INTERNAL);
			assert_null(examination);
		}
	}
}

static void test_stops_bombs(void **state)
{
	enum { BOMB = 48 << 20 };
	AUTO_FREE char *zeros = mem_zero(BOMB, 1);
	AUTO_BUFFER struct buffer tar = {0};
	struct archive_limits small = {.max_unpacked_bytes = 1 << 20};

	write_model(&tar);
	(void)tar_member_bytes(&tar, "zeros", '0', zeros, BOMB);
	tar_end(&tar);
	AUTO_EXAMINATION struct examination *ratio = examine_tar(&tar, FORMAT_TF_HUB, &usual);
	assert_only(ratio, "bomb-ratio");
	AUTO_EXAMINATION struct examination *size = examine_tar(&tar, FORMAT_TF_HUB, &small);
	assert_only(size, "bomb-size");
	AUTO_EXAMINATION struct examination *none =
		examine_tar(&tar, FORMAT_TF_HUB, &(struct archive_limits){0});
	assert_int_equal(none->finding_count, 0);
}

/* A head of a file of very many tensors, all of them in a hole. */
static void write_sparse_gguf(struct buffer *tar)
{
	static const uint8_t head[24] = "GGUF\3\0\0\0\0\0\0\0\0\0\0\x10";
	struct buffer records = {0};

	pax_record(&records, "GNU.sparse.size", "67645734912");
	pax_record(&records, "GNU.sparse.map", "0,24");
	pax_record(&records, "GNU.sparse.name", "x.gguf");
	(void)tar_member_bytes(tar, "pax", 'x', records.data, records.length);
	(void)tar_member_bytes(tar, "GNUSparseFile.0/x.gguf", '0', head, sizeof head);
	buffer_finish(&records);
}

/* Holes are in no tar: nobody reads 63 GiB of zeros, also where no ratio bounds them. */
static void test_reads_no_sparse_files(void **state)
{
	const struct archive_limits limits = {.max_unpacked_bytes = 64LL << 30, .max_members = 1000};
	AUTO_BUFFER struct buffer tar = {0};
	AUTO_BUFFER struct buffer findings = {0};

	write_sparse_gguf(&tar);
	(void)tar_file(&tar, "plain", "x");
	tar_end(&tar);
	AUTO_EXAMINATION struct examination *examination = examine_tar(&tar, FORMAT_ARCHIVE, &limits);
	list_findings(examination, &findings);
	assert_string_equal(findings.data, "sparse-member x.gguf\n");
	assert_false(examination->members[0].has_sha256);
	assert_int_equal(examination->members[0].size_bytes, 67645734912);
	assert_true(examination->members[1].has_sha256);
}

static void test_stops_at_too_many_members(void **state)
{
	struct archive_limits limits = {.max_unpacked_bytes = 1 << 30, .max_members = 100};
	AUTO_BUFFER struct buffer tar = {0};

	for (int i = 0; i < 50000; i++) {
		char name[32];

		(void)snprintf(name, sizeof name, "x%d", i);
		(void)tar_file(&tar, name, "");
	}
	tar_end(&tar);
	AUTO_EXAMINATION struct examination *few = examine_tar(&tar, FORMAT_TF_HUB, &limits);
	assert_only(few, "too-many-members");
	assert_int_equal(few->member_count, 100);
	limits.max_members = 50000;
	AUTO_EXAMINATION struct examination *all = examine_tar(&tar, FORMAT_TF_HUB, &limits);
	assert_only(all, "saved-model-missing");
	assert_int_equal(all->file_count, 50000);
	assert_true(all->members_truncated && all->member_count > 10000);
	assert_string_equal(all->members[9999].path, "x9999");
}

/* Every name makes five hundred folders: the memory behind names is what ends it. */
static void test_bounds_the_memory_of_names(void **state)
{
	struct archive_limits limits = {0};
	AUTO_BUFFER struct buffer tar = {0};

	for (int i = 0; i < 400; i++) {
		char name[1000];
		int length = snprintf(name, sizeof name, "%d", i);

		while (length < 990)
			length += snprintf(name + length, sizeof name - (size_t)length, "/x");
		tar_pax(&tar, 'x', "path", name);
		(void)tar_file(&tar, "x", "");
	}
	tar_end(&tar);
	AUTO_EXAMINATION struct examination *examination = examine_tar(&tar, FORMAT_TF_HUB, &limits);
	assert_string_equal(examination->findings[examination->finding_count - 1].rule, "too-many-members");
}

/* Every spelling of one name in capitals and small letters: each is looked for behind all the others. */
static void test_bounds_names_that_are_alike(void **state)
{
	struct archive_limits limits = {0};
	AUTO_BUFFER struct buffer tar = {0};

	for (int i = 0; i < 4096; i++) {
		char name[] = "abcdefghijkl";

		for (int bit = 0; bit < 12; bit++)
			name[bit] = (char)(name[bit] - (i >> bit & 1 ? 'a' - 'A' : 0));
		(void)tar_file(&tar, name, "");
	}
	tar_end(&tar);
	AUTO_EXAMINATION struct examination *examination = examine_tar(&tar, FORMAT_TF_HUB, &limits);
	assert_string_equal(examination->findings[examination->finding_count - 1].rule, "too-many-members");
	assert_true(examination->member_count < 200);
}

struct tfjs_row {
	const char *json;
	const char *findings;
};

#define WEIGHTS(paths, weights) "{\"weightsManifest\":[{\"paths\":[" paths "],\"weights\":[" weights "]}]}"

/* Beside "a" with 4 bytes and "b/c" with 8. */
static const struct tfjs_row tfjs_rows[] = {
	{"{\"modelTopology\":{}}", ""},
	{"{\"modelTopology\":null}", ""},
	{WEIGHTS("\"a\"", "{\"shape\":[1],\"dtype\":\"float32\"}"), ""},
	{WEIGHTS("\"./a\"", "{\"shape\":[],\"dtype\":\"int32\"}"), ""},
	{WEIGHTS("\"a\",\"b/c\"",
		 "{\"shape\":[2,2],\"dtype\":\"bool\"},{\"shape\":[1],\"dtype\":\"complex64\"}"),
		""},
	{WEIGHTS("\"a\"", "{\"shape\":[2],\"dtype\":\"float32\",\"quantization\":{\"dtype\":\"uint16\"}}"),
		""},
	{WEIGHTS("\"a\"", "{\"shape\":[4],\"dtype\":\"float32\",\"quantization\":{\"dtype\":\"uint8\"}}"),
		""},
	{WEIGHTS("\"a\"", "{\"shape\":[9],\"dtype\":\"string\"}"), ""},
	{WEIGHTS("\"a\"", "{\"shape\":[2],\"dtype\":\"float32\"}"), "shard-size model.json\n"},
	{WEIGHTS("\"b/c\"", "{\"shape\":[1],\"dtype\":\"float32\"}"), "shard-size model.json\n"},
	{WEIGHTS("\"A\"", "{\"shape\":[1],\"dtype\":\"float32\"}"), "shard-missing A\n"},
	{WEIGHTS("\"b\"", "{\"shape\":[1],\"dtype\":\"float32\"}"), "shard-missing b\n"},
	{WEIGHTS("\"x\",\"a\",\"y\"", ""), "shard-missing x\nshard-missing y\n"},
	{WEIGHTS("\"/a\"", ""), "shard-missing /a\n"},
	{WEIGHTS("\"100%\",\"#1\",\"b/who?\"", ""), "shard-name 100%\nshard-name #1\nshard-name b/who?\n"},
	{WEIGHTS("\"../a\"", ""), "shard-missing ../a\n"},
	{WEIGHTS("\"a\"", "{\"shape\":[-1],\"dtype\":\"float32\"}"), "model-json-broken model.json\n"},
	{WEIGHTS("\"a\"", "{\"shape\":[4294967296,4294967296],\"dtype\":\"float32\"}"),
		"model-json-broken model.json\n"},
	{WEIGHTS("\"a\"", "{\"shape\":1,\"dtype\":\"float32\"}"), "model-json-broken model.json\n"},
	{WEIGHTS("\"a\"", "{\"shape\":[1]}"), "model-json-broken model.json\n"},
	{WEIGHTS("\"a\"", "7"), "model-json-broken model.json\n"},
	{WEIGHTS("7", ""), "model-json-broken model.json\n"},
	{"{\"weightsManifest\":7}", "model-json-broken model.json\n"},
	{"{\"weightsManifest\":[7]}", "model-json-broken model.json\n"},
	{"{\"weightsManifest\":[{\"paths\":[\"a\"]}]}", "model-json-broken model.json\n"},
	/* What JavaScript reads, and jansson does not. */
	{WEIGHTS("\"a\"", "{\"shape\":[1.0],\"dtype\":\"float32\"}"), ""},
	{WEIGHTS("\"a\"", "{\"shape\":[10e-1],\"dtype\":\"float32\"}"), ""},
	{WEIGHTS("\"\\u0061\"", "{\"shape\":[1],\"\\u0064type\":\"float32\"}"), ""},
	{"{\"modelTopology\":[1e400,-1e400,123456789012345678901234567890,\"\\u0000\",\"\\ud800\","
	 "\"\\udc00x\"]}",
		""},
	{"\xef\xbb\xbf{\"modelTopology\":{}}", ""},
	{"{\"modelTopology\":\"\xff\"}", ""},
	{"{\"modelTopology\":{},\"weightsManifest\":null}", ""},
	{"{\"weightsManifest\":[7],\"weightsManifest\":[]}", ""},
	{"{\"weightsManifest\":[{\"paths\":[\"x\"],\"paths\":[\"a\"],\"weights\":[{\"shape\":[9],\"shape\":["
	 "1],"
	 "\"dtype\":7,\"dtype\":\"int32\"}]}]}",
		""},
	{"{\"a\":{\"weightsManifest\":[7]},\"modelTopology\":{\"weightsManifest\":[7]}}", ""},
	{WEIGHTS("\"a\"", "{\"shape\":[1.5],\"dtype\":\"float32\"}"), "model-json-broken model.json\n"},
	{WEIGHTS("\"a\"", "{\"shape\":[1e400],\"dtype\":\"float32\"}"), "model-json-broken model.json\n"},
	{WEIGHTS("\"a\"", "{\"shape\":[\"1\"],\"dtype\":\"float32\"}"), "model-json-broken model.json\n"},
	{WEIGHTS("\"a\"", "{\"shape\":[[1]],\"dtype\":\"float32\"}"), "model-json-broken model.json\n"},
	{WEIGHTS("7,\"a\"", "{\"shape\":[1],\"dtype\":\"float32\"}"), "model-json-broken model.json\n"},
	{"{\"weightsManifest\":[{\"paths\":[7],\"weights\":[]}]}", "model-json-broken model.json\n"},
	{WEIGHTS("\"a\\u0000\"", ""), "shard-missing a\\x01\n"},
	{"{\"modelTopology\":{}}{}", "model-json-broken model.json\n"},
	{"{\"modelTopology\":NaN}", "model-json-broken model.json\n"},
	{"{\"modelTopology\":{},}", "model-json-broken model.json\n"},
	{"{}", "model-json-broken model.json\n"},
	{"[]", "model-json-broken model.json\n"},
	{"<html>", "model-json-broken model.json\n"},
	{"", "model-json-broken model.json\n"},
};

static void test_judges_tfjs(void **state)
{
	for (size_t i = 0; i < sizeof tfjs_rows / sizeof *tfjs_rows; i++) {
		AUTO_BUFFER struct buffer tar = {0};
		AUTO_BUFFER struct buffer findings = {0};

		(void)tar_file(&tar, "./model.json", tfjs_rows[i].json);
		(void)tar_folder(&tar, "b");
		(void)tar_file(&tar, "a", "1234");
		(void)tar_file(&tar, "b/c", "12345678");
		(void)tar_file(&tar, "100%", "");
		(void)tar_file(&tar, "#1", "");
		(void)tar_file(&tar, "b/who?", "");
		tar_end(&tar);
		AUTO_EXAMINATION struct examination *examination = examine_tar(&tar, FORMAT_TFJS, &usual);
		list_findings(examination, &findings);
		if (strcmp(findings.data, tfjs_rows[i].findings) != 0)
			fail_msg("%s: %s", tfjs_rows[i].json, findings.data);
		assert_null(examination->saved_model);
	}
}

/* A head, then a piece so often, then a tail. */
struct model_json_row {
	const char *head;
	const char *piece;
	int times;
	const char *tail;
	bool is_sound;
};

static const struct model_json_row model_json_rows[] = {
	{"", "[", 3 << 20, "", false},
	{"{\"modelTopology\":", "[", 3 << 20, "", false},
	{"{\"modelTopology\":[0", ",{}", 1 << 20, "]}", true},
	{"{\"modelTopology\":[0", ",\"\"", 4 << 20, "]}", true},
	{"{\"modelTopology\":[0", ",[[[[]]]]", 1 << 20, "]}", true},
	{"{\"modelTopology\":\"", "x", 400 << 10, "\"}", true},
	{"{\"modelTopology\":\"", "x", 1 << 20, "\"}", false},
	{"{\"modelTopology\":\"", "\\n", 1 << 20, "\"}", false},
	{"{\"modelTopology\":1", "0", 1 << 20, "}", false},
	{"{\"modelTopology\":{},\"", "k", 1 << 20, "\":1}", false},
	{"{\"weightsManifest\":[7", ",{}", 1 << 20, "]}", false},
	{"{\"weightsManifest\":[{\"paths\":[\"a\"", ",\"a\"", 1 << 20, "],\"weights\":[]}]}", false},
	{"{\"weightsManifest\":[{\"paths\":[],\"weights\":[{\"dtype\":\"string\",\"shape\":[1", ",1", 1 << 20,
		"]}]}]}", true},
};

static void test_bounds_model_json(void **state)
{
	for (size_t i = 0; i < sizeof model_json_rows / sizeof *model_json_rows; i++) {
		const struct model_json_row *row = &model_json_rows[i];
		AUTO_BUFFER struct buffer json = {0};
		AUTO_BUFFER struct buffer tar = {0};

		buffer_add_string(&json, row->head);
		for (int j = 0; j < row->times; j++)
			buffer_add_string(&json, row->piece);
		buffer_add_string(&json, row->tail);
		(void)tar_file(&tar, "model.json", buffer_string(&json));
		tar_end(&tar);
		AUTO_EXAMINATION struct examination *examination = examine_tar(&tar, FORMAT_TFJS, &usual);
		if (row->is_sound != (examination->finding_count == 0))
			fail_msg("row %zu", i);
	}
}

static void test_judges_tflite(void **state)
{
	AUTO_BUFFER struct buffer sound = {0};
	static const char noise[] = "\x1c\0\0\0TFL3 and so on";
	tflite_write(&sound, "and so on", 9);
	const struct {
		const char *bytes;
		size_t length;
		const char *rule;
		const char *message;
	} rows[] = {{sound.data, sound.length, NULL, NULL},
		{sound.data, sound.length - 1, "tflite-cut", "cut off"},
		{noise, sizeof noise, "tflite-cut", "byte 28"}, {noise, 8, "tflite-cut", "8 bytes"},
		{noise, 7, "tflite-magic", "TFL3"}, {noise, 0, "tflite-magic", "empty"},
		{"\x1f\x8b\x08\0\0\0\0\0", 8, "tflite-magic", "gzip"},
		{"<html><body>", 12, "tflite-magic", "TFL3"}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		for (int format = FORMAT_TFLITE; format <= FORMAT_CORAL; format++) {
			AUTO_EXAMINATION struct examination *examination =
				examine_bytes(rows[i].bytes, rows[i].length, (enum format)format, &usual);

			assert_int_equal(examination->file_count, 1);
			assert_int_equal(examination->unpacked_bytes, rows[i].length);
			if (!rows[i].rule) {
				assert_int_equal(examination->finding_count, 0);
				continue;
			}
			assert_only(examination, rows[i].rule);
			assert_non_null(strstr(examination->findings[0].message, rows[i].message));
		}
	}
	AUTO_EXAMINATION struct examination *large = examine_bytes(
		sound.data, sound.length, FORMAT_TFLITE, &(struct archive_limits){.max_unpacked_bytes = 10});
	assert_only(large, "bomb-size");
}

static void examine_file(const char *path, enum format format)
{
	AUTO_BUFFER struct buffer bytes = {0};
	AUTO_BUFFER struct buffer findings = {0};
	struct err err;

	if (!file_read_all(path, 64 << 20, &bytes, &err))
		fail_msg("%s", err.text);
	AUTO_EXAMINATION struct examination *examination =
		examine_bytes(bytes.data, bytes.length, format, &usual);
	list_findings(examination, &findings);
	if (findings.length > 0 && strcmp(findings.data, "pbtxt-only saved_model.pbtxt\n") != 0)
		fail_msg("%s: %s", path, findings.data);
	assert_non_null(examination->saved_model);
}

static void examine_folder(const char *folder, enum format format)
{
	char archive[] = "/tmp/larder-test-examination-XXXXXX";
	AUTO_FD int fd = mkstemp(archive);
	AUTO_FREE char *command =
		mem_printf("tar --sort=name --owner=0 -C '%s' -czf '%s' .", folder, archive);

	assert_int_equal(system(command), 0);
	examine_file(archive, format);
	(void)unlink(archive);
}

/* Calls visit for each entry of a folder under testdata; how many there were. */
static size_t each(const char *name, enum format format, void (*visit)(const char *path, enum format format))
{
	AUTO_FREE char *folder = mem_printf("%s/%s", testdata, name);
	DIR *entries = opendir(folder);
	size_t count = 0;

	if (!entries)
		return 0;
	for (struct dirent *entry = readdir(entries); entry; entry = readdir(entries)) {
		AUTO_FREE char *path = mem_printf("%s/%s", folder, entry->d_name);

		if (entry->d_name[0] == '.')
			continue;
		visit(path, format);
		count++;
	}
	(void)closedir(entries);
	return count;
}

static void examine_tflite_in(const char *folder, enum format format)
{
	AUTO_FREE char *name = mem_printf("tflite/%s", strrchr(folder, '/') + 1);

	assert_true(each(name, format, examine_file) > 0);
}

static void test_finds_nothing_wrong_with_real_models(void **state)
{
	if (access(testdata, R_OK) != 0) {
		print_message("%s is not there: skipped\n", testdata);
		skip();
	}
	assert_true(each("savedmodel", FORMAT_TF_HUB, examine_folder) > 10);
	assert_true(each("tfjs", FORMAT_TFJS, examine_folder) > 4);
	assert_true(each("archive/hub-half_plus_two_v1", FORMAT_TF_HUB, examine_file) > 0);
	assert_true(each("tflite", FORMAT_TFLITE, examine_tflite_in) > 4);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_judges_members),
		cmocka_unit_test(test_judges_archives),
		cmocka_unit_test(test_tells_tf1_hub_apart),
		cmocka_unit_test(test_says_what_may_be_published),
		cmocka_unit_test(test_lists_members),
		cmocka_unit_test(test_keeps_violations_among_many_warnings),
		cmocka_unit_test(test_keeps_what_refuses_among_many_that_do_not),
		cmocka_unit_test(test_keeps_the_gravest_findings),
		cmocka_unit_test(test_refuses_broken_gzip),
		cmocka_unit_test(test_refuses_every_truncated_tar),
		cmocka_unit_test(test_passes_failures_of_the_source_on),
		cmocka_unit_test(test_stops_bombs),
		cmocka_unit_test(test_reads_no_sparse_files),
		cmocka_unit_test(test_stops_at_too_many_members),
		cmocka_unit_test(test_bounds_the_memory_of_names),
		cmocka_unit_test(test_bounds_names_that_are_alike),
		cmocka_unit_test(test_judges_tfjs),
		cmocka_unit_test(test_bounds_model_json),
		cmocka_unit_test(test_judges_tflite),
		cmocka_unit_test(test_finds_nothing_wrong_with_real_models),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The contents of a bundle: what is written is read again, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/mem.h"
#include "server/bundle/contents.h"
#include "server/bundle/version_record.h"

static const struct bundle_header header = {.created_s = 1795867200, .name = "weekly", .server = "larder 9"};

static struct bundle_blob blob(const char *text)
{
	return (struct bundle_blob){digest_of(text, strlen(text)), (int64_t)strlen(text)};
}

static struct bundle_version version(const char *handle, int64_t number, size_t artifacts)
{
	struct bundle_version out = {.name = {.version = number},
		.source = SOURCE_MIRRORED,
		.state = STATE_ACTIVE,
		.manifest = blob("manifest"),
		.record = blob("record"),
		.artifact_count = artifacts};

	(void)snprintf(out.name.handle, sizeof out.name.handle, "%s", handle);
	for (size_t i = 0; i < artifacts; i++)
		out.artifacts[i] = (struct bundle_artifact){(enum format)i, blob("bytes")};
	return out;
}

/* Bytes in pieces of so many. */
struct trickle {
	struct stream stream;
	const uint8_t *data;
	size_t length;
	size_t piece;
};

static bool next_piece(struct stream *stream, const uint8_t **data, size_t *length, struct err *err)
{
	struct trickle *trickle = (struct trickle *)stream;

	*data = trickle->data;
	*length = trickle->length < trickle->piece ? trickle->length : trickle->piece;
	trickle->data += *length;
	trickle->length -= *length;
	return true;
}

/* Reads all of it; the number of lines behind the header, or -1 where it is refused. */
static int read_all(const char *text, size_t length, size_t piece, struct err *err)
{
	struct trickle trickle = {{next_piece, NULL}, (const uint8_t *)text, length, piece};
	struct contents_reader reader;
	bool more = true;
	int lines = 0;
	bool done = contents_open(&reader, &trickle.stream, err);

	while (done && more) {
		struct contents_line line = {0};

		done = contents_next(&reader, &line, &more, err);
		if (done)
			contents_line_finish(&line);
		lines += more;
	}
	contents_close(&reader);
	return done ? lines : -1;
}

static void refuse(const char *text, const char *words)
{
	struct err err = {0};

	assert_int_equal(read_all(text, strlen(text), 4096, &err), -1);
	if (!strstr(err.text, words))
		fail_msg("\"%s\" has not \"%s\"", err.text, words);
	assert_non_null(strstr(err.text, "the contents"));
}

static void write_sample(struct buffer *out)
{
	struct bundle_version some[] = {version("acme/a", 1, 4), version("acme/a", 2, 0),
		version("acme/b", 1, 1), version("z/a", 9, 2)};

	some[1].state = STATE_WITHDRAWN;
	contents_write_header(&header, out);
	for (size_t i = 0; i < sizeof some / sizeof *some; i++)
		contents_write_version(&some[i], out);
	contents_write_page(CONTENTS_PUBLISHER, "acme", "# Publisher acme\nA \"quoted\"\tname\n", out);
	contents_write_page(CONTENTS_PUBLISHER, "z", "# Publisher z\n\x01\xc3\xa4", out);
	contents_write_page(CONTENTS_COLLECTION, "acme/all", "# Collection acme/all/1\n", out);
}

static void what_is_written_is_read_again(void **state)
{
	AUTO_BUFFER struct buffer text = {0};
	struct memory_stream memory;
	struct contents_reader reader;
	struct contents_line line;
	struct err err;
	bool more;

	write_sample(&text);
	assert_true(contents_open(&reader, memory_stream_init(&memory, text.data, text.length), &err));
	assert_int_equal(reader.header.created_s, header.created_s);
	assert_int_equal(reader.header.since_s, 0);
	assert_string_equal(reader.header.name, "weekly");
	assert_true(contents_next(&reader, &line, &more, &err));
	assert_true(more);
	assert_int_equal(line.kind, CONTENTS_VERSION);
	assert_string_equal(line.version.name.handle, "acme/a");
	assert_int_equal(line.version.artifact_count, 4);
	assert_int_equal(line.version.artifacts[3].format, FORMAT_CORAL);
	assert_int_equal(line.version.artifacts[3].blob.size_bytes, 5);
	assert_string_equal(line.version.record.digest.hex, blob("record").digest.hex);
	contents_line_finish(&line);
	for (int i = 0; i < 4; i++) {
		assert_true(contents_next(&reader, &line, &more, &err));
		assert_true(more);
		if (i < 3)
			contents_line_finish(&line);
	}
	assert_int_equal(line.kind, CONTENTS_PUBLISHER);
	assert_string_equal(line.page.markdown, "# Publisher acme\nA \"quoted\"\tname\n");
	contents_line_finish(&line);
	contents_close(&reader);
}

static void pieces_do_not_matter(void **state)
{
	AUTO_BUFFER struct buffer text = {0};
	struct err err;

	write_sample(&text);
	for (size_t piece = 1; piece < 300; piece += 7)
		assert_int_equal(read_all(text.data, text.length, piece, &err), 7);
}

/* Of each place where it can end, only ends of lines are whole. */
static void what_is_cut_off_is_refused(void **state)
{
	AUTO_BUFFER struct buffer text = {0};
	struct err err;

	write_sample(&text);
	for (size_t length = 0; length < text.length; length++) {
		int lines = read_all(text.data, length, 512, &err);

		assert_true(length > 0 && text.data[length - 1] == '\n' ? lines >= 0 : lines == -1);
	}
}

static void order_is_kept(void **state)
{
	static const struct {
		const char *first;
		int64_t first_version;
		const char *second;
		int64_t second_version;
	} rows[] = {{"a/b", 1, "a/b", 1}, {"a/b", 2, "a/b", 1}, {"a/c", 1, "a/b", 2}, {"b/a", 1, "a/z", 1},
		{"a/b/c", 1, "a/b", 5}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		AUTO_BUFFER struct buffer text = {0};
		struct bundle_version first = version(rows[i].first, rows[i].first_version, 1);
		struct bundle_version second = version(rows[i].second, rows[i].second_version, 1);

		contents_write_header(&header, &text);
		contents_write_version(&first, &text);
		contents_write_version(&second, &text);
		refuse(buffer_string(&text), "twice or out of order");
	}
}

static void kinds_are_in_order(void **state)
{
	AUTO_BUFFER struct buffer text = {0};
	struct bundle_version late = version("a/b", 1, 1);

	contents_write_header(&header, &text);
	contents_write_page(CONTENTS_COLLECTION, "a/b", "x", &text);
	refuse("{\"larder_bundle\":1,\"created\":\"2026-11-28T12:00:00Z\",\"name\":\"\",\"server\":\"\"}\n"
	       "{\"publisher\":\"b\",\"markdown\":\"\"}\n{\"publisher\":\"a\",\"markdown\":\"\"}\n",
		"line 3: it is there twice or out of order");
	contents_write_version(&late, &text);
	refuse(buffer_string(&text), "twice or out of order");
}

/* One member of a good line is replaced. */
static void replace(const char *good, const char *what, const char *with, struct buffer *out)
{
	const char *at = strstr(good, what);

	assert_non_null(at);
	buffer_add(out, good, (size_t)(at - good));
	buffer_add_string(out, with);
	buffer_add_string(out, at + strlen(what));
}

static void wrong_members_are_refused(void **state)
{
	static const struct {
		const char *what;
		const char *with;
		const char *words;
	} rows[] = {
		{"\"larder_bundle\":1", "\"larder_bundle\":2", "newer Larder"},
		{"\"larder_bundle\":1", "\"larder_bundle\":\"1\"", "larder_bundle"},
		{"\"larder_bundle\":1,", "", "larder_bundle"},
		{"\"name\":\"weekly\"", "\"name\":\"weekly\",\"more\":1", "does not know"},
		{"\"name\":\"weekly\"", "\"name\":7", "short texts"},
		{"\"name\":\"weekly\"", "\"name\":\"weekly\",\"audit_head\":\"sha256:1\"", "audit_head"},
		{"2026-11-28", "2026-13-28", "times"},
		{"T12:00:00Z", "", "times"},
		{"\"handle\":\"acme/a\"", "\"handle\":\"../a\"", "no module's name"},
		{"\"handle\":\"acme/a\"", "\"handle\":\"acme//a\"", "no module's name"},
		{"\"handle\":\"acme/a\"", "\"handle\":\"/acme/a\"", "no module's name"},
		{"\"handle\":\"acme/a\"", "\"handle\":\"acme/a\\u0000\"", "no JSON"},
		{"\"handle\":\"acme/a\"", "\"handle\":\"acme/a/../../x\"", "no module's name"},
		{"\"version\":1", "\"version\":0", "no module's name"},
		{"\"version\":1", "\"version\":-1", "no module's name"},
		{"\"version\":1", "\"version\":1.0", "no module's name"},
		{"\"version\":1", "\"version\":99999999999999999999", "no JSON"},
		{"\"source\":\"mirrored\"", "\"source\":\"mine\"", "\"source\" must"},
		{"\"state\":\"active\"", "\"state\":\"quarantined\"", "\"state\" active"},
		{"\"state\":\"active\"", "\"state\":\"withdrawn\"", "no artifacts"},
		{"\"manifest\":{", "\"manifest\":{\"more\":1,", "\"manifest\" and"},
		{"\"config\":{", "\"confog\":{", "\"manifest\" and"},
		{"\"digest\":\"sha256:", "\"digest\":\"sha512:", "\"manifest\" and"},
		{"\"digest\":\"sha256:", "\"digest\":\"", "\"manifest\" and"},
		{"\"size\":8", "\"size\":-8", "\"manifest\" and"},
		{"\"size_bytes\":5", "\"size_bytes\":5e2", "each format once"},
		{"\"format\":\"tfjs\"", "\"format\":\"tf-hub\"", "each format once"},
		{"\"format\":\"tfjs\"", "\"format\":\"coral\"", "each format once"},
		{"\"format\":\"tfjs\"", "\"format\":\"zip\"", "each format once"},
		{"\"artifacts\":[", "\"artifacts\":[1,", "each format once"},
		{"\"artifacts\":[", "\"extra\":0,\"artifacts\":[", "does not know"},
		{"\"handle\":\"acme/a\"", "\"handle\":\"acme/a\",\"handle\":\"acme/a\"", "no JSON"},
		{"\"publisher\":\"acme\"", "\"publisher\":\"acme/x\"", "no name"},
		{"\"publisher\":\"acme\"", "\"publisher\":\"..\"", "no name"},
		{"\"publisher\":\"acme\"", "\"publisher\":\"acme\",\"x\":1", "does not know"},
		{"\"collection\":\"acme/all\"", "\"collection\":\"acme\"", "no name"},
		{"\"markdown\":\"# P", "\"markdown\":1,\"m\":\"# P", "\"markdown\" must"},
	};
	AUTO_BUFFER struct buffer good = {0};

	write_sample(&good);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		AUTO_BUFFER struct buffer bad = {0};

		replace(good.data, rows[i].what, rows[i].with, &bad);
		refuse(buffer_string(&bad), rows[i].words);
	}
}

/* What would cost many times its bytes in memory. */
static void bombs_are_refused_before_they_are_parsed(void **state)
{
	static const char *const fillings[] = {"[", "1,", "{\"a\":", "[],", "\"\","};

	for (size_t i = 0; i < sizeof fillings / sizeof *fillings; i++) {
		AUTO_BUFFER struct buffer text = {0};

		contents_write_header(&header, &text);
		buffer_add_string(&text, "{\"handle\":[");
		for (int j = 0; j < 100000; j++)
			buffer_add_string(&text, fillings[i]);
		buffer_add_string(&text, "\n");
		refuse(buffer_string(&text), "more than 64 values");
	}
}

static void endless_lines_are_refused(void **state)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO_FREE char *blanks = mem_zero(CONTENTS_LINE_BYTES_MAX, 1);

	memset(blanks, ' ', CONTENTS_LINE_BYTES_MAX);
	contents_write_header(&header, &text);
	buffer_add(&text, blanks, CONTENTS_LINE_BYTES_MAX);
	buffer_add_string(&text, " \n");
	refuse(buffer_string(&text), "longer than 8 MiB");
}

static void what_is_no_object_is_refused(void **state)
{
	static const char *const lines[] = {
		"", "null", "7", "[]", "\"x\"", "{", "{}", "\xff", "{\"a\":\"\xff\"}"};

	for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
		AUTO_BUFFER struct buffer text = {0};
		AUTO_FREE char *alone = mem_printf("%s\n", lines[i]);

		refuse(alone, "line 1");
		contents_write_header(&header, &text);
		buffer_add_string(&text, alone);
		refuse(buffer_string(&text), "line 2");
	}
}

/* ---- the record of a version ---- */

static struct version_record sample_record(void)
{
	struct version_record record = {.name = {.handle = "acme/a", .version = 3},
		.source = SOURCE_PUBLISHED,
		.state = STATE_ACTIVE,
		.published_by = (char *)"ci",
		.created_s = 1,
		.updated_s = 2,
		.markdown = (char *)"# Module acme/a/3\n",
		.documented_s = 3,
		.listed = {[FORMAT_TFJS] = true},
		.artifact_count = 2};

	record.artifacts[0] =
		(struct artifact_record){FORMAT_TF_HUB, SOURCE_PUBLISHED, (char *)"ci", NULL, 4};
	record.artifacts[1] = (struct artifact_record){
		FORMAT_TFLITE, SOURCE_MIRRORED, NULL, (char *)"https://example.org", 5};
	return record;
}

static void records_are_read_again(void **state)
{
	AUTO(version_record_finish) struct version_record read = {0};
	AUTO_BUFFER struct buffer text = {0};
	struct version_record record = sample_record();
	struct err err;

	version_record_write(
		&record, json_pack("{s:s, s:s}", "description", "it", "handle", "no/other"), &text);
	assert_true(version_record_read(&text, &read, &err));
	assert_string_equal(read.name.handle, "acme/a");
	assert_string_equal(read.published_by, "ci");
	assert_null(read.upstream);
	assert_string_equal(read.markdown, record.markdown);
	assert_null(read.documented_by);
	assert_int_equal(read.documented_s, 3);
	assert_true(read.listed[FORMAT_TFJS] && !read.listed[FORMAT_TF_HUB]);
	assert_int_equal(read.artifact_count, 2);
	assert_string_equal(read.artifacts[1].upstream, "https://example.org");
	assert_int_equal(read.artifacts[1].created_s, 5);
}

static void what_is_too_much_to_show_is_left_out(void **state)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO_FREE char *long_text = mem_zero(VERSION_RECORD_SHOWN_MAX + 1, 1);
	struct version_record record = sample_record();

	memset(long_text, 'x', VERSION_RECORD_SHOWN_MAX);
	version_record_write(&record, json_pack("{s:s}", "shown", long_text), &text);
	assert_null(strstr(buffer_string(&text), "shown"));
}

/* Whatever stands between the members that are read, in each place where a member may be. */
static void what_is_not_read_is_taken_out(void **state)
{
	static const char *const strange[] = {"\"x\":1", "\"x\" : null ", "\"x\":\"}\"",
		"\"x\":\"\\\"},{\\\\\"", "\"x\":{\"handle\":\"acme/b\"}", "\"x\":[[{\"y\":[]}],\"]\"]",
		"\"\\u0068andle\":\"acme/b\"", "\"handle \":[\"a\",{}]", "\"\":{}"};
	AUTO_BUFFER struct buffer good = {0};
	struct version_record record = sample_record();

	version_record_write(&record, NULL, &good);
	for (size_t i = 0; i < sizeof strange / sizeof *strange; i++) {
		for (const char *at = good.data; (at = strstr(at + 1, ",\"")); at++) {
			AUTO(version_record_finish) struct version_record read = {0};
			AUTO_BUFFER struct buffer text = {0};
			struct err err;

			buffer_add(&text, good.data, (size_t)(at - good.data));
			buffer_printf(&text, " , %s%s", strange[i], at);
			if (!version_record_read(&text, &read, &err))
				fail_msg("%s: %s", strange[i], err.text);
			assert_string_equal(read.name.handle, "acme/a");
			assert_string_equal(read.markdown, record.markdown);
		}
	}
}

/* Cut off anywhere, or with something behind it, it is as broken as it was. */
static void what_is_broken_stays_so(void **state)
{
	AUTO_BUFFER struct buffer good = {0};
	struct version_record record = sample_record();

	version_record_write(&record, json_pack("{s:[s,i], s:{}}", "shown", "it", 1, "other"), &good);
	for (size_t length = 0; length <= good.length; length++) {
		AUTO(version_record_finish) struct version_record read = {0};
		AUTO_BUFFER struct buffer text = {0};
		struct err err;

		buffer_add(&text, good.data, length);
		if (length == good.length)
			buffer_add_string(&text, ",\"x\":1}");
		assert_false(version_record_read(&text, &read, &err));
	}
}

static void wrong_records_are_refused(void **state)
{
	static const struct {
		const char *what;
		const char *with;
	} rows[] = {
		{"\"larder_version\":1", "\"larder_version\":2"},
		{"\"handle\":\"acme/a\"", "\"handle\":\"..\""},
		{"\"version\":3", "\"version\":0"},
		{"\"source\":\"published\"", "\"source\":\"stolen\""},
		{"\"state\":\"active\"", "\"state\":\"quarantined\""},
		{"\"published_by\":\"ci\"", "\"published_by\":7"},
		{"\"published_by\":\"ci\",", ""},
		{"\"created_at\":\"1970", "\"created_at\":\"then"},
		{"\"documentation\":{", "\"documentation\":[],\"d\":{"},
		{"\"markdown\":\"#", "\"markdown\":1,\"m\":\"#"},
		{"\"formats\":[\"tfjs\"]", "\"formats\":{}"},
		{"\"formats\":[\"tfjs\"]", "\"formats\":[7]"},
		{"\"artifacts\":[", "\"artifacts\":[[],"},
		{"\"format\":\"tflite\"", "\"format\":\"tf-hub\""},
		{"\"source\":\"mirrored\"", "\"source\":\"listed\""},
	};
	AUTO_BUFFER struct buffer good = {0};
	struct version_record record = sample_record();

	version_record_write(&record, NULL, &good);
	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct version_record read = {0};
		AUTO_BUFFER struct buffer bad = {0};
		struct err err = {0};

		replace(buffer_string(&good), rows[i].what, rows[i].with, &bad);
		if (version_record_read(&bad, &read, &err))
			fail_msg("%s was taken for %s", rows[i].with, rows[i].what);
		assert_non_null(strstr(err.text, "a version's configuration: "));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_again),
		cmocka_unit_test(pieces_do_not_matter),
		cmocka_unit_test(what_is_cut_off_is_refused),
		cmocka_unit_test(order_is_kept),
		cmocka_unit_test(kinds_are_in_order),
		cmocka_unit_test(wrong_members_are_refused),
		cmocka_unit_test(bombs_are_refused_before_they_are_parsed),
		cmocka_unit_test(endless_lines_are_refused),
		cmocka_unit_test(what_is_no_object_is_refused),
		cmocka_unit_test(records_are_read_again),
		cmocka_unit_test(what_is_too_much_to_show_is_left_out),
		cmocka_unit_test(what_is_not_read_is_taken_out),
		cmocka_unit_test(what_is_broken_stays_so),
		cmocka_unit_test(wrong_records_are_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables of tars for the tests: what each is read as, by us and by Python's tarfile, or why it is refused.
 * Include it behind cmocka. */
#ifndef TESTS_UNIT_ARCHIVE_ROWS_H
#define TESTS_UNIT_ARCHIVE_ROWS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/module/archives/archive.h"
#include "tests/unit/tar_writer.h"

struct row {
	const char *label;
	void (*write)(struct buffer *tar);
	const char *expected; /* the listing; for faults, a part of the sentence */
};

/* Lists "name kind size\n" of each member, and reads every other member's content. */
static inline enum archive_fault list(
	struct stream *stream, int64_t max_bytes, struct buffer *out, struct err *err)
{
	struct archive_limits limits = {.max_unpacked_bytes = max_bytes};
	AUTO_ARCHIVE struct archive *archive = archive_create(stream, &limits);
	struct member member;
	struct err again;
	bool found;

	for (int i = 0; archive_next(archive, &member, &found, err); i++) {
		if (!found) {
			assert_true(archive_next(archive, &member, &found, err));
			assert_false(found);
			return archive_fault(archive);
		}
		if (i % 2 == 0 && !stream_drain(archive_content(archive), err))
			return archive_fault(archive);
		buffer_printf(
			out, "%s %c %lld\n", member.name, "fdo"[member.kind], (long long)member.size_bytes);
	}
	assert_false(archive_next(archive, &member, &found, &again));
	assert_string_equal(again.text, err->text);
	return archive_fault(archive);
}

static inline enum archive_fault list_tar(const struct buffer *tar, struct buffer *out, struct err *err)
{
	AUTO_BUFFER struct buffer packed = {0};
	struct memory_stream memory;

	gzip_bytes(tar->data, tar->length, &packed);
	return list(memory_stream_init(&memory, packed.data, packed.length), 0, out, err);
}

static inline void assert_rows_are_read(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		AUTO_BUFFER struct buffer tar = {0};
		AUTO_BUFFER struct buffer out = {0};
		struct err err;

		rows[i].write(&tar);
		tar_end(&tar);
		if (list_tar(&tar, &out, &err) != ARCHIVE_SOUND)
			fail_msg("%s: %s", rows[i].label, err.text);
		if (rows[i].expected)
			assert_string_equal(buffer_string(&out), rows[i].expected);
	}
}

/* Python lists what hub clients would see, in the form of list(). */
static const char python_lists[] =
	"python3 -c 'import sys, tarfile\n"
	"for m in tarfile.open(sys.argv[1], \"r|*\"):\n"
	"    print(m.name.rstrip(\"/\"), \"f\" if m.isfile() else \"d\" if m.isdir() else \"o\", m.size)' ";

static inline void list_by_python(const char *path, struct buffer *out)
{
	AUTO_FREE char *command = mem_printf("%s%s", python_lists, path);
	FILE *pipe = popen(command, "r");
	char block[4096];
	size_t length;

	assert_non_null(pipe);
	while ((length = fread(block, 1, sizeof block, pipe)) > 0)
		buffer_add(out, block, length);
	assert_int_equal(pclose(pipe), 0);
}

/* Drops the slash before " d", which tarfile drops. */
static inline void drop_slashes(struct buffer *listing)
{
	for (char *at = strstr(listing->data, "/ d"); at; at = strstr(at, "/ d"))
		memmove(at, at + 1, strlen(at));
	listing->length = strlen(listing->data);
}

static inline void assert_rows_mean_the_same_to_tarfile(const struct row *rows, size_t count)
{
	if (system("python3 -c 'import tarfile'") != 0) {
		print_message("python3 is not there: skipped\n");
		skip();
	}
	for (size_t i = 0; i < count; i++) {
		AUTO_BUFFER struct buffer tar = {0};
		AUTO_BUFFER struct buffer ours = {0};
		AUTO_BUFFER struct buffer theirs = {0};
		char path[] = "/tmp/larder-test-archive-XXXXXX";
		AUTO_FD int fd = mkstemp(path);
		struct err err;

		rows[i].write(&tar);
		tar_end(&tar);
		assert_int_equal(write(fd, tar.data, tar.length), tar.length);
		buffer_add_string(&ours, "");
		assert_int_equal(list_tar(&tar, &ours, &err), ARCHIVE_SOUND);
		drop_slashes(&ours);
		list_by_python(path, &theirs);
		assert_string_equal(buffer_string(&theirs), buffer_string(&ours));
		(void)unlink(path);
	}
}

static inline void assert_rows_are_refused(const struct row *rows, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		AUTO_BUFFER struct buffer tar = {0};
		AUTO_BUFFER struct buffer out = {0};
		struct err err = {0};

		rows[i].write(&tar);
		tar_end(&tar);
		if (list_tar(&tar, &out, &err) != ARCHIVE_TAR_BROKEN || !strstr(err.text, rows[i].expected))
			fail_msg("%s: %s %s", rows[i].label, err.text, buffer_string(&out));
		assert_int_equal(err.code, ERR_INVALID_MODULE);
	}
}

#define ROWS(rows) rows, sizeof rows / sizeof *rows

#endif

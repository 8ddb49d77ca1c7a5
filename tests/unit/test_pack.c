/* SPDX-License-Identifier: Apache-2.0
 *
 * Packing: the same files give the same bytes, and what comes out may be published. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/module/archives/guess.h"
#include "server/module/archives/gunzip.h"
#include "server/module/archives/pack.h"
#include "server/module/archives/tarheader.h"
#include "server/module/archives/ustar.h"
#include "server/module/examination.h"

/* A meta graph with the tag "serve". */
static const char model[] = "\x08\x01\x12\x09\x0a\x07\x22\x05serve";

struct folder {
	char path[64];
};

static int make_folder(void **state)
{
	struct folder *folder = mem_zero(1, sizeof *folder);

	(void)snprintf(folder->path, sizeof folder->path, "/tmp/larder-test-pack-XXXXXX");
	*state = folder;
	return mkdtemp(folder->path) ? 0 : -1;
}

static int remove_folder(void **state)
{
	struct folder *folder = *state;
	AUTO_FREE char *command = mem_printf("rm -r '%s'", folder->path);
	int status = system(command);

	free(folder);
	return status;
}

/* Writes DIR/name with its folders; a name that ends with a slash is a folder. */
static void put(const char *folder, const char *name, const char *content, size_t length, mode_t mode)
{
	AUTO_FREE char *path = mem_printf("%s/%s", folder, name);
	char *slash = strrchr(path, '/');
	struct err err;

	*slash = '\0';
	assert_true(file_make_folders(path, &err));
	*slash = '/';
	if (!slash[1])
		return;
	AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_true(file_write_at(fd, content, length, 0, &err));
}

static void put_model(const char *folder)
{
	put(folder, "saved_model.pb", model, sizeof model - 1, 0600);
}

static void link_to(const char *folder, const char *target, const char *name)
{
	AUTO_FREE char *path = mem_printf("%s/%s", folder, name);

	assert_int_equal(symlink(target, path), 0);
}

static int open_temporary(void)
{
	int fd = open("/tmp", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	return fd;
}

/* The archive's bytes; fails the test where there are none. */
static void pack_with(
	const char *folder, enum pack_links links, struct pack_watcher *watcher, struct buffer *out)
{
	AUTO_FD int fd = open_temporary();
	AUTO_FREE char *path = mem_printf("/proc/self/fd/%d", fd);
	struct err err;

	if (!pack_folder(folder, links, fd, watcher, &err))
		fail_msg("%s", err.text);
	assert_true(file_read_all(path, 64 << 20, out, &err));
}

static void pack(const char *folder, struct buffer *out)
{
	pack_with(folder, PACK_LINKS_REFUSED, NULL, out);
}

/* SHA-256 of the tar in it: how small it becomes is zlib's business. */
static struct digest tar_digest(const char *folder)
{
	AUTO_BUFFER struct buffer archive = {0};
	AUTO_BUFFER struct buffer tar = {0};
	struct memory_stream memory;
	struct gunzip *gunzip;
	const uint8_t *piece;
	size_t length;
	struct err err;

	pack(folder, &archive);
	gunzip = gunzip_create(memory_stream_init(&memory, archive.data, archive.length), 0, 0);
	while (stream_next(gunzip_stream(gunzip), &piece, &length, &err) && length > 0)
		buffer_add(&tar, piece, length);
	assert_int_equal(gunzip_fault(gunzip), GUNZIP_SOUND);
	gunzip_destroy(gunzip);
	return digest_of(tar.data, tar.length);
}

static void assert_not_packed(
	const char *folder, enum pack_links links, enum err_code code, const char *words)
{
	AUTO_FD int fd = open_temporary();
	struct err err;

	assert_false(pack_folder(folder, links, fd, NULL, &err));
	assert_int_equal(err.code, code);
	if (!strstr(err.text, words))
		fail_msg("\"%s\" does not say \"%s\"", err.text, words);
}

static void assert_refused(const char *folder, enum err_code code, const char *words)
{
	assert_not_packed(folder, PACK_LINKS_REFUSED, code, words);
}

static struct examination *examine(const char *folder, enum format format)
{
	AUTO_BUFFER struct buffer archive = {0};
	struct examination *examination;
	struct memory_stream memory;
	struct err err;

	pack(folder, &archive);
	if (!examination_run(memory_stream_init(&memory, archive.data, archive.length), format,
		    &(struct archive_limits){0}, &examination, &err))
		fail_msg("%s", err.text);
	return examination;
}

/* Sub-folders so that the two are made in different order, with different modes and times. */
static void test_packs_the_same_bytes(void **state)
{
	const struct folder *folder = *state;
	AUTO_FREE char *one = mem_printf("%s/one", folder->path);
	AUTO_FREE char *other = mem_printf("%s/other/", folder->path);
	AUTO_FREE char *touch = mem_printf("touch -d 1999-01-01 '%s/assets/b'", other);
	AUTO_BUFFER struct buffer first = {0};
	AUTO_BUFFER struct buffer second = {0};

	put_model(one);
	put(one, "assets/a", "1", 1, 0644);
	put(one, "assets/b", "2", 1, 0644);
	put(one, "variables/", "", 0, 0);
	put(other, "variables/", "", 0, 0);
	put(other, "assets/b", "2", 1, 0755);
	put(other, "assets/a", "1", 1, 0600);
	put_model(other);
	assert_int_equal(system(touch), 0);
	pack(one, &first);
	pack(other, &second);
	assert_int_equal(first.length, second.length);
	assert_memory_equal(first.data, second.data, first.length);
	/* RFC 1952: neither time nor name. */
	assert_memory_equal(first.data, "\x1f\x8b\x08\0\0\0\0\0", 8);
}

static void test_puts_folders_first(void **state)
{
	static const char *const expected[] = {"a-", "a", "a/b", "z", "Y", "a/b/c", "a/x", "saved_model.pb"};
	const struct folder *folder = *state;

	put_model(folder->path);
	put(folder->path, "z/", "", 0, 0);
	put(folder->path, "a/b/c", "", 0, 0644);
	put(folder->path, "a/x", "", 0, 0644);
	put(folder->path, "Y", "", 0, 0644);
	put(folder->path, "a-/", "", 0, 0);
	AUTO_EXAMINATION struct examination *examination = examine(folder->path, FORMAT_TF_HUB);
	assert_int_equal(examination->member_count, sizeof expected / sizeof *expected);
	for (size_t i = 0; i < examination->member_count; i++)
		assert_string_equal(examination->members[i].path, expected[i]);
}

static void test_passes_the_examination(void **state)
{
	const struct folder *folder = *state;
	AUTO_FREE char *long_name = mem_zero(1, 201);
	AUTO_FREE char *deep = NULL;

	memset(long_name, 'n', 200);
	deep = mem_printf("assets/%s/%s", long_name, long_name);
	put_model(folder->path);
	put(folder->path, deep, "deep", 4, 0644);
	put(folder->path, "assets/\xc3\xa4\xe6\xbc\xa2.txt", "wide", 4, 0644);
	put(folder->path, "assets/.hidden", "", 0, 0644);
	AUTO_EXAMINATION struct examination *examination = examine(folder->path, FORMAT_TF_HUB);
	if (examination->finding_count)
		fail_msg("%s: %s", examination->findings[0].rule, examination->findings[0].message);
	assert_non_null(examination->saved_model);
	assert_int_equal(examination->file_count, 4);
	assert_string_equal(examination->members[0].path, "assets");
	assert_string_equal(examination->members[3].path, deep);
	assert_string_equal(examination->members[4].path, "assets/\xc3\xa4\xe6\xbc\xa2.txt");
}

/* Every kind of name: short, split in two, too long for that, not ASCII, and sizes around a block's. */
static void put_many_names(const char *folder)
{
	AUTO_FREE char *hundred = mem_zero(1, 101);
	AUTO_FREE char *split = NULL;
	AUTO_FREE char *deep = NULL;
	AUTO_FREE char *block = mem_zero(1, 513);

	memset(hundred, 'n', 100);
	memset(block, 'b', 513);
	split = mem_printf("%.*s/%.*s/x", 90, hundred, 60, hundred);
	deep = mem_printf("assets/%s/%s/%s", hundred, hundred, hundred);
	put_model(folder);
	put(folder, "variables/", "", 0, 0);
	put(folder, split, "split", 5, 0644);
	put(folder, deep, "deep", 4, 0644);
	put(folder, hundred + 2, "whole", 5, 0644); /* 98 and "./" */
	put(folder, hundred + 1, "one more", 8, 0644);
	put(folder, "\xc3\xa9/\xe6\xbc\xa2.txt", "wide", 4, 0644);
	put(folder, "blocks/none", block, 0, 0644);
	put(folder, "blocks/one", block, 512, 0644);
	put(folder, "blocks/more", block, 513, 0644);
}

/* GNU tar has the same idea of the archive, and nothing to say to it. */
static void test_is_read_by_tar(void **state)
{
	const struct folder *folder = *state;
	AUTO_FREE char *one = mem_printf("%s/one", folder->path);
	AUTO_FREE char *path = mem_printf("%s/one.tar.gz", folder->path);
	AUTO_FREE char *unpack = mem_printf("cd '%s' && mkdir two && gzip -t one.tar.gz && "
					    "tar xzf one.tar.gz -C two 2>said && test ! -s said",
		folder->path);
	AUTO_FREE char *compare = mem_printf("diff -r '%s' '%s/two'", one, folder->path);
	AUTO_FD int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	struct err err;

	put_many_names(one);
	assert_true(fd >= 0);
	if (!pack_folder(one, PACK_LINKS_REFUSED, fd, NULL, &err))
		fail_msg("%s", err.text);
	assert_int_equal(system(unpack), 0);
	assert_int_equal(system(compare), 0);
}

/* A folder that was packed and published once is not other bytes because Larder is newer. */
static void test_packs_what_it_always_packed(void **state)
{
	const struct folder *folder = *state;
	AUTO_FREE char *long_name = mem_zero(1, 91);
	AUTO_FREE char *split = NULL;

	memset(long_name, 'n', 90);
	split = mem_printf("assets/%s/vocabulary", long_name);
	put_model(folder->path);
	put(folder->path, split, "a b c", 5, 0644);
	put(folder->path, "variables/variables.index", "1", 1, 0644);
	assert_string_equal(tar_digest(folder->path).hex,
		"47df8d17a1a9473eb40efc42f01dd151da5fbdabce51bb9f8aefc0de39844ef8");
}

/* Folders in folders, each with a file that is empty. */
static void put_many_folders(const char *folder)
{
	put_model(folder);
	for (int i = 0; i < 300; i++) {
		AUTO_FREE char *name = mem_printf("assets/%d/%d/%d/empty", i % 7, i % 31, i);

		put(folder, name, "", 0, 0644);
	}
}

/* Names beyond ASCII: of any length in bytes around what a header, and one with a prefix, takes. */
static void put_wide_names(const char *folder)
{
	AUTO_BUFFER struct buffer wide = {0};

	put_model(folder);
	for (int letters = 1; letters <= 80; letters++) {
		AUTO_FREE char *name = NULL;

		buffer_add(&wide, "\xe6\xbc\xa2", 3);
		name = mem_printf("assets/%s/%s", buffer_string(&wide), buffer_string(&wide));
		put(folder, name, name, (size_t)letters, 0644);
	}
}

/* The same with pax headers: what another writer, libarchive among them, would name otherwise. */
static void test_packs_generated_folders_as_always(void **state)
{
	static const struct {
		void (*put)(const char *folder);
		const char *digest;
	} cases[] = {
		{put_many_names, "bb353612627f3ae91ef5c1ff049dc4f0b159d8fc4f751ba3de9fd2cc04fe643f"},
		{put_many_folders, "42abe89851168f05226d772e2e0604463c55dbefc2a0ea99620257e4f164c2bf"},
		{put_wide_names, "a778162e9c6cade12bf06ca5b374fd04e60cad1b3b25253ab4ae4bba55b99b08"},
	};
	const struct folder *folder = *state;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_FREE char *one = mem_printf("%s/%zu", folder->path, i);

		cases[i].put(one);
		assert_string_equal(tar_digest(one).hex, cases[i].digest);
	}
}

/* Larger than any folder that a test can have. */
static void test_writes_large_headers_as_always(void **state)
{
	static const int64_t sizes[] = {
		INT64_C(8589934591), INT64_C(8589934592), INT64_C(68719476736), INT64_C(1) << 40, INT64_MAX};
	AUTO_BUFFER struct buffer out = {0};

	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
		ustar_add_header(&out, i % 2 ? "./\xc3\xa9/large" : "./large", false, sizes[i]);
	assert_string_equal(digest_of(out.data, out.length).hex,
		"1c2d047032b53b6cc68885462271b8136dfde01a6fdadfaff3ad4706ae710306");
}

enum { SIZE_AT = 124 }; /* in a header */

static void test_writes_sizes_of_any_length(void **state)
{
	static const struct {
		int64_t size_bytes;
		const char *field;
		const char *record; /* NULL: none */
	} cases[] = {
		{8589934591, "77777777777 ", NULL},
		{8589934592, "00000000000 ", "19 size=8589934592\n"},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		AUTO_BUFFER struct buffer out = {0};
		const char *header;

		ustar_add_header(&out, "./large", false, cases[i].size_bytes);
		assert_int_equal(out.length, cases[i].record ? 3 * USTAR_BLOCK : USTAR_BLOCK);
		header = out.data + out.length - USTAR_BLOCK;
		assert_memory_equal(header + SIZE_AT, cases[i].field, 12);
		if (cases[i].record)
			assert_string_equal(out.data + USTAR_BLOCK, cases[i].record);
	}
}

/* The length counts its own digits, of which 100 has one more than 99. Beyond ASCII each name has a
 * record. */
static void test_counts_the_length_of_records(void **state)
{
	for (size_t length = 2; length < 1200; length++) {
		AUTO_BUFFER struct buffer out = {0};
		AUTO_FREE char *name = mem_zero(1, length + 1);
		struct pax_records records;

		memset(name, 'n', length);
		memcpy(name, "\xc3\xa9", 2);
		ustar_add_header(&out, name, false, 0);
		assert_null(pax_records_read(
			out.data + USTAR_BLOCK, strtoul(out.data + SIZE_AT, NULL, 8), &records));
		assert_int_equal(records.path_length, length);
	}
}

static void test_tells_that_the_disk_is_full(void **state)
{
	enum { LARGE = 1 << 20 };
	const struct folder *folder = *state;
	AUTO_FREE char *large = mem_zero(1, LARGE);
	AUTO_FD int full = open("/dev/full", O_WRONLY | O_CLOEXEC);
	struct err err;

	assert_true(full >= 0);
	put_model(folder->path);
	assert_false(pack_folder(folder->path, PACK_LINKS_REFUSED, full, NULL, &err));
	assert_int_equal(err.code, ERR_NO_SPACE);
	for (int i = 0; i < LARGE; i += 256)
		random_bytes(large + i, 256);
	put(folder->path, "large", large, LARGE, 0644);
	assert_false(pack_folder(folder->path, PACK_LINKS_REFUSED, full, NULL, &err));
	assert_int_equal(err.code, ERR_NO_SPACE);
	assert_string_equal(err.text, "write the archive: No space left on device");
}

static void test_leaves_judging_to_the_examination(void **state)
{
	const struct folder *folder = *state;

	put(folder->path, "half_plus_two/saved_model.pb", model, sizeof model - 1, 0644);
	AUTO_EXAMINATION struct examination *examination = examine(folder->path, FORMAT_TF_HUB);
	assert_true(examination_count(examination, SEVERITY_VIOLATION) > 0);
	assert_string_equal(examination->findings[0].rule, "wrapper-folder");
}

static void test_refuses_what_is_no_file(void **state)
{
	const struct folder *folder = *state;
	AUTO_FREE char *fifo = mem_printf("%s/two/fifo", folder->path);
	AUTO_FREE char *one = mem_printf("%s/one", folder->path);
	AUTO_FREE char *two = mem_printf("%s/two", folder->path);
	AUTO_FREE char *three = mem_printf("%s/three", folder->path);
	AUTO_FREE char *file = mem_printf("%s/one/saved_model.pb", folder->path);

	put_model(one);
	link_to(one, "saved_model.pb", "link");
	assert_refused(one, ERR_INVALID_MODULE, "one/link is a symbolic link");
	put_model(two);
	assert_int_equal(mkfifo(fifo, 0600), 0);
	assert_refused(two, ERR_INVALID_MODULE, "two/fifo is neither");
	put(three, "\xff", "", 0, 0644);
	assert_refused(three, ERR_INVALID_MODULE, "not UTF-8");
	assert_refused(file, ERR_BAD_REQUEST, "is no folder");
	assert_refused("/nonexistent", ERR_NOT_FOUND, "/nonexistent");
}

/* ---- links ---- */

struct leaving {
	struct pack_watcher watcher;
	int count;
};

static void note_progress(struct pack_watcher *watcher, int64_t done_bytes, int64_t total_bytes)
{
	(void)watcher;
	(void)done_bytes;
	(void)total_bytes;
}

static void note_left(struct pack_watcher *watcher, const char *link, const char *target)
{
	assert_non_null(strstr(link, "/linked/"));
	assert_int_equal(target[0], '/');
	((struct leaving *)watcher)->count++;
}

/* Files and folders behind links, as Hugging Face's caches, DVC and Bazel lay them out, are packed as those
 * that they lead to. */
static void test_follows_links(void **state)
{
	const struct folder *folder = *state;
	AUTO_FREE char *plain = mem_printf("%s/plain", folder->path);
	AUTO_FREE char *linked = mem_printf("%s/linked", folder->path);
	AUTO_FREE char *blob = mem_printf("%s/blobs/1f0c", folder->path);
	AUTO_BUFFER struct buffer expected = {0};
	AUTO_BUFFER struct buffer packed = {0};
	struct leaving leaving = {.watcher = {note_progress, note_left}};

	put_model(plain);
	put(plain, "assets/vocab.txt", "a", 1, 0644);
	put(plain, "variables/v.index", "index", 5, 0644);
	put(plain, "variables/v.again", "index", 5, 0644);
	put(folder->path, "blobs/1f0c", model, sizeof model - 1, 0400);
	put(folder->path, "blobs/tree/vocab.txt", "a", 1, 0644);
	put(linked, "variables/v.index", "index", 5, 0644);
	link_to(linked, "../blobs/1f0c", "saved_model.pb");
	link_to(linked, "../blobs/tree", "assets");
	link_to(linked, "v.index", "variables/v.again");
	pack(plain, &expected);
	pack_with(linked, PACK_LINKS_FOLLOWED, &leaving.watcher, &packed);
	assert_int_equal(packed.length, expected.length);
	assert_memory_equal(packed.data, expected.data, expected.length);
	assert_int_equal(leaving.count, 2);
	assert_refused(linked, ERR_INVALID_MODULE, "--dereference");
	assert_int_equal(unlink(blob), 0);
	assert_not_packed(
		linked, PACK_LINKS_FOLLOWED, ERR_INVALID_MODULE, "saved_model.pb is a symbolic link to");
}

static void test_links_do_not_run_in_circles(void **state)
{
	static const char *const targets[] = {".", "..", "../loop", "../../loop/inner/self", "self"};
	const struct folder *folder = *state;
	AUTO_FREE char *loop = mem_printf("%s/loop", folder->path);
	AUTO_FREE char *self = mem_printf("%s/loop/inner/self", folder->path);

	put_model(loop);
	put(loop, "inner/", "", 0, 0);
	for (size_t i = 0; i < sizeof targets / sizeof *targets; i++) {
		link_to(loop, targets[i], "inner/self");
		assert_not_packed(loop, PACK_LINKS_FOLLOWED, ERR_INVALID_MODULE, "/loop/inner/self");
		assert_int_equal(unlink(self), 0);
	}
}

/* Each folder a hundred times in the next one: 10^12 of them. */
static void test_links_do_not_multiply(void **state)
{
	const struct folder *folder = *state;
	AUTO_FREE char *top = mem_printf("%s/6", folder->path);

	put_model(top);
	put(folder->path, "0/", "", 0, 0);
	for (int i = 0; i < 6; i++) {
		AUTO_FREE char *inner = mem_printf("../%d", i);
		AUTO_FREE char *next = mem_printf("%d/", i + 1);

		put(folder->path, next, "", 0, 0);
		for (int j = 0; j < 100; j++) {
			AUTO_FREE char *link = mem_printf("%d/%d", i + 1, j);

			link_to(folder->path, inner, link);
		}
	}
	assert_not_packed(top, PACK_LINKS_FOLLOWED, ERR_INVALID_MODULE, "more than");
}

/* The folder that is named may be a link; only what lies in it may not. */
static void test_follows_the_folder_itself(void **state)
{
	const struct folder *folder = *state;
	AUTO_FREE char *one = mem_printf("%s/one", folder->path);
	AUTO_FREE char *link = mem_printf("%s/link", folder->path);

	put_model(one);
	link_to(folder->path, "one", "link");
	AUTO_EXAMINATION struct examination *examination = examine(link, FORMAT_TF_HUB);
	assert_int_equal(examination->member_count, 1);
}

struct counter {
	struct pack_watcher watcher;
	int64_t done;
	int64_t total;
};

static void count(struct pack_watcher *watcher, int64_t done_bytes, int64_t total_bytes)
{
	struct counter *counter = (struct counter *)watcher;

	assert_true(done_bytes > counter->done && done_bytes <= total_bytes);
	counter->done = done_bytes;
	counter->total = total_bytes;
}

static void test_tells_its_progress(void **state)
{
	enum { LARGE = 300000 };
	const struct folder *folder = *state;
	AUTO_FREE char *large = mem_zero(1, LARGE);
	struct counter counter = {.watcher = {count}};
	AUTO_FD int fd = open_temporary();
	struct err err;

	put_model(folder->path);
	put(folder->path, "large", large, LARGE, 0644);
	assert_true(pack_folder(folder->path, PACK_LINKS_REFUSED, fd, &counter.watcher, &err));
	assert_int_equal(counter.done, LARGE + sizeof model - 1);
	assert_int_equal(counter.total, counter.done);
}

static void assert_packed_format(const char *folder, enum format format)
{
	AUTO_FD int fd = open_temporary();
	struct err err;

	assert_int_equal(guess_folder(folder), format);
	assert_true(pack_folder(folder, PACK_LINKS_REFUSED, fd, NULL, &err));
	assert_int_equal(guess_file("module.tar.gz", fd), format);
}

static void test_guesses_formats(void **state)
{
	const struct folder *folder = *state;
	AUTO_FD int fd = open_temporary();

	assert_packed_format(folder->path, FORMAT_TF_HUB);
	put(folder->path, "assets/model.json", "{}", 2, 0644);
	assert_packed_format(folder->path, FORMAT_TF_HUB);
	put(folder->path, "model.json", "{}", 2, 0644);
	assert_packed_format(folder->path, FORMAT_TFJS);
	put_model(folder->path);
	assert_packed_format(folder->path, FORMAT_TF_HUB);
	assert_int_equal(guess_file("a/b.tflite", fd), FORMAT_TFLITE);
	assert_int_equal(guess_file("empty", fd), FORMAT_TF_HUB);
}

int main(void)
{
#define IN_FOLDER(test) cmocka_unit_test_setup_teardown(test, make_folder, remove_folder)
	const struct CMUnitTest tests[] = {
		IN_FOLDER(test_packs_the_same_bytes),
		IN_FOLDER(test_puts_folders_first),
		IN_FOLDER(test_passes_the_examination),
		IN_FOLDER(test_is_read_by_tar),
		IN_FOLDER(test_packs_what_it_always_packed),
		IN_FOLDER(test_packs_generated_folders_as_always),
		cmocka_unit_test(test_writes_large_headers_as_always),
		cmocka_unit_test(test_writes_sizes_of_any_length),
		cmocka_unit_test(test_counts_the_length_of_records),
		IN_FOLDER(test_tells_that_the_disk_is_full),
		IN_FOLDER(test_leaves_judging_to_the_examination),
		IN_FOLDER(test_refuses_what_is_no_file),
		IN_FOLDER(test_follows_links),
		IN_FOLDER(test_links_do_not_run_in_circles),
		IN_FOLDER(test_links_do_not_multiply),
		IN_FOLDER(test_follows_the_folder_itself),
		IN_FOLDER(test_tells_its_progress),
		IN_FOLDER(test_guesses_formats),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

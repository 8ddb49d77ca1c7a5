/* SPDX-License-Identifier: Apache-2.0
 *
 * What bundles are read from: tars whose members stand in any order, cut anywhere, in pieces of any size, and
 * with members that are no part of a bundle. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "server/bundle/blob_places.h"
#include "server/bundle/carrier.h"
#include "server/bundle/reel.h"
#include "server/module/archives/ustar.h"

enum { BLOBS = 7 };

static const char mark[] = "{\"imageLayoutVersion\":\"1.0.0\"}";
static const char index_text[] = "{\"manifests\":[]}";

struct place {
	char folder[32];
	char *tar; /* the path of one in it */
	struct scratch_place scratch;
};

static int set_up(void **state)
{
	struct place *place = mem_zero(1, sizeof *place);

	(void)snprintf(place->folder, sizeof place->folder, "/tmp/larder-test.XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	place->tar = mem_printf("%s/b.tar", place->folder);
	place->scratch = (struct scratch_place){.folder = place->folder};
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	struct place *place = *state;
	AUTO_FREE char *command = mem_printf("rm -rf '%s'", place->folder);

	assert_int_equal(system(command), 0);
	free(place->tar);
	free(place);
	return 0;
}

static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	return fd;
}

/* ---- tars to order ---- */

static void write_file(const char *path, const void *bytes, size_t length)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, length, file), length);
	assert_int_equal(fclose(file), 0);
}

static void add_member(struct buffer *tar, const char *name, const char *content, size_t length)
{
	ustar_add_header(tar, name, false, (int64_t)length);
	buffer_add(tar, content, length);
	ustar_add_padding(tar, (int64_t)length);
}

/* The n-th blob: its bytes are of no round number. */
static struct buffer blob_of(size_t number)
{
	struct buffer text = {0};

	for (size_t i = 0; i <= number * 211; i++)
		buffer_printf(&text, "%zu,", number * i);
	return text;
}

static struct bundle_blob blob_name(size_t number)
{
	AUTO_BUFFER struct buffer text = blob_of(number);

	return (struct bundle_blob){digest_of(text.data, text.length), (int64_t)text.length};
}

static void add_blob(struct buffer *tar, size_t number)
{
	AUTO_BUFFER struct buffer text = blob_of(number);
	AUTO_FREE char *name = mem_printf("blobs/sha256/%s", blob_name(number).digest.hex);

	add_member(tar, name, text.data, text.length);
}

/* All members, from that one on, around. */
static struct buffer tar_from(size_t first)
{
	struct buffer tar = {0};

	for (size_t i = 0; i < BLOBS + 2; i++) {
		size_t which = (first + i) % (BLOBS + 2);

		if (which == BLOBS)
			add_member(&tar, "oci-layout", mark, strlen(mark));
		else if (which > BLOBS)
			add_member(&tar, "./index.json", index_text, strlen(index_text));
		else
			add_blob(&tar, which);
	}
	return tar;
}

static bool opens(const struct place *place, const char *path, struct err *err)
{
	AUTO_CARRIER struct carrier *carrier = NULL;

	return carrier_open(path, &place->scratch, &carrier, err);
}

static void assert_whole(const struct place *place, const char *path)
{
	AUTO_CARRIER struct carrier *carrier = NULL;
	AUTO_BUFFER struct buffer index = {0};
	struct err err = {0};

	if (!carrier_open(path, &place->scratch, &carrier, &err))
		fail_msg("%s", err.text);
	assert_true(carrier_read_index(carrier, 100, &index, &err));
	assert_string_equal(buffer_string(&index), index_text);
	for (size_t i = 0; i < BLOBS; i++) {
		AUTO_BUFFER struct buffer wanted = blob_of(i);
		AUTO_BUFFER struct buffer read = {0};
		const struct bundle_blob blob = blob_name(i);

		if (!carrier_read_blob(carrier, &blob, 1 << 20, &read, &err))
			fail_msg("%s", err.text);
		assert_int_equal(read.length, wanted.length);
		assert_memory_equal(read.data, wanted.data, wanted.length);
	}
}

/* ---- tests ---- */

static void test_members_stand_in_any_order(void **state)
{
	const struct place *place = *state;

	for (size_t first = 0; first < BLOBS + 2; first++) {
		AUTO_BUFFER struct buffer tar = tar_from(first);

		ustar_add_end(&tar);
		write_file(place->tar, tar.data, tar.length);
		assert_whole(place, place->tar);
	}
}

static void test_a_tar_that_is_cut_is_none(void **state)
{
	const struct place *place = *state;
	AUTO_BUFFER struct buffer tar = tar_from(0);

	for (size_t length = 0; length < tar.length; length += 97) {
		struct err err = {0};

		write_file(place->tar, tar.data, length);
		assert_false(opens(place, place->tar, &err));
		assert_int_equal(err.code, ERR_BAD_REQUEST);
	}
}

static void test_a_flipped_bit_is_seen(void **state)
{
	const struct place *place = *state;
	AUTO_BUFFER struct buffer tar = tar_from(3);

	ustar_add_end(&tar);
	for (size_t at = 0; at < tar.length; at += 331) {
		AUTO_CARRIER struct carrier *carrier = NULL;
		AUTO_BUFFER struct buffer index = {0};
		struct err err = {0};
		bool whole;

		tar.data[at] ^= (char)(1 << at % 8);
		write_file(place->tar, tar.data, tar.length);
		tar.data[at] ^= (char)(1 << at % 8);
		whole = carrier_open(place->tar, &place->scratch, &carrier, &err) &&
			carrier_read_index(carrier, 100, &index, &err) &&
			strcmp(buffer_string(&index), index_text) == 0;
		for (size_t i = 0; whole && i < BLOBS; i++) {
			const struct bundle_blob blob = blob_name(i);

			whole = carrier_prove_blob(carrier, &blob, &err);
		}
		assert_false(whole);
	}
}

static void write_pieces(const struct place *place, const struct buffer *tar, size_t size)
{
	AUTO_BUFFER struct buffer manifest = {0};
	AUTO_FREE char *path = mem_printf("%s.pieces", place->tar);
	size_t number = 0;

	buffer_printf(
		&manifest, "{\"larder_pieces\":1,\"name\":\"b.tar\",\"size\":%zu,\"pieces\":[", tar->length);
	for (size_t at = 0; at < tar->length; at += size) {
		size_t length = tar->length - at < size ? tar->length - at : size;
		AUTO_FREE char *piece = mem_printf("%s.%03zu", place->tar, ++number);

		write_file(piece, tar->data + at, length);
		buffer_printf(&manifest, "%s{\"name\":\"b.tar.%03zu\",\"size\":%zu,\"digest\":\"sha256:%s\"}",
			at > 0 ? "," : "", number, length, digest_of(tar->data + at, length).hex);
	}
	buffer_add_string(&manifest, "]}");
	write_file(path, manifest.data, manifest.length);
}

static void test_pieces_of_any_size(void **state)
{
	static const size_t sizes[] = {100, 512, 1000, 4096, 10001};
	const struct place *place = *state;
	AUTO_BUFFER struct buffer tar = tar_from(5);
	AUTO_FREE char *manifest = mem_printf("%s.pieces", place->tar);
	AUTO_FREE char *second = mem_printf("%s.002", place->tar);

	ustar_add_end(&tar);
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		struct err err = {0};

		write_pieces(place, &tar, sizes[i]);
		assert_whole(place, manifest);
		assert_whole(place, second);
		assert_int_equal(truncate(second, 7), 0);
		assert_false(opens(place, manifest, &err));
		assert_non_null(strstr(err.text, "b.tar.002 (it has 7 of"));
		assert_int_equal(unlink(second), 0);
		assert_false(opens(place, manifest, &err));
		assert_int_equal(err.code, ERR_NOT_FOUND);
		assert_non_null(strstr(err.text, "b.tar.002"));
	}
}

static void test_manifests_of_pieces_that_name_other_files(void **state)
{
	static const char *const names[] = {
		"../b.tar.001", "/etc/passwd", "other.001", "b.tar", "b.tar.1", ""};
	const struct place *place = *state;
	AUTO_FREE char *path = mem_printf("%s.pieces", place->tar);

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		AUTO_FREE char *text = mem_printf("{\"larder_pieces\":1,\"name\":\"b.tar\",\"size\":5,"
						  "\"pieces\":[{\"name\":\"%s\",\"size\":5,"
						  "\"digest\":\"sha256:%064d\"}]}",
			names[i], 0);
		struct err err = {0};

		write_file(path, text, strlen(text));
		assert_false(opens(place, path, &err));
		assert_int_equal(err.code, ERR_BAD_REQUEST);
	}
}

static void test_members_that_are_no_part_of_a_bundle(void **state)
{
	static const char *const names[] = {"blobs/sha256/../x", "../blobs/sha256/x", "/index.json",
		"index.json/", "blobs/sha512/0000", "blobs/sha256/0000", "index.json.bak", "././index.json"};
	const struct place *place = *state;

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		AUTO_BUFFER struct buffer tar = tar_from(0);
		struct err err = {0};

		add_member(&tar, names[i], "x", 1);
		ustar_add_end(&tar);
		write_file(place->tar, tar.data, tar.length);
		assert_false(opens(place, place->tar, &err));
		assert_int_equal(err.code, ERR_BAD_REQUEST);
	}
}

static void test_a_blob_is_what_it_is_said_to_be(void **state)
{
	const struct place *place = *state;
	AUTO_CARRIER struct carrier *carrier = NULL;
	AUTO_BUFFER struct buffer tar = tar_from(0);
	AUTO_BUFFER struct buffer out = {0};
	struct bundle_blob blob = blob_name(3);
	struct err err = {0};

	ustar_add_end(&tar);
	write_file(place->tar, tar.data, tar.length);
	assert_true(carrier_open(place->tar, &place->scratch, &carrier, &err));
	assert_true(carrier_check(carrier, &blob, &err));
	assert_false(carrier_read_blob(carrier, &blob, (size_t)blob.size_bytes - 1, &out, &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
	blob.size_bytes++;
	assert_false(carrier_check(carrier, &blob, &err));
	assert_int_equal(err.code, ERR_BAD_REQUEST);
	blob = blob_name(BLOBS);
	assert_false(carrier_check(carrier, &blob, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void test_places_of_many_blobs(void **state)
{
	const struct place *place = *state;
	AUTO(own_blob_places) struct blob_places *places = NULL;
	struct err err = {0};
	int64_t offset, size;
	bool is_new;

	assert_true(blob_places_open(&place->scratch, &places, &err));
	for (int64_t i = 1; i <= 20000; i++) {
		struct digest digest = digest_of(&i, sizeof i);

		assert_true(blob_places_add(places, &digest, i, 2 * i, &is_new, &err) && is_new);
	}
	for (int64_t i = 1; i <= 20000; i++) {
		struct digest digest = digest_of(&i, sizeof i);

		assert_true(blob_places_find(places, &digest, &offset, &size));
		assert_int_equal(offset, i);
		assert_int_equal(size, 2 * i);
		assert_true(blob_places_add(places, &digest, 5, 5, &is_new, &err) && !is_new);
	}
	const struct digest none = digest_of("", 0);

	assert_false(blob_places_find(places, &none, &offset, &size));
}

/* A table of a few mebibytes is no small one. */
static void test_places_leave_the_room_that_is_to_stay_free(void **state)
{
	const struct place *place = *state;
	const struct scratch_place scratch = {place->folder, (int64_t)1 << 60};
	AUTO(own_blob_places) struct blob_places *places = NULL;
	struct err err = {0};
	bool is_new, done = true;
	int64_t count = 0;

	assert_true(blob_places_open(&scratch, &places, &err));
	while (done && count < 100000) {
		struct digest digest = digest_of(&count, sizeof count);

		done = blob_places_add(places, &digest, ++count, 1, &is_new, &err);
	}
	assert_false(done);
	assert_int_equal(err.code, ERR_NO_SPACE);
	assert_non_null(strstr(err.text, "keep_free_bytes"));
	assert_true(count > 8000);
}

/* Wherever it is: once it is to end, nothing more is read. */
static void test_reading_is_ended(void **state)
{
	const struct place *place = *state;
	AUTO_BUFFER struct buffer tar = tar_from(0);
	_Atomic bool stop = false;

	ustar_add_end(&tar);
	write_file(place->tar, tar.data, tar.length);
	for (int step = 0; step < 4; step++) {
		AUTO_CARRIER struct carrier *carrier = NULL;
		AUTO_CARRIER_BLOB struct carrier_blob open = {.fd = -1};
		AUTO_FD int fd = open_file(place->tar);
		AUTO_BUFFER struct buffer out = {0};
		const struct bundle_blob blob = blob_name(3);
		struct err err = {0};
		bool done;

		stop = step == 0;
		done = carrier_open_file(fd, "b", &place->scratch, &stop, &carrier, &err);
		assert_int_equal(done, step > 0);
		stop = step == 1;
		done = done && carrier_read_index(carrier, 100, &out, &err);
		assert_int_equal(done, step > 1);
		stop = step == 2;
		done = done && carrier_prove_blob(carrier, &blob, &err);
		assert_int_equal(done, step > 2);
		done = done && carrier_open_blob(carrier, &blob, &open, &err);
		stop = true;
		assert_false(done && stream_drain(&open.stream, &err));
		assert_int_equal(err.code, ERR_BUSY);
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_members_stand_in_any_order, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_tar_that_is_cut_is_none, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_flipped_bit_is_seen, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_pieces_of_any_size, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_manifests_of_pieces_that_name_other_files, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_members_that_are_no_part_of_a_bundle, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_a_blob_is_what_it_is_said_to_be, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_places_of_many_blobs, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			test_places_leave_the_room_that_is_to_stay_free, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_reading_is_ended, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

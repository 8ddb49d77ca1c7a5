/* SPDX-License-Identifier: Apache-2.0
 *
 * Archives from files that are handed over: the same bytes however they come, and modules that may be
 * published. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>
#include <zlib.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/module/archives/stored.h"
#include "server/module/archives/tarball.h"
#include "server/module/examination.h"

static const char model_json[] =
	"{\"modelTopology\":{},\"weightsManifest\":[{\"paths\":[\"w.bin\"],\"weights\":"
	"[{\"name\":\"w\",\"dtype\":\"uint8\",\"shape\":[%zu]}]}]}";

static bool add_to(void *context, const void *bytes, size_t length, struct err *err)
{
	(void)err;
	buffer_add(context, bytes, length);
	return true;
}

static bool fill_up(void *context, const void *bytes, size_t length, struct err *err)
{
	size_t *left = context;

	(void)bytes;
	if (*left < length)
		return err_set(err, ERR_NO_SPACE, "full");
	*left -= length;
	return true;
}

static bool write_pieces(
	struct tarball *tarball, const char *bytes, size_t length, size_t piece, struct err *err)
{
	for (size_t at = 0; at < length; at += piece) {
		if (!tarball_write(tarball, bytes + at, length - at < piece ? length - at : piece, err))
			return false;
	}
	return true;
}

static bool write_model(const struct tarball_sink *sink, size_t weights, size_t piece, struct err *err)
{
	AUTO_TARBALL struct tarball *tarball = tarball_create(sink);
	AUTO_FREE char *json = mem_printf(model_json, weights);
	AUTO_FREE char *bytes = mem_zero(1, weights + 1);

	for (size_t i = 0; i < weights; i++)
		bytes[i] = (char)(i * 7);
	return tarball_add_file(tarball, "model.json", (int64_t)strlen(json), err) &&
	       write_pieces(tarball, json, strlen(json), piece, err) &&
	       tarball_add_file(tarball, "w.bin", (int64_t)weights, err) &&
	       write_pieces(tarball, bytes, weights, piece, err) &&
	       tarball_add_folder(tarball, "assets", err) &&
	       tarball_add_file(tarball, "assets/empty.txt", 0, err) && tarball_finish(tarball, err);
}

static void assert_may_be_published(const struct buffer *archive)
{
	AUTO_EXAMINATION struct examination *examination = NULL;
	struct memory_stream memory;
	struct err err;

	assert_true(examination_run(memory_stream_init(&memory, archive->data, archive->length), FORMAT_TFJS,
		&(struct archive_limits){0}, &examination, &err));
	if (examination->finding_count > 0)
		fail_msg("%s", examination->findings[0].message);
}

static void test_may_be_published(void **state)
{
	static const size_t sizes[] = {0, 1, 511, 512, 513, 65535, 65536, 200000};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		AUTO_BUFFER struct buffer archive = {0};
		const struct tarball_sink sink = {add_to, &archive};
		struct err err;

		assert_true(write_model(&sink, sizes[i], 4096, &err));
		assert_may_be_published(&archive);
	}
}

/* Published once, its bytes must come out of every later build. */
static void test_bytes_do_not_change(void **state)
{
	static const size_t pieces[] = {1, 100, 65535, 1 << 20};

	(void)state;
	for (size_t i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		AUTO_BUFFER struct buffer archive = {0};
		const struct tarball_sink sink = {add_to, &archive};
		struct err err;

		assert_true(write_model(&sink, 100000, pieces[i], &err));
		assert_string_equal(digest_of(archive.data, archive.length).hex,
			"0e35045b698663073ddf142c6738befdcf49edbe2bdfd8dd9ee62547d9c02178");
	}
}

static void test_ends_with_its_sink(void **state)
{
	static const size_t rooms[] = {0, 10, 65549, 70000, 104000};

	(void)state;
	for (size_t i = 0; i < sizeof rooms / sizeof *rooms; i++) {
		size_t left = rooms[i];
		const struct tarball_sink sink = {fill_up, &left};
		struct err err;

		assert_false(write_model(&sink, 100000, 4096, &err));
		assert_int_equal(err.code, ERR_NO_SPACE);
	}
}

/* zlib is the oracle; the size is known before. */
static void test_stored_is_gzip(void **state)
{
	static const size_t sizes[] = {0, 1, 511, 65534, 65535, 65536, 131070, 200000};

	(void)state;
	for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
		AUTO_BUFFER struct buffer packed = {0};
		AUTO_FREE char *bytes = mem_zero(1, sizes[i] + 1);
		AUTO_FREE char *out = mem_zero(1, sizes[i] + 1);
		const struct stored_sink sink = {add_to, &packed};
		AUTO(own_stored) struct stored *stored = stored_create(&sink);
		z_stream stream = {.next_out = (Bytef *)out, .avail_out = (uInt)sizes[i] + 1};
		struct err err;

		memset(bytes, (int)i, sizes[i]);
		assert_true(stored_write(stored, bytes, sizes[i] / 3, &err));
		assert_true(stored_write(stored, bytes + sizes[i] / 3, sizes[i] - sizes[i] / 3, &err));
		assert_true(stored_finish(stored, &err));
		assert_int_equal(packed.length, stored_size((int64_t)sizes[i]));
		stream.next_in = (Bytef *)packed.data;
		stream.avail_in = (uInt)packed.length;
		assert_int_equal(inflateInit2(&stream, 31), Z_OK);
		assert_int_equal(inflate(&stream, Z_FINISH), Z_STREAM_END);
		assert_int_equal(stream.avail_in, 0);
		assert_int_equal(stream.total_out, sizes[i]);
		(void)inflateEnd(&stream);
		assert_memory_equal(out, bytes, sizes[i]);
	}
	assert_int_equal(stored_size(-1), -1);
	assert_int_equal(stored_size(INT64_MAX), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_may_be_published),
		cmocka_unit_test(test_bytes_do_not_change),
		cmocka_unit_test(test_ends_with_its_sink),
		cmocka_unit_test(test_stored_is_gzip),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Manifests and the index of a bundle, to the byte as Go's library writes them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/buffer.h"
#include "server/bundle/digest_set.h"
#include "server/bundle/layout.h"

static struct bundle_version sample(size_t artifacts)
{
	struct bundle_version version = {.name = {.handle = "acme/deep/x", .version = 7},
		.source = SOURCE_PUBLISHED,
		.state = STATE_ACTIVE,
		.manifest = {digest_of("m", 1), 1},
		.record = {digest_of("r", 1), 1},
		.artifact_count = artifacts};

	for (size_t i = 0; i < artifacts; i++)
		version.artifacts[i] = (struct bundle_artifact){(enum format)i, {digest_of("b", 1), 1}};
	return version;
}

static void text_is_escaped_as_go_does(void **state)
{
	static const struct {
		const char *name;
		const char *written;
	} rows[] = {{"plain", "plain"}, {"a\"b\\c", "a\\\"b\\\\c"},
		{"<b> & </b>", "\\u003cb\\u003e \\u0026 \\u003c/b\\u003e"}, {"\x01\x1f", "\\u0001\\u001f"},
		{"\xc3\xa4\xe2\x82\xac", "\xc3\xa4\xe2\x82\xac"},
		{"\xe2\x80\xa8\xe2\x80\xa9", "\\u2028\\u2029"}, {"x\xffy", "x\\ufffdy"}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		AUTO_BUFFER struct buffer text = {0};
		AUTO_BUFFER struct buffer wanted = {0};
		struct bundle_header header = {.created_s = 0};

		(void)snprintf(header.name, sizeof header.name, "%s", rows[i].name);
		layout_end_index(&header, &text);
		buffer_printf(&wanted,
			"],\"annotations\":{\"dev.larder.bundle\":\"1\",\"dev.larder.name\":\"%s\","
			"\"org.opencontainers.image.created\":\"1970-01-01T00:00:00Z\"}}",
			rows[i].written);
		assert_string_equal(text.data, wanted.data);
	}
}

static void an_index_without_a_name_has_none(void **state)
{
	AUTO_BUFFER struct buffer text = {0};
	const struct bundle_header header = {.created_s = 1};

	layout_end_index(&header, &text);
	assert_null(strstr(text.data, "dev.larder.name"));
}

static void the_index_is_json_in_the_order_of_go(void **state)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO_BUFFER struct buffer again = {0};
	const struct bundle_header header = {.created_s = 1};
	const struct bundle_blob contents = {digest_of("c", 1), 1};
	struct bundle_version version = sample(1);
	json_auto_t *index = NULL;
	char *dumped;

	layout_begin_index(&contents, &text);
	layout_add_to_index(&version, &text);
	version.name.version = INT64_MAX;
	layout_add_to_index(&version, &text);
	layout_end_index(&header, &text);
	index = json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES, NULL);
	assert_non_null(index);
	assert_int_equal(json_array_size(json_object_get(index, "manifests")), 3);
	/* Nothing in it but what was read: no blanks, no other order. */
	dumped = json_dumps(index, JSON_COMPACT);
	assert_string_equal(dumped, text.data);
	free(dumped);
	assert_non_null(strstr(text.data, "\"dev.larder.version\":\"9223372036854775807\""));
}

static void manifests_have_what_they_should(void **state)
{
	static const char *const types[] = {"application/vnd.larder.module.tf-hub.v1.tar+gzip",
		"application/vnd.larder.module.tfjs.v1.tar+gzip", "application/vnd.larder.module.tflite.v1",
		"application/vnd.larder.module.coral.v1",
		"application/vnd.larder.module.archive.v1.tar+gzip"};
	static const char *const titles[] = {
		"x_7.tar.gz", "x_7.tar.gz", "x_7.tflite", "x_7.tflite", "x_7.tar.gz"};

	for (size_t count = 0; count <= FORMAT_COUNT; count++) {
		AUTO_BUFFER struct buffer text = {0};
		struct bundle_version version = sample(count);
		json_auto_t *manifest = NULL;
		json_t *layers;

		layout_write_version(&version, 5, &text);
		manifest = json_loadb(text.data, text.length, JSON_REJECT_DUPLICATES, NULL);
		layers = json_object_get(manifest, "layers");
		assert_int_equal(json_array_size(layers), count > 0 ? count : 1);
		for (size_t i = 0; i < count; i++) {
			const json_t *layer = json_array_get(layers, i);
			const json_t *title = json_object_get(
				json_object_get(layer, "annotations"), "org.opencontainers.image.title");

			assert_string_equal(json_string_value(json_object_get(layer, "mediaType")), types[i]);
			assert_string_equal(json_string_value(title), titles[i]);
		}
	}
}

/* Of the process, with what files are behind. */
static long resident_kib(void)
{
	FILE *status = fopen("/proc/self/status", "r");
	char line[200];
	long kib = -1;

	assert_non_null(status);
	while (fgets(line, sizeof line, status)) {
		if (strncmp(line, "VmRSS:", 6) == 0)
			kib = strtol(line + 6, NULL, 10);
	}
	(void)fclose(status);
	return kib;
}

/* As many as a million blobs of a bundle, in memory that does not grow with them. */
static void digests_are_seen_once(void **state)
{
	const struct scratch_place scratch = {"/tmp", 0};
	const int counts[] = {5000, 100000, 1000000};

	for (size_t n = 0; n < 3; n++) {
		long before = resident_kib();
		struct digest_set set;
		struct err err = {0};

		digest_set_init(&set, &scratch);
		for (int i = 0; i < 2 * counts[n]; i++) {
			int number = i % counts[n];
			struct digest digest = {0};
			bool is_new;

			memcpy(digest.bytes, &number, sizeof number);
			assert_int_equal(digest_set_has(&set, &digest), i >= counts[n]);
			assert_true(digest_set_add(&set, &digest, &is_new, &err));
			assert_int_equal(is_new, i < counts[n]);
		}
		assert_int_equal(set.count, counts[n]);
		assert_true(resident_kib() - before < 24 << 10);
		digest_set_finish(&set);
	}
	(void)state;
}

/* What is to stay free stays so; small ones are held in memory. */
static void a_set_leaves_the_room_that_is_to_stay_free(void **state)
{
	const struct scratch_place scratch = {"/tmp", (int64_t)1 << 60};
	struct digest_set set;
	struct err err = {0};
	int count = 0;
	bool is_new, done = true;

	digest_set_init(&set, &scratch);
	for (; done && count < 1000000; count++) {
		struct digest digest = digest_of(&count, sizeof count);

		done = digest_set_add(&set, &digest, &is_new, &err);
	}
	assert_false(done);
	assert_int_equal(err.code, ERR_NO_SPACE);
	assert_non_null(strstr(err.text, "keep_free_bytes"));
	assert_true(count > DIGEST_SET_HELD_BYTES / 16);
	digest_set_finish(&set);
	(void)state;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_escaped_as_go_does),
		cmocka_unit_test(an_index_without_a_name_has_none),
		cmocka_unit_test(the_index_is_json_in_the_order_of_go),
		cmocka_unit_test(manifests_have_what_they_should),
		cmocka_unit_test(digests_are_seen_once),
		cmocka_unit_test(a_set_leaves_the_room_that_is_to_stay_free),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * From index.json to what is signed: no bit of a signed bundle's files can be flipped without its being told.
 */
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
#include "server/bundle/layout.h"
#include "server/bundle/mediatypes.h"
#include "server/bundle/opening.h"
#include "server/bundle/outlet.h"
#include "server/bundle/signature.h"
#include "server/bundle/strictjson.h"

enum { FILES_MAX = 8 };

/* A signed bundle in a folder. */
struct place {
	char folder[32];
	char *paths[FILES_MAX];
	struct buffer texts[FILES_MAX];
	size_t count;
	struct signing_key *key;
};

static void write_file(const char *path, const struct buffer *text)
{
	FILE *file = fopen(path, "w");

	assert_non_null(file);
	assert_int_equal(fwrite(text->data, 1, text->length, file), text->length);
	assert_int_equal(fclose(file), 0);
}

static void add_file(struct place *place, const char *name, const struct buffer *text)
{
	place->paths[place->count] = mem_printf("%s/%s", place->folder, name);
	buffer_add(&place->texts[place->count], text->data, text->length);
	write_file(place->paths[place->count++], text);
}

static struct bundle_blob add_blob(struct place *place, const struct buffer *text)
{
	struct bundle_blob blob = {digest_of(text->data, text->length), (int64_t)text->length};
	AUTO_FREE char *name = mem_printf("blobs/sha256/%s", blob.digest.hex);

	add_file(place, name, text);
	return blob;
}

static void make_key(struct place *place)
{
	AUTO_FREE char *path = mem_printf("%s/key", place->folder);
	struct digest id;
	struct err err = {0};

	assert_true(signing_key_make(path, &id, &err));
	assert_true(signing_key_read_private(path, &place->key, &err));
}

/* With a head of the audit log, and one that is signed; NULL: none. */
static int lay_out(void **state, const struct digest *head, const struct digest *signed_head)
{
	const struct bundle_header header = {.created_s = 1795869296, .name = "spring", .server = "tests"};
	AUTO_BUFFER struct buffer line = {0}, envelope = {0}, manifest = {0}, index = {0}, outer = {0},
				  mark = {0}, empty = {0};
	struct place *place = mem_zero(1, sizeof *place);
	struct signed_statement statement = {
		.created_s = header.created_s, .has_audit_head = signed_head != NULL};
	struct bundle_blob blob;
	AUTO_FREE char *folders = NULL;

	if (signed_head)
		statement.audit_head = *signed_head;
	(void)snprintf(place->folder, sizeof place->folder, "/tmp/larder-test.XXXXXX");
	assert_non_null(mkdtemp(place->folder));
	folders = mem_printf("mkdir -p '%s/blobs/sha256'", place->folder);
	assert_int_equal(system(folders), 0);
	make_key(place);
	buffer_add_string(&mark, outlet_layout);
	add_file(place, "oci-layout", &mark);
	buffer_add_string(&empty, "{}");
	(void)add_blob(place, &empty);
	contents_write_header(&header, &line);
	statement.contents = add_blob(place, &line);
	signature_write(place->key, &statement, &envelope);
	blob = add_blob(place, &envelope);
	layout_write_contents(&statement.contents, &blob, head, &manifest);
	blob = add_blob(place, &manifest);
	layout_begin_index(&blob, &index);
	layout_end_index(&header, &index);
	blob = add_blob(place, &index);
	layout_write_outer(&blob, &header, &outer);
	add_file(place, "index.json", &outer);
	*state = place;
	return 0;
}

static int set_up(void **state)
{
	const struct digest head = digest_of("head", 4);

	return lay_out(state, &head, &head);
}

static int tear_down(void **state)
{
	struct place *place = *state;
	AUTO_FREE char *command = mem_printf("rm -rf '%s'", place->folder);

	assert_int_equal(system(command), 0);
	for (size_t i = 0; i < place->count; i++) {
		free(place->paths[i]);
		buffer_finish(&place->texts[i]);
	}
	signing_key_destroy(place->key);
	free(place);
	return 0;
}

/* As an import reads it, up to its first version. */
static bool is_taken(const struct place *place, struct err *err)
{
	const struct scratch_place scratch = {"/tmp", 0};
	AUTO_CARRIER struct carrier *carrier = NULL;
	AUTO_CARRIER_BLOB struct carrier_blob blob = {.fd = -1};
	struct contents_reader reader = {0};
	struct opening opening;
	bool done;

	if (!carrier_open(place->folder, &scratch, &carrier, err) || !opening_find(carrier, &opening, err) ||
		!opening_verify(carrier, &opening, place->key, err) ||
		!carrier_open_blob(carrier, &opening.contents, &blob, err))
		return false;
	done = contents_open(&reader, &blob.stream, err) && stream_drain(&blob.stream, err) &&
	       opening_check_time(&opening, &reader.header, err);
	contents_close(&reader);
	return done;
}

static void test_the_head_of_the_audit_log_is_signed(void **state)
{
	const struct digest head = digest_of("head", 4), other = digest_of("other", 5);
	const struct {
		const struct digest *told, *signed_head;
		bool taken;
	} rows[] = {{&head, &head, true}, {NULL, NULL, true}, {&other, &head, false}, {NULL, &head, false},
		{&head, NULL, false}};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct err err = {0};

		(void)tear_down(state);
		(void)lay_out(state, rows[i].told, rows[i].signed_head);
		assert_int_equal(is_taken(*state, &err), rows[i].taken);
		assert_true(rows[i].taken || strstr(err.text, "another head of the audit log"));
	}
}

/* All eight of each byte where no digest covers it, else one. */
static size_t step_of(const char *path)
{
	return strstr(path, "/blobs/") ? 9 : 1;
}

static void test_no_bit_can_be_flipped(void **state)
{
	const struct place *place = *state;
	struct err err = {0};

	if (!is_taken(place, &err))
		fail_msg("%s", err.text);
	for (size_t i = 0; i < place->count; i++) {
		for (size_t bit = 0; bit < 8 * place->texts[i].length; bit += step_of(place->paths[i])) {
			AUTO_BUFFER struct buffer text = {0};

			buffer_add(&text, place->texts[i].data, place->texts[i].length);
			text.data[bit / 8] ^= (char)(1 << bit % 8);
			write_file(place->paths[i], &text);
			if (is_taken(place, &err))
				fail_msg("%s: bit %zu of byte %zu (%c) was flipped, and taken",
					place->paths[i], bit % 8, bit / 8, place->texts[i].data[bit / 8]);
		}
		write_file(place->paths[i], &place->texts[i]);
	}
	assert_true(is_taken(place, &err));
}

/* index.json as other tools write it. */
static void test_other_tools_may_write_index_json(void **state)
{
	static const char *const forms[] = {
		"{\"schemaVersion\":2,\"manifests\":[{\"mediaType\":\"" MEDIA_INDEX
		"\",\"digest\":\"sha256:%s\",\"size\":%lld}]}",
		"{ \"manifests\": [ {\"size\":%2$lld, \"digest\":\"sha256:%1$s\", "
		"\"mediaType\":\"" MEDIA_INDEX "\", \"annotations\": {\"" NOTE_REFERENCE
		"\": \"weekly\"}} ],\n \"schemaVersion\": 2 }\n",
		"{\"schemaVersion\":2,\"mediaType\":\"" MEDIA_INDEX
		"\",\"manifests\":[{\"mediaType\":\"" MEDIA_INDEX
		"\",\"digest\":\"sha256:%s\",\"size\":%lld,\"annotations\":{\"io.example.image.name\":"
		"\"registry.example/x:1\",\"" NOTE_CREATED "\":\"2026-11-28T12:34:56Z\",\"" NOTE_REFERENCE
		"\":\"latest\"},\"platform\":{\"os\":\"linux\"}}],\"annotations\":{\"a\":\"b\"}}",
	};
	const struct place *place = *state;
	const struct buffer *index = &place->texts[place->count - 2];
	const struct digest digest = digest_of(index->data, index->length);

	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		AUTO_BUFFER struct buffer text = {0};
		struct err err = {0};

		buffer_printf(&text, forms[i], digest.hex, (long long)index->length);
		write_file(place->paths[place->count - 1], &text);
		if (!is_taken(place, &err))
			fail_msg("%s: %s", buffer_string(&text), err.text);
	}
}

static void test_flipped_texts(void **state)
{
	static const char word[] = "bundle";

	(void)state;
	assert_false(strictjson_is_flipped(word, word));
	assert_false(strictjson_is_flipped("bundles", word) || strictjson_is_flipped("", word));
	assert_false(strictjson_is_flipped("weekly", word) || strictjson_is_flipped("cundlf", word));
	for (size_t bit = 0; bit < 8 * strlen(word); bit++) {
		char flipped[sizeof word];

		memcpy(flipped, word, sizeof word);
		flipped[bit / 8] ^= (char)(1 << bit % 8);
		assert_true(strictjson_is_flipped(flipped, word));
	}
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_bit_can_be_flipped, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_the_head_of_the_audit_log_is_signed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_other_tools_may_write_index_json, set_up, tear_down),
		cmocka_unit_test(test_flipped_texts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

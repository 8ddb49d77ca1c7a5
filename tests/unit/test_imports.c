/* SPDX-License-Identifier: Apache-2.0
 *
 * Imports that clients send, over time: what abandoned ones have brought goes, what open ones wait for stays;
 * and what is told of one, read by several while it is added to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "catalog_place.h"
#include "common/clock.h"
#include "common/thread.h"
#include "server/bundle/layout.h"
#include "server/bundle/outlet.h"
#include "server/module/archives/ustar.h"
#include "server/registry/committer.h"
#include "server/registry/imports.h"
#include "server/registry/remarks.h"
#include "server/registry/space.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog_opening.h"
#include "server/store/catalog/catalog_staging.h"
#include "server/vault/vault_alone.h"

enum { DAY_S = 86400, DEADLINE_MS = 60 * 1000 };

struct house {
	char folder[32];
	struct catalog *catalog;
	struct blobs *blobs;
	struct committer *committer;
	struct space *space;
	struct imports *imports;
};

static int open_house(void **state)
{
	const struct space_limits limits = {0};
	struct house *house = mem_zero(1, sizeof *house);
	struct err err = {0};

	(void)snprintf(house->folder, sizeof house->folder, "/tmp/larder-test.XXXXXX");
	assert_non_null(mkdtemp(house->folder));
	assert_true(catalog_open(house->folder, &house->catalog, &err));
	assert_true(blobs_open(house->folder, &house->blobs, &err));
	house->committer = committer_create(house->catalog, house->blobs, NULL, vault_alone());
	house->space = space_create(&limits, house->catalog, house->blobs, house->committer, NULL, 0);
	*state = house;
	return 0;
}

static int close_house(void **state)
{
	struct house *house = *state;
	AUTO_FREE char *command = mem_printf("rm -rf '%s'", house->folder);

	imports_destroy(house->imports);
	space_destroy(house->space);
	committer_destroy(house->committer);
	blobs_close(house->blobs);
	catalog_close(house->catalog);
	assert_int_equal(system(command), 0);
	free(house);
	return 0;
}

static void start(struct house *house, int64_t sweep_each_ms)
{
	const struct importer importer = {
		house->catalog, house->blobs, house->committer, house->space, {NULL, 0}, 1 << 20, {0}};
	struct err err = {0};

	if (!imports_create(&importer, house->folder, sweep_each_ms, &house->imports, &err))
		fail_msg("%s", err.text);
}

/* ---- a head ---- */

static void add_member(struct buffer *tar, const char *name, const char *bytes, size_t length)
{
	ustar_add_header(tar, name, false, (int64_t)length);
	buffer_add(tar, bytes, length);
	ustar_add_padding(tar, (int64_t)length);
}

static struct bundle_blob add_blob(struct buffer *tar, const struct buffer *text)
{
	struct bundle_blob blob = {digest_of(text->data, text->length), (int64_t)text->length};
	AUTO_FREE char *name = mem_printf("blobs/sha256/%s", blob.digest.hex);

	add_member(tar, name, text->data, text->length);
	return blob;
}

/* Of a bundle with nothing in it; *contents: its digest. */
static struct buffer make_head(struct digest *contents)
{
	const struct bundle_header header = {.created_s = 1000, .name = "spring", .server = "tests"};
	AUTO_BUFFER struct buffer line = {0}, manifest = {0}, index = {0}, outer = {0}, empty = {0};
	struct buffer tar = {0};
	struct bundle_blob blob;

	add_member(&tar, "oci-layout", outlet_layout, strlen(outlet_layout));
	buffer_add_string(&empty, "{}");
	(void)add_blob(&tar, &empty);
	contents_write_header(&header, &line);
	blob = add_blob(&tar, &line);
	*contents = blob.digest;
	layout_write_contents(&blob, NULL, NULL, &manifest);
	blob = add_blob(&tar, &manifest);
	layout_begin_index(&blob, &index);
	layout_end_index(&header, &index);
	blob = add_blob(&tar, &index);
	layout_write_outer(&blob, &header, &outer);
	add_member(&tar, "index.json", outer.data, outer.length);
	ustar_add_end(&tar);
	return tar;
}

static bool is_open(struct imports *imports, const char *id)
{
	AUTO_INCOMING_VIEW struct incoming_view view = {0};
	struct err err = {0};

	if (!imports_show(imports, id, &view, &err))
		fail_msg("%s", err.text);
	if (view.state == INCOMING_ENDED)
		fail_msg("%s", view.failure.text);
	return view.state == INCOMING_OPEN;
}

/* Sends it, and waits until it has been read. */
static void send_head(struct house *house, char *id, struct digest *contents)
{
	AUTO_BUFFER struct buffer head = make_head(contents);
	struct incoming *incoming;
	struct err err = {0};
	int64_t until_ms = clock_monotonic_ms() + DEADLINE_MS;

	assert_true(imports_begin(house->imports, "ci", "::1", (int64_t)head.length, NULL, &incoming, &err));
	assert_true(incoming_write(incoming, head.data, head.length));
	assert_true(imports_read(house->imports, incoming, id, &err));
	while (!is_open(house->imports, id)) {
		assert_true(clock_monotonic_ms() < until_ms);
		clock_sleep_ms(1);
	}
}

/* ---- what is staged ---- */

static void stage(struct house *house, const struct digest *bundle, enum format format, const char *content,
	int64_t age_s)
{
	struct name name = {.format = format};
	struct checksums checksums = checksums_of(content);
	struct examination *examination = examination_of(format);
	struct err err = {0};

	if (!catalog_stage_blob(house->catalog,
		    &(struct keeping){.name = &name,
			    .source = SOURCE_MIRRORED,
			    .checksums = &checksums,
			    .size_bytes = (int64_t)strlen(content),
			    .examination = examination,
			    .staged_for = bundle,
			    .now_s = clock_now_s() - age_s},
		    true, &err))
		fail_msg("%s", err.text);
	examination_destroy(examination);
}

static bool has_staged(struct house *house, const char *content)
{
	struct digest digest = digest_of(content, strlen(content));
	struct err err = {0};
	bool claimed;

	if (!catalog_claims_blob(house->catalog, &digest, &claimed, &err))
		fail_msg("%s", err.text);
	return claimed;
}

static void wait_until_gone(struct house *house, const char *content)
{
	int64_t until_ms = clock_monotonic_ms() + DEADLINE_MS;

	while (has_staged(house, content)) {
		assert_true(clock_monotonic_ms() < until_ms);
		clock_sleep_ms(1);
	}
}

static void test_what_abandoned_imports_brought_goes(void **state)
{
	struct house *house = *state;
	const struct digest bundle = digest_of("b", 1);

	stage(house, &bundle, FORMAT_TF_HUB, "old", 8 * DAY_S);
	stage(house, &bundle, FORMAT_TFJS, "young", 6 * DAY_S);
	start(house, 5);
	wait_until_gone(house, "old");
	assert_true(has_staged(house, "young"));
	stage(house, &bundle, FORMAT_TF_HUB, "old again", 8 * DAY_S);
	wait_until_gone(house, "old again");
	assert_true(has_staged(house, "young"));
}

static void take(void *context, const struct digest *digest)
{
}

static void test_what_open_imports_wait_for_stays(void **state)
{
	struct house *house = *state;
	const struct digest other = digest_of("other", 5);
	char id[INCOMING_ID_LENGTH + 1];
	struct digest contents;
	size_t count;
	struct err err = {0};

	start(house, 5);
	send_head(house, id, &contents);
	stage(house, &contents, FORMAT_TF_HUB, "of the open one", 6 * DAY_S);
	stage(house, &other, FORMAT_TF_HUB, "of another", 8 * DAY_S);
	wait_until_gone(house, "of another");
	/* Nothing of it is as old as it was. */
	assert_true(catalog_unstage(house->catalog, clock_now_s() - DAY_S, 10, take, NULL, &count, &err));
	assert_int_equal(count, 0);
	assert_true(has_staged(house, "of the open one"));
	assert_true(imports_drop(house->imports, id, &err));
	stage(house, &contents, FORMAT_TF_HUB, "of one that was dropped", 8 * DAY_S);
	wait_until_gone(house, "of one that was dropped");
}

/* ---- remarks ---- */

enum { REMARKS = 20000 };

static void *add_remarks(void *remarks)
{
	for (size_t i = 0; i < REMARKS; i++) {
		AUTO_FREE char *name = mem_printf("acme/x/%zu", i);

		remarks_add(remarks, &(struct import_told){.remark = (enum import_remark)(i % 3),
					     .name = name,
					     .format = i % 2 ? "tfjs" : NULL,
					     .detail = i % 5 ? "it is damaged" : ""});
	}
	return NULL;
}

/* Reads on from a place; how many there were. */
static size_t read_on(const struct remarks *remarks, int64_t *place, size_t from)
{
	bool more = true;
	size_t count = 0;
	struct err err = {0};

	while (more) {
		AUTO(remark_finish) struct remark remark = {0};
		AUTO_FREE char *name = mem_printf("acme/x/%zu", from + count);

		if (!remarks_next(remarks, place, &remark, &more, &err))
			fail_msg("%s", err.text);
		if (!more)
			break;
		assert_string_equal(remark.name, name);
		assert_int_equal(remark.kind, (from + count) % 3);
		assert_int_equal(remark.format != NULL, (from + count) % 2);
		assert_string_equal(remark.detail, (from + count) % 5 ? "it is damaged" : "");
		count++;
	}
	return count;
}

static void test_remarks_are_read_while_more_are_added(void **state)
{
	const struct house *house = *state;
	const struct scratch_place scratch = {house->folder, 0};
	struct remarks *remarks;
	pthread_t thread;
	const struct thread_plan plan = {.name = "adds", .run = add_remarks};
	struct thread_plan adds = plan;
	struct err err = {0};
	int64_t place = 0;
	size_t count = 0;

	assert_true(remarks_create(&scratch, &remarks, &err));
	adds.context = remarks_share(remarks);
	assert_true(thread_start(&thread, &adds, &err));
	while (count < REMARKS)
		count += read_on(remarks, &place, count);
	thread_join(thread);
	remarks_release(adds.context);
	assert_int_equal(remarks_count(remarks), REMARKS);
	assert_int_equal(remarks_kept(remarks), REMARKS);
	for (int64_t wrong = 1; wrong < 200; wrong++) {
		struct remark remark = {0};
		int64_t at = wrong;
		bool more;

		if (remarks_next(remarks, &at, &remark, &more, &err))
			remark_finish(&remark);
		else
			assert_int_equal(err.code, ERR_BAD_REQUEST);
	}
	remarks_release(remarks);
}

static void test_remarks_that_there_is_no_room_for_are_counted(void **state)
{
	const struct house *house = *state;
	const struct scratch_place scratch = {house->folder, (int64_t)1 << 60};
	AUTO_REMARKS struct remarks *remarks = NULL;
	struct err err = {0};
	int64_t place = 0;

	assert_true(remarks_create(&scratch, &remarks, &err));
	(void)add_remarks(remarks);
	assert_int_equal(remarks_count(remarks), REMARKS);
	assert_true(remarks_kept(remarks) >= 1000 && remarks_kept(remarks) < REMARKS);
	assert_int_equal(read_on(remarks, &place, 0), remarks_kept(remarks));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(
			test_what_abandoned_imports_brought_goes, open_house, close_house),
		cmocka_unit_test_setup_teardown(
			test_what_open_imports_wait_for_stays, open_house, close_house),
		cmocka_unit_test_setup_teardown(
			test_remarks_are_read_while_more_are_added, open_house, close_house),
		cmocka_unit_test_setup_teardown(
			test_remarks_that_there_is_no_room_for_are_counted, open_house, close_house),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

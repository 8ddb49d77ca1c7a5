/* SPDX-License-Identifier: Apache-2.0
 *
 * How far clients get ahead of the inspection: by what it gets done in a second, and no more. Bytes are
 * counted, no time. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "server/store/spool_stream.h"
#include "tests/unit/store_place.h"

enum { PIECE = 1 << 20, PIECES = 160 };

static int set_up(void **state)
{
	struct place *place = mem_zero(1, sizeof *place);

	place_open(place);
	*state = place;
	return 0;
}

static int tear_down(void **state)
{
	place_close(*state);
	free(*state);
	return 0;
}

static struct spool *begin(struct place *place)
{
	struct spool *spool = NULL;
	struct err err = {0};

	if (!blobs_begin(place->blobs, &spool, &err))
		fail_msg("%s", err.text);
	return spool;
}

static void append(struct spool *spool, int pieces)
{
	static const char zeros[PIECE];
	struct err err = {0};

	while (pieces-- > 0) {
		if (!spool_append(spool, zeros, sizeof zeros, &err))
			fail_msg("%s", err.text);
	}
}

static struct spool_progress look(struct spool *spool)
{
	struct spool_progress progress = {0};

	assert_false(spool_await(spool, &progress, NULL));
	return progress;
}

static size_t read_on(struct spool_stream *source)
{
	const uint8_t *data;
	size_t length = 0;
	struct err err = {0};

	if (!stream_next(&source->stream, &data, &length, &err))
		fail_msg("%s", err.text);
	return length;
}

struct sleeper {
	struct waiter waiter;
	int woken;
};

static void note(struct waiter *waiter)
{
	((struct sleeper *)waiter)->woken++;
}

static void a_second_by_what_was_done_lately(void **state)
{
	static const struct {
		int64_t bytes;
		int64_t spent_us;
		int64_t lead;
	} rows[] = {
		{0, 0, LEAD_FIRST_BYTES},
		{PIECE, 1, LEAD_FIRST_BYTES},
		{10 << 20, 1000000, 10 << 20},
		{5 << 20, 500000, 10 << 20},
		{256 << 10, 10000, 25 << 20},
		{1, 1000000, LEAD_MIN_BYTES},
		{0, 60000000, LEAD_MIN_BYTES},
		{INT64_C(1) << 40, 1000000, LEAD_MAX_BYTES},
	};

	for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct lead lead = {0};

		lead_note(&lead, rows[i].bytes, rows[i].spent_us);
		assert_int_equal(lead_bytes(&lead), rows[i].lead);
	}
}

/* Half of what is remembered is a second old. */
static void what_was_long_ago_is_forgotten(void **state)
{
	struct lead lead = {0};

	for (int i = 0; i < 100; i++)
		lead_note(&lead, 400 << 10, 10000);
	assert_in_range(lead_bytes(&lead), 38 << 20, 40 << 20);
	for (int i = 0; i < 1000; i++)
		lead_note(&lead, 20 << 10, 10000);
	assert_in_range(lead_bytes(&lead), (2 << 20) - (200 << 10), 2 << 20);
	lead_note(&lead, 256 << 10, 30000000);
	assert_int_equal(lead_bytes(&lead), LEAD_MIN_BYTES);
}

static void clients_see_little_before_anything_is_inspected(void **state)
{
	AUTO_SPOOL struct spool *spool = begin(*state);
	struct spool_stream source;

	spool_stream_init(&source, spool);
	append(spool, 4);
	assert_int_equal(look(spool).visible, 4 * PIECE - SPOOL_HELD_BACK);
	append(spool, PIECES);
	assert_int_equal(look(spool).visible, LEAD_FIRST_BYTES);
	spool_complete(spool);
	assert_int_equal(look(spool).visible, LEAD_FIRST_BYTES);
	spool_stream_finish(&source);
	assert_int_equal(look(spool).visible, look(spool).length - SPOOL_HELD_BACK);
}

/* Of two, the one that is further behind counts. */
static void clients_follow_the_inspection(void **state)
{
	AUTO_SPOOL struct spool *spool = begin(*state);
	struct spool_stream fast;
	struct spool_stream slow;
	struct spool_progress seen = {0};
	int64_t before = 0;

	spool_stream_init(&fast, spool);
	spool_stream_init(&slow, spool);
	append(spool, PIECES);
	spool_complete(spool);
	while (read_on(&fast) > 0)
		assert_in_range(look(spool).visible, LEAD_FIRST_BYTES, LEAD_FIRST_BYTES);
	spool_stream_finish(&fast);
	for (size_t length = 1; length > 0; before = seen.visible) {
		struct sleeper sleeper = {.waiter = {note}};
		bool sleeps = spool_await(spool, &seen, &sleeper.waiter);

		length = read_on(&slow);
		assert_true(look(spool).visible >= before);
		assert_true(look(spool).visible <= slow.offset + LEAD_MAX_BYTES);
		/* Whoever sleeps is told of what he gets. */
		if (sleeps && !spool_leave(spool, &sleeper.waiter))
			assert_int_equal(sleeper.woken, 1);
		else if (sleeps)
			assert_true(look(spool).visible - seen.visible < 256 << 10);
	}
	assert_int_equal(look(spool).visible, look(spool).length - SPOOL_HELD_BACK);
	spool_stream_finish(&slow);
}

static void a_writer_waits_for_the_inspection(void **state)
{
	AUTO_SPOOL struct spool *spool = begin(*state);
	struct sleeper sleeper = {.waiter = {note}};
	struct spool_stream source;

	spool_stream_init(&source, spool);
	append(spool, 8);
	assert_false(spool_await_readers(spool, &sleeper.waiter));
	append(spool, PIECES);
	assert_true(spool_await_readers(spool, NULL));
	assert_true(spool_await_readers(spool, &sleeper.waiter));
	while (sleeper.woken == 0 && read_on(&source) > 0)
		assert_true(source.offset <= look(spool).length);
	assert_int_equal(sleeper.woken, 1);
	assert_false(spool_await_readers(spool, &sleeper.waiter));
	assert_false(spool_leave_readers(spool, &sleeper.waiter));
	spool_stream_finish(&source);
}

static void a_writer_does_not_wait_for_what_is_over(void **state)
{
	static const struct err refusal = {.code = ERR_INTERNAL, .text = "over"};
	AUTO_SPOOL struct spool *spool = begin(*state);
	struct sleeper first = {.waiter = {note}};
	struct sleeper second = {.waiter = {note}};
	struct sleeper third = {.waiter = {note}};
	struct spool_stream source;
	struct spool_stream other;

	spool_stream_init(&source, spool);
	spool_stream_init(&other, spool);
	append(spool, 16);
	assert_true(spool_await_readers(spool, &first.waiter));
	assert_true(spool_leave_readers(spool, &first.waiter));
	assert_true(spool_await_readers(spool, &second.waiter));
	spool_stream_finish(&source);
	assert_int_equal(second.woken, 0);
	spool_stream_finish(&other);
	assert_int_equal(second.woken, 1);
	spool_stream_init(&source, spool);
	assert_true(spool_await_readers(spool, &third.waiter));
	spool_refuse(spool, &refusal);
	assert_int_equal(third.woken, 1);
	assert_false(spool_await_readers(spool, &third.waiter));
	assert_int_equal(first.woken, 0);
	spool_stream_finish(&source);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_second_by_what_was_done_lately),
		cmocka_unit_test(what_was_long_ago_is_forgotten),
		TEST(clients_see_little_before_anything_is_inspected),
		TEST(clients_follow_the_inspection),
		TEST(a_writer_waits_for_the_inspection),
		TEST(a_writer_does_not_wait_for_what_is_over),
	};

	return cmocka_run_group_tests_name("lead", tests, NULL, NULL);
}

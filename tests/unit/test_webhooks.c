/* SPDX-License-Identifier: Apache-2.0
 *
 * The queue of webhooks: what is put into it and by what, in which order it is taken, what bounds it, and
 * when what failed is tried again. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "common/buffer.h"
#include "server/registry/failed_fills.h"
#include "server/registry/webhook_message.h"
#include "server/registry/webhooks.h"
#include "server/store/catalog/catalog_webhooks.h"
#include "tests/unit/catalog_place.h"

enum { LATER = 2000000000, TOGETHER = 64 };

static const char all_events[] = "published, mirrored, withdrawn, quarantined, fill_failed";

static void configure(struct catalog *catalog, const struct webhook_wish *wishes, size_t count)
{
	struct err err;

	if (!catalog_set_webhooks(catalog, wishes, count, &err))
		fail_msg("%s", err.text);
}

#define CONFIGURE(catalog, ...) \
	configure(catalog, (const struct webhook_wish[]){__VA_ARGS__}, \
		sizeof((const struct webhook_wish[]){__VA_ARGS__}) / sizeof(struct webhook_wish))

static struct webhook_batch take(struct catalog *catalog, const char *name, int64_t now_s)
{
	struct webhook_batch batch;
	struct err err;

	if (!catalog_take_due_events(catalog, name, now_s, TOGETHER, &batch, &err))
		fail_msg("%s", err.text);
	return batch;
}

/* "published acme/a/1, withdrawn acme/a/1": what is due. */
static void assert_due(struct catalog *catalog, const char *name, int64_t now_s, const char *expected)
{
	AUTO(webhook_batch_finish) struct webhook_batch batch = take(catalog, name, now_s);
	AUTO_BUFFER struct buffer told = {0};

	for (size_t i = 0; i < batch.count; i++)
		buffer_printf(&told, "%s%s %s", i ? ", " : "", batch.items[i].event, batch.items[i].subject);
	assert_string_equal(buffer_string(&told), expected);
}

static void note(struct catalog *catalog, const char *name, enum webhook_outcome outcome, int64_t due_at)
{
	AUTO(webhook_batch_finish) struct webhook_batch batch = take(catalog, name, LATER);
	struct webhook_attempt attempt = {
		.outcome = outcome, .due_at = due_at, .status = 500, .reason = "no"};
	struct err err;

	assert_true(batch.count > 0);
	attempt.id = batch.items[0].id;
	if (!catalog_note_attempts(catalog, batch.webhook_id, &attempt, 1, NOW, &err))
		fail_msg("%s", err.text);
}

static struct webhook_state state_of(struct catalog *catalog, const char *name)
{
	AUTO(webhook_states_finish) struct webhook_states states = {0};
	struct webhook_state found = {.status = -1};
	struct err err;

	assert_true(catalog_list_webhooks(catalog, &states, &err));
	for (size_t i = 0; i < states.count; i++) {
		if (strcmp(states.items[i].name, name) == 0)
			found = states.items[i];
	}
	/* Their memory goes with the list. */
	found.name = found.reason = NULL;
	return found;
}

/* ---- what is told ---- */

static void test_without_webhooks_nothing_is_written(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct orphans orphans;

	(void)keep(catalog, "acme/a/1", FORMAT_TF_HUB, "one", SOURCE_PUBLISHED);
	(void)withdraw(catalog, "acme/a/1", &orphans);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM webhook_queue"), 0);
}

static void test_each_change_is_told_once(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct orphans orphans;

	CONFIGURE(catalog, {"ci", all_events}, {"audit", "withdrawn quarantined"});
	(void)keep(catalog, "acme/a/1", FORMAT_TF_HUB, "one", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/a/1", FORMAT_TF_HUB, "one", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/a/1", FORMAT_TFLITE, "lite", SOURCE_PUBLISHED);
	(void)keep(catalog, "hub/b/2", FORMAT_TF_HUB, "two", SOURCE_MIRRORED);
	assert_int_equal(refusal(catalog, "hub/b/2", "other bytes", SOURCE_MIRRORED), ERR_QUARANTINED);
	assert_int_equal(refusal(catalog, "acme/a/1", "other bytes", SOURCE_PUBLISHED), ERR_CONFLICT);
	(void)withdraw(catalog, "acme/a/1", &orphans);
	(void)withdraw(catalog, "acme/a/1", &orphans);
	assert_due(catalog, "audit", LATER, "withdrawn acme/a/1, quarantined hub/b/2");
	assert_due(catalog, "ci", LATER,
		"published acme/a/1, published acme/a/1, withdrawn acme/a/1, mirrored hub/b/2, quarantined "
		"hub/b/2");
}

static void test_what_is_published_after_it_was_mirrored(void **state)
{
	struct catalog *catalog = catalog_of(state);

	CONFIGURE(catalog, {"ci", all_events});
	(void)keep(catalog, "hub/b/2", FORMAT_TF_HUB, "two", SOURCE_MIRRORED);
	(void)keep(catalog, "hub/b/2", FORMAT_TF_HUB, "two", SOURCE_PUBLISHED);
	(void)keep(catalog, "hub/b/2", FORMAT_TF_HUB, "two", SOURCE_MIRRORED);
	assert_due(catalog, "ci", LATER, "published hub/b/2, mirrored hub/b/2");
}

/* Evictions cost nothing, and what comes back is nothing new. */
static void test_evictions_are_not_told(void **state)
{
	struct catalog *catalog = catalog_of(state);

	CONFIGURE(catalog, {"ci", all_events});
	(void)keep(catalog, "hub/b/2", FORMAT_TF_HUB, "two", SOURCE_MIRRORED);
	note(catalog, "ci", WEBHOOK_DELIVERED, 0);
	forget(catalog, "two");
	(void)keep(catalog, "hub/b/2", FORMAT_TF_HUB, "two", SOURCE_MIRRORED);
	assert_due(catalog, "ci", LATER, "");
	assert_int_equal(state_of(catalog, "ci").delivered, 1);
}

/* ---- how it is taken ---- */

static void test_what_failed_comes_when_it_is_due(void **state)
{
	struct catalog *catalog = catalog_of(state);

	CONFIGURE(catalog, {"ci", all_events});
	(void)keep(catalog, "acme/a/1", FORMAT_TF_HUB, "one", SOURCE_PUBLISHED);
	(void)keep(catalog, "acme/a/2", FORMAT_TF_HUB, "two", SOURCE_PUBLISHED);
	note(catalog, "ci", WEBHOOK_LATER, LATER + 10);
	assert_due(catalog, "ci", LATER, "published acme/a/2");
	assert_due(catalog, "ci", LATER + 10, "published acme/a/2, published acme/a/1");
	note(catalog, "ci", WEBHOOK_GIVEN_UP, 0);
	assert_due(catalog, "ci", LATER + 10, "published acme/a/1");
	assert_int_equal(state_of(catalog, "ci").failed, 2);
	assert_int_equal(state_of(catalog, "ci").given_up, 1);
	assert_int_equal(state_of(catalog, "ci").pending, 1);
	assert_int_equal(state_of(catalog, "ci").due_at, LATER + 10);
}

static void test_who_is_gone_is_told_nothing_until_the_next_start(void **state)
{
	struct catalog *catalog = catalog_of(state);

	CONFIGURE(catalog, {"ci", all_events}, {"audit", all_events});
	for (int i = 0; i < 3; i++)
		(void)keep(catalog,
			i == 0   ? "acme/a/1"
			: i == 1 ? "acme/a/2"
				 : "acme/a/3",
			FORMAT_TF_HUB, "one", SOURCE_PUBLISHED);
	note(catalog, "ci", WEBHOOK_GONE, 0);
	(void)keep(catalog, "acme/a/4", FORMAT_TF_HUB, "one", SOURCE_PUBLISHED);
	assert_due(catalog, "ci", LATER, "");
	assert_true(state_of(catalog, "ci").gone);
	assert_int_equal(state_of(catalog, "ci").given_up, 3);
	assert_int_equal(state_of(catalog, "ci").pending, 0);
	assert_int_equal(state_of(catalog, "audit").pending, 4);
	CONFIGURE(catalog, {"ci", all_events}, {"audit", all_events});
	(void)keep(catalog, "acme/a/5", FORMAT_TF_HUB, "one", SOURCE_PUBLISHED);
	assert_due(catalog, "ci", LATER, "published acme/a/5");
}

static void test_what_is_wanted_no_more_is_dropped(void **state)
{
	struct catalog *catalog = catalog_of(state);

	CONFIGURE(catalog, {"ci", all_events}, {"audit", all_events});
	(void)keep(catalog, "acme/a/1", FORMAT_TF_HUB, "one", SOURCE_PUBLISHED);
	(void)keep(catalog, "hub/b/2", FORMAT_TF_HUB, "two", SOURCE_MIRRORED);
	CONFIGURE(catalog, {"ci", "mirrored"});
	assert_due(catalog, "ci", LATER, "mirrored hub/b/2");
	assert_int_equal(state_of(catalog, "ci").pending, 1);
	assert_int_equal(state_of(catalog, "audit").status, -1);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM webhook_queue"), 1);
	configure(catalog, NULL, 0);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM webhook_queue"), 0);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM webhook_events"), 0);
}

/* ---- what bounds it ---- */

/* What strangers bring about takes no room from what was published, and does not go before it. */
static void test_of_each_event_so_many_wait(void **state)
{
	static const char *const flood[] = {
		"WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10003)"
		" INSERT INTO webhook_queue (webhook_id, event, lane, at, subject)"
		" SELECT webhook_id, event, 1, 0, 'x/y/' || i FROM n, webhook_listeners WHERE event = "
		"'mirrored'"};
	struct catalog *catalog = catalog_of(state);

	CONFIGURE(catalog, {"ci", all_events});
	(void)keep(catalog, "acme/a/1", FORMAT_TF_HUB, "one", SOURCE_PUBLISHED);
	run_beside(*state, flood, 1);
	(void)keep(catalog, "acme/a/2", FORMAT_TF_HUB, "one", SOURCE_PUBLISHED);
	assert_int_equal(state_of(catalog, "ci").pending, 10002);
	assert_int_equal(state_of(catalog, "ci").dropped, 3);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM webhook_queue WHERE subject = 'x/y/4'"), 1);
	assert_int_equal(ask_beside(*state, "SELECT count(*) FROM webhook_queue WHERE subject = 'x/y/3'"), 0);
	note(catalog, "ci", WEBHOOK_DELIVERED, 0);
	note(catalog, "ci", WEBHOOK_DELIVERED, 0);
	AUTO(webhook_batch_finish) struct webhook_batch batch = take(catalog, "ci", LATER);
	assert_string_equal(batch.items[0].subject, "x/y/4");
	assert_int_equal(batch.count, TOGETHER);
}

static void fail_fill(struct failed_fills *failed, int number)
{
	struct name name = {.version = number, .format = FORMAT_TF_HUB};
	struct err why;

	(void)snprintf(name.handle, sizeof name.handle, "x/y");
	(void)err_set(&why, ERR_UPSTREAM_FAILED, "it is number %d", number);
	failed_fills_note(failed, &name, &why);
}

static void test_of_fills_that_fail_some_are_told(void **state)
{
	struct catalog *catalog = catalog_of(state);
	struct failed_fills *failed = failed_fills_create(catalog);
	struct err err;

	CONFIGURE(catalog, {"ci", all_events});
	for (int round = 0; round < 3; round++) {
		for (int number = 1; number <= 2 * FAILED_FILLS_A_MINUTE; number++)
			fail_fill(failed, number);
		assert_true(failed_fills_write(failed, &err));
	}
	assert_int_equal(state_of(catalog, "ci").pending, FAILED_FILLS_A_MINUTE);
	AUTO(webhook_batch_finish) struct webhook_batch batch = take(catalog, "ci", LATER);
	assert_string_equal(batch.items[0].subject, "x/y/1");
	assert_string_equal(batch.items[0].code, "upstream-failed");
	assert_string_equal(batch.items[0].detail, "it is number 1");
	failed_fills_destroy(failed);
	failed_fills_note(NULL, NULL, NULL);
}

/* One second at first, six hours at most, three days in all. */
static void test_waits(void **state)
{
	int64_t all = 0;
	int64_t last = 0;

	(void)state;
	for (int64_t attempts = 1; webhook_wait_s(attempts) > 0; attempts++) {
		assert_true(webhook_wait_s(attempts) >= last && webhook_wait_s(attempts) <= 6 * 3600);
		last = webhook_wait_s(attempts);
		all += last;
		assert_true(attempts < 100);
	}
	assert_int_equal(webhook_wait_s(1), 1);
	assert_int_equal(webhook_wait_s(2), 4);
	assert_int_equal(webhook_wait_s(INT64_MAX), 0);
	assert_true(all > 3 * 86400 - 3600 && all < 3 * 86400 + 3600);
}

/* ---- what is sent ---- */

static const struct {
	struct webhook_event event;
	const char *base_url;
	const char *message;
} messages[] = {
	{{.event = (char *)"withdrawn", .subject = (char *)"a/b/3", .size_bytes = -1, .who = (char *)"ci"},
		NULL,
		"{\"type\":\"withdrawn\",\"timestamp\":\"1970-01-01T00:00:00Z\",\"data\":{\"handle\":\"a/b\","
		"\"version\":3,\"withdrawn_by\":\"ci\"}}"},
	{{.event = (char *)"published",
		 .at = NOW,
		 .subject = (char *)"a/1/2",
		 .format = (char *)"tfjs",
		 .digest = {.hex = "00ff"},
		 .size_bytes = 0,
		 .detail = (char *)"a \"bundle\".tar"},
		"https://m",
		"{\"type\":\"published\",\"timestamp\":\"2023-11-14T22:13:20Z\",\"data\":{\"handle\":\"a/1\","
		"\"version\":2,\"url\":\"https://m/a/1/2\",\"format\":\"tfjs\",\"digest\":\"sha256:00ff\","
		"\"size_bytes\":0,\"bundle\":\"a \\\"bundle\\\".tar\"}}"},
	{{.event = (char *)"fill_failed",
		 .subject = (char *)"nonsense",
		 .size_bytes = -1,
		 .code = (char *)"busy",
		 .detail = (char *)"\xff no UTF-8",
		 .others = 7},
		NULL,
		"{\"type\":\"fill_failed\",\"timestamp\":\"1970-01-01T00:00:00Z\",\"data\":{\"handle\":"
		"\"nonsense\","
		"\"code\":\"busy\",\"others\":7}}"},
};

static void test_messages(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
		AUTO_FREE char *message = webhook_message(&messages[i].event, messages[i].base_url);

		assert_string_equal(message, messages[i].message);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_without_webhooks_nothing_is_written),
		TEST(test_each_change_is_told_once),
		TEST(test_what_is_published_after_it_was_mirrored),
		TEST(test_evictions_are_not_told),
		TEST(test_what_failed_comes_when_it_is_due),
		TEST(test_who_is_gone_is_told_nothing_until_the_next_start),
		TEST(test_what_is_wanted_no_more_is_dropped),
		TEST(test_of_each_event_so_many_wait),
		TEST(test_of_fills_that_fail_some_are_told),
		cmocka_unit_test(test_waits),
		cmocka_unit_test(test_messages),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

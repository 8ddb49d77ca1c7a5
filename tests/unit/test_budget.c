/* SPDX-License-Identifier: Apache-2.0
 *
 * What a client may order in advance, and what of its CDN-Loop header counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/registry/budget.h"
#include "server/registry/cdn_loop.h"
#include "server/registry/trail.h"

/* How many are granted in a row. */
static int drain(struct budget *budget, const char *client, int64_t now_ms)
{
	struct err err;
	int count = 0;

	while (budget_check(budget, client, now_ms, &err)) {
		budget_spend(budget, client, now_ms);
		assert_true(++count <= BUDGET_AT_ONCE);
	}
	assert_int_equal(err.code, ERR_BUSY);
	assert_true(err.retry_after_s > 0);
	return count;
}

static void each_client_has_its_own(void **state)
{
	AUTO(own_budget) struct budget *budget = budget_create();

	(void)state;
	assert_int_equal(drain(budget, "address 10.0.0.1", 1000), BUDGET_AT_ONCE);
	assert_int_equal(drain(budget, "address 10.0.0.1", 1000), 0);
	assert_int_equal(drain(budget, "address 10.0.0.2", 1000), BUDGET_AT_ONCE);
	assert_int_equal(drain(budget, "address 10.0.0.1", 2000), BUDGET_A_SECOND);
	assert_int_equal(drain(budget, "address 10.0.0.1", 1500), 0);
	assert_int_equal(drain(budget, "address 10.0.0.1", 1000000000), BUDGET_AT_ONCE);
}

/* As many clients as there are addresses, and no more memory; who has spent his is not forgotten for them. */
static void many_clients_do_not_drive_out_who_owes(void **state)
{
	AUTO(own_budget) struct budget *budget = budget_create();
	struct err err;

	(void)state;
	assert_int_equal(drain(budget, "token greedy", 1000), BUDGET_AT_ONCE);
	for (int i = 0; i < 3 * BUDGET_CLIENTS; i++) {
		AUTO_FREE char *client = mem_printf("address %d", i);

		assert_true(budget_check(budget, client, 1000, &err));
		budget_spend(budget, client, 1000);
	}
	assert_int_equal(drain(budget, "token greedy", 1000), 0);
}

/* ---- CDN-Loop ---- */

static const char ours[] = "larder-00000000000000aa";

static enum err_code check(const char *header)
{
	struct err err = {0};

	return cdn_loop_check(header, ours, &err) ? ERR_NONE : err.code;
}

static void takes_what_is_a_cdn_loop(void **state)
{
	static const char *const sound[] = {"Cloudflare", "cloudflare; loops=1", "Fastly, Akamai;v=1.0;c=1",
		"edge.example:8080", "[2001:db8::1]:80; x", "a ; b=\"q\\\"; ,\" , c", "", " , ,a",
		"larder-00000000000000ab", "larder-00000000000000aaa"};
	static const char *const malformed[] = {"a b", "a; =1", ";", "a;b=\"open", "a;b=\"\x01\"", "a\"b\"",
		"(x)", "a;b c", "caf\xc3\xa9", "a;b=\"\\"};
	static const char *const looped[] = {
		"larder-00000000000000aa", "cdn, larder-00000000000000aa; x=1, z"};

	(void)state;
	assert_int_equal(check(NULL), ERR_NONE);
	for (size_t i = 0; i < sizeof sound / sizeof *sound; i++)
		assert_int_equal(check(sound[i]), ERR_NONE);
	for (size_t i = 0; i < sizeof malformed / sizeof *malformed; i++)
		assert_int_equal(check(malformed[i]), ERR_BAD_REQUEST);
	for (size_t i = 0; i < sizeof looped / sizeof *looped; i++)
		assert_int_equal(check(looped[i]), ERR_LOOP_DETECTED);
}

/* Wherever it stands, a control character is refused. */
static void refuses_control_characters(void **state)
{
	static const char sound[] = "cdn; a=\"b c\", other:80 ; d";

	(void)state;
	assert_int_equal(check(sound), ERR_NONE);
	for (size_t at = 0; at < strlen(sound); at++) {
		for (int c = 1; c < 0x80; c++) {
			char header[sizeof sound];

			memcpy(header, sound, sizeof sound);
			header[at] = (char)c;
			if ((c < ' ' && c != '\t') || c == 0x7f)
				assert_int_equal(check(header), ERR_BAD_REQUEST);
		}
	}
}

/* Whatever a client sends, what goes upstream is made of ids of Larders and nothing else. */
static void sends_on_what_no_client_can_make_up(void **state)
{
	static const char letters[] = "larde-0123456789abcf \t,;=\"\\:[]@(){}\x01\x7f\x80Z";

	(void)state;
	for (int round = 0; round < 20000; round++) {
		char header[64] = "larder-00000000000000ab,";
		size_t start = round % 2 ? strlen(header) : 0;
		AUTO_FREE char *sent = NULL;
		uint8_t chance[32];

		random_bytes(chance, sizeof chance);
		for (size_t i = 0; i < sizeof chance; i++)
			header[start + i] = letters[chance[i] % (sizeof letters - 1)];
		header[start + sizeof chance] = '\0';
		sent = cdn_loop_append(header, ours);
		assert_int_equal(strspn(sent, "larde-0123456789abcdef, "), strlen(sent));
		assert_int_equal(check(sent), ERR_LOOP_DETECTED);
	}
	AUTO_FREE char *chain = cdn_loop_append("cloudflare; loops=9, larder-00000000000000ab;x=1", ours);
	assert_string_equal(chain, "larder-00000000000000ab, larder-00000000000000aa");
}

/* A header of so many other Larders' ids. */
static char *ids(size_t count)
{
	struct buffer out = {0};

	for (size_t i = 0; i < count; i++)
		buffer_printf(&out, "%slarder-%016zx", i ? ", " : "", 0x1000 + i);
	return buffer_take(&out);
}

/* Whoever gets it can send it on in turn, or says so himself: nobody is told that what came from us is too
 * long. */
static void refuses_what_could_not_be_sent_on(void **state)
{
	size_t longest = 0;

	(void)state;
	for (size_t count = 0; count < 60; count++) {
		AUTO_FREE char *header = ids(count);
		AUTO_FREE char *sent = cdn_loop_append(header, ours);
		bool fits = strlen(sent) <= CDN_LOOP_MAX;

		assert_int_equal(check(header), fits ? ERR_NONE : ERR_LOOP_DETECTED);
		longest = fits ? count : longest;
	}
	assert_int_equal(longest, 40);
}

static void joins_leave_what_all_have_sent(void **state)
{
	AUTO_FREE char *none = cdn_loop_append(NULL, ours);
	struct trail trail;
	char sent[CDN_LOOP_MAX + 1];

	(void)state;
	for (size_t first = 0; first < 41; first++) {
		for (size_t second = 0; second < 41; second += 7) {
			AUTO_FREE char *one = ids(first);
			AUTO_FREE char *other = ids(second);
			AUTO_FREE char *shorter = cdn_loop_append(first < second ? one : other, ours);
			AUTO_FREE char *others = cdn_loop_append(other, ours);

			trail_init(&trail, cdn_loop_append(one, ours));
			assert_true(trail_join(&trail, others));
			trail_read(&trail, sent);
			assert_string_equal(sent, shorter);
			assert_true(trail_join(&trail, none));
			assert_int_equal(trail_close(&trail, sent), strcmp(sent, none) == 0);
			trail_read(&trail, sent);
			assert_string_equal(sent, none);
			assert_true(trail_close(&trail, none));
			assert_false(trail_join(&trail, none));
			trail_finish(&trail);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_client_has_its_own),
		cmocka_unit_test(many_clients_do_not_drive_out_who_owes),
		cmocka_unit_test(refuses_what_could_not_be_sent_on),
		cmocka_unit_test(joins_leave_what_all_have_sent),
		cmocka_unit_test(takes_what_is_a_cdn_loop),
		cmocka_unit_test(refuses_control_characters),
		cmocka_unit_test(sends_on_what_no_client_can_make_up),
	};

	return cmocka_run_group_tests_name("budget", tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/http/response_cache.h"

enum { THREADS = 4, ROUNDS = 3000 };

static const struct response_cache_limits roomy = {.replies = 64, .files = 64, .bytes = 1 << 20};

static void count(void *context)
{
	atomic_fetch_add((_Atomic int *)context, 1);
}

static void count_hit(void *context, bool download)
{
	count(context);
}

/* A reply without a body to send; *destroyed counts its end. */
static struct cached_reply *make(
	const char *target, const char *label, int64_t size, bool is_file, _Atomic int *destroyed)
{
	static const struct reuse_ops ops = {.hit = count_hit, .destroy = count};
	struct cached_reply *reply = mem_zero(1, sizeof *reply);

	reply->target = mem_dup(target);
	reply->size = size;
	reply->is_file = is_file;
	reply->reuse = (struct reuse){.ops = &ops, .context = destroyed, .labels = {mem_dup(label)}};
	atomic_init(&reply->holders, 1);
	return reply;
}

static bool is_there(struct response_cache *cache, const char *target)
{
	struct cached_reply *reply = response_cache_find(cache, target);

	cached_reply_release(reply);
	return reply != NULL;
}

static void finds_what_is_kept(void **state)
{
	_Atomic int destroyed = 0;
	struct response_cache *cache = response_cache_create(&roomy);

	assert_false(is_there(cache, "/a/1"));
	assert_false(is_there(NULL, "/a/1"));
	response_cache_keep(cache, response_cache_ticket(cache), make("/a/1", "a/1", 10, false, &destroyed));
	response_cache_keep(cache, response_cache_ticket(cache), make("/b/1", "b/1", 10, true, &destroyed));
	assert_true(is_there(cache, "/a/1"));
	assert_true(is_there(cache, "/b/1"));
	assert_false(is_there(cache, "/a/1?x"));
	assert_false(is_there(cache, "/a/"));
	response_cache_keep(cache, response_cache_ticket(cache), make("/a/1", "a/1", 10, false, &destroyed));
	assert_int_equal(destroyed, 1);
	response_cache_destroy(cache);
	assert_int_equal(destroyed, 3);
}

static void forgets_by_label(void **state)
{
	_Atomic int destroyed = 0;
	struct response_cache *cache = response_cache_create(&roomy);
	struct cached_reply *held;

	response_cache_keep(cache, response_cache_ticket(cache), make("/a/1", "a/1", 10, false, &destroyed));
	response_cache_keep(
		cache, response_cache_ticket(cache), make("/a/1.tgz", "a/1", 10, true, &destroyed));
	response_cache_keep(
		cache, response_cache_ticket(cache), make("/a/10", "a/10", 10, false, &destroyed));
	held = response_cache_find(cache, "/a/1");
	response_cache_forget(cache, "a/1");
	assert_false(is_there(cache, "/a/1"));
	assert_false(is_there(cache, "/a/1.tgz"));
	assert_true(is_there(cache, "/a/10"));
	/* Who is just sending it may go on. */
	assert_int_equal(destroyed, 1);
	cached_reply_release(held);
	assert_int_equal(destroyed, 2);
	response_cache_destroy(cache);
}

static void keeps_nothing_that_was_overtaken(void **state)
{
	_Atomic int destroyed = 0;
	struct response_cache *cache = response_cache_create(&roomy);
	uint64_t ticket = response_cache_ticket(cache);

	response_cache_forget(cache, "a/1");
	response_cache_keep(cache, ticket, make("/a/1", "a/1", 10, false, &destroyed));
	assert_false(is_there(cache, "/a/1"));
	assert_int_equal(destroyed, 1);
	response_cache_destroy(cache);
}

static void keep_many(
	struct response_cache *cache, int count_, int64_t size, bool is_file, _Atomic int *destroyed)
{
	for (int i = 0; i < count_; i++) {
		AUTO_FREE char *target = mem_printf("/m/%d", i);

		response_cache_keep(cache, response_cache_ticket(cache),
			make(target, target + 1, size, is_file, destroyed));
		/* The first one is asked for again and again. */
		assert_true(is_there(cache, "/m/0"));
		assert_true(is_there(cache, target));
	}
}

/* What is asked for stays, the others make way. */
static void stays_within_its_bounds(void **state)
{
	static const struct {
		struct response_cache_limits limits;
		int64_t size;
		bool is_file;
		int left;
	} cases[] = {
		{{.replies = 10, .files = 100, .bytes = 1 << 20}, 10, false, 10},
		{{.replies = 10, .files = 100, .bytes = 1 << 20}, 10, true, 10},
		{{.replies = 100, .files = 3, .bytes = 1 << 20}, 1LL << 40, true, 3},
		{{.replies = 100, .files = 3, .bytes = 50000}, 10000, false, 4},
	};

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		_Atomic int destroyed = 0;
		struct response_cache *cache = response_cache_create(&cases[i].limits);

		keep_many(cache, 50, cases[i].size, cases[i].is_file, &destroyed);
		assert_int_equal(50 - destroyed, cases[i].left);
		response_cache_destroy(cache);
		assert_int_equal(destroyed, 50);
	}
}

static void refuses_what_never_fits(void **state)
{
	static const struct response_cache_limits small = {.replies = 4, .files = 0, .bytes = 10000};
	_Atomic int destroyed = 0;
	struct response_cache *cache = response_cache_create(&small);

	response_cache_keep(cache, response_cache_ticket(cache), make("/a", "a", 9000, false, &destroyed));
	response_cache_keep(cache, response_cache_ticket(cache), make("/f", "f", 10, true, &destroyed));
	assert_int_equal(destroyed, 2);
	response_cache_destroy(cache);
}

/* ---- many threads ---- */

struct version {
	struct response_cache *cache;
	_Atomic bool withdrawn; /* as its row says */
	_Atomic bool told;      /* the withdrawal has been answered */
	_Atomic int destroyed;
	_Atomic int wrong;
};

/* Finds or keeps, as the front and its workers do. */
static void *ask(void *argument)
{
	struct version *version = argument;

	for (int i = 0; i < ROUNDS; i++) {
		bool told = atomic_load(&version->told);
		struct cached_reply *reply = response_cache_find(version->cache, "/a/1");
		uint64_t ticket = response_cache_ticket(version->cache);

		version->wrong += told && reply;
		if (!reply && !atomic_load(&version->withdrawn))
			response_cache_keep(
				version->cache, ticket, make("/a/1", "a/1", 10, false, &version->destroyed));
		cached_reply_release(reply);
	}
	return NULL;
}

/* Withdraws as the committer does: the row, the forgetting, the answer. */
static void never_finds_what_was_withdrawn(void **state)
{
	for (int round = 0; round < 20; round++) {
		struct version version = {.cache = response_cache_create(&roomy)};
		pthread_t threads[THREADS];

		for (int i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&threads[i], NULL, ask, &version), 0);
		while (!is_there(version.cache, "/a/1"))
			continue;
		atomic_store(&version.withdrawn, true);
		response_cache_forget(version.cache, "a/1");
		atomic_store(&version.told, true);
		for (int i = 0; i < THREADS; i++)
			assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_int_equal(version.wrong, 0);
		assert_false(is_there(version.cache, "/a/1"));
		response_cache_destroy(version.cache);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_what_is_kept),
		cmocka_unit_test(forgets_by_label),
		cmocka_unit_test(keeps_nothing_that_was_overtaken),
		cmocka_unit_test(stays_within_its_bounds),
		cmocka_unit_test(refuses_what_never_fits),
		cmocka_unit_test(never_finds_what_was_withdrawn),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Fills against HTTP servers that have the module, have not, or break off in the middle. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>

#include "common/clock.h"
#include "server/registry/mirror.h"
#include "server/registry/space.h"
#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_known.h"
#include "server/vault/vault_alone.h"
#include "tests/unit/held.h"
#include "tests/unit/scripted_server.h"
#include "tests/unit/store_place.h"

enum { UPSTREAMS = 2, JOINERS = 8, CUT_AT = 150 << 10 };

/* What an upstream does with a request. */
enum mood {
	MOOD_SERVE,
	MOOD_ABSENT,
	MOOD_FAIL,
	MOOD_REST, /* fails, and asks to be left alone */
	MOOD_NONSENSE,
	MOOD_CUT_ONCE, /* breaks off, and serves the rest when asked for it */
	MOOD_CHANGE,   /* breaks off, and has other bytes after that */
	MOOD_CUT_EARLY,
	MOOD_STALL
};

struct upstream_script {
	_Atomic enum mood mood; /* the server may still be at what was asked before */
	const struct buffer *module;
	const struct buffer *other;
	atomic_int answered;
	sem_t begun;   /* posted when the first bytes are on their way */
	sem_t *resume; /* when set, the rest is sent after it is posted */
};

struct house {
	struct place place;
	struct committer *committer;
	struct space *space;
	struct client *client;
	struct server *servers[UPSTREAMS];
	struct upstream_script scripts[UPSTREAMS];
	struct upstream upstreams[UPSTREAMS];
	struct mirror *mirror;
	struct checkpoints *checkpoints;
	struct name name;
	struct buffer module;
	struct buffer other;
	const char *who; /* asks */
};

/* ---- The threads ---- */

static _Atomic int threads_left = INT32_MAX; /* that the system gives */

/* In place of the C library's, or of a sanitizer's. */
int pthread_create(
	pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *argument), void *argument)
{
	int (*create)(pthread_t *, const pthread_attr_t *, void *(*)(void *), void *) =
		dlsym(RTLD_NEXT, "pthread_create");

	return atomic_fetch_sub(&threads_left, 1) > 0 ? create(thread, attributes, run, argument) : EAGAIN;
}

/* ---- The upstreams ---- */

static void send_head(int fd, const struct buffer *body, const char *etag)
{
	say(fd, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\nETag: \"%s\"\r\n\r\n", body->length, etag);
}

static bool send_whole(int fd, const struct buffer *body, const char *etag)
{
	send_head(fd, body, etag);
	send_all(fd, body->data, body->length);
	return true;
}

static bool send_rest(int fd, const struct buffer *body, size_t from)
{
	say(fd,
		"HTTP/1.1 206 Partial Content\r\nContent-Range: bytes %zu-%zu/%zu\r\nContent-Length: %zu\r\n"
		"ETag: \"v1\"\r\n\r\n",
		from, body->length - 1, body->length, body->length - from);
	send_all(fd, body->data + from, body->length - from);
	return true;
}

static bool send_part(int fd, const struct buffer *body, size_t length)
{
	send_head(fd, body, "v1");
	send_all(fd, body->data, length);
	return false;
}

/* Sends the first part; with a gate, returns when that has been opened. */
static void begin_module(struct upstream_script *script, int fd)
{
	send_head(fd, script->module, "v1");
	send_all(fd, script->module->data, CUT_AT);
	(void)sem_post(&script->begun);
	if (script->resume)
		(void)sem_wait(script->resume);
}

static bool serve_module(struct upstream_script *script, int fd)
{
	begin_module(script, fd);
	send_all(fd, script->module->data + CUT_AT, script->module->length - CUT_AT);
	return true;
}

static bool continue_cut(struct upstream_script *script, int fd, const char *request)
{
	const char *range = strcasestr(request, "\r\nRange: bytes=");
	size_t from = range ? strtoul(range + strlen("\r\nRange: bytes="), NULL, 10) : 0;

	if (script->mood == MOOD_CHANGE)
		return send_whole(fd, script->other, "v2");
	if (from > 0 && from < script->module->length && strcasestr(request, "\r\nIf-Range: \"v1\"\r\n"))
		return send_rest(fd, script->module, from);
	return send_whole(fd, script->module, "v1");
}

static bool stall(struct upstream_script *script, int fd)
{
	char byte;

	begin_module(script, fd);
	while (recv(fd, &byte, 1, 0) > 0)
		;
	return false;
}

static bool answer_as_told(struct server *server, int fd, const char *request)
{
	struct upstream_script *script = server->context;
	int before = atomic_fetch_add(&script->answered, 1);
	AUTO_BUFFER struct buffer nonsense = {0};

	if (strncmp(request, "HEAD ", 5) == 0 && script->mood == MOOD_SERVE) {
		send_head(fd, script->module, "v1");
		return true;
	}
	switch (script->mood) {
	case MOOD_SERVE:
		return serve_module(script, fd);
	case MOOD_ABSENT:
		say(fd, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n");
		return true;
	case MOOD_FAIL:
		say(fd, "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\n\r\n");
		return true;
	case MOOD_REST:
		say(fd, "HTTP/1.1 503 Busy\r\nRetry-After: 17\r\nContent-Length: 0\r\n\r\n");
		return true;
	case MOOD_NONSENSE:
		add_noise(&nonsense, 10 << 10, 1);
		return send_whole(fd, &nonsense, "v1");
	case MOOD_CUT_EARLY:
		return send_part(fd, script->module, SPOOL_HELD_BACK / 2);
	case MOOD_STALL:
		return stall(script, fd);
	default:
		if (before > 0)
			return continue_cut(script, fd, request);
		begin_module(script, fd);
		return false;
	}
}

/* ---- What a test has ---- */

static const struct mirror_policy no_policy = {.max_fills = 4};
static const struct space_limits no_limits = {0};

static void end_process(struct house *house)
{
	mirror_destroy(TAKE(house->mirror));
	checkpoints_destroy(TAKE(house->checkpoints));
}

static void make_mirror(struct house *house, const struct mirror_policy *policy, int64_t negative_ttl_s)
{
	end_process(house);
	house->checkpoints = checkpoints_create(house->place.catalog, house->place.blobs);
	const struct fill_tools tools = {
		.settings = {.upstreams = house->upstreams,
			.upstream_count = UPSTREAMS,
			.retries = 1,
			.negative_ttl_s = negative_ttl_s,
			.connect_timeout_s = 300,
			.queue_timeout_s = 300,
			.limits = {.max_unpacked_bytes = 64 << 20, .max_members = 1000, .max_ratio = 200}},
		.client = house->client,
		.catalog = house->place.catalog,
		.blobs = house->place.blobs,
		.committer = house->committer,
		.space = house->space,
		.vault = vault_alone(),
		.checkpoints = house->checkpoints,
	};

	house->mirror = mirror_create(&tools, policy);
}

static void start_upstream(struct house *house, int i, const char *name)
{
	house->scripts[i].module = &house->module;
	house->scripts[i].other = &house->other;
	house->scripts[i].mood = MOOD_ABSENT;
	assert_int_equal(sem_init(&house->scripts[i].begun, 0, 0), 0);
	house->servers[i] = start_server(answer_as_told, &house->scripts[i]);
	house->upstreams[i].name = mem_dup(name);
	house->upstreams[i].url = mem_printf("http://127.0.0.1:%d/{path}?{query}", house->servers[i]->port);
}

static int set_up(void **state)
{
	const struct client_settings settings = {
		.connect_timeout_s = 300, .stall_timeout_s = 300, .user_agent = "larder/test"};
	struct house *house = mem_zero(1, sizeof *house);

	place_open(&house->place);
	house->committer = committer_create(house->place.catalog, house->place.blobs, NULL, vault_alone());
	house->space =
		space_create(&no_limits, house->place.catalog, house->place.blobs, house->committer, NULL, 0);
	house->client = client_create(&settings);
	make_module(&house->module, 300 << 10, 1);
	make_module(&house->other, 300 << 10, 2);
	start_upstream(house, 0, "first");
	start_upstream(house, 1, "second");
	house->name = name_of("google/x", 1, FORMAT_TF_HUB);
	house->who = "address 127.0.0.1";
	make_mirror(house, &no_policy, 600);
	*state = house;
	return 0;
}

static int tear_down(void **state)
{
	struct house *house = *state;

	end_process(house);
	client_destroy(house->client);
	for (int i = 0; i < UPSTREAMS; i++) {
		stop_server(house->servers[i]);
		(void)sem_destroy(&house->scripts[i].begun);
		free(house->upstreams[i].name);
		free(house->upstreams[i].url);
	}
	space_destroy(house->space);
	committer_destroy(house->committer);
	place_close(&house->place);
	buffer_finish(&house->module);
	buffer_finish(&house->other);
	free(house);
	return 0;
}

/* As the registry does: looks again where the first look is out of date. *out is NULL for what is here. */
static bool look_and_join(
	struct house *house, const char *cdn_loop, struct spool **out, bool *collapsed, struct err *err)
{
	const struct asker asker = {house->who, cdn_loop};
	struct snapshot snapshot;

	do {
		if (!mirror_look(house->mirror, &house->name, &snapshot, err) ||
			!mirror_join(house->mirror, &snapshot, &asker, out, collapsed, err))
			return false;
	} while (!*out && !known_is_here(&snapshot.known));
	return true;
}

static struct spool *join(struct house *house, bool *collapsed)
{
	struct spool *spool = NULL;
	struct err err = {0};

	if (!look_and_join(house, NULL, &spool, collapsed, &err))
		fail_msg("%s", err.text);
	return spool;
}

static enum err_code refused_to_join(struct house *house, const char *cdn_loop)
{
	struct spool *spool = NULL;
	struct err err = {0};
	bool collapsed;

	assert_false(look_and_join(house, cdn_loop, &spool, &collapsed, &err));
	assert_null(spool);
	return err.code;
}

/* Fills and waits for the end. */
static struct spool_progress fill(struct house *house)
{
	bool collapsed;
	AUTO_SPOOL struct spool *spool = join(house, &collapsed);

	assert_non_null(spool);
	return spool_wait_end(spool);
}

static void assert_stored(struct house *house, const struct buffer *bytes)
{
	struct artifact artifact = place_find(&house->place, &house->name);
	struct digest digest = digest_of(bytes->data, bytes->length);

	assert_true(artifact.recorded && artifact.cached);
	assert_int_equal(artifact.source, SOURCE_MIRRORED);
	assert_int_equal(artifact.size_bytes, bytes->length);
	assert_true(digest_equal(&artifact.checksums.sha256, &digest));
	assert_int_equal(place_count_blobs(&house->place), 1);
}

/* The fill's thread has let go of its spool by the time that the mirror is gone. */
static void assert_nothing_left(struct house *house)
{
	mirror_destroy(TAKE(house->mirror));
	assert_int_equal(place_count_blobs(&house->place), 0);
	assert_int_equal(place_count_drafts(&house->place), 0);
}

/* ---- Tests ---- */

static void one_fetch_for_many(void **state)
{
	struct house *house = *state;
	struct spool *spools[JOINERS];
	sem_t resume;
	bool collapsed;

	assert_int_equal(sem_init(&resume, 0, 0), 0);
	house->scripts[0].mood = MOOD_SERVE;
	house->scripts[0].resume = &resume;
	spools[0] = join(house, &collapsed);
	assert_false(collapsed);
	(void)sem_wait(&house->scripts[0].begun);
	for (int i = 1; i < JOINERS; i++) {
		spools[i] = join(house, &collapsed);
		assert_true(collapsed);
		assert_ptr_equal(spools[i], spools[0]);
	}
	(void)sem_post(&resume);
	for (int i = 0; i < JOINERS; i++) {
		struct spool_progress end = spool_wait_end(spools[i]);

		assert_int_equal(end.state, SPOOL_KEPT);
		assert_int_equal(end.length, house->module.length);
		spool_release(spools[i]);
	}
	assert_stored(house, &house->module);
	assert_int_equal(requests_to(house->servers[0]), 1);
	(void)sem_destroy(&resume);
}

struct joiner {
	struct house *house;
	pthread_barrier_t *start;
	pthread_t thread;
	bool well;
};

static void *join_at_once(void *argument)
{
	struct joiner *joiner = argument;
	AUTO_SPOOL struct spool *spool = NULL;
	struct err err;
	bool collapsed;

	(void)pthread_barrier_wait(joiner->start);
	joiner->well = look_and_join(joiner->house, NULL, &spool, &collapsed, &err) &&
		       (!spool || spool_wait_end(spool).state == SPOOL_KEPT);
	return NULL;
}

/* Whenever they come, before, during or after: the upstream is asked once. */
static void one_fetch_for_many_threads(void **state)
{
	struct house *house = *state;
	struct joiner joiners[JOINERS];
	pthread_barrier_t start;

	house->scripts[0].mood = MOOD_SERVE;
	assert_int_equal(pthread_barrier_init(&start, NULL, JOINERS), 0);
	for (int i = 0; i < JOINERS; i++) {
		joiners[i] = (struct joiner){.house = house, .start = &start};
		assert_int_equal(pthread_create(&joiners[i].thread, NULL, join_at_once, &joiners[i]), 0);
	}
	for (int i = 0; i < JOINERS; i++) {
		assert_int_equal(pthread_join(joiners[i].thread, NULL), 0);
		assert_true(joiners[i].well);
	}
	(void)pthread_barrier_destroy(&start);
	assert_stored(house, &house->module);
	assert_int_equal(requests_to(house->servers[0]), 1);
}

static void what_is_there_is_not_fetched(void **state)
{
	struct house *house = *state;
	bool collapsed;

	house->scripts[0].mood = MOOD_SERVE;
	assert_int_equal(fill(house).state, SPOOL_KEPT);
	make_mirror(house, &no_policy, 600); /* the fill has left the list */
	assert_null(join(house, &collapsed));
	assert_int_equal(requests_to(house->servers[0]), 1);
}

static void absence_is_remembered(void **state)
{
	struct house *house = *state;

	assert_int_equal(fill(house).err.code, ERR_NOT_FOUND);
	assert_int_equal(requests_to(house->servers[0]), 1);
	assert_int_equal(requests_to(house->servers[1]), 1);
	make_mirror(house, &no_policy, 600);
	assert_int_equal(refused_to_join(house, NULL), ERR_NOT_FOUND);
	assert_int_equal(requests_to(house->servers[0]), 1);
	assert_nothing_left(house);
}

static void failure_is_not_remembered(void **state)
{
	struct house *house = *state;
	struct spool_progress end;

	house->scripts[0].mood = MOOD_FAIL;
	end = fill(house);
	assert_int_equal(end.err.code, ERR_UPSTREAM_FAILED);
	assert_non_null(strstr(end.err.text, "first"));
	make_mirror(house, &no_policy, 600);
	house->scripts[0].mood = MOOD_SERVE;
	assert_int_equal(fill(house).state, SPOOL_KEPT);
	assert_stored(house, &house->module);
}

static void a_wish_to_be_left_alone_is_remembered(void **state)
{
	struct house *house = *state;
	struct spool_progress end;

	house->scripts[0].mood = MOOD_REST;
	end = fill(house);
	assert_int_equal(end.err.code, ERR_UPSTREAM_FAILED);
	assert_int_equal(end.err.retry_after_s, 17);
	make_mirror(house, &no_policy, 600);
	house->scripts[0].mood = MOOD_SERVE;
	end = fill(house);
	assert_int_equal(end.err.code, ERR_UPSTREAM_UNREACHABLE);
	assert_in_range(end.err.retry_after_s, 1, 17);
	assert_int_equal(atomic_load(&house->scripts[0].answered), 1);
}

static void who_cannot_be_reached_may_have_it_later(void **state)
{
	struct house *house = *state;
	char *reachable = house->upstreams[0].url;
	char nobody[] = "http://127.0.0.1:1/{path}?{query}";

	house->upstreams[0].url = nobody;
	assert_int_equal(fill(house).err.code, ERR_UPSTREAM_UNREACHABLE);
	make_mirror(house, &no_policy, 600);
	house->upstreams[0].url = reachable;
	house->scripts[0].mood = MOOD_SERVE;
	assert_int_equal(fill(house).state, SPOOL_KEPT);
	assert_stored(house, &house->module);
}

static void a_broken_transfer_is_taken_up(void **state)
{
	struct house *house = *state;

	house->scripts[0].mood = MOOD_CUT_ONCE;
	assert_int_equal(fill(house).state, SPOOL_KEPT);
	assert_stored(house, &house->module);
	assert_int_equal(requests_to(house->servers[0]), 2);
	assert_true(last_request_has(house->servers[0], "\r\nRange: bytes="));
	assert_true(last_request_has(house->servers[0], "\r\nIf-Range: \"v1\"\r\n"));
	assert_int_equal(requests_to(house->servers[1]), 0);
}

/* No client has seen a byte of the first object, so the other one may take its place. */
static void a_changed_object_is_begun_anew(void **state)
{
	struct house *house = *state;

	house->scripts[0].mood = MOOD_CHANGE;
	assert_int_equal(fill(house).state, SPOOL_KEPT);
	assert_stored(house, &house->other);
}

/* One client has: it must not be given the end of something else. */
static void a_changed_object_is_refused_once_shown(void **state)
{
	struct house *house = *state;
	sem_t resume;
	bool collapsed;
	AUTO_SPOOL struct spool *spool = NULL;
	struct spool_progress seen = {0};

	assert_int_equal(sem_init(&resume, 0, 0), 0);
	house->scripts[0].mood = MOOD_CHANGE;
	house->scripts[0].resume = &resume;
	spool = join(house, &collapsed);
	(void)sem_wait(&house->scripts[0].begun);
	while (seen.visible == 0)
		(void)spool_await(spool, &seen, NULL);
	(void)sem_post(&resume);
	assert_int_equal(spool_wait_end(spool).state, SPOOL_REFUSED);
	(void)sem_destroy(&resume);
	spool_release(TAKE(spool));
	assert_nothing_left(house);
}

static void the_second_serves_what_the_first_breaks(void **state)
{
	static const enum mood moods[] = {MOOD_FAIL, MOOD_CUT_EARLY, MOOD_NONSENSE, MOOD_ABSENT};
	struct house *house = *state;

	house->scripts[1].mood = MOOD_SERVE;
	for (size_t i = 0; i < sizeof moods / sizeof *moods; i++) {
		make_mirror(house, &no_policy, 600);
		house->name.version = 1 + (int64_t)i;
		house->scripts[0].mood = moods[i];
		assert_int_equal(fill(house).state, SPOOL_KEPT);
		assert_stored(house, &house->module);
	}
}

static void nonsense_is_not_kept(void **state)
{
	struct house *house = *state;

	house->scripts[0].mood = MOOD_NONSENSE;
	assert_int_equal(fill(house).err.code, ERR_UPSTREAM_FAILED);
	assert_nothing_left(house);
}

/* None for the schedule, for the fill, for the transfer or the inspector. */
static void who_finds_no_thread_is_told_so(void **state)
{
	struct house *house = *state;

	house->scripts[0].mood = MOOD_SERVE;
	atomic_store(&threads_left, 0);
	assert_int_equal(refused_to_join(house, NULL), ERR_BUSY);
	for (int left = 1; left < 3; left++) {
		atomic_store(&threads_left, left);
		assert_int_equal(fill(house).state, SPOOL_REFUSED);
	}
	atomic_store(&threads_left, INT32_MAX);
	assert_int_equal(fill(house).state, SPOOL_KEPT);
	assert_stored(house, &house->module);
}

static void destroying_ends_what_runs(void **state)
{
	struct house *house = *state;
	bool collapsed;
	AUTO_SPOOL struct spool *spool = NULL;
	struct spool_progress end;

	house->scripts[0].mood = MOOD_STALL;
	spool = join(house, &collapsed);
	(void)sem_wait(&house->scripts[0].begun);
	mirror_destroy(TAKE(house->mirror));
	end = spool_wait_end(spool);
	assert_int_equal(end.state, SPOOL_REFUSED);
	assert_int_equal(end.err.code, ERR_BUSY);
	spool_release(TAKE(spool));
	assert_int_equal(place_count_drafts(&house->place), 0);
}

/* The others wait for their turn, but not without bound; all end with the mirror. */
static void so_many_fills_at_once(void **state)
{
	static const struct mirror_policy one = {.max_fills = 1};
	struct house *house = *state;
	struct spool *spools[16];
	bool collapsed;

	make_mirror(house, &one, 600);
	house->scripts[0].mood = MOOD_STALL;
	for (int i = 0; i < 16; i++) {
		house->name.version = 1 + i;
		house->who = i % 2 ? "address 127.0.0.1" : "address 127.0.0.2";
		spools[i] = join(house, &collapsed);
		assert_false(collapsed);
	}
	house->name.version = 17;
	assert_int_equal(refused_to_join(house, NULL), ERR_BUSY);
	(void)sem_wait(&house->scripts[0].begun);
	mirror_destroy(TAKE(house->mirror));
	assert_int_equal(requests_to(house->servers[0]), 1);
	for (int i = 0; i < 16; i++) {
		assert_int_equal(spool_wait_end(spools[i]).err.code, ERR_BUSY);
		spool_release(spools[i]);
	}
}

static size_t count_entries(const char *path)
{
	DIR *folder = opendir(path);
	size_t count = 0;

	assert_non_null(folder);
	while (readdir(folder))
		count++;
	(void)closedir(folder);
	return count;
}

/* What fills cost besides memory. */
struct costs {
	size_t threads;
	size_t descriptors;
	size_t drafts;
};

static struct costs costs_of(const struct house *house)
{
	return (struct costs){count_entries("/proc/self/task"), count_entries("/proc/self/fd"),
		place_count_drafts(&house->place)};
}

static size_t count_waiting(struct house *house)
{
	AUTO(fill_list_finish) struct fill_list list = {0};
	size_t count = 0;

	mirror_list(house->mirror, &list);
	for (size_t i = 0; i < list.running; i++)
		count += list.items[i].figures.state == FILL_WAITING;
	return count;
}

static int64_t id_of_version(struct house *house, int64_t version)
{
	AUTO(fill_list_finish) struct fill_list list = {0};

	mirror_list(house->mirror, &list);
	for (size_t i = 0; i < list.running; i++) {
		if (list.items[i].name.version == version)
			return list.items[i].id;
	}
	return 0;
}

/* Where there are places, but no connection, too. */
static void who_waits_is_a_row_in_a_list(void **state)
{
	enum { WAITING = 298, BEGUN = 2, SLACK = 8 };
	static const struct mirror_policy many = {.max_fills = 20};
	struct house *house = *state;
	struct spool *spools[BEGUN + WAITING];
	struct costs before, after;
	struct err err;
	bool collapsed;

	house->upstreams[0].max_connections = BEGUN;
	make_mirror(house, &many, 600);
	house->scripts[0].mood = MOOD_STALL;
	for (int i = 0; i < BEGUN + WAITING; i++) {
		house->name.version = 1 + i;
		house->who = i % 2 ? "address 127.0.0.1" : "address 127.0.0.2";
		spools[i] = join(house, &collapsed);
		if (i >= BEGUN)
			continue;
		(void)sem_wait(&house->scripts[0].begun);
		before = costs_of(house);
	}
	/* The one who begins them has looked at them all by the time that one of them has ended. */
	assert_true(mirror_cancel(house->mirror, id_of_version(house, BEGUN + WAITING), &err));
	assert_int_equal(spool_wait_end(spools[BEGUN + WAITING - 1]).err.code, ERR_BUSY);
	after = costs_of(house);
	/* Those that have begun may not have had all of theirs yet. */
	assert_in_range(after.threads, 0, before.threads + SLACK);
	assert_in_range(after.descriptors, 0, before.descriptors + SLACK);
	assert_int_equal(after.drafts, BEGUN);
	assert_int_equal(requests_to(house->servers[0]), BEGUN);
	assert_in_range(count_waiting(house), WAITING - 1, WAITING);
	mirror_destroy(TAKE(house->mirror));
	for (int i = 0; i < BEGUN + WAITING; i++) {
		assert_int_equal(spool_wait_end(spools[i]).err.code, ERR_BUSY);
		spool_release(spools[i]);
	}
	assert_int_equal(place_count_drafts(&house->place), 0);
}

static bool is_waiting(struct house *house, int64_t version)
{
	AUTO(fill_list_finish) struct fill_list list = {0};

	mirror_list(house->mirror, &list);
	for (size_t i = 0; i < list.running; i++) {
		if (list.items[i].name.version == version)
			return list.items[i].figures.state == FILL_WAITING;
	}
	return false;
}

/* First what clients wait for, in their order, whatever was ordered in advance before; and whoever has left
 * while his fill waited is not missed. */
static void each_in_its_turn(void **state)
{
	static const struct mirror_policy one = {.max_fills = 1};
	static const int64_t order[] = {1, 4, 5, 2, 3};
	struct house *house = *state;
	sem_t resume;
	struct snapshot snapshot;
	bool collapsed;
	struct err err;
	int64_t id;

	assert_int_equal(sem_init(&resume, 0, 0), 0);
	house->scripts[0].mood = MOOD_SERVE;
	house->scripts[0].resume = &resume;
	make_mirror(house, &one, 600);
	for (house->name.version = 1; house->name.version <= 5; house->name.version++) {
		if (house->name.version == 2 || house->name.version == 3)
			assert_true(mirror_look(house->mirror, &house->name, &snapshot, &err) &&
				    mirror_start(house->mirror, &snapshot, &(struct asker){house->who, NULL},
					    &id, &err));
		else
			spool_release(join(house, &collapsed));
		if (house->name.version == 1)
			(void)sem_wait(&house->scripts[0].begun);
	}
	for (int i = 0; i < 5; i++) {
		if (i > 0)
			(void)sem_wait(&house->scripts[0].begun);
		for (int j = 0; j < 5; j++)
			assert_int_equal(is_waiting(house, order[j]), j > i);
		(void)sem_post(&resume);
	}
	house->name.version = 3;
	while (!place_find(&house->place, &house->name).cached)
		clock_sleep_ms(2);
	mirror_destroy(TAKE(house->mirror));
	(void)sem_destroy(&resume);
}

static void await_fills_over(struct house *house)
{
	size_t running = 1;

	while (running > 0) {
		AUTO(fill_list_finish) struct fill_list list = {0};

		mirror_list(house->mirror, &list);
		running = list.running;
		clock_sleep_ms(2);
	}
}

/* Whatever became of a fill since somebody looked: nobody fetches again for that. */
static void what_has_ended_is_looked_at_again(void **state)
{
	static const struct mirror_policy open_policy = {.max_fills = 4};
	static const enum mood moods[] = {MOOD_SERVE, MOOD_ABSENT, MOOD_NONSENSE};
	struct house *house = *state;
	const struct asker who = {house->who, NULL};
	struct snapshot before;
	struct snapshot other;
	bool collapsed;
	struct err err;
	int64_t id;

	make_mirror(house, &open_policy, 600);
	for (size_t i = 0; i < sizeof moods / sizeof moods[0]; i++) {
		struct spool *spool = NULL;

		house->name.version = (int64_t)i + 1;
		house->scripts[0].mood = moods[i];
		assert_true(mirror_look(house->mirror, &house->name, &before, &err));
		house->name.version += 100;
		assert_true(mirror_look(house->mirror, &house->name, &other, &err));
		house->name.version -= 100;
		assert_int_equal(fill(house).state == SPOOL_KEPT, moods[i] == MOOD_SERVE);
		await_fills_over(house);
		assert_true(mirror_join(house->mirror, &before, &who, &spool, &collapsed, &err));
		assert_null(spool);
		assert_true(mirror_start(house->mirror, &before, &who, &id, &err));
		assert_int_equal(id, 0);
		assert_true(mirror_start(house->mirror, &other, &who, &id, &err));
		assert_true(id > 0);
	}
}

/* Somebody who sleeps until a question is answered. */
struct listener {
	struct waiter waiter;
	sem_t answered;
};

static void note_answer(struct waiter *waiter)
{
	(void)sem_post(&((struct listener *)waiter)->answered);
}

static bool ask_size(struct house *house, int64_t *bytes, struct err *err)
{
	const struct asker who = {"address 127.0.0.1", NULL};
	struct listener listener = {.waiter.wake = note_answer};
	struct snapshot snapshot;
	struct glance glance;
	struct question *question;
	bool told;

	if (!mirror_look(house->mirror, &house->name, &snapshot, err) ||
		!mirror_glance(house->mirror, &snapshot, &who, &glance, err))
		return false;
	question = glance.question;
	assert_non_null(question);
	(void)sem_init(&listener.answered, 0, 0);
	if (question_await(question, &listener.waiter))
		(void)sem_wait(&listener.answered);
	told = question_result(question, bytes, err);
	question_release(question);
	(void)sem_destroy(&listener.answered);
	return told;
}

static void obeys_its_policy(void **state)
{
	static const struct {
		struct mirror_policy policy;
		enum err_code refused;
	} cases[] = {
		{{.max_fills = 1, .deny = "google/*"}, ERR_BLOCKED_BY_POLICY},
		{{.max_fills = 1, .allow = "acme/*"}, ERR_BLOCKED_BY_POLICY},
		{{.max_fills = 1, .allow = "google/*", .deny = "google/x"}, ERR_BLOCKED_BY_POLICY},
		{{.max_fills = 1, .offline = true}, ERR_OFFLINE},
	};
	struct house *house = *state;
	struct err err = {0};
	int64_t bytes;

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		make_mirror(house, &cases[i].policy, 600);
		assert_int_equal(refused_to_join(house, NULL), cases[i].refused);
		assert_false(ask_size(house, &bytes, &err));
		assert_int_equal(err.code, cases[i].refused);
	}
	house->scripts[0].mood = MOOD_SERVE;
	mirror_set_offline(house->mirror, false);
	assert_int_equal(fill(house).state, SPOOL_KEPT);
}

static void asks_only_who_may_have_it(void **state)
{
	struct house *house = *state;
	char other[] = "acme/*";

	house->upstreams[0].match = other;
	house->scripts[1].mood = MOOD_SERVE;
	assert_int_equal(fill(house).state, SPOOL_KEPT);
	assert_int_equal(requests_to(house->servers[0]), 0);
	house->upstreams[1].match = other;
	house->name.version = 2;
	assert_int_equal(refused_to_join(house, NULL), ERR_NOT_FOUND);
}

static void read_loop_header(struct house *house, char header[128])
{
	HELD(&house->servers[0]->mutex);
	const char *found = strcasestr(house->servers[0]->last_request, "CDN-Loop: ");

	assert_non_null(found);
	(void)sscanf(found + strlen("CDN-Loop: "), "%127[^\r]", header);
}

/* What one Larder sends along is what it knows itself by. */
static void notices_a_loop(void **state)
{
	struct house *house = *state;
	AUTO_FREE char *long_way = mem_zero(2000, 1);
	char header[128] = "";

	assert_int_equal(fill(house).err.code, ERR_NOT_FOUND);
	read_loop_header(house, header);
	house->name.version = 2;
	assert_int_equal(refused_to_join(house, header), ERR_LOOP_DETECTED);
	memset(long_way, 'x', 1999);
	assert_int_equal(refused_to_join(house, long_way), ERR_LOOP_DETECTED);
}

/* The fill waits for the very upstream that asks: were it joined, each would wait for the other. */
static void joins_no_loop(void **state)
{
	struct house *house = *state;
	char header[128] = "";
	bool collapsed;

	house->scripts[0].mood = MOOD_STALL;
	spool_release(join(house, &collapsed));
	(void)sem_wait(&house->scripts[0].begun);
	read_loop_header(house, header);
	assert_int_equal(refused_to_join(house, header), ERR_LOOP_DETECTED);
}

static void asks_for_a_size(void **state)
{
	struct house *house = *state;
	struct err err = {0};
	int64_t bytes = 0;

	house->scripts[1].mood = MOOD_SERVE;
	assert_true(ask_size(house, &bytes, &err));
	assert_int_equal(bytes, house->module.length);
	assert_true(last_request_has(house->servers[1], "HEAD /google/x/1?tf-hub-format=compressed "));
	house->scripts[1].mood = MOOD_ABSENT;
	assert_false(ask_size(house, &bytes, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	/* Which is asked anew, since HEAD's answer proves nothing. */
	assert_int_equal(fill(house).err.code, ERR_NOT_FOUND);
	/* Last: an upstream that fails is left alone for a while. */
	house->scripts[1].mood = MOOD_FAIL;
	house->name = name_of("google/y", 1, FORMAT_TF_HUB);
	assert_false(ask_size(house, &bytes, &err));
	assert_int_equal(err.code, ERR_UPSTREAM_FAILED);
}

#define ROOM(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM(one_fetch_for_many),
		ROOM(one_fetch_for_many_threads),
		ROOM(what_is_there_is_not_fetched),
		ROOM(absence_is_remembered),
		ROOM(failure_is_not_remembered),
		ROOM(a_wish_to_be_left_alone_is_remembered),
		ROOM(who_cannot_be_reached_may_have_it_later),
		ROOM(a_broken_transfer_is_taken_up),
		ROOM(a_changed_object_is_begun_anew),
		ROOM(a_changed_object_is_refused_once_shown),
		ROOM(the_second_serves_what_the_first_breaks),
		ROOM(nonsense_is_not_kept),
		ROOM(who_finds_no_thread_is_told_so),
		ROOM(destroying_ends_what_runs),
		ROOM(so_many_fills_at_once),
		ROOM(who_waits_is_a_row_in_a_list),
		ROOM(each_in_its_turn),
		ROOM(what_has_ended_is_looked_at_again),
		ROOM(obeys_its_policy),
		ROOM(asks_only_who_may_have_it),
		ROOM(notices_a_loop),
		ROOM(joins_no_loop),
		ROOM(asks_for_a_size),
	};

	return cmocka_run_group_tests_name("mirror", tests, NULL, NULL);
}

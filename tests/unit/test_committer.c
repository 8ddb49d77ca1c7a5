/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/clock.h"
#include "server/registry/committer.h"
#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_keep.h"
#include "server/store/catalog/catalog_known.h"
#include "server/vault/vault_alone.h"
#include "tests/unit/held.h"
#include "tests/unit/store_place.h"

enum { MANY = 24, LOOK_MS = 2, LOOKS = 5 };

/* ---- a disk whose rounds are counted, and which can be stopped, or fail once ---- */

enum what { WAL, BLOBS, SHARD, DRAFT, OTHER, KINDS };

static struct {
	pthread_mutex_t mutex;
	pthread_cond_t changed;
	enum what stopped; /* KINDS: nothing is */
	enum what fails;   /* the next time somebody comes for it; KINDS: nothing does */
	int counts[KINDS];
	int waiting[KINDS];
	int busy; /* calls that are under way */
} disk = {PTHREAD_MUTEX_INITIALIZER, PTHREAD_COND_INITIALIZER, KINDS, KINDS, {0}, {0}, 0};

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text);

	return length >= strlen(end) && strcmp(text + length - strlen(end), end) == 0;
}

static enum what what_is(int fd)
{
	char link[64], path[512] = "";

	(void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	if (readlink(link, path, sizeof path - 1) < 0)
		return OTHER;
	if (ends_with(path, "-wal"))
		return WAL;
	if (strstr(path, "/drafts/"))
		return DRAFT;
	if (ends_with(path, "/blobs/sha256"))
		return BLOBS;
	return strstr(path, "/blobs/sha256/") ? SHARD : OTHER;
}

/* False: it fails. */
static bool pass(int fd)
{
	enum what what = what_is(fd);
	HELD(&disk.mutex);
	bool fails = disk.fails == what;

	if (fails)
		disk.fails = KINDS;
	disk.counts[what]++;
	disk.waiting[what]++;
	while (disk.stopped == what)
		(void)pthread_cond_wait(&disk.changed, &disk.mutex);
	disk.waiting[what]--;
	errno = EIO;
	return !fails;
}

static void count_busy(int change)
{
	HELD(&disk.mutex);

	disk.busy += change;
}

static int synchronize(long call, int fd)
{
	int status;

	if (!pass(fd))
		return -1;
	count_busy(1);
	status = (int)syscall(call, fd);
	count_busy(-1);
	return status;
}

/* In place of the C library's, for SQLite as well. */
int fsync(int fd)
{
	return synchronize(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return synchronize(SYS_fdatasync, fd);
}

static void stop_disk(enum what what)
{
	HELD(&disk.mutex);

	disk.stopped = what;
	(void)pthread_cond_broadcast(&disk.changed);
}

static void have_fail_once(enum what what)
{
	HELD(&disk.mutex);

	disk.fails = what;
}

static int read_count(const int *counts, enum what what)
{
	HELD(&disk.mutex);

	return counts[what];
}

static void await_waiting(enum what what, int wanted)
{
	while (read_count(disk.waiting, what) < wanted)
		clock_sleep_ms(LOOK_MS);
}

/* ---- keeping ---- */

struct house {
	struct place place;
	struct committer *committer;
};

static int set_up(void **state)
{
	struct house *house = mem_zero(1, sizeof *house);

	place_open(&house->place);
	house->committer = committer_create(house->place.catalog, house->place.blobs, NULL, vault_alone());
	*state = house;
	return 0;
}

static int tear_down(void **state)
{
	struct house *house = *state;

	stop_disk(KINDS);
	committer_destroy(house->committer);
	place_close(&house->place);
	free(house);
	return 0;
}

/* One that is kept by a thread of its own. */
struct keep {
	struct house *house;
	struct name name;
	char content[32];
	enum version_source source;
	struct spool *spool;
	pthread_t thread;
	_Atomic pid_t id; /* the thread's, once it runs */
	bool done;
	enum kept kept;
	struct err err;
	_Atomic bool over;
};

static struct digest digest_of_keep(const struct keep *keep)
{
	return digest_of(keep->content, strlen(keep->content));
}

static void *run_keep(void *argument)
{
	struct keep *keep = argument;
	struct examination examination = {.format = FORMAT_TF_HUB, .unpacked_bytes = 1, .file_count = 1};
	const struct inspection inspection = {.whole = true,
		.checksums.sha256 = digest_of_keep(keep),
		.size_bytes = (int64_t)strlen(keep->content),
		.examination = &examination};
	const struct origin origin = {.source = keep->source, .who = "ci"};

	atomic_store(&keep->id, gettid());
	keep->done = committer_commit(keep->house->committer, keep->spool, &keep->name, &origin,
		DEPOSITED_NEW, &inspection, &keep->kept, &keep->err);
	if (keep->done)
		spool_mark_kept(keep->spool);
	atomic_store(&keep->over, true);
	return NULL;
}

static void start_keep(struct house *house, struct keep *keep, const char *handle, int number,
	const char *content, enum version_source source)
{
	struct err err = {0};

	*keep = (struct keep){
		.house = house, .name = name_of(handle, number, FORMAT_TF_HUB), .source = source};
	(void)snprintf(keep->content, sizeof keep->content, "%s", content);
	if (!blobs_begin(house->place.blobs, &keep->spool, &err) ||
		!spool_append(keep->spool, content, strlen(content), &err))
		fail_msg("%s", err.text);
	spool_complete(keep->spool);
	assert_int_equal(pthread_create(&keep->thread, NULL, run_keep, keep), 0);
}

static void end_keep(struct keep *keep)
{
	(void)pthread_join(keep->thread, NULL);
	spool_release(keep->spool);
}

/* ERR_NONE where it was kept. */
static enum err_code keep_now(
	struct house *house, const char *handle, int number, const char *content, enum version_source source)
{
	struct keep keep;

	start_keep(house, &keep, handle, number, content, source);
	end_keep(&keep);
	return keep.done ? ERR_NONE : keep.err.code;
}

static bool has_blob(struct house *house, const char *content)
{
	struct digest digest = digest_of(content, strlen(content));
	AUTO_FD int fd = -1;
	int64_t size;
	struct err err;

	return blobs_read(house->place.blobs, &digest, &fd, &size, &err);
}

static int drafts_left(struct house *house)
{
	return (int)place_count_drafts(&house->place);
}

/* Whoever comes now waits for his row while the disk has the first one's. */
static void pile_up(struct house *house, struct keep *keeps)
{
	stop_disk(WAL);
	start_keep(house, &keeps[0], "acme/first", 1, "the first", SOURCE_PUBLISHED);
	await_waiting(WAL, 1);
}

/* A draft's name goes when it has become a blob, which is the last that is seen before it waits. */
static void await_adopted(struct house *house)
{
	while (drafts_left(house) > 0)
		clock_sleep_ms(LOOK_MS);
}

/* The letter behind a thread's name, which is in parentheses: proc(5). */
static bool is_asleep(pid_t id)
{
	char path[64], line[512] = "";
	const char *end;
	AUTO_FD int fd = -1;

	(void)snprintf(path, sizeof path, "/proc/self/task/%d/stat", (int)id);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || read(fd, line, sizeof line - 1) < 0)
		return false;
	end = strrchr(line, ')');
	return end && end[1] == ' ' && end[2] == 'S';
}

static bool are_asleep(const struct keep *keeps, int count)
{
	for (int i = 0; i < count; i++) {
		pid_t id = atomic_load(&keeps[i].id);

		if (id == 0 || !is_asleep(id))
			return false;
	}
	HELD(&disk.mutex);
	return disk.busy == 0;
}

/* Whoever has nothing more to do before it is his turn sleeps, and goes on sleeping. */
static void await_asleep(const struct keep *keeps, int count)
{
	for (int looks = 0; looks < LOOKS; looks = are_asleep(keeps, count) ? looks + 1 : 0)
		clock_sleep_ms(LOOK_MS);
}

static void what_waits_is_committed_in_one_round(void **state)
{
	struct house *house = *state;
	struct keep keeps[MANY];
	int before = read_count(disk.counts, WAL);

	pile_up(house, keeps);
	for (int i = 1; i < MANY; i++) {
		char content[32];

		(void)snprintf(content, sizeof content, "number %d", i);
		start_keep(house, &keeps[i], "acme/many", i, content, SOURCE_PUBLISHED);
	}
	await_adopted(house);
	await_asleep(keeps, MANY);
	for (int i = 0; i < MANY; i++)
		assert_false(atomic_load(&keeps[i].over));
	stop_disk(KINDS);
	for (int i = 0; i < MANY; i++) {
		end_keep(&keeps[i]);
		if (!keeps[i].done)
			fail_msg("%s", keeps[i].err.text);
		assert_int_equal(keeps[i].kept, KEPT_NEW_VERSION);
		assert_true(place_find(&house->place, &keeps[i].name).cached);
	}
	/* The first one's, and that of those who came to wait meanwhile. */
	assert_int_equal(read_count(disk.counts, WAL) - before, 2);
}

static void who_fails_fails_alone(void **state)
{
	struct house *house = *state;
	struct keep keeps[8];

	assert_int_equal(keep_now(house, "acme/taken", 1, "ours", SOURCE_PUBLISHED), ERR_NONE);
	assert_int_equal(keep_now(house, "acme/changed", 1, "before", SOURCE_MIRRORED), ERR_NONE);
	pile_up(house, keeps);
	start_keep(house, &keeps[1], "acme/taken", 1, "theirs", SOURCE_PUBLISHED);
	start_keep(house, &keeps[2], "acme/changed", 1, "after", SOURCE_MIRRORED);
	start_keep(house, &keeps[3], "acme/new", 1, "new", SOURCE_PUBLISHED);
	start_keep(house, &keeps[4], "acme/taken", 1, "ours", SOURCE_PUBLISHED);
	/* The same bytes as one that fails, under another name. */
	start_keep(house, &keeps[5], "acme/new", 2, "theirs", SOURCE_PUBLISHED);
	start_keep(house, &keeps[6], "acme/new", 3, "twice", SOURCE_PUBLISHED);
	start_keep(house, &keeps[7], "acme/new", 3, "twice", SOURCE_PUBLISHED);
	await_adopted(house);
	stop_disk(KINDS);
	for (int i = 0; i < 8; i++)
		end_keep(&keeps[i]);
	assert_true(keeps[0].done && keeps[3].done && keeps[4].done && keeps[5].done);
	assert_int_equal(keeps[1].err.code, ERR_CONFLICT);
	assert_int_equal(keeps[2].err.code, ERR_QUARANTINED);
	assert_int_equal(keeps[4].kept, KEPT_AGAIN);
	assert_true(keeps[6].done && keeps[7].done);
	assert_true((keeps[6].kept == KEPT_AGAIN) != (keeps[7].kept == KEPT_AGAIN));
	assert_true(has_blob(house, "ours") && has_blob(house, "theirs") && has_blob(house, "new"));
	assert_false(has_blob(house, "after"));
	assert_int_equal(place_count_blobs(&house->place), 6);
	assert_int_equal(drafts_left(house), 0);
}

/* It may have been one of them, and each has his own answer. */
static void what_fails_together_is_tried_one_by_one(void **state)
{
	struct house *house = *state;
	struct keep keeps[MANY];
	int before = read_count(disk.counts, WAL);

	pile_up(house, keeps);
	for (int i = 1; i < MANY; i++) {
		char content[32];

		(void)snprintf(content, sizeof content, "number %d", i);
		start_keep(house, &keeps[i], "acme/many", i, content, SOURCE_PUBLISHED);
	}
	await_adopted(house);
	await_asleep(keeps, MANY);
	have_fail_once(WAL);
	stop_disk(KINDS);
	for (int i = 0; i < MANY; i++) {
		end_keep(&keeps[i]);
		if (!keeps[i].done)
			fail_msg("%s", keeps[i].err.text);
		assert_true(place_find(&house->place, &keeps[i].name).cached);
	}
	/* The first one's, that of all others, and then theirs. */
	assert_true(read_count(disk.counts, WAL) - before >= MANY + 1);
}

/* What has changed upstream is remembered, though it was committed along with others. */
static void changed_bytes_are_written_down(void **state)
{
	struct house *house = *state;
	struct keep keeps[3];
	struct name name = name_of("acme/changed", 1, FORMAT_TF_HUB);
	struct known known;
	struct err err;

	assert_int_equal(keep_now(house, "acme/changed", 1, "before", SOURCE_MIRRORED), ERR_NONE);
	pile_up(house, keeps);
	start_keep(house, &keeps[1], "acme/changed", 1, "after", SOURCE_MIRRORED);
	start_keep(house, &keeps[2], "acme/new", 1, "new", SOURCE_PUBLISHED);
	await_adopted(house);
	stop_disk(KINDS);
	for (int i = 0; i < 3; i++)
		end_keep(&keeps[i]);
	assert_true(catalog_look(house->place.catalog, &name, clock_now_s(), &known, &err));
	assert_true(known.quarantined_at_s > 0);
}

static void await_shard(const struct keep *keep)
{
	struct digest digest = digest_of_keep(keep);
	AUTO_FREE char *path = mem_printf("blobs/sha256/%.2s", digest.hex);

	while (!place_has(&keep->house->place, path))
		clock_sleep_ms(LOOK_MS);
}

/* A folder of blobs that is made for many is durable before any of them is, and in one round. */
static void folders_become_durable_together(void **state)
{
	struct house *house = *state;
	struct keep keeps[MANY];
	int before = read_count(disk.counts, BLOBS);

	stop_disk(BLOBS);
	for (int i = 0; i < MANY; i++) {
		char content[32];

		(void)snprintf(content, sizeof content, "folder %d", i);
		start_keep(house, &keeps[i], "acme/folders", i + 1, content, SOURCE_PUBLISHED);
	}
	await_waiting(BLOBS, 1);
	for (int i = 0; i < MANY; i++) {
		await_shard(&keeps[i]);
		assert_false(atomic_load(&keeps[i].over));
	}
	await_asleep(keeps, MANY);
	assert_int_equal(drafts_left(house), MANY);
	stop_disk(KINDS);
	for (int i = 0; i < MANY; i++) {
		end_keep(&keeps[i]);
		assert_true(keeps[i].done);
	}
	/* The first one's, and that of all others. */
	assert_in_range(read_count(disk.counts, BLOBS) - before, 1, 2);
}

/* Removing waits for rows that are on their way, and comes before those that come later. */
static void *withdraw_first(void *argument)
{
	struct house *house = argument;
	struct name name = name_of("acme/first", 1, FORMAT_TF_HUB);
	struct err err = {0};

	if (!committer_withdraw(house->committer, &name, "ci", NULL, &err))
		fail_msg("%s", err.text);
	return NULL;
}

static void removing_waits_for_its_turn(void **state)
{
	struct house *house = *state;
	struct keep keeps[2];
	pthread_t thread;

	pile_up(house, keeps);
	assert_int_equal(pthread_create(&thread, NULL, withdraw_first, house), 0);
	start_keep(house, &keeps[1], "acme/second", 1, "the second", SOURCE_PUBLISHED);
	stop_disk(KINDS);
	end_keep(&keeps[0]);
	end_keep(&keeps[1]);
	(void)pthread_join(thread, NULL);
	assert_true(keeps[0].done && keeps[1].done);
	assert_int_equal(place_find(&house->place, &keeps[0].name).state, STATE_WITHDRAWN);
	assert_false(has_blob(house, "the first"));
	assert_true(has_blob(house, "the second"));
}

/* ---- another process has the database ---- */

struct patient {
	struct house *house;
	pthread_t thread;
	_Atomic bool over;
	bool done;
};

static void *write_patiently(void *argument)
{
	struct patient *patient = argument;
	struct name name = name_of("acme/patient", 1, FORMAT_TF_HUB);
	struct absence absence = {.until_s = clock_now_s() + 60, .answer.code = ERR_NOT_FOUND};
	struct err err;

	patient->done = catalog_remember_absent(patient->house->place.catalog, &name, &absence, &err);
	atomic_store(&patient->over, true);
	return NULL;
}

/* Nobody who waits here with patience holds up others who have none: each upload's bytes are drafts again
 * while the other process, and whoever waits for it, go on. */
static void who_cannot_have_the_database_is_told_so_soon(void **state)
{
	struct house *house = *state;
	struct patient patient = {.house = house};
	AUTO_FREE char *path = mem_printf("%s/larder.db", house->place.folder);
	struct keep keeps[4];
	sqlite3 *other = NULL;

	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(pthread_create(&patient.thread, NULL, write_patiently, &patient), 0);
	for (int i = 0; i < 4; i++) {
		char content[32];

		(void)snprintf(content, sizeof content, "held up %d", i);
		start_keep(house, &keeps[i], "acme/held", i + 1, content, SOURCE_PUBLISHED);
	}
	for (int i = 0; i < 4; i++) {
		(void)pthread_join(keeps[i].thread, NULL);
		assert_false(keeps[i].done);
		assert_int_equal(keeps[i].err.code, ERR_BUSY);
	}
	assert_false(atomic_load(&patient.over));
	assert_int_equal(drafts_left(house), 4);
	assert_int_equal(place_count_blobs(&house->place), 0);
	assert_int_equal(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
	(void)pthread_join(patient.thread, NULL);
	assert_true(patient.done);
	for (int i = 0; i < 4; i++) {
		assert_int_equal(pthread_create(&keeps[i].thread, NULL, run_keep, &keeps[i]), 0);
		end_keep(&keeps[i]);
		assert_true(keeps[i].done);
	}
	assert_int_equal(drafts_left(house), 0);
	assert_int_equal(place_count_blobs(&house->place), 4);
	(void)sqlite3_close(other);
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_waits_is_committed_in_one_round),
		TEST(who_fails_fails_alone),
		TEST(what_fails_together_is_tried_one_by_one),
		TEST(changed_bytes_are_written_down),
		TEST(folders_become_durable_together),
		TEST(removing_waits_for_its_turn),
		TEST(who_cannot_have_the_database_is_told_so_soon),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/stat.h>

#include "server/store/spool_stream.h"
#include "tests/unit/store_place.h"

enum { CHUNK = 100 << 10, READERS = 6, PIECES = 40 };

struct folder {
	char path[32];
	int fd;
};

static int set_up(void **state)
{
	struct folder *folder = mem_zero(1, sizeof *folder);

	(void)snprintf(folder->path, sizeof folder->path, "/tmp/larder-test.XXXXXX");
	assert_non_null(mkdtemp(folder->path));
	folder->fd = open(folder->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(folder->fd >= 0);
	*state = folder;
	return 0;
}

static int tear_down(void **state)
{
	struct folder *folder = *state;
	AUTO_FREE char *command = mem_printf("rm -rf '%s'", folder->path);

	(void)close(folder->fd);
	assert_int_equal(system(command), 0);
	free(folder);
	return 0;
}

static struct spool *create(const struct folder *folder, const char *name)
{
	struct spool *spool = NULL;
	struct err err = {0};

	if (!spool_create(folder->fd, name, &spool, &err))
		fail_msg("%s", err.text);
	return spool;
}

static struct spool *resume(const struct folder *folder, const char *name, int64_t length)
{
	struct spool *spool = NULL;
	struct err err = {0};

	if (!spool_resume(folder->fd, name, length, &spool, &err))
		fail_msg("%s", err.text);
	return spool;
}

static void append(struct spool *spool, size_t length, uint32_t seed)
{
	AUTO_BUFFER struct buffer bytes = {0};
	struct err err = {0};

	add_noise(&bytes, length, seed);
	if (!spool_append(spool, bytes.data, bytes.length, &err))
		fail_msg("%s", err.text);
}

static struct spool_progress look(struct spool *spool)
{
	struct spool_progress progress = {0};

	assert_false(spool_await(spool, &progress, NULL));
	return progress;
}

static bool has_draft(const struct folder *folder, const char *name)
{
	return faccessat(folder->fd, name, F_OK, 0) == 0;
}

static const struct err refusal = {.code = ERR_QUARANTINED, .retry_after_s = 7, .text = "other bytes"};

/* ---- What a reader is shown ---- */

static void holds_back_the_last_bytes(void **state)
{
	static const struct {
		size_t appended; /* one after the other, to the same spool */
		int64_t visible;
	} steps[] = {
		{1, 0},
		{SPOOL_HELD_BACK - 1, 0},
		{1, 1},
		{CHUNK, CHUNK + 1},
	};
	AUTO_SPOOL struct spool *spool = create(*state, "a");
	int64_t length = 0;

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		append(spool, steps[i].appended, (uint32_t)i);
		length += (int64_t)steps[i].appended;
		assert_int_equal(look(spool).length, length);
		assert_int_equal(look(spool).visible, steps[i].visible);
		assert_int_equal(look(spool).state, SPOOL_GROWING);
	}
	spool_complete(spool);
	assert_int_equal(look(spool).state, SPOOL_COMPLETE);
	assert_int_equal(look(spool).visible, length - SPOOL_HELD_BACK);
	spool_mark_kept(spool);
	assert_int_equal(look(spool).state, SPOOL_KEPT);
	assert_int_equal(look(spool).visible, length);
}

static void the_first_end_counts(void **state)
{
	AUTO_SPOOL struct spool *kept = create(*state, "kept");
	AUTO_SPOOL struct spool *refused = create(*state, "refused");
	const struct err later = {.code = ERR_BUSY, .text = "too late"};

	spool_complete(kept);
	spool_mark_kept(kept);
	spool_refuse(kept, &refusal);
	spool_complete(kept);
	assert_int_equal(spool_wait_end(kept).state, SPOOL_KEPT);
	assert_int_equal(spool_wait_end(kept).err.code, ERR_NONE);
	spool_refuse(refused, &refusal);
	spool_refuse(refused, &later);
	spool_complete(refused);
	spool_mark_kept(refused);
	assert_int_equal(spool_wait_end(refused).state, SPOOL_REFUSED);
	assert_int_equal(spool_wait_end(refused).err.code, ERR_QUARANTINED);
	assert_int_equal(spool_wait_end(refused).err.retry_after_s, 7);
	assert_string_equal(spool_wait_end(refused).err.text, "other bytes");
}

static void takes_nothing_once_refused(void **state)
{
	AUTO_SPOOL struct spool *spool = create(*state, "a");
	struct err err = {0};

	append(spool, 10, 1);
	spool_refuse(spool, &refusal);
	assert_false(spool_append(spool, "x", 1, &err));
	assert_int_equal(err.code, ERR_QUARANTINED);
	assert_string_equal(err.text, "other bytes");
	assert_int_equal(look(spool).length, 10);
}

/* ---- Waiters ---- */

struct counted {
	struct waiter waiter;
	atomic_int wakes;
};

static void count_wake(struct waiter *waiter)
{
	atomic_fetch_add(&((struct counted *)waiter)->wakes, 1);
}

static void wakes_a_waiter_once(void **state)
{
	AUTO_SPOOL struct spool *spool = create(*state, "a");
	struct spool_progress seen = look(spool);
	struct counted first = {.waiter = {count_wake}};
	struct counted second = {.waiter = {count_wake}};

	assert_true(spool_await(spool, &seen, &first.waiter));
	assert_true(spool_await(spool, &seen, &second.waiter));
	spool_complete(spool);
	assert_int_equal(first.wakes, 1);
	assert_int_equal(second.wakes, 1);
	/* It is news, so there is nothing to wait for. */
	assert_false(spool_await(spool, &seen, &first.waiter));
	assert_int_equal(seen.state, SPOOL_COMPLETE);
	assert_true(spool_await(spool, &seen, &first.waiter));
	spool_refuse(spool, &refusal);
	assert_int_equal(first.wakes, 2);
	assert_int_equal(second.wakes, 1);
	assert_false(spool_leave(spool, &first.waiter));
}

static void wakes_for_many_bytes(void **state)
{
	AUTO_SPOOL struct spool *spool = create(*state, "a");
	struct spool_progress seen = look(spool);
	struct counted counted = {.waiter = {count_wake}};

	assert_true(spool_await(spool, &seen, &counted.waiter));
	append(spool, 1 << 20, 1);
	assert_int_equal(counted.wakes, 1);
	assert_false(spool_await(spool, &seen, &counted.waiter));
	assert_int_equal(seen.visible, (1 << 20) - SPOOL_HELD_BACK);
}

static void who_leaves_is_not_woken(void **state)
{
	AUTO_SPOOL struct spool *spool = create(*state, "a");
	struct spool_progress seen = look(spool);
	struct counted stays = {.waiter = {count_wake}};
	struct counted leaves = {.waiter = {count_wake}};

	assert_true(spool_await(spool, &seen, &leaves.waiter));
	assert_true(spool_await(spool, &seen, &stays.waiter));
	assert_true(spool_leave(spool, &leaves.waiter));
	assert_false(spool_leave(spool, &leaves.waiter));
	spool_refuse(spool, &refusal);
	assert_int_equal(stays.wakes, 1);
	assert_int_equal(leaves.wakes, 0);
}

/* ---- One writer, many readers ---- */

struct reader {
	struct waiter waiter;
	sem_t woken;
	struct spool *spool;
	struct hasher *hasher;
	int64_t offset;
	struct spool_progress end;
	bool too_much; /* more was shown than a client may have */
	pthread_t thread;
};

static void post(struct waiter *waiter)
{
	(void)sem_post(&((struct reader *)waiter)->woken);
}

static void take_visible(struct reader *reader, int64_t visible)
{
	char block[16 << 10];

	while (reader->offset < visible) {
		int64_t left = visible - reader->offset;
		ssize_t got = pread(spool_fd(reader->spool), block,
			left < (int64_t)sizeof block ? (size_t)left : sizeof block, reader->offset);

		if (got <= 0)
			return;
		hasher_add(reader->hasher, block, (size_t)got);
		reader->offset += got;
	}
}

static void *read_as_client(void *argument)
{
	struct reader *reader = argument;
	struct spool_progress seen = {0};

	while (seen.state != SPOOL_KEPT && seen.state != SPOOL_REFUSED) {
		if (spool_await(reader->spool, &seen, &reader->waiter))
			(void)sem_wait(&reader->woken);
		reader->too_much |= seen.state != SPOOL_KEPT && seen.visible > 0 &&
				    seen.visible > seen.length - SPOOL_HELD_BACK;
		take_visible(reader, seen.visible);
	}
	reader->end = seen;
	return NULL;
}

static void start_readers(struct reader *readers, struct spool *spool)
{
	for (int i = 0; i < READERS; i++) {
		readers[i] = (struct reader){
			.waiter = {post}, .spool = spool_acquire(spool), .hasher = hasher_create()};
		assert_int_equal(sem_init(&readers[i].woken, 0, 0), 0);
		assert_int_equal(pthread_create(&readers[i].thread, NULL, read_as_client, &readers[i]), 0);
	}
}

static void join_reader(struct reader *reader)
{
	int left_over;

	assert_int_equal(pthread_join(reader->thread, NULL), 0);
	assert_int_equal(sem_getvalue(&reader->woken, &left_over), 0);
	assert_int_equal(left_over, 0);
	assert_false(reader->too_much);
	(void)sem_destroy(&reader->woken);
	spool_release(reader->spool);
}

/* Reads it all as the inspector does; small appends are announced to clients by this only. */
static void *read_as_inspector(void *argument)
{
	struct spool_stream source;
	struct digest *digest = mem_zero(1, sizeof *digest);
	struct hasher *hasher = hasher_create();
	const uint8_t *data;
	size_t length;
	struct err err = {0};

	spool_stream_init(&source, argument);
	while (stream_next(&source.stream, &data, &length, &err) && length > 0)
		hasher_add(hasher, data, length);
	*digest = hasher_result(hasher);
	hasher_destroy(hasher);
	spool_stream_finish(&source);
	return digest;
}

static struct digest write_pieces(struct spool *spool)
{
	struct hasher *hasher = hasher_create();
	struct digest digest;

	for (uint32_t i = 0; i < PIECES; i++) {
		AUTO_BUFFER struct buffer bytes = {0};
		struct err err = {0};

		add_noise(&bytes, 1 + i * 997, i);
		assert_true(spool_append(spool, bytes.data, bytes.length, &err));
		hasher_add(hasher, bytes.data, bytes.length);
	}
	digest = hasher_result(hasher);
	hasher_destroy(hasher);
	return digest;
}

static void every_reader_gets_every_byte(void **state)
{
	AUTO_SPOOL struct spool *spool = create(*state, "a");
	AUTO_FREE struct digest *inspected = NULL;
	struct reader readers[READERS];
	pthread_t inspector;
	struct digest digest;

	start_readers(readers, spool);
	assert_int_equal(pthread_create(&inspector, NULL, read_as_inspector, spool), 0);
	digest = write_pieces(spool);
	spool_complete(spool);
	assert_int_equal(pthread_join(inspector, (void **)&inspected), 0);
	assert_true(digest_equal(inspected, &digest));
	spool_mark_kept(spool);
	for (int i = 0; i < READERS; i++) {
		struct digest had;

		join_reader(&readers[i]);
		assert_int_equal(readers[i].end.state, SPOOL_KEPT);
		had = hasher_result(readers[i].hasher);
		assert_true(digest_equal(&had, &digest));
		hasher_destroy(readers[i].hasher);
	}
}

static void every_reader_is_told_of_a_refusal(void **state)
{
	AUTO_SPOOL struct spool *spool = create(*state, "a");
	struct reader readers[READERS];
	pthread_t inspector;
	void *inspected;

	start_readers(readers, spool);
	assert_int_equal(pthread_create(&inspector, NULL, read_as_inspector, spool), 0);
	(void)write_pieces(spool);
	spool_refuse(spool, &refusal);
	assert_int_equal(pthread_join(inspector, &inspected), 0);
	free(inspected);
	for (int i = 0; i < READERS; i++) {
		join_reader(&readers[i]);
		assert_int_equal(readers[i].end.state, SPOOL_REFUSED);
		assert_string_equal(readers[i].end.err.text, "other bytes");
		assert_true(readers[i].offset <= readers[i].end.length - SPOOL_HELD_BACK);
		hasher_destroy(readers[i].hasher);
	}
}

static void a_stream_ends_as_its_spool_does(void **state)
{
	AUTO_SPOOL struct spool *spool = create(*state, "a");
	struct spool_stream source;
	struct err err = {0};
	const uint8_t *data;
	size_t length;

	append(spool, 100, 1);
	spool_stream_init(&source, spool);
	assert_true(stream_next(&source.stream, &data, &length, &err));
	assert_int_equal(length, 100);
	spool_complete(spool);
	assert_true(stream_next(&source.stream, &data, &length, &err));
	assert_int_equal(length, 0);
	spool_refuse(spool, &refusal);
	assert_false(stream_next(&source.stream, &data, &length, &err));
	assert_int_equal(err.code, ERR_QUARANTINED);
	spool_stream_finish(&source);
}

/* ---- Beginning anew ---- */

static void restarts_while_nobody_has_seen_a_byte(void **state)
{
	AUTO_SPOOL struct spool *spool = create(*state, "a");
	struct stat status;

	append(spool, SPOOL_HELD_BACK, 1);
	(void)look(spool); /* nothing of it is visible yet */
	spool_complete(spool);
	assert_true(spool_restart(spool));
	assert_int_equal(look(spool).state, SPOOL_GROWING);
	assert_int_equal(look(spool).length, 0);
	assert_int_equal(fstat(spool_fd(spool), &status), 0);
	assert_int_equal(status.st_size, 0);
	append(spool, CHUNK, 2); /* enough, but not looked at */
	assert_true(spool_restart(spool));
	append(spool, CHUNK, 3);
	assert_int_equal(look(spool).visible, CHUNK - SPOOL_HELD_BACK);
	assert_false(spool_restart(spool));
	assert_int_equal(look(spool).length, CHUNK);
}

static void is_shortened_while_nobody_has_seen_a_byte(void **state)
{
	AUTO_SPOOL struct spool *spool = create(*state, "a");
	AUTO_BUFFER struct buffer wanted = {0};
	uint8_t bytes[20];

	add_noise(&wanted, 10, 1);
	add_noise(&wanted, 10, 3);
	append(spool, 10, 1);
	append(spool, 10, 2);
	assert_true(spool_shorten(spool, 10));
	assert_int_equal(look(spool).length, 10);
	append(spool, 10, 3);
	assert_int_equal(pread(spool_fd(spool), bytes, sizeof bytes, 0), sizeof bytes);
	assert_memory_equal(bytes, wanted.data, sizeof bytes);
	assert_false(spool_shorten(spool, 21));
	append(spool, CHUNK, 4);
	assert_true(look(spool).visible > 0);
	assert_false(spool_shorten(spool, 10));
}

static void restarts_nothing_that_has_ended(void **state)
{
	AUTO_SPOOL struct spool *kept = create(*state, "kept");
	AUTO_SPOOL struct spool *refused = create(*state, "refused");

	append(kept, 10, 1);
	spool_mark_kept(kept);
	assert_false(spool_restart(kept));
	assert_int_equal(look(kept).length, 10);
	spool_refuse(refused, &refusal);
	assert_false(spool_restart(refused));
}

/* ---- The file ---- */

static void a_draft_goes_with_its_last_reference(void **state)
{
	struct folder *folder = *state;
	struct spool *spool = create(folder, "a");
	struct spool *other = spool_acquire(spool);

	assert_string_equal(spool_name(spool), "a");
	spool_release(spool);
	assert_true(has_draft(folder, "a"));
	spool_release(other);
	assert_false(has_draft(folder, "a"));
	spool_release(NULL);
}

static void what_was_kept_or_left_stays(void **state)
{
	struct folder *folder = *state;
	struct spool *kept = create(folder, "kept");
	struct spool *left = create(folder, "left");
	struct spool *refused = create(folder, "refused");

	spool_mark_kept(kept);
	spool_release(kept);
	assert_true(has_draft(folder, "kept"));
	spool_leave_draft(left);
	spool_release(left);
	assert_true(has_draft(folder, "left"));
	spool_refuse(refused, &refusal);
	spool_release(refused);
	assert_false(has_draft(folder, "refused"));
}

static void no_two_drafts_share_a_name(void **state)
{
	struct folder *folder = *state;
	AUTO_SPOOL struct spool *spool = create(folder, "a");
	struct spool *second = NULL;
	struct err err = {0};

	assert_false(spool_create(folder->fd, "a", &second, &err));
	assert_null(second);
	assert_int_equal(err.code, ERR_INTERNAL);
}

static void takes_up_a_draft(void **state)
{
	struct folder *folder = *state;
	struct spool *spool = create(folder, "a");
	struct spool *none = NULL;
	struct err err = {0};

	append(spool, CHUNK, 1);
	spool_write_out(spool, 0, CHUNK);
	assert_true(spool_sync(spool, &err));
	spool_leave_draft(spool);
	spool_release(spool);
	assert_false(spool_resume(folder->fd, "a", CHUNK + 1, &none, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_true(has_draft(folder, "a"));
	assert_false(spool_resume(folder->fd, "b", 0, &none, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	spool = resume(folder, "a", CHUNK - 1);
	assert_int_equal(look(spool).length, CHUNK - 1);
	assert_int_equal(look(spool).visible, 0);
	spool_reveal(spool);
	assert_int_equal(look(spool).visible, CHUNK - 1 - SPOOL_HELD_BACK);
	append(spool, 1, 2);
	assert_int_equal(look(spool).length, CHUNK);
	spool_release(spool);
	assert_false(has_draft(folder, "a"));
}

/* Nobody has seen a byte of what is concealed, so that it may go for another object's. */
static void what_was_taken_up_may_be_dropped_unseen(void **state)
{
	struct folder *folder = *state;
	struct spool *spool = create(folder, "a");

	append(spool, CHUNK, 1);
	spool_leave_draft(spool);
	spool_release(spool);
	spool = resume(folder, "a", CHUNK);
	append(spool, CHUNK, 2);
	assert_int_equal(look(spool).visible, 0);
	assert_true(spool_restart(spool));
	append(spool, CHUNK, 3);
	assert_int_equal(look(spool).visible, CHUNK - SPOOL_HELD_BACK);
	spool_release(spool);
}

/* ---- Pass-through ---- */

static int64_t bytes_on_disk(const struct spool *spool)
{
	struct stat status;

	assert_int_equal(fstat(spool_fd(spool), &status), 0);
	return (int64_t)status.st_blocks * 512;
}

enum { WINDOW_STEP = SPOOL_GIVE_BACK_STEP };

static void gives_back_what_all_readers_have(void **state)
{
	struct folder *folder = *state;
	AUTO_SPOOL struct spool *spool = create(folder, "a");
	struct spool_reader slow = {0};
	struct spool_reader fast = {0};

	spool_join(spool, &slow);
	spool_join(spool, &fast);
	append(spool, 4 * WINDOW_STEP, 1);
	assert_true(spool_advance(spool, &fast, 3 * WINDOW_STEP));
	assert_true(spool_advance(spool, &slow, WINDOW_STEP));
	assert_int_equal(spool_give_back(spool), 0);
	assert_true(spool_pass_through(spool, &refusal));
	assert_false(has_draft(folder, "a"));
	assert_true(look(spool).pass_through);
	assert_int_equal(spool_give_back(spool), WINDOW_STEP);
	assert_true(bytes_on_disk(spool) <= 3 * WINDOW_STEP + (64 << 10));
	append(spool, WINDOW_STEP, 2);
	assert_int_equal(look(spool).length, 5 * WINDOW_STEP);
	spool_part(spool, &slow);
	assert_int_equal(spool_give_back(spool), 3 * WINDOW_STEP);
	assert_true(bytes_on_disk(spool) <= 2 * WINDOW_STEP + (64 << 10));
	spool_part(spool, &fast);
}

/* What was sent without a copy is still the file's page while the other side has not read it. */
static void what_is_on_its_way_stays_when_it_is_given_back(void **state)
{
	enum { LENGTH = 60000 };
	AUTO_SPOOL struct spool *spool = create(*state, "a");
	struct spool_reader reader = {0};
	off_t offset = WINDOW_STEP;
	int64_t gone;
	char sent[LENGTH];
	char received[LENGTH];
	int ends[2];

	spool_join(spool, &reader);
	append(spool, 2 * WINDOW_STEP, 3);
	assert_true(spool_pass_through(spool, &refusal));
	assert_int_equal(pread(spool_fd(spool), sent, LENGTH, offset), LENGTH);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(sendfile(ends[0], spool_fd(spool), &offset, LENGTH), LENGTH);
	assert_true(spool_advance(spool, &reader, offset));
	gone = spool_give_back(spool);
	assert_int_equal(recv(ends[1], received, LENGTH, MSG_WAITALL), LENGTH);
	assert_memory_equal(received, sent, LENGTH);
	assert_int_equal(gone, WINDOW_STEP);
	spool_part(spool, &reader);
	(void)close(ends[0]);
	(void)close(ends[1]);
}

static void lets_nobody_join_a_window(void **state)
{
	AUTO_SPOOL struct spool *spool = create(*state, "a");
	struct spool_reader first = {0};
	struct spool_reader late = {0};
	struct spool_stream source;
	struct err err = {0};
	const uint8_t *data;
	size_t length;

	spool_join(spool, &first);
	append(spool, 2 * WINDOW_STEP, 1);
	assert_true(spool_pass_through(spool, &refusal));
	assert_true(spool_is_pass_through(spool, &err));
	assert_int_equal(err.code, ERR_QUARANTINED);
	assert_true(spool_advance(spool, &first, WINDOW_STEP));
	assert_int_equal(spool_give_back(spool), WINDOW_STEP);
	spool_join(spool, &late);
	assert_false(spool_advance(spool, &late, 0));
	spool_stream_init(&source, spool);
	assert_false(stream_next(&source.stream, &data, &length, &err));
	assert_int_equal(err.code, ERR_NO_SPACE);
	spool_stream_finish(&source);
	/* It holds nothing back either. */
	assert_true(spool_advance(spool, &first, 2 * WINDOW_STEP));
	assert_int_equal(spool_give_back(spool), 2 * WINDOW_STEP);
	spool_part(spool, &late);
	spool_part(spool, &first);
}

static void cuts_the_slowest_only(void **state)
{
	AUTO_SPOOL struct spool *spool = create(*state, "a");
	struct spool_reader slow = {0};
	struct spool_reader fast = {0};
	struct spool_reader steady = {.steady = true};

	spool_join(spool, &slow);
	spool_join(spool, &fast);
	spool_join(spool, &steady);
	append(spool, 3 * WINDOW_STEP, 1);
	assert_true(spool_pass_through(spool, &refusal));
	assert_true(spool_advance(spool, &fast, 2 * WINDOW_STEP));
	assert_true(spool_advance(spool, &steady, WINDOW_STEP + 7));
	assert_true(spool_cut_slowest(spool));
	assert_false(spool_advance(spool, &slow, WINDOW_STEP));
	assert_int_equal(spool_slowest(spool), WINDOW_STEP + 7);
	assert_int_equal(spool_give_back(spool), WINDOW_STEP);
	assert_false(spool_cut_slowest(spool));
	assert_true(spool_advance(spool, &fast, 2 * WINDOW_STEP + 1));
	spool_part(spool, &slow);
	spool_part(spool, &fast);
	spool_part(spool, &steady);
}

static void keeps_what_is_borrowed(void **state)
{
	struct folder *folder = *state;
	struct spool *spool = create(folder, "a");
	struct spool_reader slow = {0};
	struct spool_reader fast = {0};

	append(spool, 2 * WINDOW_STEP, 2);
	spool_join(spool, &slow);
	spool_join(spool, &fast);
	assert_true(spool_pass_through(spool, &refusal));
	assert_true(spool_advance(spool, &fast, WINDOW_STEP));
	assert_true(spool_borrow(spool, &slow, 0));
	assert_true(spool_cut_slowest(spool));
	assert_true(spool_cut_slowest(spool)); /* it goes, though not yet: the others are worth waiting for */
	assert_int_equal(spool_give_back(spool), 0);
	assert_false(spool_advance(spool, &slow, WINDOW_STEP / 2));
	assert_int_equal(spool_give_back(spool), WINDOW_STEP);
	assert_false(spool_borrow(spool, &slow, WINDOW_STEP / 2));
	assert_true(spool_borrow(spool, &fast, WINDOW_STEP));
	spool_part(spool, &slow);
	spool_part(spool, &fast);
	spool_release(spool);
}

static void ends_as_passed_and_keeps_nothing(void **state)
{
	struct folder *folder = *state;
	struct spool *spool = create(folder, "a");
	const struct err later = {.code = ERR_BUSY, .text = "too late"};

	assert_false(spool_pass_through(spool, &refusal)); /* nobody has begun */
	assert_true(has_draft(folder, "a"));
	append(spool, CHUNK, 1);
	assert_true(spool_pass_through(spool, &refusal));
	assert_false(spool_restart(spool));
	spool_complete(spool);
	assert_int_equal(look(spool).visible, CHUNK - SPOOL_HELD_BACK);
	spool_mark_passed(spool);
	spool_refuse(spool, &later);
	assert_int_equal(spool_wait_end(spool).state, SPOOL_PASSED);
	assert_int_equal(look(spool).visible, CHUNK);
	assert_int_equal(look(spool).err.code, ERR_QUARANTINED);
	spool_release(spool);
	assert_false(has_draft(folder, "a"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(holds_back_the_last_bytes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_first_end_counts, set_up, tear_down),
		cmocka_unit_test_setup_teardown(takes_nothing_once_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wakes_a_waiter_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(wakes_for_many_bytes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(who_leaves_is_not_woken, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_reader_gets_every_byte, set_up, tear_down),
		cmocka_unit_test_setup_teardown(every_reader_is_told_of_a_refusal, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_stream_ends_as_its_spool_does, set_up, tear_down),
		cmocka_unit_test_setup_teardown(restarts_while_nobody_has_seen_a_byte, set_up, tear_down),
		cmocka_unit_test_setup_teardown(is_shortened_while_nobody_has_seen_a_byte, set_up, tear_down),
		cmocka_unit_test_setup_teardown(restarts_nothing_that_has_ended, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_draft_goes_with_its_last_reference, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_kept_or_left_stays, set_up, tear_down),
		cmocka_unit_test_setup_teardown(no_two_drafts_share_a_name, set_up, tear_down),
		cmocka_unit_test_setup_teardown(takes_up_a_draft, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_was_taken_up_may_be_dropped_unseen, set_up, tear_down),
		cmocka_unit_test_setup_teardown(gives_back_what_all_readers_have, set_up, tear_down),
		cmocka_unit_test_setup_teardown(
			what_is_on_its_way_stays_when_it_is_given_back, set_up, tear_down),
		cmocka_unit_test_setup_teardown(lets_nobody_join_a_window, set_up, tear_down),
		cmocka_unit_test_setup_teardown(cuts_the_slowest_only, set_up, tear_down),
		cmocka_unit_test_setup_teardown(keeps_what_is_borrowed, set_up, tear_down),
		cmocka_unit_test_setup_teardown(ends_as_passed_and_keeps_nothing, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("spool", tests, NULL, NULL);
}

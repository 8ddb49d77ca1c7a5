/* SPDX-License-Identifier: Apache-2.0 */
#include <semaphore.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>

#include "server/registry/publisher.h"
#include "server/store/catalog/catalog.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_keep.h"
#include "server/vault/vault_alone.h"
#include "tests/unit/store_place.h"
#include "tests/unit/tflite_writer.h"

enum { UPLOAD_MAX = 1 << 20, STEP = 4096, LARGE = 800 << 10 };

struct house {
	struct place place;
	struct committer *committer;
	struct space *space;
	struct publisher *publisher;
	struct name name;
	struct buffer module;
	struct buffer other; /* as sound, with other bytes */
};

static struct publisher *make_publisher(struct house *house, struct space *space)
{
	const struct publisher_settings settings = {
		.max_upload_bytes = UPLOAD_MAX,
		.limits = {.max_unpacked_bytes = 64 << 20, .max_members = 1000, .max_ratio = 200},
	};

	return publisher_create(&settings, house->place.catalog, house->place.blobs, house->committer, space);
}

static struct space *make_space(struct house *house, int64_t keep_free_bytes)
{
	const struct space_limits limits = {.keep_free_bytes = keep_free_bytes};

	return space_create(&limits, house->place.catalog, house->place.blobs, house->committer, NULL, 0);
}

static int set_up(void **state)
{
	struct house *house = mem_zero(1, sizeof *house);

	place_open(&house->place);
	house->committer = committer_create(house->place.catalog, house->place.blobs, NULL, vault_alone());
	house->space = make_space(house, 0);
	house->publisher = make_publisher(house, house->space);
	house->name = name_of("acme/x", 1, FORMAT_TF_HUB);
	make_module(&house->module, 200 << 10, 1);
	make_module(&house->other, 200 << 10, 2);
	*state = house;
	return 0;
}

static int tear_down(void **state)
{
	struct house *house = *state;

	publisher_destroy(house->publisher);
	space_destroy(house->space);
	committer_destroy(house->committer);
	place_close(&house->place);
	buffer_finish(&house->module);
	buffer_finish(&house->other);
	free(house);
	return 0;
}

static const struct declaration nothing = {.length = -1};

static struct declaration declare(const struct buffer *bytes)
{
	return (struct declaration){.length = (int64_t)bytes->length,
		.has_sha256 = true,
		.sha256 = digest_of(bytes->data, bytes->length)};
}

static bool write_piece(struct upload *upload, const void *bytes, size_t length)
{
	if (!upload_has_room(upload, length))
		upload_make_room(upload, length);
	return upload_write(upload, bytes, length);
}

static bool write_in_steps(struct upload *upload, const struct buffer *bytes, size_t step)
{
	for (size_t at = 0; at < bytes->length; at += step) {
		size_t left = bytes->length - at;

		if (!write_piece(upload, bytes->data + at, left < step ? left : step))
			return false;
	}
	return true;
}

static bool write_all(struct upload *upload, const struct buffer *bytes)
{
	return write_in_steps(upload, bytes, STEP);
}

static struct upload *begin(struct house *house, const struct declaration *declaration)
{
	struct upload *upload = NULL;
	struct err err = {0};

	if (!publisher_begin(house->publisher, &house->name, "ann", declaration, &upload, &err))
		fail_msg("%s", err.text);
	return upload;
}

/* The whole of it. ERR_NONE, or what it was refused with at the end. */
static enum err_code publish(struct house *house, const struct buffer *bytes,
	const struct declaration *declaration, enum kept *kept)
{
	struct upload *upload = begin(house, declaration);
	struct examination *examination = NULL;
	struct err err = {0};

	(void)write_all(upload, bytes);
	if (upload_finish(upload, kept, &examination, &err))
		assert_null(examination);
	assert_int_equal(examination != NULL, err.code == ERR_INVALID_MODULE);
	examination_destroy(examination);
	return err.code;
}

static void publish_well(struct house *house, const struct buffer *bytes, enum kept wanted)
{
	enum kept kept;

	assert_int_equal(publish(house, bytes, &nothing, &kept), ERR_NONE);
	assert_int_equal(kept, wanted);
}

static enum err_code refused_at_once(struct house *house, const struct declaration *declaration)
{
	struct upload *upload = NULL;
	struct err err = {0};

	assert_false(publisher_begin(house->publisher, &house->name, "ann", declaration, &upload, &err));
	assert_null(upload);
	assert_true(strlen(err.text) > 10);
	return err.code;
}

/* The store has exactly these bytes under the name, or with NULL nothing at all. */
static void assert_stored(struct house *house, const struct buffer *bytes)
{
	struct artifact artifact = place_find(&house->place, &house->name);

	assert_int_equal(place_count_drafts(&house->place), 0);
	assert_int_equal(place_count_blobs(&house->place), bytes ? 1 : 0);
	if (bytes) {
		struct digest digest = digest_of(bytes->data, bytes->length);
		AUTO_FD int fd = -1;
		struct err err = {0};
		int64_t size;

		assert_int_equal(artifact.state, STATE_ACTIVE);
		assert_true(artifact.cached);
		assert_true(digest_equal(&artifact.checksums.sha256, &digest));
		assert_true(blobs_read(house->place.blobs, &digest, &fd, &size, &err));
		assert_int_equal(size, bytes->length);
	} else {
		assert_false(artifact.recorded);
	}
}

static void publishes(void **state)
{
	struct house *house = *state;

	publish_well(house, &house->module, KEPT_NEW_VERSION);
	assert_stored(house, &house->module);
}

/* Pieces are gathered before they are written: below, across and at their bounds. */
static void pieces_of_any_size_make_up_the_whole(void **state)
{
	static const size_t steps[] = {1000, 64 << 10, (256 << 10) - 1, 256 << 10, 700 << 10, LARGE * 2};
	struct house *house = *state;

	for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {
		AUTO_BUFFER struct buffer module = {0};
		struct upload *upload;
		struct examination *examination;
		struct digest digest;
		struct artifact artifact;
		struct err err = {0};
		enum kept kept;

		make_module(&module, LARGE, (uint32_t)(100 + i));
		house->name.version = 10 + (int64_t)i;
		upload = begin(house, &nothing);
		assert_true(write_in_steps(upload, &module, steps[i]));
		assert_true(upload_finish(upload, &kept, &examination, &err));
		artifact = place_find(&house->place, &house->name);
		digest = digest_of(module.data, module.length);
		assert_true(digest_equal(&artifact.checksums.sha256, &digest));
	}
}

static void the_same_bytes_are_there_again(void **state)
{
	struct house *house = *state;
	const struct declaration declared = declare(&house->module);
	enum kept kept;

	publish_well(house, &house->module, KEPT_NEW_VERSION);
	publish_well(house, &house->module, KEPT_AGAIN);
	assert_int_equal(publish(house, &house->module, &declared, &kept), ERR_NONE);
	assert_int_equal(kept, KEPT_AGAIN);
	assert_stored(house, &house->module);
}

static void other_bytes_are_a_conflict(void **state)
{
	struct house *house = *state;
	const struct declaration declared = declare(&house->other);
	enum kept kept;

	publish_well(house, &house->module, KEPT_NEW_VERSION);
	assert_int_equal(publish(house, &house->other, &nothing, &kept), ERR_CONFLICT);
	assert_int_equal(refused_at_once(house, &declared), ERR_CONFLICT);
	assert_stored(house, &house->module);
}

static void another_format_joins_the_version(void **state)
{
	struct house *house = *state;
	AUTO_BUFFER struct buffer noise = {0};
	AUTO_BUFFER struct buffer model = {0};

	publish_well(house, &house->module, KEPT_NEW_VERSION);
	house->name.format = FORMAT_TFLITE;
	add_noise(&noise, 1000, 3);
	tflite_write(&model, noise.data, noise.length);
	publish_well(house, &model, KEPT_NEW_ARTIFACT);
	assert_int_equal(place_count_blobs(&house->place), 2);
}

static void a_withdrawn_number_is_never_used_again(void **state)
{
	struct house *house = *state;
	struct err err = {0};

	assert_false(publisher_withdraw(house->publisher, &house->name, "ann", "::1", &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	publish_well(house, &house->module, KEPT_NEW_VERSION);
	assert_true(publisher_withdraw(house->publisher, &house->name, "ann", "::1", &err));
	assert_int_equal(place_count_blobs(&house->place), 0);
	assert_int_equal(refused_at_once(house, &nothing), ERR_GONE);
	assert_false(publisher_withdraw(house->publisher, &house->name, "ann", "::1", &err));
	assert_int_equal(err.code, ERR_GONE);
}

static void one_withdrawn_meanwhile_is_gone(void **state)
{
	struct house *house = *state;
	struct upload *upload;
	struct examination *examination;
	struct err err = {0};
	enum kept kept;

	publish_well(house, &house->module, KEPT_NEW_VERSION);
	upload = begin(house, &nothing);
	assert_true(write_all(upload, &house->module));
	assert_true(publisher_withdraw(house->publisher, &house->name, "ann", "::1", &err));
	assert_false(upload_finish(upload, &kept, &examination, &err));
	assert_int_equal(err.code, ERR_GONE);
	assert_int_equal(place_count_blobs(&house->place), 0);
	assert_int_equal(place_count_drafts(&house->place), 0);
}

/* What two versions share goes with the last of them. */
static void shared_bytes_stay_while_one_needs_them(void **state)
{
	struct house *house = *state;
	struct name first = house->name;
	struct err err = {0};

	publish_well(house, &house->module, KEPT_NEW_VERSION);
	house->name.version = 2;
	publish_well(house, &house->module, KEPT_NEW_VERSION);
	assert_true(publisher_withdraw(house->publisher, &first, "ann", "::1", &err));
	assert_stored(house, &house->module);
	assert_true(publisher_withdraw(house->publisher, &house->name, "ann", "::1", &err));
	assert_int_equal(place_count_blobs(&house->place), 0);
}

/* A conflict under one name takes nothing from another that has those bytes. */
static void a_conflict_spares_what_another_version_needs(void **state)
{
	struct house *house = *state;
	enum kept kept;

	publish_well(house, &house->module, KEPT_NEW_VERSION);
	house->name.version = 2;
	publish_well(house, &house->other, KEPT_NEW_VERSION);
	assert_int_equal(publish(house, &house->module, &nothing, &kept), ERR_CONFLICT);
	assert_int_equal(place_count_blobs(&house->place), 2);
}

/* Neither its bytes again nor another format of it. */
static void what_must_be_new_joins_no_version(void **state)
{
	static const struct declaration declared = {.length = -1, .is_new = true};
	struct house *house = *state;
	AUTO_BUFFER struct buffer noise = {0};
	AUTO_BUFFER struct buffer model = {0};
	enum kept kept;

	add_noise(&noise, 1000, 3);
	tflite_write(&model, noise.data, noise.length);
	assert_int_equal(publish(house, &house->module, &declared, &kept), ERR_NONE);
	assert_int_equal(kept, KEPT_NEW_VERSION);
	assert_int_equal(publish(house, &house->module, &declared, &kept), ERR_CONFLICT);
	house->name.format = FORMAT_TFLITE;
	assert_int_equal(publish(house, &model, &declared, &kept), ERR_CONFLICT);
	house->name.version = 2;
	assert_int_equal(publish(house, &model, &declared, &kept), ERR_NONE);
}

static void what_is_too_large_is_refused(void **state)
{
	struct house *house = *state;
	const struct declaration declared = {.length = UPLOAD_MAX + 1};
	AUTO_BUFFER struct buffer large = {0};
	struct upload *upload;
	struct examination *examination;
	struct err err = {0};
	enum kept kept;

	make_module(&large, UPLOAD_MAX, 1);
	assert_int_equal(refused_at_once(house, &declared), ERR_TOO_LARGE);
	upload = begin(house, &nothing);
	assert_false(write_all(upload, &large));
	assert_false(write_piece(upload, "x", 1));
	assert_false(upload_finish(upload, &kept, &examination, &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
	assert_null(examination);
	assert_stored(house, NULL);
}

static void what_would_fill_the_disk_is_refused(void **state)
{
	struct house *house = *state;

	publisher_destroy(house->publisher);
	space_destroy(house->space);
	house->space = make_space(house, INT64_MAX);
	house->publisher = make_publisher(house, house->space);
	assert_int_equal(refused_at_once(house, &nothing), ERR_NO_SPACE);
}

static void damage_on_the_way_is_told(void **state)
{
	struct house *house = *state;
	struct declaration wrong_sha256 = declare(&house->other);
	struct declaration wrong_md5 = {.length = -1};
	AUTO_BUFFER struct buffer nonsense = {0};
	enum kept kept;

	testimony_read(&wrong_md5.told, "Content-MD5", strlen("Content-MD5"), "AAAAAAAAAAAAAAAAAAAAAA==");
	assert_int_equal(publish(house, &house->module, &wrong_sha256, &kept), ERR_DIGEST_MISMATCH);
	assert_int_equal(publish(house, &house->module, &wrong_md5, &kept), ERR_DIGEST_MISMATCH);
	/* Nor is it called a bad module, which it would be as well. */
	add_noise(&nonsense, 200 << 10, 1);
	assert_int_equal(publish(house, &nonsense, &wrong_sha256, &kept), ERR_DIGEST_MISMATCH);
	assert_stored(house, NULL);
}

static bool has_rule(const struct examination *examination, const char *rule)
{
	for (size_t i = 0; i < examination->finding_count; i++) {
		if (strcmp(examination->findings[i].rule, rule) == 0)
			return true;
	}
	return false;
}

static void violations_are_listed(void **state)
{
	struct house *house = *state;
	AUTO_BUFFER struct buffer tar = {0};
	AUTO_BUFFER struct buffer module = {0};
	struct upload *upload = begin(house, &nothing);
	struct examination *examination;
	struct err err = {0};
	enum kept kept;

	(void)tar_file(&tar, "../x", "out of bounds");
	(void)tar_file(&tar, "saved_model.pb", "garbage");
	finish_tar(&tar, &module);
	assert_true(write_all(upload, &module));
	assert_false(upload_finish(upload, &kept, &examination, &err));
	assert_int_equal(err.code, ERR_INVALID_MODULE);
	assert_true(has_rule(examination, "name-traversal"));
	assert_true(has_rule(examination, "saved-model-broken"));
	examination_destroy(examination);
	assert_stored(house, NULL);
}

/* Without a declared digest nonsense need not arrive whole, where it is more than is examined at once: it is
 * not wanted from some piece on. */
static void nonsense_is_stopped_early(void **state)
{
	struct house *house = *state;
	AUTO_BUFFER struct buffer piece = {0};
	struct upload *upload = begin(house, &nothing);
	struct examination *examination;
	struct err err = {0};
	enum kept kept;

	add_noise(&piece, LARGE, 1);
	assert_true(write_piece(upload, piece.data, piece.length));
	while (write_piece(upload, "", 0))
		;
	assert_false(upload_finish(upload, &kept, &examination, &err));
	assert_int_equal(err.code, ERR_INVALID_MODULE);
	assert_true(has_rule(examination, "gzip-broken"));
	examination_destroy(examination);
	assert_stored(house, NULL);
}

static void who_goes_away_leaves_nothing(void **state)
{
	struct house *house = *state;
	struct upload *upload = begin(house, &nothing);

	assert_true(write_piece(upload, house->module.data, house->module.length / 2));
	assert_int_equal(place_count_drafts(&house->place), 1);
	upload_abort(upload);
	assert_stored(house, NULL);
	upload_abort(begin(house, &nothing));
	assert_stored(house, NULL);
}

static void documents_a_version(void **state)
{
	struct house *house = *state;
	struct publisher *publisher = house->publisher;
	struct err err = {0};
	bool created;

	assert_false(publisher_document(publisher, &house->name, "# x", "ann", "::1", &created, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
	publish_well(house, &house->module, KEPT_NEW_VERSION);
	assert_true(publisher_document(publisher, &house->name, "# x", "ann", "::1", &created, &err));
	assert_true(created);
	assert_true(publisher_document(publisher, &house->name, "# y", "ann", "::1", &created, &err));
	assert_false(created);
	assert_true(publisher_withdraw(publisher, &house->name, "ann", "::1", &err));
	assert_false(publisher_document(publisher, &house->name, "# z", "ann", "::1", &created, &err));
	assert_int_equal(err.code, ERR_GONE);
}

/* ---- Two uploads of one name at once ---- */

struct race {
	struct upload *upload;
	const struct buffer *bytes;
	pthread_barrier_t *start;
	pthread_t thread;
	enum kept kept;
	bool done;
	struct examination *examination;
	struct err err;
};

static void *run_race(void *argument)
{
	struct race *race = argument;

	(void)pthread_barrier_wait(race->start);
	(void)write_all(race->upload, race->bytes);
	race->done = upload_finish(race->upload, &race->kept, &race->examination, &race->err);
	return NULL;
}

static void race_both(struct house *house, struct race races[2])
{
	pthread_barrier_t start;

	assert_int_equal(pthread_barrier_init(&start, NULL, 2), 0);
	for (int i = 0; i < 2; i++) {
		races[i].upload = begin(house, &nothing);
		races[i].start = &start;
		assert_int_equal(pthread_create(&races[i].thread, NULL, run_race, &races[i]), 0);
	}
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pthread_join(races[i].thread, NULL), 0);
		assert_null(races[i].examination);
	}
	(void)pthread_barrier_destroy(&start);
}

static void of_two_with_the_same_bytes_one_is_again(void **state)
{
	struct house *house = *state;
	struct race races[2] = {{.bytes = &house->module}, {.bytes = &house->module}};

	race_both(house, races);
	assert_true(races[0].done && races[1].done);
	assert_int_equal((races[0].kept == KEPT_NEW_VERSION) + (races[1].kept == KEPT_NEW_VERSION), 1);
	assert_int_equal((races[0].kept == KEPT_AGAIN) + (races[1].kept == KEPT_AGAIN), 1);
	assert_stored(house, &house->module);
}

static void of_two_with_other_bytes_one_is_a_conflict(void **state)
{
	struct house *house = *state;
	struct race races[2] = {{.bytes = &house->module}, {.bytes = &house->other}};
	int winner;

	race_both(house, races);
	assert_int_equal(races[0].done + races[1].done, 1);
	winner = races[0].done ? 0 : 1;
	assert_int_equal(races[winner].kept, KEPT_NEW_VERSION);
	assert_int_equal(races[1 - winner].err.code, ERR_CONFLICT);
	assert_stored(house, races[winner].bytes);
}

#define ROOM(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)

struct patient {
	struct waiter waiter;
	sem_t woken;
};

static void wake_patient(struct waiter *waiter)
{
	(void)sem_post(&((struct patient *)waiter)->woken);
}

/* Until the body is verified; then upload_finish has nothing to wait for, whatever came of it. */
static void nobody_waits_with_a_thread(void **state)
{
	struct house *house = *state;
	AUTO_BUFFER struct buffer broken = {0};
	const struct buffer *bodies[] = {&house->module, &house->module, &broken, &house->other};
	static const enum err_code codes[] = {ERR_NONE, ERR_NONE, ERR_INVALID_MODULE, ERR_CONFLICT};

	buffer_add(&broken, house->module.data, house->module.length / 2);
	for (size_t i = 0; i < sizeof codes / sizeof *codes; i++) {
		struct upload *upload = begin(house, &nothing);
		struct patient patient = {.waiter.wake = wake_patient};
		struct examination *examination = NULL;
		struct err err = {0};
		enum kept kept;

		(void)sem_init(&patient.woken, 0, 0);
		(void)write_all(upload, bodies[i]);
		if (upload_await(upload, &patient.waiter))
			(void)sem_wait(&patient.woken);
		assert_false(upload_await(upload, &patient.waiter));
		assert_false(upload_leave(upload, &patient.waiter));
		assert_int_equal(upload_finish(upload, &kept, &examination, &err), codes[i] == ERR_NONE);
		assert_int_equal(err.code, codes[i]);
		examination_destroy(examination);
		(void)sem_destroy(&patient.woken);
	}
}

/* The server closes before the body is verified: the waiter is taken back, or is woken. */
static void who_waits_can_leave(void **state)
{
	struct house *house = *state;

	for (int i = 0; i < 20; i++) {
		struct upload *upload = begin(house, &nothing);
		struct patient patient = {.waiter.wake = wake_patient};

		(void)sem_init(&patient.woken, 0, 0);
		(void)write_all(upload, &house->module);
		if (upload_await(upload, &patient.waiter) && !upload_leave(upload, &patient.waiter))
			(void)sem_wait(&patient.woken);
		upload_abort(upload);
		(void)sem_destroy(&patient.woken);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		ROOM(nobody_waits_with_a_thread),
		ROOM(who_waits_can_leave),
		ROOM(publishes),
		ROOM(pieces_of_any_size_make_up_the_whole),
		ROOM(the_same_bytes_are_there_again),
		ROOM(other_bytes_are_a_conflict),
		ROOM(another_format_joins_the_version),
		ROOM(a_withdrawn_number_is_never_used_again),
		ROOM(one_withdrawn_meanwhile_is_gone),
		ROOM(shared_bytes_stay_while_one_needs_them),
		ROOM(a_conflict_spares_what_another_version_needs),
		ROOM(what_must_be_new_joins_no_version),
		ROOM(what_is_too_large_is_refused),
		ROOM(what_would_fill_the_disk_is_refused),
		ROOM(damage_on_the_way_is_told),
		ROOM(violations_are_listed),
		ROOM(nonsense_is_stopped_early),
		ROOM(who_goes_away_leaves_nothing),
		ROOM(documents_a_version),
		ROOM(of_two_with_the_same_bytes_one_is_again),
		ROOM(of_two_with_other_bytes_one_is_a_conflict),
	};

	return cmocka_run_group_tests_name("publisher", tests, NULL, NULL);
}

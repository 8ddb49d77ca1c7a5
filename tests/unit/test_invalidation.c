/* SPDX-License-Identifier: Apache-2.0
 *
 * Invalidation between processes on one data folder, with a real socket. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/registry/invalidation.h"
#include "tests/unit/held.h"

enum { RINGERS = 8, RINGS = 50 };

struct listener {
	pthread_mutex_t mutex; /* guards all below */
	char last[600];
	int heard;
};

static void hear(void *context, const char *label)
{
	struct listener *listener = context;
	HELD(&listener->mutex);

	(void)snprintf(listener->last, sizeof listener->last, "%s", label);
	listener->heard++;
}

static int make_folder(void **state)
{
	char *folder = mem_dup("/tmp/larder-invalidation.XXXXXX");

	*state = folder;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	AUTO_FREE char *folder = *state;
	AUTO_FREE char *command = mem_printf("rm -rf '%s'", folder);

	return system(command);
}

static struct invalidation *hang(const char *folder, struct listener *listener)
{
	struct invalidation *invalidation = NULL;
	struct err err = {0};

	if (!invalidation_open(folder, hear, listener, &invalidation, &err))
		fail_msg("%s", err.text);
	return invalidation;
}

static void ring(const char *folder, const char *label)
{
	struct err err = {0};

	if (!invalidation_send(folder, label, &err))
		fail_msg("%s", err.text);
}

static void hears_before_the_ring_returns(void **state)
{
	struct listener listener = {.mutex = PTHREAD_MUTEX_INITIALIZER};
	struct invalidation *invalidation = hang(*state, &listener);
	char longest[541] = "";

	ring(*state, "acme/model/1");
	assert_string_equal(listener.last, "acme/model/1");
	memset(longest, 'x', sizeof longest - 1);
	ring(*state, longest);
	assert_string_equal(listener.last, longest);
	assert_int_equal(listener.heard, 2);
	invalidation_close(invalidation);
}

static void nobody_hears(void **state)
{
	struct listener listener = {.mutex = PTHREAD_MUTEX_INITIALIZER};

	ring(*state, "before");
	invalidation_close(hang(*state, &listener));
	ring(*state, "after");
	assert_int_equal(listener.heard, 0);
}

/* What a killed daemon leaves is a socket that nobody listens at. */
static void takes_over_what_was_left(void **state)
{
	AUTO_FREE char *path = mem_printf("%s/bell", (char *)*state);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);
	struct listener listener = {.mutex = PTHREAD_MUTEX_INITIALIZER};
	struct invalidation *invalidation;

	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	assert_int_equal(bind(fd, (const struct sockaddr *)&address, sizeof address), 0);
	assert_int_equal(close(fd), 0);
	assert_int_equal(access(path, F_OK), 0);
	ring(*state, "nobody");
	invalidation = hang(*state, &listener);
	ring(*state, "somebody");
	assert_int_equal(listener.heard, 1);
	invalidation_close(invalidation);
	assert_int_equal(access(path, F_OK), -1);
}

static void the_folder_may_have_a_long_name(void **state)
{
	AUTO_FREE char *folder = mem_printf("%s/%0200d/%0200d", (char *)*state, 1, 2);
	struct listener listener = {.mutex = PTHREAD_MUTEX_INITIALIZER};
	struct invalidation *invalidation;
	struct err err = {0};

	if (!file_make_folders(folder, &err))
		fail_msg("%s", err.text);
	invalidation = hang(folder, &listener);
	ring(folder, "x");
	assert_int_equal(listener.heard, 1);
	invalidation_close(invalidation);
}

static void *ring_often(void *folder)
{
	for (int i = 0; i < RINGS; i++)
		ring(folder, "often");
	return NULL;
}

static void hears_many(void **state)
{
	struct listener listener = {.mutex = PTHREAD_MUTEX_INITIALIZER};
	struct invalidation *invalidation = hang(*state, &listener);
	pthread_t threads[RINGERS];

	for (size_t i = 0; i < RINGERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, ring_often, *state), 0);
	for (size_t i = 0; i < RINGERS; i++)
		assert_int_equal(pthread_join(threads[i], NULL), 0);
	assert_int_equal(listener.heard, RINGERS * RINGS);
	invalidation_close(invalidation);
}

/* Who connects and says nothing holds up the next one for a second, not for ever. */
static void outlasts_the_silent(void **state)
{
	AUTO_FREE char *path = mem_printf("%s/bell", (char *)*state);
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	struct listener listener = {.mutex = PTHREAD_MUTEX_INITIALIZER};
	struct invalidation *invalidation = hang(*state, &listener);
	AUTO_FD int fd = socket(AF_UNIX, SOCK_SEQPACKET, 0);

	(void)snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	assert_int_equal(connect(fd, (const struct sockaddr *)&address, sizeof address), 0);
	ring(*state, "x");
	assert_int_equal(listener.heard, 1);
	invalidation_close(invalidation);
}

static void needs_a_folder(void **state)
{
	AUTO_FREE char *folder = mem_printf("%s/none", (char *)*state);
	struct invalidation *invalidation = NULL;
	struct err err = {0};

	assert_false(invalidation_open(folder, hear, NULL, &invalidation, &err));
	assert_null(invalidation);
	assert_false(invalidation_send(folder, "x", &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(hears_before_the_ring_returns, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(nobody_hears, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(takes_over_what_was_left, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(the_folder_may_have_a_long_name, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(hears_many, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(outlasts_the_silent, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(needs_a_folder, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

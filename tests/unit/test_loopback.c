/* SPDX-License-Identifier: Apache-2.0
 *
 * server/http/tls/loopback: the two ends of a pair are told apart from whoever else connects there. */
#include "server/http/tls/loopback.h"

#include <fcntl.h>
#include <poll.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

enum { PAIRS = 40 };

static struct loopback make(void)
{
	struct loopback loopback;
	struct err err;

	assert_true(loopback_open(&loopback, &err));
	return loopback;
}

static int accept_soon(const struct loopback *loopback, uint16_t *port)
{
	struct pollfd waiting = {.fd = loopback->listen_fd, .events = POLLIN};

	assert_int_equal(poll(&waiting, 1, 300000), 1);
	return loopback_accept(loopback, port);
}

static int connect_stranger(const struct loopback *loopback)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_true(fd >= 0);
	assert_int_equal(
		connect(fd, (const struct sockaddr *)&loopback->address, sizeof loopback->address), 0);
	return fd;
}

static void reset(int fd)
{
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	assert_int_equal(setsockopt(fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
	assert_int_equal(close(fd), 0);
}

static void test_ends_meet(void **state)
{
	struct loopback loopback = make();
	uint16_t ports[PAIRS];
	int near[PAIRS];

	for (int i = 0; i < PAIRS; i++) {
		near[i] = loopback_connect(&loopback, &ports[i]);
		assert_true(near[i] >= 0);
		assert_true(fcntl(near[i], F_GETFL) & O_NONBLOCK);
	}
	for (int i = 0; i < PAIRS; i++) {
		uint16_t port;
		char byte = 0;
		int far = accept_soon(&loopback, &port);
		int which = 0;

		assert_true(far >= 0 && fcntl(far, F_GETFL) & O_NONBLOCK);
		while (which < PAIRS && ports[which] != port)
			which++;
		assert_true(which < PAIRS);
		assert_int_equal(send(far, "x", 1, MSG_NOSIGNAL), 1);
		assert_int_equal(poll(&(struct pollfd){.fd = near[which], .events = POLLIN}, 1, 300000), 1);
		assert_int_equal(recv(near[which], &byte, 1, 0), 1);
		assert_int_equal(byte, 'x');
		close(far);
		close(near[which]);
	}
	loopback_close(&loopback);
}

static void test_strangers_are_told_apart(void **state)
{
	struct loopback loopback = make();

	for (int i = 0; i < PAIRS; i++) {
		int stranger = connect_stranger(&loopback);
		uint16_t port;
		uint16_t first;
		uint16_t second;
		int near = loopback_connect(&loopback, &port);
		int a = accept_soon(&loopback, &first);
		int b = accept_soon(&loopback, &second);

		assert_true(a >= 0 && b >= 0 && first != second);
		assert_true(first == port || second == port);
		close(stranger);
		close(near);
		close(a);
		close(b);
	}
	loopback_close(&loopback);
}

static void test_who_was_reset_while_it_waited_is_nobody(void **state)
{
	struct loopback loopback = make();
	uint16_t port;
	uint16_t found;
	int near;
	int far;

	for (int i = 0; i < PAIRS; i++)
		reset(connect_stranger(&loopback));
	near = loopback_connect(&loopback, &port);
	far = accept_soon(&loopback, &found);
	assert_true(far >= 0);
	assert_int_equal(found, port);
	assert_int_equal(loopback_accept(&loopback, &found), -1);
	close(far);
	close(near);
	loopback_close(&loopback);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ends_meet),
		cmocka_unit_test(test_strangers_are_told_apart),
		cmocka_unit_test(test_who_was_reset_while_it_waited_is_nobody),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

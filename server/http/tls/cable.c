/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/tls/cable.h"

#include <errno.h>
#include <openssl/bio.h>
#include <sys/socket.h>

/* Records without content, such as those for new keys, are read one after the other without a pause. */
enum { TURN_BYTES = 64 << 10 };

static int wait_for_input(BIO *bio)
{
	BIO_set_retry_read(bio);
	return -1;
}

static void spend(struct cable *cable, size_t bytes)
{
	cable->allowance -= bytes < cable->allowance ? bytes : cable->allowance;
}

/* Less than was asked for is all there is, unless the end is there as well. */
static int read_cable(BIO *bio, char *bytes, int size)
{
	struct cable *cable = BIO_get_data(bio);
	ssize_t got;

	BIO_clear_retry_flags(bio);
	if (cable->drained || cable->allowance == 0)
		return wait_for_input(bio);
	got = recv(cable->fd, bytes, (size_t)size, MSG_DONTWAIT);
	if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
		cable->drained = errno == EAGAIN;
		cable->allowance = 0;
		return wait_for_input(bio);
	}
	cable->ended |= got == 0;
	cable->drained = got > 0 && got < size && !cable->closing;
	spend(cable, got > 0 ? (size_t)got : 0);
	return (int)got;
}

static int write_cable(BIO *bio, const char *bytes, int length)
{
	const struct cable *cable = BIO_get_data(bio);
	ssize_t sent = send(cable->fd, bytes, (size_t)length, MSG_NOSIGNAL | MSG_DONTWAIT);

	BIO_clear_retry_flags(bio);
	if (sent < 0 && (errno == EAGAIN || errno == EINTR))
		BIO_set_retry_write(bio);
	return (int)sent;
}

static long control_cable(BIO *bio, int command, long number, void *pointer)
{
	const struct cable *cable = BIO_get_data(bio);

	return command == BIO_CTRL_EOF ? cable->ended : command == BIO_CTRL_FLUSH;
}

BIO_METHOD *cable_make_method(void)
{
	BIO_METHOD *method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "cable");

	if (!method)
		return NULL;
	(void)BIO_meth_set_read(method, read_cable);
	(void)BIO_meth_set_write(method, write_cable);
	(void)BIO_meth_set_ctrl(method, control_cable);
	return method;
}

void cable_note_input(struct cable *cable, bool closing)
{
	cable->drained = false;
	cable->closing |= closing;
}

void cable_begin_turn(struct cable *cable)
{
	cable->allowance = TURN_BYTES;
}

bool cable_has_more(const struct cable *cable)
{
	return !cable->drained && cable->allowance == 0;
}

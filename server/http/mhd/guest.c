/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/mhd/guest.h"

#include <fcntl.h>
#include <linux/tcp.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/own.h"

enum { LOOKS_MAX = 64 };

/* What is announced, where no address of IP reaches. */
static const size_t guest_at = sizeof(struct sockaddr_storage) - sizeof(struct guest);
_Static_assert(sizeof(struct sockaddr_storage) - sizeof(struct guest) >= sizeof(struct sockaddr_in6),
	"an address has room for both");

/* By the kernel's numbers of states (tcp(7), /proc/net/tcp), which the header that tells of bytes received
 * does not name. */
enum { STATE_TIME_WAIT = 6, STATE_CLOSE_WAIT = 8, STATE_LAST_ACK = 9, STATE_CLOSING = 11 };

/* Then the kernel has counted the end of what the client sends as a byte, which nobody ever reads. */
static bool has_ended(const struct tcp_info *info)
{
	return info->tcpi_state == STATE_TIME_WAIT || info->tcpi_state == STATE_CLOSE_WAIT ||
	       info->tcpi_state == STATE_LAST_ACK || info->tcpi_state == STATE_CLOSING;
}

static bool look(int fd, struct tcp_info *out)
{
	socklen_t length = sizeof *out;

	*out = (struct tcp_info){0};
	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, out, &length) == 0;
}

/* How much has been read of what the client has sent. Looked at again where something comes meanwhile; the
 * state is told as it was before the bytes were counted, so that the next state has to be the same. */
static bool count_read(int fd, int64_t *out)
{
	for (int tries = 0; tries < LOOKS_MAX; tries++) {
		struct tcp_info before;
		struct tcp_info after;
		int unread;

		if (!look(fd, &before) || !before.tcpi_bytes_received || ioctl(fd, FIONREAD, &unread) < 0 ||
			!look(fd, &after))
			return false;
		*out = (int64_t)before.tcpi_bytes_received - has_ended(&before) - unread;
		if (before.tcpi_bytes_received == after.tcpi_bytes_received &&
			has_ended(&before) == has_ended(&after))
			return true;
	}
	return false;
}

static int64_t count_due(int fd, const struct wire_heads *heads)
{
	int64_t read;

	return heads->bytes >= 0 && count_read(fd, &read) ? read + heads->bytes : -1;
}

static bool has_given_what_is_due(const struct guest *guest, int fd)
{
	int64_t read;

	return guest->due >= 0 && count_read(fd, &read) && read == guest->due;
}

void guest_announce(struct sockaddr_storage *address, int fd, const struct wire_heads *heads)
{
	struct guest guest = {.due = -1};

	if (heads && heads->stays) {
		guest.due = count_due(fd, heads);
		guest.requests = heads->count;
		guest.spoilt = heads->spoilt;
	}
	memcpy((char *)address + guest_at, &guest, sizeof guest);
}

/* All of it is there. */
static bool move_head(int from, int to, size_t length)
{
	char head[WIRE_HEAD_MAX];

	return length <= sizeof head && recv(from, head, length, MSG_DONTWAIT) == (ssize_t)length &&
	       send(to, head, length, MSG_NOSIGNAL | MSG_DONTWAIT) == (ssize_t)length;
}

int guest_announce_head(struct sockaddr_storage *address, int fd, const struct wire_heads *heads)
{
	struct guest guest = {.due = -1, .requests = 1, .client = fd};
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -1;
	if (!move_head(fd, pair[1], heads->before_chunks)) {
		(void)close(pair[0]);
		(void)close(pair[1]);
		return -1;
	}
	guest.peer = pair[1];
	memcpy((char *)address + guest_at, &guest, sizeof guest);
	return pair[0];
}

const struct sockaddr_storage *guest_address(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	return (const struct sockaddr_storage *)info->client_addr;
}

static int socket_of(struct MHD_Connection *connection)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD);

	return info->connect_fd;
}

struct guest *guest_create(struct MHD_Connection *connection)
{
	struct guest *guest = mem_zero(1, sizeof *guest);

	memcpy(guest, (const char *)guest_address(connection) + guest_at, sizeof *guest);
	return guest;
}

static struct guest *guest_of(struct MHD_Connection *connection)
{
	return MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;
}

static void close_pair(struct guest *guest)
{
	if (guest->client)
		(void)close(guest->client);
	if (guest->peer)
		(void)close(guest->peer);
	guest->client = guest->peer = 0;
}

void guest_withdraw(struct sockaddr_storage *address)
{
	struct guest guest;

	memcpy(&guest, (const char *)address + guest_at, sizeof guest);
	close_pair(&guest);
}

void guest_destroy(struct guest *guest)
{
	close_pair(guest);
	free(guest);
}

void guest_settle(struct MHD_Connection *connection)
{
	struct guest *guest = guest_of(connection);

	if (guest->client)
		(void)dup3(guest->client, socket_of(connection), O_CLOEXEC);
	close_pair(guest);
}

int guest_socket(struct MHD_Connection *connection)
{
	const struct guest *guest = guest_of(connection);

	return guest->client ? guest->client : socket_of(connection);
}

bool guest_has_read_on(const struct guest *guest, struct MHD_Connection *connection)
{
	return guest->requests == 1 && !guest->spoilt && !has_given_what_is_due(guest, socket_of(connection));
}

/* While it is suspended, libmicrohttpd has its socket in no set: under the same number it finds another when
 * it wakes, reads its end, and closes that. */
int guest_take_back(struct guest *guest, struct MHD_Connection *connection, int dead_socket)
{
	int fd = socket_of(connection);
	int taken;

	if (guest->requests == 0 || --guest->requests > 0 ||
		(!guest->spoilt && !has_given_what_is_due(guest, fd)))
		return -1;
	taken = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (taken < 0)
		return -1;
	MHD_suspend_connection(connection);
	guest->left = dup3(dead_socket, fd, O_CLOEXEC) == fd;
	MHD_resume_connection(connection);
	if (guest->left)
		return taken;
	(void)close(taken);
	return -1;
}

int guest_hold(struct guest *guest, struct MHD_Connection *connection)
{
	int taken = fcntl(socket_of(connection), F_DUPFD_CLOEXEC, 0);

	guest->left = taken >= 0;
	return taken;
}

int guest_hide_end(struct MHD_Connection *connection, int quiet_socket)
{
	int fd = socket_of(connection);
	struct tcp_info info;
	int taken;

	if (quiet_socket < 0 || !look(fd, &info) || !has_ended(&info))
		return -1;
	taken = fcntl(fd, F_DUPFD_CLOEXEC, 0);
	if (taken >= 0 && dup3(quiet_socket, fd, O_CLOEXEC) == fd)
		return taken;
	own_close(&taken);
	return -1;
}

void guest_show_end(struct MHD_Connection *connection, int hidden)
{
	if (hidden < 0)
		return;
	(void)dup3(hidden, socket_of(connection), O_CLOEXEC);
	(void)close(hidden);
}

int guest_quiet_socket(void)
{
	return socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
}

int guest_dead_socket(void)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair) < 0)
		return -1;
	(void)close(pair[1]);
	return pair[0];
}

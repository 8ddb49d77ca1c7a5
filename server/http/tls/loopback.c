/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/tls/loopback.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>

#include "common/own.h"
#include "server/http/listener.h"

/* What a client does not take waits in here, on either way. */
enum { NEAR_BYTES = 128 << 10 };

bool loopback_open(struct loopback *loopback, struct err *err)
{
	socklen_t length = sizeof loopback->address;

	loopback->listen_fd = -1;
	if (!listener_open("127.0.0.1:0", &loopback->listen_fd, err))
		return false;
	return getsockname(loopback->listen_fd, (struct sockaddr *)&loopback->address, &length) == 0 ||
	       err_errno(err, errno, "find out where connections of our own are to go");
}

static void set_options(int fd)
{
	const int on = 1;
	const int bytes = NEAR_BYTES;

	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &bytes, sizeof bytes);
	(void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
}

static bool connect_to(int fd, const struct sockaddr_in *address)
{
	return connect(fd, (const struct sockaddr *)address, sizeof *address) == 0 || errno == EINPROGRESS;
}

int loopback_connect(const struct loopback *loopback, uint16_t *port)
{
	AUTO_FD int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	struct sockaddr_in own;
	socklen_t length = sizeof own;

	if (fd < 0)
		return -1;
	set_options(fd);
	if (!connect_to(fd, &loopback->address) || getsockname(fd, (struct sockaddr *)&own, &length) < 0)
		return -1;
	*port = ntohs(own.sin_port);
	return TAKE_FD(fd);
}

/* One that was reset while it waited has no peer any more, and its port may be another's by now: a connection
 * that has a peer is the only one of its two ports. */
static bool is_alive(int fd, const struct loopback *loopback, struct sockaddr_in *peer)
{
	socklen_t length = sizeof *peer;

	return getpeername(fd, (struct sockaddr *)peer, &length) == 0 &&
	       peer->sin_addr.s_addr == loopback->address.sin_addr.s_addr;
}

int loopback_accept(const struct loopback *loopback, uint16_t *port)
{
	for (;;) {
		AUTO_FD int fd = accept4(loopback->listen_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
		struct sockaddr_in peer;

		if (fd < 0)
			return -1;
		if (!is_alive(fd, loopback, &peer))
			continue;
		*port = ntohs(peer.sin_port);
		return TAKE_FD(fd);
	}
}

void loopback_close(struct loopback *loopback)
{
	own_close(&loopback->listen_fd);
	loopback->listen_fd = -1;
}

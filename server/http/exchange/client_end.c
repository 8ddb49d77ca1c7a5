/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/exchange/client_end.h"

#include <poll.h>
#include <sys/ioctl.h>

/* No connection's memory holds more of a body. */
enum { READ_AHEAD_MAX = 256 << 10 };

/* Of a client that has closed we see what a half-closed one shows as well: that nothing more will come. Only
 * where much of the body is missing is that the end of it. */
bool client_is_gone(int fd, int64_t body_bytes)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};
	int waiting = 0;

	if (poll(&poll_fd, 1, 0) <= 0)
		return false;
	if (poll_fd.revents & (POLLERR | POLLHUP))
		return true;
	return ioctl(fd, FIONREAD, &waiting) == 0 && body_bytes > waiting + READ_AHEAD_MAX;
}

bool client_has_ended(int fd)
{
	struct pollfd poll_fd = {.fd = fd, .events = POLLRDHUP};
	int waiting;

	return poll(&poll_fd, 1, 0) > 0 && ioctl(fd, FIONREAD, &waiting) == 0 && waiting == 0;
}

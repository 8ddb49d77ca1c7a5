/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/delivery.h"

#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

int64_t delivery_unconfirmed(int fd)
{
	int bytes = 0;

	return ioctl(fd, SIOCOUTQ, &bytes) < 0 ? 0 : bytes;
}

int64_t delivery_confirmed(int fd)
{
	struct tcp_info info = {0};
	socklen_t length = sizeof info;

	return getsockopt(fd, IPPROTO_TCP, TCP_INFO, &info, &length) < 0 ? -1
									 : (int64_t)info.tcpi_bytes_acked;
}

int64_t delivery_taken(int fd)
{
	int64_t confirmed = delivery_confirmed(fd);

	return confirmed < 0 ? -1 : confirmed + delivery_unconfirmed(fd);
}

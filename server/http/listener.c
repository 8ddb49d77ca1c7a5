/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/listener.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "common/mem.h"
#include "common/own.h"

enum { BACKLOG = 4096, UNSENT_BYTES = 192 << 10 };

static void free_addresses(struct addrinfo *addresses)
{
	if (addresses)
		freeaddrinfo(addresses);
}

AUTO_CLEANER(own_addresses, struct addrinfo *, free_addresses)

/* Splits "host:port" and "[host]:port"; an empty host is any address. */
static bool split(char *listen, char **host, char **port, struct err *err)
{
	char *colon = strrchr(listen, ':');
	size_t length;

	if (!colon)
		return err_set(
			err, ERR_BAD_REQUEST, "\"%s\" is no address to listen at: it has no port", listen);
	*colon = '\0';
	length = strlen(listen);
	*port = colon + 1;
	*host = listen;
	if (length >= 2 && listen[0] == '[' && listen[length - 1] == ']') {
		listen[length - 1] = '\0';
		*host = listen + 1;
	}
	return true;
}

/* Connections inherit these. Little unsent data in the kernel keeps a stalled download at 0.2 MiB instead
 * of 2.5. What a client sends as urgent stays in its place, as whoever counts bytes has to rely on. */
static void set_options(int fd)
{
	const int on = 1;
	const int unsent_bytes = UNSENT_BYTES;

	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	(void)setsockopt(fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof on);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, &unsent_bytes, sizeof unsent_bytes);
}

static bool listen_at(const struct addrinfo *address, const char *name, int *out_fd, struct err *err)
{
	AUTO_FD int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

	if (fd < 0)
		return err_errno(err, errno, "make a socket to listen at %s", name);
	set_options(fd);
	if (bind(fd, address->ai_addr, address->ai_addrlen) < 0 || listen(fd, BACKLOG) < 0)
		return err_errno(err, errno, "listen at %s", name);
	*out_fd = TAKE_FD(fd);
	return true;
}

bool listener_open(const char *listen, int *out_fd, struct err *err)
{
	const struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	AUTO(own_addresses) struct addrinfo *addresses = NULL;
	AUTO_FREE char *copy = mem_dup(listen);
	char *host = NULL;
	char *port = NULL;
	int failure;

	if (!split(copy, &host, &port, err))
		return false;
	failure = getaddrinfo(*host ? host : NULL, port, &hints, &addresses);
	if (failure != 0) {
		addresses = NULL;
		return err_set(
			err, ERR_BAD_REQUEST, "cannot listen at \"%s\": %s", listen, gai_strerror(failure));
	}
	return listen_at(addresses, listen, out_fd, err);
}

struct listener_address listener_address(int fd)
{
	struct sockaddr_storage address = {0};
	socklen_t length = sizeof address;
	char host[64] = "";
	char port[8] = "";
	struct listener_address out;

	(void)getsockname(fd, (struct sockaddr *)&address, &length);
	(void)getnameinfo((struct sockaddr *)&address, length, host, sizeof host, port, sizeof port,
		NI_NUMERICHOST | NI_NUMERICSERV);
	(void)snprintf(out.text, sizeof out.text, strchr(host, ':') ? "[%s]:%s" : "%s:%s", host, port);
	return out;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/service_manager.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>

#include "common/err.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/own.h"

/* A manager that takes nothing for so long does not hold up the end. */
enum { PATIENCE_S = 5 };

/* A path, or with "@" in front a name without a file. */
static bool read_address(const char *text, struct sockaddr_un *out, socklen_t *length, struct err *err)
{
	size_t size = strlen(text);

	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	if ((*text != '/' && *text != '@') || size < 2 || size >= sizeof out->sun_path)
		return err_set(err, ERR_BAD_REQUEST,
			"NOTIFY_SOCKET is not a path or @name of at most %zu bytes",
			sizeof out->sun_path - 1);
	memcpy(out->sun_path, text, size);
	if (*text == '@')
		out->sun_path[0] = '\0';
	*length = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
	return true;
}

static bool send_to(const char *place, const char *state, struct err *err)
{
	const struct timeval patience = {.tv_sec = PATIENCE_S};
	struct sockaddr_un address;
	socklen_t length;
	AUTO_FD int fd = -1;

	if (!read_address(place, &address, &length, err))
		return false;
	fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience) < 0 ||
		sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&address, length) < 0)
		return err_errno(err, errno, "write to NOTIFY_SOCKET");
	return true;
}

static void tell(const char *state)
{
	const char *place = getenv("NOTIFY_SOCKET");
	struct err err;

	if (place && *place && !send_to(place, state, &err))
		log_event(LOG_LEVEL_WARN, "the service manager was not told", "why", err.text, NULL);
}

void service_manager_tell_ready(const char *status)
{
	AUTO_FREE char *line = mem_dup(status);
	AUTO_FREE char *state = NULL;

	for (char *at = line; *at; at++)
		*at = *at == '\n' ? ' ' : *at;
	state = mem_printf("READY=1\nSTATUS=%s", line);
	tell(state);
}

void service_manager_tell_reloading(void)
{
	struct timespec now;
	AUTO_FREE char *state = NULL;

	(void)clock_gettime(CLOCK_MONOTONIC, &now);
	state = mem_printf("RELOADING=1\nMONOTONIC_USEC=%" PRId64 "\nSTATUS=reading the configuration again",
		(int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000);
	tell(state);
}

void service_manager_tell_stopping(void)
{
	tell("STOPPING=1\nSTATUS=letting running answers end");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/accesslog.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

#include "common/clock.h"
#include "common/log.h"

void accesslog_client(const struct sockaddr *address, char *out, size_t size)
{
	const void *number = NULL;

	if (address && address->sa_family == AF_INET)
		number = &((const struct sockaddr_in *)address)->sin_addr;
	else if (address && address->sa_family == AF_INET6)
		number = &((const struct sockaddr_in6 *)address)->sin6_addr;
	if (number && address->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED((const struct in6_addr *)number))
		(void)inet_ntop(AF_INET, (const uint8_t *)number + 12, out, (socklen_t)size);
	else if (number)
		(void)inet_ntop(address->sa_family, number, out, (socklen_t)size);
}

bool accesslog_is_on(void)
{
	return log_enabled(LOG_LEVEL_INFO);
}

static const char *unless_empty(const char *text)
{
	return text && *text ? text : NULL;
}

void accesslog_write(const struct accesslog_line *access)
{
	int64_t us = clock_monotonic_us() - access->started_us;
	char status[16];
	char bytes[24];
	char ms[48];

	(void)snprintf(status, sizeof status, "%d", access->status);
	(void)snprintf(bytes, sizeof bytes, "%lld", (long long)access->sent_bytes);
	(void)snprintf(ms, sizeof ms, "%lld.%lld", (long long)(us / 1000), (long long)(us % 1000 / 100));
	log_event(LOG_LEVEL_INFO, "request", "method", access->method, "path", access->path, "status",
		access->status ? status : NULL, "bytes", bytes, "ms", ms, "client",
		unless_empty(access->client), "who", unless_empty(access->who), "note",
		unless_empty(access->note), "problem", access->problem ? err_name(access->problem) : NULL,
		"end", access->ending, NULL);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/clientkey.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>

#include "common/digest.h"
#include "common/mem.h"
#include "common/network.h"

static char *key_of_address(const char *text)
{
	struct in6_addr address;

	if (inet_pton(AF_INET6, text, &address) == 1 && !IN6_IS_ADDR_V4MAPPED(&address))
		return mem_printf("network %s", base64_encode(address.s6_addr, 8).text);
	return mem_printf("address %s", text);
}

static void read_told(const char *trusted_proxies, enum forwarded_kind kind, const struct request *request,
	struct forwarded *out)
{
	forwarded_read(request_last_header(request, kind == FORWARDED_X ? "X-Forwarded-For" : "Forwarded"),
		kind, trusted_proxies, out);
	if (kind == FORWARDED_X)
		forwarded_add_x(request_last_header(request, "X-Forwarded-Proto"),
			request_last_header(request, "X-Forwarded-Host"), out);
}

void client_set_origin(const char *trusted_proxies, enum forwarded_kind kind, struct request *request)
{
	struct forwarded told = {.client = ""};

	if (network_list_has(trusted_proxies, request->client))
		read_told(trusted_proxies, kind, request, &told);
	(void)snprintf(
		request->origin, sizeof request->origin, "%s", *told.client ? told.client : request->client);
	(void)snprintf(request->told_scheme, sizeof request->told_scheme, "%s", told.scheme);
	free(request->told_host);
	request->told_host = *told.host ? mem_dup(told.host) : NULL;
}

const char *client_address(const struct request *request)
{
	return *request->origin ? request->origin : request->client;
}

char *client_key(const struct request *request)
{
	return request->who[0] ? mem_printf("token %s", request->who)
			       : key_of_address(client_address(request));
}

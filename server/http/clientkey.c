/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/clientkey.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "common/digest.h"
#include "common/mem.h"
#include "common/network.h"
#include "common/own.h"

static char *key_of_address(const char *text)
{
	struct in6_addr address;

	if (inet_pton(AF_INET6, text, &address) == 1 && !IN6_IS_ADDR_V4MAPPED(&address))
		return mem_printf("network %s", base64_encode(address.s6_addr, 8).text);
	return mem_printf("address %s", text);
}

static bool is_address(const char *text)
{
	struct in6_addr address;

	return inet_pton(AF_INET6, text, &address) == 1 || inet_pton(AF_INET, text, &address) == 1;
}

/* What the proxy itself has added stands last; before it stands what the client says of himself. */
static char *address_behind(const struct request *request)
{
	const char *told = request_last_header(request, "X-Forwarded-For");
	const char *last = told ? strrchr(told, ',') : NULL;
	AUTO_FREE char *text = NULL;

	if (!told)
		return NULL;
	last = last ? last + 1 : told;
	last += strspn(last, " \t");
	text = mem_dup_n(last, strcspn(last, " \t"));
	return is_address(text) ? TAKE(text) : NULL;
}

struct client_address client_address(const char *trusted_proxies, const struct request *request)
{
	AUTO_FREE char *behind = NULL;
	struct client_address address;

	if (network_list_has(trusted_proxies, request->client))
		behind = address_behind(request);
	(void)snprintf(address.text, sizeof address.text, "%s", behind ? behind : request->client);
	return address;
}

void client_set_origin(const char *trusted_proxies, struct request *request)
{
	(void)snprintf(
		request->origin, sizeof request->origin, "%s", client_address(trusted_proxies, request).text);
}

char *client_key(const char *trusted_proxies, const struct request *request)
{
	return request->who[0] ? mem_printf("token %s", request->who)
			       : key_of_address(client_address(trusted_proxies, request).text);
}

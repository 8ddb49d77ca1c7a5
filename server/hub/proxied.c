/* SPDX-License-Identifier: Apache-2.0 */
#include "server/hub/proxied.h"

#include "common/network.h"

bool proxied_request(const struct config *config, const struct request *request)
{
	return request_says_proxied(request) ||
	       network_list_has(config->server.trusted_proxies, request->client);
}

bool proxied_must_wait(const struct config *config, const struct request *request)
{
	switch (config->mirror.hold_until_verified) {
	case HOLD_NEVER:
		return false;
	case HOLD_ALWAYS:
		return true;
	default:
		return proxied_request(config, request);
	}
}

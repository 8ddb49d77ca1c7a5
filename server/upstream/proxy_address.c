/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upstream/proxy_address.h"

#include <curl/curl.h>
#include <stdint.h>

#include "common/number.h"

/* No port is the scheme's own. */
static bool is_port(const char *text)
{
	int64_t port;

	return number_parse(text, &port) && port >= 1 && port <= UINT16_MAX;
}

static bool has_part(CURLU *address, CURLUPart part, bool (*is_good)(const char *text))
{
	char *text = NULL;
	CURLUcode code = curl_url_get(address, part, &text, CURLU_URLDECODE);
	bool good = code == CURLUE_OK ? !is_good || is_good(text)
				      : part != CURLUPART_HOST && code != CURLUE_URLDECODE;

	curl_free(text);
	return good;
}

bool proxy_address_is_usable(const char *address)
{
	CURLU *parts = curl_url();
	bool can = parts && curl_url_set(parts, CURLUPART_URL, address, 0) == CURLUE_OK &&
		   has_part(parts, CURLUPART_HOST, NULL) && has_part(parts, CURLUPART_PORT, is_port) &&
		   has_part(parts, CURLUPART_USER, NULL) && has_part(parts, CURLUPART_PASSWORD, NULL);

	curl_url_cleanup(parts);
	return can;
}

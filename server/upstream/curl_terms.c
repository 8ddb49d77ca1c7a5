/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upstream/curl_terms.h"

#include <string.h>

bool curl_terms_set(CURL *easy)
{
	return curl_easy_setopt(easy, CURLOPT_FOLLOWLOCATION, 0L) == CURLE_OK &&
#if LIBCURL_VERSION_NUM >= 0x075500
	       curl_easy_setopt(easy, CURLOPT_PROTOCOLS_STR, "http,https") == CURLE_OK &&
#else
	       curl_easy_setopt(easy, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS)) ==
		       CURLE_OK &&
#endif
	/* A name that takes long to look up holds nobody up once it is given up. */
#if LIBCURL_VERSION_NUM >= 0x075700
	       curl_easy_setopt(easy, CURLOPT_QUICK_EXIT, 1L) == CURLE_OK &&
#endif
	       curl_easy_setopt(easy, CURLOPT_NOSIGNAL, 1L) == CURLE_OK &&
	       curl_easy_setopt(easy, CURLOPT_SUPPRESS_CONNECT_HEADERS, 1L) == CURLE_OK;
}

/* libcurl says what it cannot read or use of an address as a whole, with the password. */
static bool tells_proxy(const char *text, const char *proxy)
{
	return strstr(text, "nsupported proxy") ||
	       (proxy && *proxy && strcmp(proxy, "none") != 0 && strstr(text, proxy));
}

const char *curl_terms_reason(const char *text, CURLcode result, const char *proxy)
{
	if (tells_proxy(text, proxy))
		return "the proxy's address cannot be used";
	return *text ? text : curl_easy_strerror(result);
}

bool curl_terms_refuse_handle(struct err *why)
{
	return err_set(why, ERR_UPSTREAM_UNREACHABLE, "there is no memory for a transfer");
}

bool curl_terms_refuse_options(struct err *why)
{
	return err_set(why, ERR_UPSTREAM_UNREACHABLE, "libcurl does not take the options of a transfer");
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * What the transfers that rooms make by a handle of their own have in common, and what all say of a failure.
 */
#ifndef SERVER_UPSTREAM_CURL_TERMS_H
#define SERVER_UPSTREAM_CURL_TERMS_H

#include <curl/curl.h>
#include <stdbool.h>

#include "common/err.h"

/* Keeps a handle to HTTP(S) and to the host that it is given: redirects are not followed. False where libcurl
 * does not take it. */
bool curl_terms_set(CURL *easy);

/* Why a transfer failed: text, of CURLOPT_ERRORBUFFER, or what the result means where that is "". proxy is
 * the one that was set; NULL: the environment's. Its address, which may have a password, is in neither. */
const char *curl_terms_reason(const char *text, CURLcode result, const char *proxy);

/* No transfer can be made: there is no memory for its handle, or libcurl does not take what it is told.
 * ERR_UPSTREAM_UNREACHABLE. */
bool curl_terms_refuse_handle(struct err *why);
bool curl_terms_refuse_options(struct err *why);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * What of a URL is a secret. Whatever shows one (a log, an answer, a page, a metric) shows it as it comes
 * from here. */
#ifndef COMMON_SECRETS_H
#define COMMON_SECRETS_H

#include <stdbool.h>

/* A text with all that is percent-encoded in it decoded, as often as it is; what cannot be decoded stays.
 * free() it. */
char *secrets_decode(const char *text);

/* A path or URL, decoded, in which the token of each "/-/t/<token>", in whatever percent-encoding, and
 * whatever looks like a token of ours stands as "…". *hides_any may be NULL. free() it. */
char *secrets_hide_tokens(const char *text, bool *hides_any);

/* A URL without its tokens, names and passwords before hosts (also of a URL in its path), fragment, and,
 * unless with_query, its query. It is decoded only where that hides a secret. free() it. */
char *secrets_hide(const char *url, bool with_query);

#endif

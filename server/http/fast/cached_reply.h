/* SPDX-License-Identifier: Apache-2.0
 *
 * Makes of a handler's reply what can be sent without libmicrohttpd (see hit.h), and be kept in the
 * response cache for others. */
#ifndef SERVER_HTTP_FAST_CACHED_REPLY_H
#define SERVER_HTTP_FAST_CACHED_REPLY_H

#include <stdbool.h>

#include "server/http/exchange/exchange.h"

/* Whether others may be given the exchange's reply as well. */
bool cached_reply_may_be_kept(const struct exchange *exchange);

/* Makes it, held once, with all but the body, which stays the reply's and is only looked at until
 * cached_reply_take_body takes it over. Of a reply that may be kept it takes the right to be, too. */
struct cached_reply *cached_reply_create(struct exchange *exchange);
void cached_reply_take_body(struct cached_reply *cache, struct reply *reply);

#endif

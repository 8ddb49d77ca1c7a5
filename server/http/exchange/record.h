/* SPDX-License-Identifier: Apache-2.0
 *
 * What is told of an exchange that has ended: a line in the access log, and the counters. */
#ifndef SERVER_HTTP_EXCHANGE_RECORD_H
#define SERVER_HTTP_EXCHANGE_RECORD_H

#include "server/http/exchange/exchange.h"

/* ending: a word on how, where that was not in order; or NULL. */
void record_exchange(const struct exchange *exchange, const char *ending);

#endif

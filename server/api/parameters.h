/* SPDX-License-Identifier: Apache-2.0
 *
 * Which parameters an address takes: one that is not known would change nothing, in silence. */
#ifndef SERVER_API_PARAMETERS_H
#define SERVER_API_PARAMETERS_H

#include <stdbool.h>

#include "common/err.h"
#include "common/uri.h"

/* known: the names, with blanks between them. ERR_BAD_REQUEST names the one that was meant where one is near,
 * else all. */
bool parameters_check(const struct query *query, const char *known, struct err *err);

/* The same for a page, to which others link: what they add to addresses to count their readers is ignored. */
bool parameters_check_page(const struct query *query, const char *known, struct err *err);

#endif

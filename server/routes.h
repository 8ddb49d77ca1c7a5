/* SPDX-License-Identifier: Apache-2.0
 *
 * The table of routes: which handler answers what, and who may ask. */
#ifndef SERVER_ROUTES_H
#define SERVER_ROUTES_H

#include "server/http/route.h"

extern const struct route routes[];
extern const size_t route_count;

#endif

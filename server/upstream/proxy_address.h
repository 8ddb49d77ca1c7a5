/* SPDX-License-Identifier: Apache-2.0
 *
 * The address of a proxy, as libcurl reads it. */
#ifndef SERVER_UPSTREAM_PROXY_ADDRESS_H
#define SERVER_UPSTREAM_PROXY_ADDRESS_H

#include <stdbool.h>

/* Whether transfers can go through the proxy of an address that names a scheme. */
bool proxy_address_is_usable(const char *address);

#endif

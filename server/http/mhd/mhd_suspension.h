/* SPDX-License-Identifier: Apache-2.0
 *
 * How libmicrohttpd's connections are suspended while others work for their exchange, and resumed without
 * being taken for ended where the client has only asked all it wants to ask. */
#ifndef SERVER_HTTP_MHD_MHD_SUSPENSION_H
#define SERVER_HTTP_MHD_MHD_SUSPENSION_H

#include "server/http/exchange/exchange.h"

/* For an exchange whose suspension's connection is a struct MHD_Connection. */
extern const struct suspension_ops mhd_suspension_ops;

/* On the connection's thread: it has been resumed, or its request has ended. libmicrohttpd may also come
 * while it is suspended. */
void mhd_suspension_is_over(struct exchange *exchange);

/* On the connection's thread: suspends it for a moment, in which libmicrohttpd is given the client's socket
 * (see guest_settle); it asks for the answer thereafter. False: the server closes. */
bool mhd_suspension_settle(struct exchange *exchange);

#endif

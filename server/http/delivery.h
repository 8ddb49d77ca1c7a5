/* SPDX-License-Identifier: Apache-2.0
 *
 * How much of an answer its client's kernel has confirmed, where the answer was not sent to its end. */
#ifndef SERVER_HTTP_DELIVERY_H
#define SERVER_HTTP_DELIVERY_H

#include <stdint.h>

/* Bytes that the socket took and that nobody has confirmed; 0 where that cannot be told. */
int64_t delivery_unconfirmed(int fd);

/* Bytes that the socket took since it was made, without those that are sent again; -1: cannot be told. */
int64_t delivery_taken(int fd);

/* Of these, those that were confirmed. */
int64_t delivery_confirmed(int fd);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a client has ended, by what its socket shows without being read. */
#ifndef SERVER_HTTP_EXCHANGE_CLIENT_END_H
#define SERVER_HTTP_EXCHANGE_CLIENT_END_H

#include <stdbool.h>
#include <stdint.h>

/* Whether it is gone, or what it still has to send of a body of so many bytes (or less) cannot come any more.
 */
bool client_is_gone(int fd, int64_t body_bytes);

/* Whether it will send nothing more, and all that it has sent was read. */
bool client_has_ended(int fd);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * What comes before a client is served: its handshake, and the pair of sockets that is made for it then. */
#ifndef SERVER_HTTP_TLS_GREETING_H
#define SERVER_HTTP_TLS_GREETING_H

#include "server/http/tls/tls_thread.h"

/* As far as it gets with what has come. The client may be gone thereafter. */
void greeting_go_on(struct tls_thread *thread, struct client *client);

/* Where callers are noted: lets far ends meet their clients, which are delivered. Strangers are sent away. */
void greeting_accept(struct tls_thread *thread);

/* Tries again for those who have no near end yet, for want of descriptors. */
void greeting_try_again(struct tls_thread *thread);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * The certificate and key that this server shows, and what of TLS it speaks: 1.2 and 1.3, ciphers with
 * authentication, ALPN http/1.1; no renegotiation and no resumption, so that nothing is kept between
 * connections. */
#ifndef SERVER_HTTP_TLS_CREDENTIALS_H
#define SERVER_HTTP_TLS_CREDENTIALS_H

#include <stdbool.h>

#include "common/err.h"
#include "common/own.h"
#include "server/http/tls/cable.h"

struct ssl_st;
struct credentials;

/* PEM files: the certificate with its chain, and its unencrypted key. ERR_BAD_REQUEST, ERR_INTERNAL. */
bool credentials_open(const char *certificate, const char *key, struct credentials **out, struct err *err);

/* The server's side of TLS over a cable, which must outlive it. NULL: there is no memory. SSL_free() it. */
struct ssl_st *credentials_show(const struct credentials *credentials, struct cable *cable);

/* When nobody is being shown them any more. Takes NULL. */
void credentials_close(struct credentials *credentials);
AUTO_CLEANER(own_credentials, struct credentials *, credentials_close)
#define AUTO_CREDENTIALS AUTO(own_credentials)

#endif

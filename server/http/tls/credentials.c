/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/tls/credentials.h"

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>

#include "common/mem.h"

/* AES-GCM first, and the server's order: what the processor does fastest. */
static const char ciphers_1_2[] = "ECDHE+AESGCM:ECDHE+CHACHA20:DHE+AESGCM:RSA+AESGCM";
static const char ciphers_1_3[] =
	"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";

/* As in a list of protocols (RFC 7301). */
static const unsigned char protocols[] = "\x08http/1.1\x08http/1.0";

struct credentials {
	SSL_CTX *context;
	BIO_METHOD *cable;
};

/* Encrypted keys were refused when the files were looked at; nobody is there to be asked. */
static int give_no_password(char *out, int size, int writing, void *context)
{
	return -1;
}

/* A client that offers protocols, but none of ours, is told so. */
static int choose_protocol(SSL *ssl, const unsigned char **out, unsigned char *length,
	const unsigned char *offered, unsigned offered_length, void *context)
{
	int chosen = SSL_select_next_proto(
		(unsigned char **)out, length, protocols, sizeof protocols - 1, offered, offered_length);

	return chosen == OPENSSL_NPN_NEGOTIATED ? SSL_TLSEXT_ERR_OK : SSL_TLSEXT_ERR_ALERT_FATAL;
}

static bool fail(struct err *err, const char *what, const char *path)
{
	const char *words = ERR_reason_error_string(ERR_peek_last_error());

	ERR_clear_error();
	return err_set(err, ERR_BAD_REQUEST, "the %s %s cannot be used: %s", what, path,
		words ? words : "OpenSSL gives no reason");
}

/* What a client's end is worth, HTTP's own lengths tell: many close without a word of TLS. Buffers are given
 * back while a connection is idle. Whoever configured a short key is to be served with it. */
static void set_rules(SSL_CTX *context)
{
	SSL_CTX_set_security_level(context, 1);
	(void)SSL_CTX_set_min_proto_version(context, TLS1_2_VERSION);
	(void)SSL_CTX_set_cipher_list(context, ciphers_1_2);
	(void)SSL_CTX_set_ciphersuites(context, ciphers_1_3);
	(void)SSL_CTX_set_dh_auto(context, 1);
	(void)SSL_CTX_set_options(context, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
						   SSL_OP_CIPHER_SERVER_PREFERENCE |
						   SSL_OP_IGNORE_UNEXPECTED_EOF | SSL_OP_NO_TICKET);
	(void)SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	(void)SSL_CTX_set_num_tickets(context, 0);
	(void)SSL_CTX_set_mode(context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
						SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(context, 1);
	SSL_CTX_set_default_passwd_cb(context, give_no_password);
	SSL_CTX_set_alpn_select_cb(context, choose_protocol, NULL);
}

static bool load(SSL_CTX *context, const char *certificate, const char *key, struct err *err)
{
	if (SSL_CTX_use_certificate_chain_file(context, certificate) != 1)
		return fail(err, "certificate", certificate);
	return (SSL_CTX_use_PrivateKey_file(context, key, SSL_FILETYPE_PEM) == 1 &&
		       SSL_CTX_check_private_key(context) == 1) ||
	       fail(err, "key", key);
}

static bool prepare(
	struct credentials *credentials, const char *certificate, const char *key, struct err *err)
{
	credentials->context = SSL_CTX_new(TLS_server_method());
	credentials->cable = cable_make_method();
	if (!credentials->context || !credentials->cable)
		return err_set(err, ERR_INTERNAL, "there is no memory for TLS");
	set_rules(credentials->context);
	return load(credentials->context, certificate, key, err);
}

bool credentials_open(const char *certificate, const char *key, struct credentials **out, struct err *err)
{
	AUTO_CREDENTIALS struct credentials *credentials = mem_zero(1, sizeof *credentials);

	ERR_clear_error();
	if (!prepare(credentials, certificate, key, err))
		return false;
	*out = TAKE(credentials);
	return true;
}

SSL *credentials_show(const struct credentials *credentials, struct cable *cable)
{
	SSL *ssl = SSL_new(credentials->context);
	BIO *bio = ssl ? BIO_new(credentials->cable) : NULL;

	if (!bio) {
		SSL_free(ssl);
		return NULL;
	}
	BIO_set_data(bio, cable);
	BIO_set_init(bio, 1);
	SSL_set_bio(ssl, bio, bio);
	SSL_set_accept_state(ssl);
	return ssl;
}

void credentials_close(struct credentials *credentials)
{
	if (!credentials)
		return;
	SSL_CTX_free(credentials->context);
	BIO_meth_free(credentials->cable);
	free(credentials);
}

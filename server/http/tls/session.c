/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/tls/session.h"

#include <openssl/err.h>
#include <openssl/ssl.h>

bool session_begin(struct session *session, const struct credentials *credentials)
{
	session->ssl = credentials_show(credentials, &session->cable);
	return session->ssl != NULL;
}

/* The queue of errors is the thread's: what one call leaves there would be taken for the next one's. */
static enum session_result judge_failure(void)
{
	int reason = ERR_GET_REASON(ERR_peek_last_error());

	ERR_clear_error();
	return reason == SSL_R_HTTP_REQUEST ? SESSION_PLAIN : SESSION_FAILED;
}

static enum session_result judge(const struct session *session, int returned)
{
	switch (SSL_get_error(session->ssl, returned)) {
	case SSL_ERROR_NONE:
		return SESSION_DONE;
	case SSL_ERROR_WANT_READ:
		return SESSION_WANTS_READ;
	case SSL_ERROR_WANT_WRITE:
		return SESSION_WANTS_WRITE;
	case SSL_ERROR_ZERO_RETURN:
		return SESSION_ENDED;
	default:
		return judge_failure();
	}
}

enum session_result session_shake_hands(struct session *session)
{
	ERR_clear_error();
	return judge(session, SSL_do_handshake(session->ssl));
}

enum session_result session_read(struct session *session, void *bytes, size_t size, size_t *got)
{
	ERR_clear_error();
	return judge(session, SSL_read_ex(session->ssl, bytes, size, got));
}

enum session_result session_write(struct session *session, const void *bytes, size_t length, size_t *sent)
{
	ERR_clear_error();
	*sent = 0;
	return judge(session, SSL_write_ex(session->ssl, bytes, length, sent));
}

/* 0: it is said, and the client has not said so yet. */
enum session_result session_tell_end(struct session *session)
{
	int returned;

	ERR_clear_error();
	returned = SSL_shutdown(session->ssl);
	return returned >= 0 ? SESSION_DONE : judge(session, returned);
}

void session_finish(struct session *session)
{
	SSL_free(session->ssl);
	session->ssl = NULL;
}

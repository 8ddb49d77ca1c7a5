/* SPDX-License-Identifier: Apache-2.0
 *
 * What a browser is given in place of a token that somebody has signed in with: it reads, for some hours, and
 * as long as that token is valid. It is made with a key that lies in memory alone: whoever reads the catalog,
 * a backup or what nodes share can make none, and a restart ends it. */
#ifndef SERVER_REGISTRY_SESSIONS_H
#define SERVER_REGISTRY_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "server/registry/access.h"

enum { SESSION_LIFETIME_S = 12 * 3600 };

struct session_text {
	char text[TOKEN_NAME_MAX + 96];
};

struct sessions;

/* With a key that nobody else has, and that is gone with the process. The access must outlive it. destroy
 * takes NULL. */
struct sessions *sessions_create(struct access *access);
void sessions_destroy(struct sessions *sessions);
AUTO_CLEANER(own_sessions, struct sessions *, sessions_destroy)
#define AUTO_SESSIONS AUTO(own_sessions)

/* For the bearer of this secret: fails as access_check does for reading where that takes a token. */
bool sessions_begin(const struct sessions *sessions, const char *secret, const char *origin,
	struct session_text *out, struct err *err);

/* who gets the token's name. ERR_UNAUTHORIZED where it was not made by this process, or is over. */
bool sessions_check(
	const struct sessions *sessions, const char *session, char who[TOKEN_NAME_MAX + 1], struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens: who may do what. Issues them, judges them, forgets none: a token made or revoked by another process
 * counts here within a second. Their secrets are kept as SHA-256 only. */
#ifndef SERVER_REGISTRY_ACCESS_H
#define SERVER_REGISTRY_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

struct catalog;
struct digest;
struct vault;

enum right { RIGHT_READ, RIGHT_PUBLISH, RIGHT_WITHDRAW, RIGHT_APPROVE, RIGHT_ADMIN, RIGHT_COUNT };

enum { TOKEN_NAME_MAX = 63, TOKEN_SCOPES_MAX = 4000 };

/* "lrd_" and 64 hexadecimal digits. */
struct token_text {
	char text[72];
};

struct access;

/* Judges by the catalog's tokens; reading takes one where read_needs_token says so. What is issued and
 * revoked is so for all who share the vault. Both must outlive it. destroy takes NULL. */
bool access_create(struct catalog *catalog, struct vault *vault, bool read_needs_token, struct access **out,
	struct err *err);
void access_destroy(struct access *access);
AUTO_CLEANER(own_access, struct access *, access_destroy)
#define AUTO_ACCESS AUTO(own_access)

/* Makes a token: a name of [A-Za-z0-9._-], scopes separated by blanks (read, publish:<glob>, withdraw:<glob>,
 * approve:<glob>, admin), a lifetime (0: for ever). *out is the only copy of its secret. ERR_BAD_REQUEST,
 * ERR_CONFLICT where the name is taken; ERR_STORE_UNAVAILABLE. May wait for the network, as revoke may. */
bool access_issue(struct access *access, const char *name, const char *scopes, int64_t lifetime_s,
	struct token_text *out, struct err *err);

/* ERR_NOT_FOUND where no valid token has the name. */
bool access_revoke(struct access *access, const char *name, struct err *err);

/* Whether the bearer of this secret (NULL: nobody in particular) may do this with the handle; admin may do
 * all, any valid token may read. who gets the token's name, or "". ERR_UNAUTHORIZED without a valid token
 * where one is needed, ERR_FORBIDDEN where its scopes do not suffice,
 * ERR_TOO_MANY_ATTEMPTS where it is none, as were others that came from origin (an address; NULL: nobody's)
 * lately. From any thread; takes microseconds, and a query once a second. */
bool access_check(struct access *access, const char *secret, const char *origin, enum right right,
	const char *handle, char who[TOKEN_NAME_MAX + 1], struct err *err);

/* The same for a right that goes by handles, where the handle is not known yet: whether there is any with
 * which the bearer may do it. */
bool access_check_some(struct access *access, const char *secret, const char *origin, enum right right,
	char who[TOKEN_NAME_MAX + 1], struct err *err);

/* … whether there may be any that begins so ("acme/model/"). */
bool access_check_below(struct access *access, const char *secret, const char *origin, enum right right,
	const char *beginning, char who[TOKEN_NAME_MAX + 1], struct err *err);

/* Whether the secret is a valid token's, as which it counts as used; who gets its name. Fails as access_check
 * does. */
bool access_identify(struct access *access, const char *secret, const char *origin,
	char who[TOKEN_NAME_MAX + 1], struct err *err);

/* The hash of the valid token of that name; ERR_UNAUTHORIZED where there is none. */
bool access_find_valid(struct access *access, const char *name, struct digest *out, struct err *err);

/* Writes down which tokens were used last, as far as that is due; all: all of it. */
bool access_write_uses(struct access *access, bool all, struct err *err);

/* Another process has changed the tokens: they are read again before the next is judged. */
void access_forget(struct access *access);

#endif

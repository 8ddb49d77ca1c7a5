/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens, of whose secrets only hashes are known. */
#ifndef SERVER_STORE_CATALOG_CATALOG_TOKENS_H
#define SERVER_STORE_CATALOG_CATALOG_TOKENS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"

struct catalog;

struct token_row {
	int64_t id;
	char *name;
	char *scopes; /* separated by blanks: "read publish:acme/x" */
	int64_t created_at;
	int64_t expires_at; /* 0: never */
	int64_t revoked_at; /* 0: not */
	int64_t used_at;    /* last, as far as was written down here; 0: never */
	char *used_from;    /* an address; "" with 0 */
};

/* hash is the SHA-256 of the secret. ERR_CONFLICT where a token of that name is valid. */
bool catalog_add_token(struct catalog *catalog, const char *name, const struct digest *hash,
	const char *scopes, int64_t now_s, int64_t expires_at, struct err *err);
/* Only the last of that. */
bool catalog_check_token_name(struct catalog *catalog, const char *name, int64_t now_s, struct err *err);

/* What a new token is refused with where a valid one has its name: ERR_CONFLICT. */
bool catalog_refuse_token_name(const char *name, struct err *err);

/* A token as all nodes have it. */
struct token_terms {
	const char *name;
	struct digest hash;
	const char *scopes;
	int64_t created_at;
	int64_t expires_at;
	int64_t revoked_at;
	const char *who; /* NULL: done here */
};

/* Takes it from a note of this revision, unless a later one was taken. A valid one that all nodes had under
 * that name before is none any more. */
bool catalog_take_token(
	struct catalog *catalog, const struct token_terms *terms, int64_t revision, struct err *err);

/* Tokens, newest first, each with its hash for the caller to compare. *count 0: there are none. */
struct token_secret {
	struct token_row row;
	struct digest hash;
};
bool catalog_list_tokens(struct catalog *catalog, struct token_secret **out, size_t *count, struct err *err);
/* When a token was used last, and from which address. */
enum { TOKEN_ORIGIN_SIZE = 64 };
struct token_use {
	int64_t token_id;
	int64_t at;
	char origin[TOKEN_ORIGIN_SIZE];
};
bool catalog_note_token_uses(
	struct catalog *catalog, const struct token_use *uses, size_t count, struct err *err);

void token_secrets_destroy(struct token_secret *tokens, size_t count);
/* ERR_NOT_FOUND where no valid token has the name. */
bool catalog_revoke_token(struct catalog *catalog, const char *name, int64_t now_s, struct err *err);

#endif

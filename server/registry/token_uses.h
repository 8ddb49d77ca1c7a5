/* SPDX-License-Identifier: Apache-2.0
 *
 * When each token was used last, and from where, until that is written down: of each token once a minute at
 * most. Takes no lock: its owner does. */
#ifndef SERVER_REGISTRY_TOKEN_USES_H
#define SERVER_REGISTRY_TOKEN_USES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/store/catalog/catalog_tokens.h"

enum { TOKEN_USES_EACH_S = 60 };

/* All zero, none is known. */
struct token_uses {
	struct token_use_row *rows;
	size_t count;
	size_t capacity;
};

struct token_use_row {
	struct token_use use;
	int64_t written_at; /* 0: never */
	bool is_new;        /* since then */
};

void token_uses_finish(struct token_uses *uses);

/* id is the token's row. */
void token_uses_note(struct token_uses *uses, int64_t id, const char *origin, int64_t now_s);

/* What is to be written down now (all: whatever there is); the caller's own, NULL where there is nothing. */
struct token_use *token_uses_take(struct token_uses *uses, bool all, int64_t now_s, size_t *count);

/* What was taken could not be written down: it is due again, or what came after it is. */
void token_uses_put_back(struct token_uses *uses, const struct token_use *taken, size_t count);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/token_uses.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/mem.h"

void token_uses_finish(struct token_uses *uses)
{
	free(uses->rows);
	*uses = (struct token_uses){0};
}

static struct token_use_row *find_or_add(struct token_uses *uses, int64_t id)
{
	for (size_t i = 0; i < uses->count; i++) {
		if (uses->rows[i].use.token_id == id)
			return &uses->rows[i];
	}
	MEM_GROW(uses->rows, uses->count, uses->capacity);
	uses->rows[uses->count] = (struct token_use_row){.use = {.token_id = id}};
	return &uses->rows[uses->count++];
}

void token_uses_note(struct token_uses *uses, int64_t id, const char *origin, int64_t now_s)
{
	struct token_use_row *row = find_or_add(uses, id);

	row->use.at = now_s;
	row->is_new = true;
	(void)snprintf(row->use.origin, sizeof row->use.origin, "%s", origin);
}

struct token_use *token_uses_take(struct token_uses *uses, bool all, int64_t now_s, size_t *count)
{
	struct token_use *taken = NULL;

	*count = 0;
	for (size_t i = 0; i < uses->count; i++) {
		struct token_use_row *row = &uses->rows[i];

		if (!row->is_new || (!all && now_s - row->written_at < TOKEN_USES_EACH_S))
			continue;
		taken = mem_resize(taken, *count + 1, sizeof *taken);
		taken[(*count)++] = row->use;
		row->is_new = false;
		row->written_at = now_s;
	}
	return taken;
}

void token_uses_put_back(struct token_uses *uses, const struct token_use *taken, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct token_use_row *row = find_or_add(uses, taken[i].token_id);

		if (row->use.at < taken[i].at)
			row->use = taken[i];
		row->is_new = true;
		row->written_at = 0;
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/shares.h"

#include <stdlib.h>
#include <string.h>

#include "common/invariant.h"
#include "common/mem.h"

void shares_init(struct shares *shares)
{
	list_init(&shares->list);
}

struct share *shares_find(const struct shares *shares, const char *client)
{
	LIST_EACH (struct share, share, link, &shares->list) {
		if (strcmp(share->client, client) == 0)
			return share;
	}
	return NULL;
}

static struct share *add(struct shares *shares, const char *client)
{
	struct share *share = mem_zero(1, sizeof *share);

	share->client = mem_dup(client);
	list_prepend(&shares->list, &share->link);
	return share;
}

struct share *shares_take(struct shares *shares, const char *client)
{
	struct share *share = shares_find(shares, client);

	if (!share)
		share = add(shares, client);
	share->members++;
	return share;
}

void shares_give_back(struct share *share)
{
	INVARIANT(share->members > 0 && share->placed <= share->members);
	if (--share->members > 0)
		return;
	list_remove(&share->link);
	free(share->client);
	free(share);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/shares.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"

struct share *shares_find(const struct shares *shares, const char *client)
{
	struct share *share = shares->first;

	while (share && strcmp(share->client, client) != 0)
		share = share->next;
	return share;
}

static struct share *add(struct shares *shares, const char *client)
{
	struct share *share = mem_zero(1, sizeof *share);

	share->client = mem_dup(client);
	share->next = shares->first;
	shares->first = share;
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

void shares_give_back(struct shares *shares, struct share *share)
{
	struct share **link = &shares->first;

	if (--share->members > 0)
		return;
	while (*link != share)
		link = &(*link)->next;
	*link = share->next;
	free(share->client);
	free(share);
}

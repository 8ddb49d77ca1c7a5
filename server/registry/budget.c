/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/budget.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/digest.h"
#include "common/lock.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"budget", RANK_BUDGET};

/* In thousandths of one. */
enum { ONE = 1000, FULL = BUDGET_AT_ONCE * ONE };

struct account {
	struct digest client; /* all zero: nobody's */
	int64_t left;
	int64_t at_ms;
};

struct budget {
	struct lock mutex; /* guards the accounts */
	struct account accounts[BUDGET_CLIENTS];
};

struct budget *budget_create(void)
{
	struct budget *budget = mem_zero(1, sizeof *budget);

	lock_init(&budget->mutex, &lock_place);
	for (size_t i = 0; i < BUDGET_CLIENTS; i++)
		budget->accounts[i].left = FULL;
	return budget;
}

void budget_destroy(struct budget *budget)
{
	if (!budget)
		return;
	lock_finish(&budget->mutex);
	free(budget);
}

static int64_t left_at(const struct account *account, int64_t now_ms)
{
	int64_t elapsed_ms = now_ms - account->at_ms;
	int64_t left;

	if (elapsed_ms < 0)
		return account->left;
	if (elapsed_ms > FULL / BUDGET_A_SECOND)
		return FULL;
	left = account->left + elapsed_ms * BUDGET_A_SECOND * ONE / 1000;
	return left < FULL ? left : FULL;
}

/* The client's, or the one that loses least when it becomes his. */
static struct account *find(struct budget *budget, const struct digest *client, int64_t now_ms)
{
	struct account *fullest = &budget->accounts[0];

	lock_expect(&budget->mutex);
	for (size_t i = 0; i < BUDGET_CLIENTS; i++) {
		struct account *account = &budget->accounts[i];

		if (digest_equal(&account->client, client))
			return account;
		if (left_at(account, now_ms) > left_at(fullest, now_ms))
			fullest = account;
	}
	*fullest = (struct account){*client, FULL, now_ms};
	return fullest;
}

static int64_t settle(struct budget *budget, const char *client, int64_t now_ms, int64_t spent)
{
	struct digest digest = digest_of(client, strlen(client));
	LOCKED(&budget->mutex);
	struct account *account = find(budget, &digest, now_ms);

	account->left = left_at(account, now_ms) - spent;
	account->left = account->left > 0 ? account->left : 0;
	account->at_ms = now_ms;
	return account->left;
}

bool budget_check(struct budget *budget, const char *client, int64_t now_ms, struct err *err)
{
	if (settle(budget, client, now_ms, 0) >= ONE)
		return true;
	(void)err_set(err, ERR_BUSY,
		"you have ordered %d fills at once, and may order %d a second from here on; try again in a "
		"moment",
		BUDGET_AT_ONCE, BUDGET_A_SECOND);
	err->retry_after_s = 1;
	return false;
}

void budget_spend(struct budget *budget, const char *client, int64_t now_ms)
{
	(void)settle(budget, client, now_ms, ONE);
}

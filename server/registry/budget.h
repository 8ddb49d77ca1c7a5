/* SPDX-License-Identifier: Apache-2.0
 *
 * How many fills each client may order that nobody waits for: some at once, then so many a second. Knows
 * clients by a word of the caller's (a token's name, an address), remembers a fixed number of them, and may
 * be used by any thread. */
#ifndef SERVER_REGISTRY_BUDGET_H
#define SERVER_REGISTRY_BUDGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

enum { BUDGET_AT_ONCE = 200, BUDGET_A_SECOND = 20, BUDGET_CLIENTS = 1024 };

struct budget;

struct budget *budget_create(void);
/* Takes NULL. */
void budget_destroy(struct budget *budget);
AUTO_CLEANER(own_budget, struct budget *, budget_destroy)
#define AUTO_BUDGET AUTO(own_budget)

/* Whether there is one left for this client; ERR_BUSY with retry_after_s. */
bool budget_check(struct budget *budget, const char *client, int64_t now_ms, struct err *err);

/* Takes one. */
void budget_spend(struct budget *budget, const char *client, int64_t now_ms);

#endif

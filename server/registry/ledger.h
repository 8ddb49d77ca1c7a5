/* SPDX-License-Identifier: Apache-2.0
 *
 * Download counters: counted in memory and written to the catalog in batches, so that a hit costs no
 * transaction. What was counted is written at the latest when the ledger is destroyed. */
#ifndef SERVER_REGISTRY_LEDGER_H
#define SERVER_REGISTRY_LEDGER_H

#include "server/store/catalog/catalog.h"

struct ledger;

/* Starts its thread. The catalog must outlive it. destroy writes what is left; takes NULL. */
bool ledger_create(struct catalog *catalog, struct ledger **out, struct err *err);
void ledger_destroy(struct ledger *ledger);

/* Counts one download. Never blocks for the database. */
void ledger_count(struct ledger *ledger, const struct name *name);

/* The count of one artifact, for who counts the same one again and again: tally_count takes no lock. To be
 * released before the ledger is destroyed. */
struct tally;
struct tally *ledger_open_tally(struct ledger *ledger, const struct name *name);
void tally_count(struct tally *tally);
void tally_release(struct tally *tally);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Leases on names in a bucket: who does something for all nodes, so that the others need not. They save work
 * and decide nothing. A lease is an object that is created once and then exchanged by its ETag only; whoever
 * has it writes it anew again and again, and where it has not changed for its time, by the clock of who
 * wants it, another may take it. One thread writes all leases that are held. */
#ifndef SERVER_VAULT_LEASES_H
#define SERVER_VAULT_LEASES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "server/vault/vault_terms.h"

struct bucket;
struct bucket_health;
struct leases;

/* So many are held at once; who wants more works without. */
enum { LEASES_MAX = 1024 };

/* What is pointed to must outlive it. destroy gives up what is still held, waits for that as long as the
 * bucket's time-outs say, and takes NULL. */
struct leases *leases_create(struct bucket *bucket, struct bucket_health *health, int64_t ttl_s);
void leases_destroy(struct leases *leases);
AUTO_CLEANER(own_leases, struct leases *, leases_destroy)
#define AUTO_LEASES AUTO(own_leases)

/* As vault_acquire, vault_report and vault_release (vault.h) say. */
bool leases_acquire(struct leases *leases, const struct name *name, const struct lease_holder *holder,
	struct lease_watch *watch, struct lease_answer *out, struct err *err);
void leases_report(struct leases *leases, struct lease *lease, const struct lease_work *work);
void leases_release(struct leases *leases, struct lease *lease, enum lease_end end);

#endif

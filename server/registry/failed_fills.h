/* SPDX-License-Identifier: Apache-2.0
 *
 * Fills that failed, noted in memory until a thread that may wait for the database queues them for webhooks.
 * Whoever asks for modules can make fills fail: of a minute's failures so many are told, and each name once.
 */
#ifndef SERVER_REGISTRY_FAILED_FILLS_H
#define SERVER_REGISTRY_FAILED_FILLS_H

#include <stdbool.h>

#include "common/err.h"
#include "common/own.h"
#include "server/module/name.h"

struct catalog;
struct failed_fills;

enum { FAILED_FILLS_A_MINUTE = 20 };

/* The catalog must outlive it. destroy takes NULL; what is not written by then is lost. */
struct failed_fills *failed_fills_create(struct catalog *catalog);
void failed_fills_destroy(struct failed_fills *failed);
AUTO_CLEANER(own_failed_fills, struct failed_fills *, failed_fills_destroy)
#define AUTO_FAILED_FILLS AUTO(own_failed_fills)

/* Notes one; NULL for failed: nobody wants to know. What no upstream has is no failure, nor what was
 * withdrawn, and of a quarantine the catalog tells. Never blocks for the database. */
void failed_fills_note(struct failed_fills *failed, const struct name *name, const struct err *why);

/* Queues what was noted; what could not be written stays noted. */
bool failed_fills_write(struct failed_fills *failed, struct err *err);

#endif

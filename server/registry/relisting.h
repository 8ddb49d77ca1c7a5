/* SPDX-License-Identifier: Apache-2.0
 *
 * Lists what models say that were kept before their format had listings, or while their bytes could not be
 * read twice: one file after the other, on a thread that runs when nothing else wants to. */
#ifndef SERVER_REGISTRY_RELISTING_H
#define SERVER_REGISTRY_RELISTING_H

#include <stdatomic.h>
#include <stdbool.h>

#include "common/err.h"

struct blobs;
struct catalog;

/* Goes through all that have none; what cannot be read waits for the next pass. Returns early, and true, once
 * *stop is set, and behind one that it went through once *yield is. */
bool relisting_pass(struct catalog *catalog, struct blobs *blobs, const atomic_bool *stop,
	const atomic_bool *yield, struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Computes the digests of the files of archives whose inspection does not, after they were kept: one archive
 * after the other, on a thread that runs when nothing else wants to. */
#ifndef SERVER_REGISTRY_LATE_FILESUMS_H
#define SERVER_REGISTRY_LATE_FILESUMS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "common/err.h"

struct blobs;
struct catalog;

/* Goes through all that lack them; what cannot be read waits for the next pass, but for what is no archive
 * any more. Returns early, and true, once *stop is set, and behind one that it went through once *yield is.
 */
bool late_filesums_pass(struct catalog *catalog, struct blobs *blobs, const atomic_bool *stop,
	const atomic_bool *yield, struct err *err);

#endif

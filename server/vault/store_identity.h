/* SPDX-License-Identifier: Apache-2.0
 *
 * Which bucket it is: an object "store-id" with a word by chance, created once by whoever uses the bucket
 * first. A bucket that was made anew, or is below another prefix, is another one. */
#ifndef SERVER_VAULT_STORE_IDENTITY_H
#define SERVER_VAULT_STORE_IDENTITY_H

#include <stdbool.h>

#include "common/err.h"
#include "server/store/catalog/catalog_store.h"

struct bucket;

/* Reads it, and creates it first where there is none. ERR_STORE_UNAVAILABLE where the store does not tell. */
bool store_identity_find(struct bucket *bucket, struct store_id *out, struct err *err);

#endif

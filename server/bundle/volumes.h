/* SPDX-License-Identifier: Apache-2.0
 *
 * A long file, or the pieces of it that fit on small media, each with its digest: FILE.001, FILE.002 … and
 * FILE.pieces, which names them and is written last. What an earlier attempt left is written over, without
 * being written where it is the same. */
#ifndef SERVER_BUNDLE_VOLUMES_H
#define SERVER_BUNDLE_VOLUMES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"

enum { VOLUMES_SPLIT_MIN = 1 << 20, VOLUMES_COUNT_MAX = 9999 };

struct volumes;

/* split_bytes 0: one file, FILE.part until it is whole. ERR_CONFLICT where FILE or FILE.pieces is there
 * already and replace is false, and where another process writes it. close leaves what is not committed, to
 * go on with; takes NULL. */
bool volumes_open(const char *path, int64_t split_bytes, bool replace, struct volumes **out, struct err *err);
void volumes_close(struct volumes *volumes);
AUTO_CLEANER(own_volumes, struct volumes *, volumes_close)
#define AUTO_VOLUMES AUTO(own_volumes)

/* Only compares: what is written is held against the bytes that are there, and ERR_CONFLICT where these are
 * others; committed, all of it is there. */
bool volumes_prove(const char *path, int64_t split_bytes, struct volumes **out, struct err *err);

/* Appends. */
bool volumes_write(struct volumes *volumes, const void *bytes, size_t length, struct err *err);

/* Makes it whole and durable. */
bool volumes_commit(struct volumes *volumes, struct err *err);

/* How many pieces there are; 0 where it is one file. */
int volumes_pieces(const struct volumes *volumes);

#endif

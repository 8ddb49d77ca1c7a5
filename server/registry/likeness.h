/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether a version here and the one of that name that nodes share are one and the same. */
#ifndef SERVER_REGISTRY_LIKENESS_H
#define SERVER_REGISTRY_LIKENESS_H

#include <stdbool.h>

#include "common/err.h"
#include "server/module/name.h"

struct catalog;
struct vault;

/* *alike is false where both sides have bytes of it on record, also withdrawn ones, and no format has the
 * same on both. The name's format says nothing. Asks the vault only for what is on record here. */
bool likeness_find(struct catalog *catalog, struct vault *vault, const struct name *version, bool *alike,
	struct err *err);

#endif

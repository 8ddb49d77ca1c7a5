/* SPDX-License-Identifier: Apache-2.0
 *
 * What an upstream that is a Larder attests of what it has given: brought along, and held against whose
 * signatures count. */
#ifndef SERVER_REGISTRY_VOUCHING_H
#define SERVER_REGISTRY_VOUCHING_H

#include <stdbool.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/registry/fetch.h"

/* Whether an answer says that it is a Larder's. */
bool vouching_is_larder(const struct answer *answer);

/* Asks the upstream of a fill for the attestations of its version, if that is a Larder or the version must be
 * signed, and keeps those that can be kept. VERDICT_TAKE: the artifact may be kept. VERDICT_REFUSED: it must
 * be signed, and is not, for good; VERDICT_FAILED: it must be, and the upstream could not be asked;
 * VERDICT_FATAL: the fill was cancelled meanwhile. *err is filled for these, with ERR_UPSTREAM_FAILED or what
 * the question failed with. Where it need not be signed, what could not be asked for is told in the log. */
enum verdict vouching_check(
	const struct fetch *fill, bool is_larder, const struct digest *digest, struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Holds what upstream has said of its bytes against those that came. Costs nothing where it has said nothing,
 * or only what is known anyway. */
#ifndef SERVER_REGISTRY_PROOF_H
#define SERVER_REGISTRY_PROOF_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/sums.h"
#include "server/upstream/testimony.h"

/* Whether each statement is true of these sums, or of the others, which may be NULL. ERR_UPSTREAM_FAILED,
 * with the header that was not. */
bool proof_hold(const struct testimony *testimony, uint8_t sums[SUM_COUNT][SUM_BYTES_MAX],
	uint8_t others[SUM_COUNT][SUM_BYTES_MAX], struct err *err);

/* The same for what a client has said of its upload: ERR_DIGEST_MISMATCH. */
bool proof_hold_declared(
	const struct testimony *told, uint8_t sums[SUM_COUNT][SUM_BYTES_MAX], struct err *err);

/* As proof_hold, for the first size bytes of a file, of which some sums are known. Reads it where others are
 * told; fd is -1 where it cannot be read any more: then only what is known is held. */
bool proof_check(const struct testimony *testimony, const struct sum_set *known, int64_t size, int fd,
	struct err *err);

/* The same for a part of a file, of which nothing is known. */
bool proof_check_part(
	const struct testimony *testimony, int64_t offset, int64_t size, int fd, struct err *err);

#endif

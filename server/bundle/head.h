/* SPDX-License-Identifier: Apache-2.0
 *
 * The head of a bundle: a tar with all that it says of itself, and none of its artifacts. With it another
 * daemon knows which of those it lacks. */
#ifndef SERVER_BUNDLE_HEAD_H
#define SERVER_BUNDLE_HEAD_H

#include <stdbool.h>

#include "common/err.h"
#include "server/bundle/carrier.h"
#include "server/bundle/opening.h"

/* Writes it into an empty file. What is missing of a version, or is damaged, is so in the head, too: it is
 * for the import to tell. False where the contents themselves are, or the file cannot be written; and, unless
 * it is lenient, where the medium fails. What was written is noted at scratch. */
bool head_write(struct carrier *carrier, const struct opening *opening, bool lenient,
	const struct scratch_place *scratch, int fd, struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * What whoever publishes states of an artifact: an in-toto statement with a predicate of SLSA's provenance.
 * https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md,
 * https://slsa.dev/spec/v1.0/provenance */
#ifndef SERVER_ATTEST_PROVENANCE_H
#define SERVER_ATTEST_PROVENANCE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "server/module/name.h"

struct provenance {
	const struct name *name;
	struct digest digest;
	const char *builder; /* a URI: who built it; NULL: nobody says */
	const char *source;  /* a URI: from what; NULL: nobody says */
	int64_t time_s;      /* when it was built */
	const struct digest
		*files; /* the root of what is stated of its files (file_manifest.h); NULL: nothing is */
};

/* Appends the statement; the same facts give the same bytes. */
void provenance_write(const struct provenance *provenance, struct buffer *out);

/* Whether a text is a URI, as builder and source must be. */
bool provenance_is_uri(const char *text);

#endif

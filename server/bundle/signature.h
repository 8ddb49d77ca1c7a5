/* SPDX-License-Identifier: Apache-2.0
 *
 * Signatures of bundles: Ed25519 (RFC 8032) over the digest of the contents, in a DSSE envelope. */
#ifndef SERVER_BUNDLE_SIGNATURE_H
#define SERVER_BUNDLE_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/err.h"
#include "server/bundle/contents.h"
#include "server/bundle/signing_key.h"

enum { SIGNATURE_BYTES_MAX = 64 << 10 };

/* What is signed. */
struct signed_statement {
	struct bundle_blob contents;
	int64_t created_s;
	bool has_audit_head;
	struct digest audit_head;
};

/* Appends the envelope; the same statement gives the same bytes. */
void signature_write(
	const struct signing_key *key, const struct signed_statement *statement, struct buffer *out);

/* Reads an envelope, whose text the caller has limited to SIGNATURE_BYTES_MAX, and verifies it with a key of
 * either half. ERR_FORBIDDEN where none of its signatures is this key's, ERR_BAD_REQUEST for what is no
 * envelope. */
bool signature_verify(const struct signing_key *key, const char *text, size_t length,
	struct signed_statement *out, struct err *err);

#endif

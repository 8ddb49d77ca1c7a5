/* SPDX-License-Identifier: Apache-2.0
 *
 * From a carrier's index.json to the contents of the bundle in it, and the proof of them. */
#ifndef SERVER_BUNDLE_OPENING_H
#define SERVER_BUNDLE_OPENING_H

#include <stdbool.h>

#include "common/err.h"
#include "server/bundle/carrier.h"
#include "server/bundle/contents.h"

struct signing_key;

struct opening {
	bool has_time; /* index.json has one: */
	int64_t created_s;
	struct bundle_blob index; /* on the way to the contents, and their manifest */
	struct bundle_blob manifest;
	bool has_config; /* … which has one, with nothing in it */
	struct bundle_blob config;
	struct bundle_blob contents;
	bool is_signed;
	struct bundle_blob signature;
	bool has_audit_head;
	struct digest audit_head;
};

/* Finds the one bundle that is there. What lies on the way to its contents is held against its digests.
 * ERR_BAD_REQUEST where there is none, or more than one. */
bool opening_find(struct carrier *carrier, struct opening *out, struct err *err);

/* Whether the contents were made when index.json says. ERR_BAD_REQUEST: it is damaged. */
bool opening_check_time(const struct opening *opening, const struct bundle_header *header, struct err *err);

/* Whether this key has signed these contents: ERR_FORBIDDEN where it has not. */
bool opening_verify(struct carrier *carrier, const struct opening *opening, const struct signing_key *key,
	struct err *err);

#endif

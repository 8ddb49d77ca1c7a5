/* SPDX-License-Identifier: Apache-2.0
 *
 * What a vault is given and what it tells. */
#ifndef SERVER_VAULT_VAULT_TERMS_H
#define SERVER_VAULT_VAULT_TERMS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"

struct vault;

enum { IDENTITY_WORD_MAX = 255 };

/* What a name is, for good. */
struct identity {
	struct checksums checksums;
	int64_t size_bytes;
	enum version_source source;      /* published or mirrored */
	char who[IDENTITY_WORD_MAX + 1]; /* the token's name, or the upstream's */
	int64_t at_s;
	char nonce[IDENTITY_WORD_MAX + 1]; /* of who created it */
};

enum vault_standing {
	VAULT_UNKNOWN,  /* nobody has kept it */
	VAULT_RECORDED, /* it has an identity */
	VAULT_LACKING,  /* others of the version's formats were published, and not this one: it is absent for
			   good */
	VAULT_GONE      /* the version was withdrawn */
};

/* Bytes that are to become a name's. */
struct deposit {
	const struct name *name;
	struct identity identity; /* its nonce is the same where the same deposit is tried again */
	int fd;                   /* all of them, from the first on */
	bool is_new;              /* refused where the version is there, in whatever format */
};

enum deposited { DEPOSITED_NEW, DEPOSITED_BEFORE };

/* Takes bytes as they come; false ends it. */
struct vault_receiver {
	bool (*take)(void *context, const void *bytes, size_t length);
	void *context;
};

#endif

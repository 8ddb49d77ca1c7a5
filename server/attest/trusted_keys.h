/* SPDX-License-Identifier: Apache-2.0
 *
 * The keys whose signatures a site believes: each with a name and the time in which it counts. */
#ifndef SERVER_ATTEST_TRUSTED_KEYS_H
#define SERVER_ATTEST_TRUSTED_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/err.h"
#include "common/own.h"
#include "server/bundle/dsse.h"

enum { TRUSTED_KEYS_MAX = 64, KEY_NAME_MAX = 63 };

/* Whether a text is a list of them: "NAME FILE [from TIME] [until TIME]", separated by commas. Files are not
 * looked at. */
bool trusted_keys_check(const char *list, struct err *err);

struct trusted_keys;

/* Reads the files as well. ERR_BAD_REQUEST, with a sentence that names the part of the list. NULL is an empty
 * list. destroy takes NULL. */
bool trusted_keys_read(const char *list, struct trusted_keys **out, struct err *err);
void trusted_keys_destroy(struct trusted_keys *keys);
AUTO_CLEANER(own_trusted_keys, struct trusted_keys *, trusted_keys_destroy)
#define AUTO_TRUSTED_KEYS AUTO(own_trusted_keys)

size_t trusted_keys_count(const struct trusted_keys *keys);

/* Of all that counts of them: names, keys, and the times in which they count. */
struct digest trusted_keys_digest(const struct trusted_keys *keys);

/* Who has signed. */
struct signer {
	char name[KEY_NAME_MAX + 1];
	struct digest id;
};

/* Finds a key that has signed the envelope and counts now. ERR_SIGNATURE_REQUIRED tells why there is none:
 * the only one that has signed does not count yet, or not any more; or whom the signatures name. */
bool trusted_keys_find_signer(const struct trusted_keys *keys, const struct dsse *dsse, int64_t now_s,
	struct signer *out, struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * SipHash-2-4: a quick hash with a key, so that whoever does not know the key cannot choose texts that
 * collide. https://www.aumasson.jp/siphash/siphash.pdf */
#ifndef COMMON_SIPHASH_H
#define COMMON_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

struct siphash_key {
	uint64_t words[2];
};

/* A key that nobody can guess. */
struct siphash_key siphash_key_create(void);

uint64_t siphash(const struct siphash_key *key, const void *bytes, size_t length);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * SHA-256 digests, by which blobs are named. */
#ifndef COMMON_DIGEST_H
#define COMMON_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/own.h"

struct digest {
	uint8_t bytes[32];
	char hex[65];
};

/* What is known of a blob: the MD5 that older clients compare, only where somebody has computed it. */
struct checksums {
	struct digest sha256;
	bool has_md5;
	uint8_t md5[16];
};

struct hasher;

/* Hashes a stream of bytes with SHA-256. destroy takes NULL. */
struct hasher *hasher_create(void);
void hasher_add(struct hasher *hasher, const void *bytes, size_t length);
/* Ends the stream; the hasher can only be destroyed from here on. */
struct digest hasher_result(struct hasher *hasher);
void hasher_destroy(struct hasher *hasher);
AUTO_CLEANER(own_hasher, struct hasher *, hasher_destroy)
#define AUTO_HASHER AUTO(own_hasher)

/* SHA-256 of bytes in memory. */
struct digest digest_of(const void *bytes, size_t length);

struct digest digest_from_bytes(const uint8_t bytes[32]);

/* Reads 64 hexadecimal digits of either case, with or without a leading "sha256:". */
bool digest_parse(const char *text, struct digest *out);

/* Equality in a time that does not depend on the contents. */
bool digest_equal(const struct digest *a, const struct digest *b);

/* Base64 (RFC 4648 section 4, padded) of at most 64 bytes. */
struct base64 {
	char text[92];
};
struct base64 base64_encode(const uint8_t *bytes, size_t length);

/* The same of any number of bytes; free() it. */
char *base64_text(const void *bytes, size_t length);

/* Decodes exactly length bytes; false if the text is anything else. length is at most 64. */
bool base64_decode(const char *text, uint8_t *out, size_t length);

/* Fills with bytes from the kernel's random generator. length is at most 256. */
void random_bytes(void *out, size_t length);

#endif

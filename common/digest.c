/* SPDX-License-Identifier: Apache-2.0 */
#include "common/digest.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/mem.h"
#include "common/number.h"

struct hasher {
	EVP_MD_CTX *context;
};

/* OpenSSL fails here only when memory is exhausted or the library is broken: nothing a caller could decide
 * on. */
static void must(int ok)
{
	if (ok != 1) {
		(void)fputs("larder: OpenSSL cannot hash on this machine\n", stderr);
		abort();
	}
}

/* Found once for the process: OpenSSL looks through its providers each time that it is given EVP_sha256(), by
 * a table without locks whose order ThreadSanitizer cannot see (3.5). Written once, and only read from then
 * on. */
static EVP_MD *sha256_type;

static void find_type(void)
{
	sha256_type = EVP_MD_fetch(NULL, "SHA256", NULL);
	must(sha256_type != NULL);
}

static const EVP_MD *sha256(void)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	(void)pthread_once(&once, find_type);
	return sha256_type;
}

struct hasher *hasher_create(void)
{
	struct hasher *hasher = mem_zero(1, sizeof *hasher);

	hasher->context = EVP_MD_CTX_new();
	must(hasher->context != NULL);
	must(EVP_DigestInit_ex(hasher->context, sha256(), NULL));
	return hasher;
}

void hasher_add(struct hasher *hasher, const void *bytes, size_t length)
{
	must(EVP_DigestUpdate(hasher->context, bytes, length));
}

struct digest hasher_result(struct hasher *hasher)
{
	uint8_t bytes[32];

	must(EVP_DigestFinal_ex(hasher->context, bytes, NULL));
	return digest_from_bytes(bytes);
}

void hasher_destroy(struct hasher *hasher)
{
	if (!hasher)
		return;
	EVP_MD_CTX_free(hasher->context);
	free(hasher);
}

struct digest digest_of(const void *bytes, size_t length)
{
	uint8_t out[32];

	must(EVP_Digest(bytes, length, out, NULL, sha256(), NULL));
	return digest_from_bytes(out);
}

struct digest digest_from_bytes(const uint8_t bytes[32])
{
	static const char digits[] = "0123456789abcdef";
	struct digest digest = {0};

	memcpy(digest.bytes, bytes, sizeof digest.bytes);
	for (size_t i = 0; i < sizeof digest.bytes; i++) {
		digest.hex[2 * i] = digits[bytes[i] >> 4];
		digest.hex[2 * i + 1] = digits[bytes[i] & 15];
	}
	return digest;
}

bool digest_parse(const char *text, struct digest *out)
{
	uint8_t bytes[32];

	if (strncmp(text, "sha256:", 7) == 0)
		text += 7;
	if (strlen(text) != 2 * sizeof bytes)
		return false;
	for (size_t i = 0; i < sizeof bytes; i++) {
		int high = number_of_hex_digit(text[2 * i]);
		int low = number_of_hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		bytes[i] = (uint8_t)(high << 4 | low);
	}
	*out = digest_from_bytes(bytes);
	return true;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return CRYPTO_memcmp(a->bytes, b->bytes, sizeof a->bytes) == 0;
}

struct base64 base64_encode(const uint8_t *bytes, size_t length)
{
	struct base64 out = {0};

	if (length <= 64)
		(void)EVP_EncodeBlock((unsigned char *)out.text, bytes, (int)length);
	return out;
}

char *base64_text(const void *bytes, size_t length)
{
	char *text = mem_zero(1, (length + 2) / 3 * 4 + 1);

	(void)EVP_EncodeBlock((unsigned char *)text, bytes, (int)length);
	return text;
}

bool base64_decode(const char *text, uint8_t *out, size_t length)
{
	unsigned char decoded[72];
	size_t characters = strlen(text);

	if (length > 64 || characters != (length + 2) / 3 * 4)
		return false;
	if (EVP_DecodeBlock(decoded, (const unsigned char *)text, (int)characters) < 0)
		return false;
	/* The block decoder takes "=" anywhere as zero bits: only a text that encodes back to itself counts.
	 */
	if (strcmp(base64_encode(decoded, length).text, text) != 0)
		return false;
	memcpy(out, decoded, length);
	return true;
}

/* OpenSSL's generator is seeded from the kernel's, and costs a process that hashes nothing 2 MiB. */
void random_bytes(void *out, size_t length)
{
	if (getentropy(out, length) == 0)
		return;
	(void)fputs("larder: the kernel gives no random bytes\n", stderr);
	abort();
}

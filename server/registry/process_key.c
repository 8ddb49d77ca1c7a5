/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/process_key.h"

#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

void process_key_init(struct process_key *key)
{
	random_bytes(key->bytes, sizeof key->bytes);
}

void process_key_finish(struct process_key *key)
{
	OPENSSL_cleanse(key->bytes, sizeof key->bytes);
}

struct digest process_key_sign(const struct process_key *key, const char *words)
{
	uint8_t code[32];
	size_t length;

	if (!EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, key->bytes, sizeof key->bytes,
		    (const unsigned char *)words, strlen(words), code, sizeof code, &length))
		abort();
	return digest_from_bytes(code);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Signatures of what is sent to webhooks, as Standard Webhooks has them (standardwebhooks.com): HMAC-SHA-256
 * over "id.timestamp.body". */
#ifndef COMMON_WEBHOOK_SIGNATURE_H
#define COMMON_WEBHOOK_SIGNATURE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"

enum { WEBHOOK_SECRETS_MAX = 4, WEBHOOK_SECRET_MIN = 16, WEBHOOK_SECRET_MAX = 256 };

/* Several while a receiver changes from one to the next. */
struct webhook_secrets {
	struct {
		uint8_t bytes[WEBHOOK_SECRET_MAX];
		size_t length;
	} items[WEBHOOK_SECRETS_MAX];
	size_t count;
};

/* Reads a file with a secret a line: "whsec_" and base64, or the bytes themselves. What it fails with never
 * tells of the secret. webhook_secrets_forget() overwrites them. */
bool webhook_secrets_read(const char *path, struct webhook_secrets *out, struct err *err);
void webhook_secrets_forget(struct webhook_secrets *secrets);
#define AUTO_WEBHOOK_SECRETS __attribute__((cleanup(webhook_secrets_forget)))

/* "v1,<base64>", one for each secret with blanks between them: the value of webhook-signature; free() it. */
char *webhook_sign(const struct webhook_secrets *secrets, const char *id, int64_t timestamp_s,
	const char *body, size_t length);

#endif

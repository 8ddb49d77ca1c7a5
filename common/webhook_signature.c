/* SPDX-License-Identifier: Apache-2.0 */
#include "common/webhook_signature.h"

#include <inttypes.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/file.h"
#include "common/own.h"

enum { FILE_BYTES_MAX = 8192, DECODED_MAX = 64 };

static const char prefix[] = "whsec_";

/* ---- secrets ---- */

static bool decode(const char *text, uint8_t *out, size_t *length)
{
	size_t characters = strlen(text);
	size_t padding = characters - strcspn(text, "=");

	if (characters == 0 || characters % 4 != 0 || padding > 2)
		return false;
	*length = characters / 4 * 3 - padding;
	return *length <= DECODED_MAX && base64_decode(text, out, *length);
}

static bool check_length(size_t length, size_t most, size_t number, const char *path, struct err *err)
{
	if (length >= WEBHOOK_SECRET_MIN && length <= most)
		return true;
	return err_set(err, ERR_BAD_REQUEST,
		"secret %zu in %.200s has %zu bytes; it takes %d to %zu, such as `openssl rand -base64 32` "
		"gives",
		number, path, length, WEBHOOK_SECRET_MIN, most);
}

static bool add_secret(struct webhook_secrets *secrets, const char *line, const char *path, struct err *err)
{
	size_t number = secrets->count + 1;
	size_t length = strlen(line);

	if (secrets->count == WEBHOOK_SECRETS_MAX)
		return err_set(err, ERR_BAD_REQUEST, "%.200s has more than %d secrets, one a line", path,
			WEBHOOK_SECRETS_MAX);
	if (strncmp(line, prefix, strlen(prefix)) == 0) {
		uint8_t *bytes = secrets->items[secrets->count].bytes;

		if (!decode(line + strlen(prefix), bytes, &length))
			return err_set(err, ERR_BAD_REQUEST,
				"secret %zu in %.200s begins with %s, and what follows is no base64 of at "
				"most "
				"%d bytes: `echo %s$(openssl rand -base64 32)` makes one",
				number, path, prefix, DECODED_MAX, prefix);
		secrets->items[secrets->count].length = length;
		return check_length(length, DECODED_MAX, number, path, err) && ++secrets->count;
	}
	if (!check_length(length, WEBHOOK_SECRET_MAX, number, path, err))
		return false;
	memcpy(secrets->items[secrets->count].bytes, line, length);
	secrets->items[secrets->count++].length = length;
	return true;
}

static void forget_text(struct buffer *text)
{
	if (text->data)
		OPENSSL_cleanse(text->data, text->capacity);
	buffer_finish(text);
}

void webhook_secrets_forget(struct webhook_secrets *secrets)
{
	OPENSSL_cleanse(secrets, sizeof *secrets);
}

static bool read_lines(struct webhook_secrets *secrets, char *text, const char *path, struct err *err)
{
	for (char *line; (line = strsep(&text, "\n"));) {
		size_t length = strlen(line);

		if (length > 0 && line[length - 1] == '\r')
			line[length - 1] = '\0';
		if (*line && !add_secret(secrets, line, path, err))
			return false;
	}
	return secrets->count > 0 ||
	       err_set(err, ERR_BAD_REQUEST,
		       "%.200s is empty: write a secret into it, such as `openssl rand -base64 32` gives",
		       path);
}

bool webhook_secrets_read(const char *path, struct webhook_secrets *out, struct err *err)
{
	AUTO(forget_text) struct buffer text = {0};
	AUTO_WEBHOOK_SECRETS struct webhook_secrets secrets = {0};

	if (!file_read_all(path, FILE_BYTES_MAX, &text, err))
		return false;
	if (strlen(buffer_string(&text)) != text.length)
		return err_set(err, ERR_BAD_REQUEST,
			"%.200s has a NUL byte: write the secret as text, such as `openssl rand -base64 32` "
			"gives",
			path);
	/* strsep() takes NULL for an empty text. */
	if (!read_lines(&secrets, text.data, path, err))
		return false;
	*out = secrets;
	return true;
}

/* ---- signatures ---- */

static void add_signature(
	struct buffer *out, const uint8_t *secret, size_t secret_length, const struct buffer *signed_text)
{
	uint8_t code[EVP_MAX_MD_SIZE];
	size_t length = 0;

	if (!EVP_Q_mac(NULL, "HMAC", NULL, "SHA256", NULL, secret, secret_length,
		    (const uint8_t *)signed_text->data, signed_text->length, code, sizeof code, &length)) {
		(void)fputs("larder: OpenSSL cannot sign on this machine\n", stderr);
		abort();
	}
	buffer_printf(out, "%sv1,%s", out->length > 0 ? " " : "", base64_encode(code, length).text);
}

char *webhook_sign(const struct webhook_secrets *secrets, const char *id, int64_t timestamp_s,
	const char *body, size_t length)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO_BUFFER struct buffer out = {0};

	buffer_printf(&text, "%s.%" PRId64 ".", id, timestamp_s);
	buffer_add(&text, body, length);
	for (size_t i = 0; i < secrets->count; i++)
		add_signature(&out, secrets->items[i].bytes, secrets->items[i].length, &text);
	return buffer_take(&out);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/pem.h"

#include <errno.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <string.h>
#include <time.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/file.h"
#include "common/own.h"

enum { PEM_BYTES_MAX = 4 << 20 };

AUTO_CLEANER(own_bio, BIO *, BIO_vfree)
AUTO_CLEANER(own_x509, X509 *, X509_free)
AUTO_CLEANER(own_pkey, EVP_PKEY *, EVP_PKEY_free)

/* The text lives in the caller's buffer. */
static bool open_text(const char *path, struct buffer *text, BIO **out, struct err *err)
{
	if (!file_read_all(path, PEM_BYTES_MAX, text, err)) {
		err->code = ERR_BAD_REQUEST;
		return false;
	}
	*out = BIO_new_mem_buf(buffer_string(text), (int)text->length);
	ERR_clear_error();
	return *out || err_set(err, ERR_INTERNAL, "there is no memory to read %s", path);
}

static bool has_key(const struct buffer *text)
{
	return strstr(buffer_string(text), "PRIVATE KEY-----") != NULL;
}

static bool has_certificate(const struct buffer *text)
{
	return strstr(buffer_string(text), "CERTIFICATE-----") != NULL;
}

static bool refuse_certificate(const char *path, const struct buffer *text, struct err *err)
{
	if (has_certificate(text))
		return err_set(err, ERR_BAD_REQUEST,
			"%s has a certificate that is damaged; openssl x509 -in FILE -text shows a sound one",
			path);
	if (has_key(text))
		return err_set(err, ERR_BAD_REQUEST,
			"%s has a private key where a certificate belongs: are the two files swapped?", path);
	return err_set(err, ERR_BAD_REQUEST,
		"%s has no certificate in PEM form (-----BEGIN CERTIFICATE-----); openssl x509 -inform der "
		"-in FILE writes one from DER",
		path);
}

static bool read_certificate(const char *path, X509 **out, struct err *err)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO(own_bio) BIO *bio = NULL;

	if (!open_text(path, &text, &bio, err))
		return false;
	*out = PEM_read_bio_X509(bio, NULL, NULL, NULL);
	return *out || refuse_certificate(path, &text, err);
}

/* Nobody is there to be asked for a passphrase. */
static int note_passphrase(char *out, int size, int writing, void *asked)
{
	(void)out;
	(void)size;
	(void)writing;
	*(bool *)asked = true;
	return -1;
}

static bool read_key(const char *path, EVP_PKEY **out, struct err *err)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO(own_bio) BIO *bio = NULL;
	bool encrypted = false;

	if (!open_text(path, &text, &bio, err))
		return false;
	*out = PEM_read_bio_PrivateKey(bio, NULL, note_passphrase, &encrypted);
	ERR_clear_error();
	if (*out)
		OPENSSL_cleanse(text.data, text.length);
	if (*out)
		return true;
	if (encrypted)
		return err_set(err, ERR_BAD_REQUEST,
			"the key in %s is encrypted, and a daemon cannot be asked for its passphrase: "
			"openssl "
			"pkey -in FILE -out NEW writes it without",
			path);
	if (has_key(&text))
		return err_set(err, ERR_BAD_REQUEST,
			"%s has a private key that is damaged or of a kind that OpenSSL does not know", path);
	return err_set(err, ERR_BAD_REQUEST,
		"%s has no private key in PEM form (-----BEGIN PRIVATE KEY-----)%s", path,
		has_certificate(&text) ? ", but a certificate: are the two files swapped?" : "");
}

bool pem_check_pair(const char *certificate, const char *key, struct err *err)
{
	AUTO(own_x509) X509 *x509 = NULL;
	AUTO(own_pkey) EVP_PKEY *pkey = NULL;
	bool fit;

	if (!read_certificate(certificate, &x509, err) || !read_key(key, &pkey, err))
		return false;
	fit = X509_check_private_key(x509, pkey) == 1;
	ERR_clear_error();
	return fit || err_set(err, ERR_BAD_REQUEST,
			      "the key in %s is not that of the first certificate in %s, which has to be the "
			      "server's own",
			      key, certificate);
}

static int64_t seconds_of(const ASN1_TIME *time)
{
	struct tm parts;

	return ASN1_TIME_to_tm(time, &parts) ? timegm(&parts) : 0;
}

bool pem_check_dates(const char *certificate, int64_t now_s, struct err *err)
{
	AUTO(own_x509) X509 *x509 = NULL;
	int64_t first, last;

	if (!read_certificate(certificate, &x509, err))
		return false;
	first = seconds_of(X509_get0_notBefore(x509));
	last = seconds_of(X509_get0_notAfter(x509));
	if (now_s > last)
		return err_set(err, ERR_BAD_REQUEST, "the certificate in %s expired at %s: renew it",
			certificate, clock_rfc3339(last).text);
	if (now_s < first)
		return err_set(err, ERR_BAD_REQUEST,
			"the certificate in %s is valid from %s on only: is the clock right?", certificate,
			clock_rfc3339(first).text);
	return true;
}

bool pem_check_authorities(const char *path, struct err *err)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO(own_bio) BIO *bio = NULL;
	size_t count = 0;
	X509 *next;

	if (!open_text(path, &text, &bio, err))
		return false;
	/* The trusted form as well, as libcurl takes it. */
	while ((next = PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL))) {
		X509_free(next);
		count++;
	}
	if (count > 0 && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE) {
		ERR_clear_error();
		return true;
	}
	ERR_clear_error();
	return refuse_certificate(path, &text, err);
}

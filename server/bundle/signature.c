/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/signature.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <libgen.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/mem.h"
#include "server/bundle/mediatypes.h"
#include "server/bundle/strictjson.h"

enum {
	KEY_FILE_MAX = 16 << 10,
	KEY_LENGTH = 32,
	SIGNATURE_LENGTH = 64,
	SIGNATURES_MAX = 16,
	SIGNERS_TOLD_MAX = 3,
	VALUES_MAX = 128
};

struct signing_key {
	EVP_PKEY *pkey;
	struct digest id;
};

AUTO_CLEANER(own_pkey, EVP_PKEY *, EVP_PKEY_free)
AUTO_CLEANER(own_bio, BIO *, BIO_free_all)
AUTO_CLEANER(own_md, EVP_MD_CTX *, EVP_MD_CTX_free)

/* Only exhausted memory or a broken library: nothing a caller could decide on. */
static void must(bool ok)
{
	if (!ok) {
		(void)fputs("larder: OpenSSL cannot sign on this machine\n", stderr);
		abort();
	}
}

/* ---- keys ---- */

static struct digest id_of(EVP_PKEY *pkey)
{
	unsigned char *der = NULL;
	int length = i2d_PUBKEY(pkey, &der);
	struct digest id;

	must(length > 0);
	id = digest_of(der, (size_t)length);
	OPENSSL_free(der);
	return id;
}

/* Nobody is there to be asked for a passphrase. */
static int refuse_passphrase(char *out, int size, int writing, void *context)
{
	return -1;
}

static bool read_key(
	const char *path, bool is_private, const char *wanted, struct signing_key **out, struct err *err)
{
	AUTO_BUFFER struct buffer text = {0};
	AUTO(own_bio) BIO *bio = NULL;
	AUTO(own_pkey) EVP_PKEY *pkey = NULL;

	if (!file_read_all(path, KEY_FILE_MAX, &text, err))
		return false;
	bio = BIO_new_mem_buf(buffer_string(&text), (int)text.length);
	must(bio != NULL);
	pkey = is_private ? PEM_read_bio_PrivateKey(bio, NULL, refuse_passphrase, NULL)
			  : PEM_read_bio_PUBKEY(bio, NULL, refuse_passphrase, NULL);
	if (text.length > 0)
		OPENSSL_cleanse(text.data, text.length);
	ERR_clear_error();
	if (!pkey || EVP_PKEY_get_id(pkey) != EVP_PKEY_ED25519)
		return err_set(err, ERR_BAD_REQUEST, "%.200s is no %s", path, wanted);
	*out = mem_zero(1, sizeof **out);
	**out = (struct signing_key){.pkey = pkey, .id = id_of(pkey)};
	pkey = NULL;
	return true;
}

bool signing_key_read_private(const char *path, struct signing_key **out, struct err *err)
{
	return read_key(path, true,
		"private Ed25519 key in PEM without a passphrase: \"larder keygen -o FILE\" makes one", out,
		err);
}

bool signing_key_read_public(const char *path, struct signing_key **out, struct err *err)
{
	return read_key(path, false,
		"public Ed25519 key in PEM: \"larder keygen -o FILE\" writes one into FILE.pub", out, err);
}

struct base64 signing_key_text(const struct signing_key *key)
{
	uint8_t bytes[KEY_LENGTH];
	size_t length = sizeof bytes;

	must(EVP_PKEY_get_raw_public_key(key->pkey, bytes, &length) == 1 && length == sizeof bytes);
	return base64_encode(bytes, length);
}

bool signing_key_parse(const char *text, struct signing_key **out, struct err *err)
{
	AUTO(own_pkey) EVP_PKEY *pkey = NULL;
	uint8_t bytes[KEY_LENGTH];

	if (base64_decode(text, bytes, sizeof bytes))
		pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, bytes, sizeof bytes);
	ERR_clear_error();
	if (!pkey)
		return err_set(err, ERR_BAD_REQUEST,
			"a key is the 32 bytes of a public Ed25519 key in base64, as \"larder import "
			"--verify\" "
			"sends it");
	*out = mem_zero(1, sizeof **out);
	**out = (struct signing_key){.pkey = pkey, .id = id_of(pkey)};
	pkey = NULL;
	return true;
}

bool signing_key_is_exposed(const char *path, int *out_mode)
{
	struct stat status;

	if (stat(path, &status) < 0 || !S_ISREG(status.st_mode))
		return false;
	*out_mode = (int)(status.st_mode & 0777);
	return (status.st_mode & (S_IRWXG | S_IRWXO)) != 0;
}

void signing_key_destroy(struct signing_key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->pkey);
	free(key);
}

struct digest signing_key_id(const struct signing_key *key)
{
	return key->id;
}

/* ---- new keys ---- */

static bool write_file(const char *path, mode_t mode, BIO *bio, struct err *err)
{
	AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
	char *data;
	long length = BIO_get_mem_data(bio, &data);

	if (fd < 0 && errno == EEXIST)
		return err_set(err, ERR_CONFLICT,
			"%.200s is there already, and a key is never overwritten: name another file", path);
	if (fd < 0)
		return err_errno(err, errno, "create %.200s", path);
	if (file_write_at(fd, data, (size_t)length, 0, err) &&
		(fsync(fd) == 0 || err_errno(err, errno, "make it durable")))
		return true;
	(void)unlink(path);
	return err_prefix(err, "%.200s: ", path);
}

static bool sync_folder_of(const char *path, struct err *err)
{
	AUTO_FREE char *copy = mem_dup(path);
	AUTO_FD int folder = open(dirname(copy), O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	return folder < 0 ? err_errno(err, errno, "open the folder of %.200s", path)
			  : file_sync_folder(folder, err);
}

bool signing_key_make(const char *path, struct digest *out_id, struct err *err)
{
	AUTO_FREE char *public_path = mem_printf("%s.pub", path);
	AUTO(own_pkey) EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
	AUTO(own_bio) BIO *private_pem = BIO_new(BIO_s_secmem());
	AUTO(own_bio) BIO *public_pem = BIO_new(BIO_s_mem());

	must(pkey && private_pem && public_pem);
	must(PEM_write_bio_PrivateKey(private_pem, pkey, NULL, NULL, 0, NULL, NULL) == 1);
	must(PEM_write_bio_PUBKEY(public_pem, pkey) == 1);
	if (!write_file(public_path, 0644, public_pem, err))
		return false;
	if (!write_file(path, 0600, private_pem, err)) {
		(void)unlink(public_path);
		return false;
	}
	*out_id = id_of(pkey);
	return sync_folder_of(path, err);
}

/* ---- envelopes ---- */

/* What is signed in truth: the type and the payload, with their lengths. */
static void write_signed_bytes(const char *payload, size_t length, struct buffer *out)
{
	buffer_printf(out, "DSSEv1 %zu %s %zu ", strlen(MEDIA_SIGNED), MEDIA_SIGNED, length);
	buffer_add(out, payload, length);
}

static json_t *base64_json(const void *bytes, size_t length)
{
	AUTO_FREE char *text = mem_zero(length / 3 * 4 + 5, 1);

	(void)EVP_EncodeBlock((unsigned char *)text, bytes, (int)length);
	return json_string(text);
}

static void write_payload(const struct signed_statement *statement, struct buffer *out)
{
	buffer_printf(out, "{\"contents\":{\"digest\":\"sha256:%s\",\"size\":%lld},\"created\":\"%s\"}",
		statement->contents.digest.hex, (long long)statement->contents.size_bytes,
		clock_rfc3339(statement->created_s).text);
}

static void sign(const struct signing_key *key, const struct buffer *bytes, uint8_t out[SIGNATURE_LENGTH])
{
	AUTO(own_md) EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t length = SIGNATURE_LENGTH;

	must(context && EVP_DigestSignInit(context, NULL, NULL, NULL, key->pkey) == 1);
	must(EVP_DigestSign(context, out, &length, (const unsigned char *)bytes->data, bytes->length) == 1);
}

void signature_write(
	const struct signing_key *key, const struct signed_statement *statement, struct buffer *out)
{
	AUTO_BUFFER struct buffer payload = {0};
	AUTO_BUFFER struct buffer bytes = {0};
	AUTO_FREE char *text = NULL;
	uint8_t signature[SIGNATURE_LENGTH];
	json_t *envelope;

	write_payload(statement, &payload);
	write_signed_bytes(payload.data, payload.length, &bytes);
	sign(key, &bytes, signature);
	envelope = json_pack("{s:o, s:s, s:[{s:s, s:o}]}", "payload",
		base64_json(payload.data, payload.length), "payloadType", MEDIA_SIGNED, "signatures", "keyid",
		key->id.hex, "sig", base64_json(signature, sizeof signature));
	text = json_dumps(envelope, JSON_COMPACT);
	must(text != NULL);
	buffer_add_string(out, text);
	json_decref(envelope);
}

/* ---- verifying ---- */

/* Exactly as it is written, so that the same bytes have one text. */
static bool decode(const char *text, struct buffer *out)
{
	size_t length = text ? strlen(text) : 0;
	AUTO_FREE unsigned char *bytes = mem_zero(length / 4 * 3 + 4, 1);
	AUTO_FREE char *again = mem_zero(length + 8, 1);
	int decoded;

	if (length == 0 || length % 4 != 0)
		return false;
	decoded = EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)length);
	ERR_clear_error();
	if (decoded < 0)
		return false;
	decoded -= (text[length - 1] == '=') + (text[length - 2] == '=');
	(void)EVP_EncodeBlock((unsigned char *)again, bytes, decoded);
	if (strcmp(again, text) != 0)
		return false;
	buffer_add(out, bytes, (size_t)decoded);
	return true;
}

static bool is_signed_by(const struct signing_key *key, const json_t *signature, const struct buffer *bytes)
{
	AUTO(own_md) EVP_MD_CTX *context = EVP_MD_CTX_new();
	AUTO_BUFFER struct buffer value = {0};
	int verdict;

	if (!decode(strictjson_text(signature, "sig"), &value) || value.length != SIGNATURE_LENGTH)
		return false;
	must(context && EVP_DigestVerifyInit(context, NULL, NULL, NULL, key->pkey) == 1);
	verdict = EVP_DigestVerify(context, (const unsigned char *)value.data, value.length,
		(const unsigned char *)bytes->data, bytes->length);
	ERR_clear_error();
	return verdict == 1;
}

/* Whoever has made the envelope may say so of any key. */
static void list_signers(const json_t *signatures, struct buffer *out)
{
	for (size_t i = 0; i < json_array_size(signatures) && i < SIGNERS_TOLD_MAX; i++) {
		const char *id = strictjson_text(json_array_get(signatures, i), "keyid");

		if (id && strlen(id) == 64 && strspn(id, "0123456789abcdef") == 64)
			buffer_printf(out, "%s%s", out->length > 0 ? ", " : "", id);
	}
}

static bool refuse_key(const struct signing_key *key, const json_t *signatures, struct err *err)
{
	AUTO_BUFFER struct buffer signers = {0};

	list_signers(signatures, &signers);
	return err_set(err, ERR_FORBIDDEN,
		"the bundle is not signed by the key %s: its signature names %s; ask who made it for the "
		"public "
		"key, by a way that you trust",
		key->id.hex, signers.length > 0 ? buffer_string(&signers) : "no key");
}

static bool find_signature(
	const struct signing_key *key, const json_t *envelope, const struct buffer *payload, struct err *err)
{
	const json_t *signatures = json_object_get(envelope, "signatures");
	AUTO_BUFFER struct buffer bytes = {0};

	write_signed_bytes(payload->data, payload->length, &bytes);
	for (size_t i = 0; i < json_array_size(signatures) && i < SIGNATURES_MAX; i++) {
		if (is_signed_by(key, json_array_get(signatures, i), &bytes))
			return true;
	}
	return refuse_key(key, signatures, err);
}

static bool read_statement(const struct buffer *payload, struct signed_statement *out, struct err *err)
{
	json_auto_t *object = NULL;
	const json_t *contents;

	if (!strictjson_parse(buffer_string(payload), payload->length, VALUES_MAX, &object, err))
		return false;
	contents = json_object_get(object, "contents");
	return (strictjson_digest(contents, "digest", &out->contents.digest) &&
		       strictjson_number(contents, "size", &out->contents.size_bytes) &&
		       strictjson_time(object, "created", &out->created_s)) ||
	       err_set(err, ERR_BAD_REQUEST, "what it signs is no bundle's contents");
}

bool signature_verify(const struct signing_key *key, const char *text, size_t length,
	struct signed_statement *out, struct err *err)
{
	AUTO_BUFFER struct buffer payload = {0};
	struct signed_statement statement = {0};
	json_auto_t *envelope = NULL;
	const char *type;

	if (length > SIGNATURE_BYTES_MAX)
		return err_set(
			err, ERR_TOO_LARGE, "the signature has more than %d KiB", SIGNATURE_BYTES_MAX >> 10);
	if (!strictjson_parse(text, length, VALUES_MAX, &envelope, err))
		return err_prefix(err, "the signature: ");
	type = strictjson_text(envelope, "payloadType");
	if (!type || strcmp(type, MEDIA_SIGNED) != 0 ||
		!decode(strictjson_text(envelope, "payload"), &payload))
		return err_set(err, ERR_BAD_REQUEST, "the signature is no DSSE envelope of a bundle");
	if (!find_signature(key, envelope, &payload, err))
		return false;
	if (!read_statement(&payload, &statement, err))
		return err_prefix(err, "the signature: ");
	*out = statement;
	return true;
}

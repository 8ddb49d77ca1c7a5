/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/signing_key.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <openssl/bio.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"

enum { KEY_FILE_MAX = 16 << 10, KEY_LENGTH = 32 };

struct signing_key {
	EVP_PKEY *pkey;
	enum key_kind kind;
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

static bool find_kind(const EVP_PKEY *pkey, enum key_kind *out)
{
	char curve[32] = "";

	if (EVP_PKEY_get_id(pkey) == EVP_PKEY_ED25519) {
		*out = KEY_ED25519;
		return true;
	}
	*out = KEY_P256;
	return EVP_PKEY_get_id(pkey) == EVP_PKEY_EC &&
	       EVP_PKEY_get_utf8_string_param(pkey, OSSL_PKEY_PARAM_GROUP_NAME, curve, sizeof curve, NULL) ==
		       1 &&
	       strcmp(curve, "prime256v1") == 0;
}

static struct signing_key *new_key(EVP_PKEY *pkey, enum key_kind kind)
{
	struct signing_key *key = mem_zero(1, sizeof *key);

	*key = (struct signing_key){.pkey = pkey, .kind = kind, .id = id_of(pkey)};
	return key;
}

static bool read_key(const char *path, bool is_private, enum key_kind last_kind, const char *wanted,
	struct signing_key **out, struct err *err)
{
	enum key_kind kind;
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
	if (!pkey || !find_kind(pkey, &kind) || kind > last_kind)
		return err_set(err, ERR_BAD_REQUEST, "%.200s is no %s", path, wanted);
	*out = new_key(TAKE(pkey), kind);
	return true;
}

bool signing_key_read_private(const char *path, struct signing_key **out, struct err *err)
{
	return read_key(path, true, KEY_ED25519,
		"private Ed25519 key in PEM without a passphrase: \"larder keygen -o FILE\" makes one", out,
		err);
}

bool signing_key_read_public(const char *path, struct signing_key **out, struct err *err)
{
	return read_key(path, false, KEY_ED25519,
		"public Ed25519 key in PEM: \"larder keygen -o FILE\" writes one into FILE.pub", out, err);
}

bool signing_key_read_signer(const char *path, struct signing_key **out, struct err *err)
{
	return read_key(path, true, KEY_P256,
		"private Ed25519 or P-256 key in PEM without a passphrase: \"larder keygen -o FILE\" makes "
		"one",
		out, err);
}

bool signing_key_read_verifier(const char *path, struct signing_key **out, struct err *err)
{
	return read_key(path, false, KEY_P256,
		"public Ed25519 or P-256 key in PEM: \"larder keygen -o FILE\" writes one into FILE.pub", out,
		err);
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
	*out = new_key(TAKE(pkey), KEY_ED25519);
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

enum key_kind signing_key_kind(const struct signing_key *key)
{
	return key->kind;
}

struct digest signing_key_id(const struct signing_key *key)
{
	return key->id;
}

struct digest signing_key_hint(const struct signing_key *key)
{
	AUTO(own_bio) BIO *bio = BIO_new(BIO_s_mem());
	char *data;
	long length;

	must(bio && PEM_write_bio_PUBKEY(bio, key->pkey) == 1);
	length = BIO_get_mem_data(bio, &data);
	return digest_of(data, (size_t)length);
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

bool signing_key_make_kind(enum key_kind kind, const char *path, struct digest *out_id, struct err *err)
{
	AUTO_FREE char *public_path = mem_printf("%s.pub", path);
	AUTO(own_pkey)
	EVP_PKEY *pkey = kind == KEY_P256 ? EVP_PKEY_Q_keygen(NULL, NULL, "EC", "P-256")
					  : EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
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

bool signing_key_make(const char *path, struct digest *out_id, struct err *err)
{
	return signing_key_make_kind(KEY_ED25519, path, out_id, err);
}

/* ---- signatures ---- */

static const EVP_MD *hash_of(const struct signing_key *key)
{
	return key->kind == KEY_P256 ? EVP_sha256() : NULL;
}

size_t signing_key_sign(const struct signing_key *key, const struct buffer *bytes, uint8_t *out)
{
	AUTO(own_md) EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t length = SIGNATURE_LENGTH_MAX;

	must(context && EVP_DigestSignInit(context, NULL, hash_of(key), NULL, key->pkey) == 1);
	must(EVP_DigestSign(context, out, &length, (const unsigned char *)bytes->data, bytes->length) == 1);
	return length;
}

bool signing_key_verifies(
	const struct signing_key *key, const struct buffer *bytes, const void *signature, size_t length)
{
	AUTO(own_md) EVP_MD_CTX *context = EVP_MD_CTX_new();
	int verdict;

	must(context && EVP_DigestVerifyInit(context, NULL, hash_of(key), NULL, key->pkey) == 1);
	verdict = EVP_DigestVerify(
		context, signature, length, (const unsigned char *)bytes->data, bytes->length);
	ERR_clear_error();
	return verdict == 1;
}

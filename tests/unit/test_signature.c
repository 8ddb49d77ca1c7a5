/* SPDX-License-Identifier: Apache-2.0
 *
 * Signatures of bundles: what was signed is verified, by openssl too, and nothing else is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/bundle/signature.h"

struct folder {
	char path[64];
	char key[80];
	char public_key[80];
	struct digest id;
};

static int make_folder(void **state)
{
	struct folder *folder = mem_zero(1, sizeof *folder);
	struct err err;

	(void)snprintf(folder->path, sizeof folder->path, "/tmp/larder-test-signature-XXXXXX");
	*state = folder;
	if (!mkdtemp(folder->path))
		return -1;
	(void)snprintf(folder->key, sizeof folder->key, "%s/key", folder->path);
	(void)snprintf(folder->public_key, sizeof folder->public_key, "%s/key.pub", folder->path);
	return signing_key_make(folder->key, &folder->id, &err) ? 0 : -1;
}

static int remove_folder(void **state)
{
	struct folder *folder = *state;
	AUTO_FREE char *command = mem_printf("rm -r '%s'", folder->path);
	int status = system(command);

	free(folder);
	return status;
}

static struct signed_statement sample(void)
{
	return (struct signed_statement){{digest_of("contents", 8), 8}, 1795867200};
}

static struct signing_key *read_private(const struct folder *folder)
{
	struct signing_key *key;
	struct err err;

	assert_true(signing_key_read_private(folder->key, &key, &err));
	return key;
}

static struct signing_key *read_public(const struct folder *folder)
{
	struct signing_key *key;
	struct err err;

	assert_true(signing_key_read_public(folder->public_key, &key, &err));
	return key;
}

static void what_is_signed_is_verified(void **state)
{
	const struct folder *folder = *state;
	AUTO_SIGNING_KEY struct signing_key *key = read_private(folder);
	AUTO_SIGNING_KEY struct signing_key *half = read_public(folder);
	AUTO_BUFFER struct buffer first = {0};
	AUTO_BUFFER struct buffer second = {0};
	struct signed_statement statement = sample();
	struct signed_statement read;
	struct digest id = signing_key_id(half);
	struct err err;

	signature_write(key, &statement, &first);
	signature_write(key, &statement, &second);
	assert_string_equal(first.data, second.data);
	assert_true(signature_verify(half, first.data, first.length, &read, &err));
	assert_true(digest_equal(&read.contents.digest, &statement.contents.digest));
	assert_int_equal(read.contents.size_bytes, 8);
	assert_int_equal(read.created_s, statement.created_s);
	assert_true(digest_equal(&id, &folder->id));
}

/* Each bit of an envelope, but for those of the name of the key, which only tells where to look. */
static void no_bit_may_change(void **state)
{
	const struct folder *folder = *state;
	AUTO_SIGNING_KEY struct signing_key *key = read_private(folder);
	AUTO_BUFFER struct buffer text = {0};
	struct signed_statement statement = sample();
	size_t key_id_at;

	signature_write(key, &statement, &text);
	key_id_at = (size_t)(strstr(text.data, "\"keyid") - text.data);
	for (size_t bit = 0; bit < 8 * text.length; bit++) {
		struct signed_statement read;
		struct err err = {0};
		bool is_key_id = bit / 8 >= key_id_at && bit / 8 < key_id_at + strlen("\"keyid\":\"") + 66;

		text.data[bit / 8] ^= (char)(1 << bit % 8);
		if (!is_key_id && signature_verify(key, text.data, text.length, &read, &err))
			fail_msg("bit %zu of %s", bit, text.data);
		text.data[bit / 8] ^= (char)(1 << bit % 8);
	}
}

static void another_key_is_another(void **state)
{
	const struct folder *folder = *state;
	AUTO_SIGNING_KEY struct signing_key *key = read_private(folder);
	AUTO_SIGNING_KEY struct signing_key *other = NULL;
	AUTO_FREE char *path = mem_printf("%s/other", folder->path);
	AUTO_BUFFER struct buffer text = {0};
	struct signed_statement statement = sample();
	struct signed_statement read;
	struct digest id;
	struct err err;

	assert_true(signing_key_make(path, &id, &err));
	assert_true(signing_key_read_private(path, &other, &err));
	signature_write(other, &statement, &text);
	assert_false(signature_verify(key, text.data, text.length, &read, &err));
	assert_int_equal(err.code, ERR_FORBIDDEN);
}

static void keys_are_never_overwritten(void **state)
{
	const struct folder *folder = *state;
	AUTO_FREE char *only_public = mem_printf("%s/half", folder->path);
	AUTO_FREE char *copy = mem_printf("cp %s %s.pub", folder->public_key, only_public);
	struct stat status;
	struct digest id;
	struct err err;

	assert_false(signing_key_make(folder->key, &id, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_int_equal(system(copy), 0);
	assert_false(signing_key_make(only_public, &id, &err));
	assert_int_equal(stat(only_public, &status), -1);
	assert_int_equal(stat(folder->key, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0600);
}

static void run(const struct folder *folder, const char *words)
{
	AUTO_FREE char *command = mem_printf("cd %s && %s", folder->path, words);

	assert_int_equal(system(command), 0);
}

/* Both ways: openssl reads ours, and we read openssl's, but no key of another kind, and none that is locked.
 */
static void openssl_reads_the_same_keys(void **state)
{
	static const char *const others[] = {"openssl genpkey -algorithm ed448 -out wrong 2>/dev/null",
		"openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:1024 -out wrong 2>/dev/null",
		"openssl genpkey -algorithm ed25519 -aes128 -pass pass:x -out wrong",
		"head -c 100 key > wrong", "cp key.pub wrong", ": > wrong",
		"head -c 20000 /dev/zero > wrong"};
	const struct folder *folder = *state;
	AUTO_FREE char *made = mem_printf("%s/made", folder->path);
	AUTO_FREE char *wrong = mem_printf("%s/wrong", folder->path);
	AUTO_SIGNING_KEY struct signing_key *key = NULL;
	struct err err;

	run(folder, "openssl pkey -in key -pubout | cmp - key.pub");
	run(folder, "openssl genpkey -algorithm ed25519 -out made");
	assert_true(signing_key_read_private(made, &key, &err));
	for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
		struct signing_key *none = NULL;

		run(folder, others[i]);
		assert_false(signing_key_read_private(wrong, &none, &err));
		assert_non_null(strstr(err.text, wrong));
		run(folder, "rm wrong");
	}
}

/* What openssl signs over the bytes that the format asks for. */
static void openssl_verifies_the_same_bytes(void **state)
{
	const struct folder *folder = *state;
	AUTO_SIGNING_KEY struct signing_key *key = read_private(folder);
	AUTO_FREE char *path = mem_printf("%s/envelope", folder->path);
	AUTO_FD int fd = open(path, O_WRONLY | O_CREAT, 0600);
	AUTO_BUFFER struct buffer text = {0};
	struct signed_statement statement = sample();
	struct err err;

	signature_write(key, &statement, &text);
	assert_true(file_write_at(fd, text.data, text.length, 0, &err));
	run(folder, "python3 -c \"import json, base64; e = json.load(open('envelope'));"
		    "p = base64.b64decode(e['payload']); t = e['payloadType'].encode();"
		    "open('bytes', 'wb').write(b'DSSEv1 %d %s %d %s' % (len(t), t, len(p), p));"
		    "open('sig', 'wb').write(base64.b64decode(e['signatures'][0]['sig']))\"");
	run(folder, "openssl pkeyutl -verify -pubin -inkey key.pub -rawin -in bytes -sigfile sig >/dev/null");
}

static void what_is_no_envelope_is_refused(void **state)
{
	static const char *const texts[] = {"", "{}", "[]", "null", "{\"payload\":\"\"}",
		"{\"payload\":\"e30=\",\"payloadType\":\"text/plain\",\"signatures\":[]}",
		"{\"payload\":\"e30=\",\"payloadType\":\"application/vnd.larder.bundle.v1+json\"}",
		"{\"payload\":\"e30\",\"payloadType\":\"application/vnd.larder.bundle.v1+json\"}",
		"{\"payload\":7,\"payloadType\":\"application/vnd.larder.bundle.v1+json\"}",
		"{\"payload\":\"e30=\",\"payloadType\":\"application/vnd.larder.bundle.v1+json\","
		"\"signatures\":[{\"sig\":\"AAAA\"},{\"sig\":7},{},[],null]}"};
	const struct folder *folder = *state;
	AUTO_SIGNING_KEY struct signing_key *key = read_public(folder);
	AUTO_FREE char *large = mem_zero(SIGNATURE_BYTES_MAX + 2, 1);
	struct signed_statement read;
	struct err err;

	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++)
		assert_false(signature_verify(key, texts[i], strlen(texts[i]), &read, &err));
	memset(large, '[', SIGNATURE_BYTES_MAX + 1);
	assert_false(signature_verify(key, large, SIGNATURE_BYTES_MAX + 1, &read, &err));
	assert_int_equal(err.code, ERR_TOO_LARGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_signed_is_verified, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(no_bit_may_change, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(another_key_is_another, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(keys_are_never_overwritten, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(openssl_reads_the_same_keys, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(openssl_verifies_the_same_bytes, make_folder, remove_folder),
		cmocka_unit_test_setup_teardown(what_is_no_envelope_is_refused, make_folder, remove_folder),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

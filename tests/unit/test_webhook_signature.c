/* SPDX-License-Identifier: Apache-2.0
 *
 * Signatures of webhooks against vectors that Python's hmac has made, and every way to write a secret. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "common/webhook_signature.h"

#define LONG_SECRET \
	"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk" \
	"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk" \
	"kkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkkk"
#define WIDE_SECRET \
	"whsec_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="

/* A file of its own; free() its path. */
static char *write_secret(const char *text, size_t length)
{
	char *path = mem_dup("/tmp/larder-secret.XXXXXX");
	AUTO_FD int fd = mkstemp(path);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, length), (ssize_t)length);
	return path;
}

static bool read_secret(const char *text, size_t length, struct webhook_secrets *out, struct err *err)
{
	AUTO_FREE char *path = write_secret(text, length);
	bool done = webhook_secrets_read(path, out, err);

	assert_int_equal(unlink(path), 0);
	return done;
}

static const struct {
	const char *secret;
	const char *id;
	int64_t timestamp_s;
	const char *body;
	const char *signature;
} vectors[] = {
	{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330,
		"{\"test\": 2432232314}", "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="},
	{"whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "msg_1", 0, "",
		"v1,ij2G0S51rXTp+PMwqJOjeWFLEpktT32X6cQ9P08rbws="},
	{"plain secret of 24 bytes!", "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, "{\"test\": 2432232314}",
		"v1,NMHJkh2MG+AC3wau7PxJ274sVyNrp15bOdRbsD1U/R0="},
	{"plain secret of 24 bytes!", "msg_1", 0, "", "v1,ewgnRDQuonCRqZrquNNru/a4XjgA4pxXwr39TDKjBko="},
	{LONG_SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, "{\"test\": 2432232314}",
		"v1,eX1FYGN9pl7H7lOQUkkSAyXyHzPbNBYmLrkpKyd236E="},
	{LONG_SECRET, "msg_1", 0, "", "v1,7rFu4kJfStzCL66dq+kEvrNESzguFNawcdPNTwC/CZA="},
	{WIDE_SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, "{\"test\": 2432232314}",
		"v1,LZ5zuwHTqQH3VM8ERUusjzVQq1FXzemvpR8Mk7Ivp5c="},
	{WIDE_SECRET, "msg_1", 0, "", "v1,HZL6IFGXxAA5+E6GULAHVKyxB+KD+eUDyD0G8JJ0huU="},
};

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
		struct webhook_secrets secrets = {0};
		struct err err;

		assert_true(read_secret(vectors[i].secret, strlen(vectors[i].secret), &secrets, &err));
		AUTO_FREE char *signature = webhook_sign(&secrets, vectors[i].id, vectors[i].timestamp_s,
			vectors[i].body, strlen(vectors[i].body));
		assert_string_equal(signature, vectors[i].signature);
		webhook_secrets_forget(&secrets);
		assert_int_equal(secrets.count, 0);
	}
}

static void test_several_secrets_are_several_signatures(void **state)
{
	static const char text[] = "\n" LONG_SECRET "\r\n\n" WIDE_SECRET "\n\n";
	struct webhook_secrets secrets;
	struct err err;

	(void)state;
	assert_true(read_secret(text, strlen(text), &secrets, &err));
	assert_int_equal(secrets.count, 2);
	AUTO_FREE char *signature = webhook_sign(
		&secrets, vectors[4].id, vectors[4].timestamp_s, vectors[4].body, strlen(vectors[4].body));
	AUTO_FREE char *both = mem_printf("%s %s", vectors[4].signature, vectors[6].signature);
	assert_string_equal(signature, both);
}

#define TEXT(text) (text), sizeof(text) - 1

static const struct {
	const char *text;
	size_t length;
	const char *words;
} faults[] = {
	{TEXT(""), "is empty"},
	{TEXT("\n\r\n\n"), "is empty"},
	{TEXT("hush-hush-short"), "has 15 bytes; it takes 16 to 256"},
	{TEXT("whsec_"), "is no base64"},
	{TEXT("whsec_hush"), "has 3 bytes; it takes 16 to 64"},
	{TEXT("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\nwhsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaS"),
		"secret 2 in "},
	{TEXT("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2La=aSw"), "is no base64"},
	{TEXT("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwhush "), "is no base64"},
	{TEXT("whsec_AAAA"
	      "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8gISIjJCUmJygpKissLS4vMDEyMzQ1Njc4OTo7PD0+Pw=="),
		"is no base64 of at most 64 bytes"},
	{TEXT("a hush secret of many bytes\0and more"), "has a NUL byte"},
	{TEXT(LONG_SECRET LONG_SECRET), "has 400 bytes; it takes 16 to 256"},
	{TEXT("a hush secret, one\na hush secret, two\na hush secret, three\na hush secret, four\na hush "
	      "secret, five"),
		"has more than 4 secrets"},
};

static void test_what_is_no_secret_is_refused_without_being_told(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
		struct webhook_secrets secrets = {0};
		struct err err = {0};

		assert_false(read_secret(faults[i].text, faults[i].length, &secrets, &err));
		if (!strstr(err.text, faults[i].words))
			fail_msg("%s\n  lacks: %s", err.text, faults[i].words);
		assert_null(strstr(err.text, "hush"));
		assert_null(strstr(err.text, "kkkk"));
		assert_int_equal(secrets.count, 0);
	}
}

static void test_no_file(void **state)
{
	struct webhook_secrets secrets = {0};
	struct err err;

	(void)state;
	assert_false(webhook_secrets_read("/nonexistent/ci.secret", &secrets, &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_several_secrets_are_several_signatures),
		cmocka_unit_test(test_what_is_no_secret_is_refused_without_being_told),
		cmocka_unit_test(test_no_file),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

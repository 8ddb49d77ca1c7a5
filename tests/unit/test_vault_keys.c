/* SPDX-License-Identifier: Apache-2.0 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "common/mem.h"
#include "server/vault/vault_keys.h"

static struct name named(const char *handle, int64_t version, enum format format)
{
	struct name name = {.version = version, .format = format};

	(void)strcpy(name.handle, handle);
	return name;
}

static void assert_key(enum vault_kind kind, const struct name *name, const char *key)
{
	struct name read = {.format = name->format};

	assert_string_equal(vault_key_of(kind, name).text, key);
	assert_true(vault_key_read(kind, key, &read));
	assert_true(name_equals(&read, name));
}

static void test_keys(void **state)
{
	const struct name name = named("acme/Half_2", 12, FORMAT_TFJS);
	const struct digest digest = digest_of("", 0);

	assert_key(VAULT_IDS, &name, "ids/c5hmqp9f91gmopiv68/12/tfjs");
	assert_key(VAULT_PUBLISHED, &name, "published/c5hmqp9f91gmopiv68/12/tfjs");
	assert_key(VAULT_LEASES, &name, "leases/c5hmqp9f91gmopiv68/12/tfjs");
	assert_key(VAULT_GONE_MARKS, &name, "gone/c5hmqp9f91gmopiv68/12");
	assert_key(VAULT_DOCS, &name, "docs/c5hmqp9f91gmopiv68/12");
	assert_key(VAULT_HOLDS, &name, "holds/c5hmqp9f91gmopiv68/12");
	/* Without a version, whatever it is about. */
	assert_string_equal(vault_key_of(VAULT_TOKENS, &name).text, "tokens/c5hmqp9f91gmopiv68");
	assert_string_equal(vault_key_of(VAULT_PINS, &name).text, "pins/c5hmqp9f91gmopiv68");
	assert_string_equal(vault_keys_of_version(VAULT_IDS, &name).text, "ids/c5hmqp9f91gmopiv68/12/");
	assert_string_equal(vault_key_blob(&digest).text,
		"blobs/sha256/e3/e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

/* Of each length, up to the longest name that there may be. */
static void test_every_length(void **state)
{
	for (size_t length = 1; length <= NAME_PATH_MAX; length++) {
		struct name name = named("", INT64_MAX, FORMAT_ARCHIVE);
		struct name read = {0};
		struct vault_key key;

		for (size_t i = 0; i < length; i++)
			name.handle[i] = "aZ0_.-/"[(i * 5 + length) % 7];
		key = vault_key_of(VAULT_PUBLISHED, &name);
		assert_true(strlen(key.text) < BUCKET_KEY_MAX);
		for (const char *piece = key.text; *piece; piece += strspn(piece, "/")) {
			assert_true(strcspn(piece, "/") <= VAULT_KEY_PIECE);
			piece += strcspn(piece, "/");
		}
		assert_true(vault_key_read(VAULT_PUBLISHED, key.text, &read));
		assert_true(name_equals(&read, &name));
	}
}

static void test_order_of_names(void **state)
{
	static const char *const sorted[] = {"a", "a-b/c", "a/b", "a/b-c", "a/b/c", "a/bc", "b/A", "b/a"};

	for (size_t i = 1; i < sizeof sorted / sizeof *sorted; i++) {
		const struct name before = named(sorted[i - 1], 1, FORMAT_TF_HUB);
		const struct name after = named(sorted[i], 1, FORMAT_TF_HUB);

		assert_true(strcmp(vault_key_of(VAULT_DOCS, &before).text,
				    vault_key_of(VAULT_DOCS, &after).text) < 0);
	}
}

/* What somebody else has put there, and what is not spelt as keys are. */
static void test_no_keys(void **state)
{
	static const char *const keys[] = {"", "ids/", "ids//", "ids/c5hmqp9f91gmopiv68/12",
		"ids/c5hmqp9f91gmopiv68/12/", "ids/c5hmqp9f91gmopiv68/12/none",
		"ids/c5hmqp9f91gmopiv68/012/tfjs", "ids/c5hmqp9f91gmopiv68/-1/tfjs",
		"ids/c5hmqp9f91gmopiv6z/12/tfjs", "ids/c5hmqp9f91gmopiv69/12/tfjs",
		"ids/c5hm/qp9f91gmopiv68/12/tfjs", "ids/C5HMQP9F91GMOPIV68/12/tfjs",
		"gone/c5hmqp9f91gmopiv68/12/tfjs", "ids/00/1/tfjs",
		"ids/c5hmqp9f91gmopiv68/99999999999999999999999999/tfjs"};

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		struct name name = {0};

		assert_false(vault_key_read(VAULT_IDS, keys[i], &name));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_keys),
		cmocka_unit_test(test_every_length),
		cmocka_unit_test(test_order_of_names),
		cmocka_unit_test(test_no_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Tokens over a real catalog: who may do what, and how soon what another process did counts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/digest.h"
#include "common/own.h"
#include "server/registry/access.h"
#include "server/store/catalog/catalog_opening.h"
#include "server/store/catalog/catalog_tokens.h"
#include "server/vault/vault_alone.h"

#define COUNT(array) (sizeof(array) / sizeof *(array))

struct fixture {
	char folder[64];
	struct catalog *catalog;
	struct catalog *elsewhere; /* the same database, as another process opens it */
	struct access *open;       /* read = anyone */
	struct access *closed;     /* read = token */
	struct access *other;      /* on elsewhere */
};

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	struct err err;

	(void)snprintf(fixture->folder, sizeof fixture->folder, "/tmp/larder-test-access-XXXXXX");
	assert_non_null(mkdtemp(fixture->folder));
	assert_true(catalog_open(fixture->folder, &fixture->catalog, &err));
	assert_true(catalog_open(fixture->folder, &fixture->elsewhere, &err));
	assert_true(access_create(fixture->catalog, vault_alone(), false, &fixture->open, &err));
	assert_true(access_create(fixture->catalog, vault_alone(), true, &fixture->closed, &err));
	assert_true(access_create(fixture->elsewhere, vault_alone(), true, &fixture->other, &err));
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	char command[128];

	access_destroy(fixture->open);
	access_destroy(fixture->closed);
	access_destroy(fixture->other);
	catalog_close(fixture->catalog);
	catalog_close(fixture->elsewhere);
	(void)snprintf(command, sizeof command, "rm -rf %s", fixture->folder);
	assert_int_equal(system(command), 0);
	free(fixture);
	return 0;
}

static struct token_text issue(struct access *access, const char *name, const char *scopes)
{
	struct token_text token = {0};
	struct err err;

	if (!access_issue(access, name, scopes, 0, &token, &err))
		fail_msg("%s", err.text);
	return token;
}

/* ERR_NONE where it is allowed. */
static enum err_code check(struct access *access, const char *secret, enum right right, const char *handle)
{
	char who[TOKEN_NAME_MAX + 1] = "untouched";
	struct err err = {0};

	return access_check(access, secret, NULL, right, handle, who, &err) ? ERR_NONE : err.code;
}

static const struct {
	const char *scopes;
	enum right right;
	const char *handle;
	enum err_code expected;
} judgements[] = {
	{"read", RIGHT_READ, "acme/x", ERR_NONE},
	{"read", RIGHT_PUBLISH, "acme/x", ERR_FORBIDDEN},
	{"read", RIGHT_WITHDRAW, "acme/x", ERR_FORBIDDEN},
	{"read", RIGHT_ADMIN, NULL, ERR_FORBIDDEN},
	{"publish:acme/*", RIGHT_READ, "other/x", ERR_NONE},
	{"publish:acme/*", RIGHT_PUBLISH, "acme/x", ERR_NONE},
	{"publish:acme/*", RIGHT_PUBLISH, "acme/x/y", ERR_NONE},
	{"publish:acme/*", RIGHT_PUBLISH, "acme", ERR_FORBIDDEN},
	{"publish:acme/*", RIGHT_PUBLISH, "acmee/x", ERR_FORBIDDEN},
	{"publish:acme/*", RIGHT_PUBLISH, "x/acme/x", ERR_FORBIDDEN},
	{"publish:acme/*", RIGHT_PUBLISH, "Acme/x", ERR_FORBIDDEN},
	{"publish:acme/*", RIGHT_PUBLISH, NULL, ERR_FORBIDDEN},
	{"publish:acme/*", RIGHT_WITHDRAW, "acme/x", ERR_FORBIDDEN},
	{"publish:acme/*", RIGHT_ADMIN, NULL, ERR_FORBIDDEN},
	{"publish:acme/x", RIGHT_PUBLISH, "acme/x", ERR_NONE},
	{"publish:acme/x", RIGHT_PUBLISH, "acme/xy", ERR_FORBIDDEN},
	{"publish:*", RIGHT_PUBLISH, "acme/x", ERR_NONE},
	{"publish:acme*", RIGHT_PUBLISH, "acme-2/x", ERR_NONE},
	{"publish:?cme/*", RIGHT_PUBLISH, "acme/x", ERR_NONE},
	{"publish:[ab]cme/x", RIGHT_PUBLISH, "acme/x", ERR_NONE},
	{"publish:acme/A.b_c-*/1", RIGHT_PUBLISH, "acme/A.b_c-d/1", ERR_NONE},
	{"publish:acme/x/*", RIGHT_PUBLISH, "acme/x/y", ERR_NONE},
	{"publish:admin/x", RIGHT_ADMIN, NULL, ERR_FORBIDDEN},
	{"withdraw:acme/*", RIGHT_WITHDRAW, "acme/x", ERR_NONE},
	{"withdraw:acme/*", RIGHT_PUBLISH, "acme/x", ERR_FORBIDDEN},
	{"publish:acme/* publish:beta/*", RIGHT_PUBLISH, "beta/x", ERR_NONE},
	{"  read\twithdraw:beta/*  publish:acme/* ", RIGHT_PUBLISH, "acme/x", ERR_NONE},
	{"admin", RIGHT_READ, "acme/x", ERR_NONE},
	{"admin", RIGHT_PUBLISH, "acme/x", ERR_NONE},
	{"admin", RIGHT_WITHDRAW, "acme/x", ERR_NONE},
	{"admin", RIGHT_ADMIN, NULL, ERR_NONE},
};

static void test_scopes(void **state)
{
	struct fixture *fixture = *state;

	for (size_t i = 0; i < COUNT(judgements); i++) {
		struct token_text token;
		char name[32];

		(void)snprintf(name, sizeof name, "t%zu", i);
		token = issue(fixture->closed, name, judgements[i].scopes);
		if (check(fixture->closed, token.text, judgements[i].right, judgements[i].handle) !=
			judgements[i].expected)
			fail_msg("judgement %zu: %s", i, judgements[i].scopes);
	}
}

static void test_nobody_and_strangers(void **state)
{
	struct fixture *fixture = *state;
	static const char *const strangers[] = {NULL, "", "lrd_", "lrd_0000"};

	for (size_t i = 0; i < COUNT(strangers); i++) {
		assert_int_equal(check(fixture->open, strangers[i], RIGHT_READ, "acme/x"), ERR_NONE);
		assert_int_equal(
			check(fixture->closed, strangers[i], RIGHT_READ, "acme/x"), ERR_UNAUTHORIZED);
		assert_int_equal(
			check(fixture->open, strangers[i], RIGHT_PUBLISH, "acme/x"), ERR_UNAUTHORIZED);
		assert_int_equal(check(fixture->open, strangers[i], RIGHT_ADMIN, NULL), ERR_UNAUTHORIZED);
	}
}

static void test_who(void **state)
{
	struct fixture *fixture = *state;
	struct token_text token = issue(fixture->open, "ci", "publish:acme/*");
	char who[TOKEN_NAME_MAX + 1];
	struct err err;

	assert_true(access_check(fixture->open, token.text, NULL, RIGHT_PUBLISH, "acme/x", who, &err));
	assert_string_equal(who, "ci");
	assert_true(access_check(fixture->open, token.text, NULL, RIGHT_READ, "acme/x", who, &err));
	assert_string_equal(who, "ci");
	assert_true(access_check(fixture->open, NULL, NULL, RIGHT_READ, "acme/x", who, &err));
	assert_string_equal(who, "");
	assert_true(access_check(fixture->open, "lrd_stale", NULL, RIGHT_READ, "acme/x", who, &err));
	assert_string_equal(who, "");
	assert_false(access_check(fixture->open, token.text, NULL, RIGHT_WITHDRAW, "acme/x", who, &err));
	assert_string_equal(err.text, "the token ci lacks the scope withdraw:acme/x");
	assert_false(access_check(fixture->open, token.text, NULL, RIGHT_ADMIN, NULL, who, &err));
	assert_string_equal(err.text, "the token ci lacks the scope admin");
}

static void test_secrets(void **state)
{
	struct fixture *fixture = *state;
	struct token_text a = issue(fixture->open, "a", "admin");
	struct token_text b = issue(fixture->open, "b", "admin");
	struct token_secret *tokens;
	size_t count;
	struct err err;

	assert_int_equal(strlen(a.text), 68);
	assert_int_equal(strncmp(a.text, "lrd_", 4), 0);
	assert_string_not_equal(a.text, b.text);
	assert_true(catalog_list_tokens(fixture->catalog, &tokens, &count, &err));
	assert_int_equal(count, 2);
	for (size_t i = 0; i < count; i++)
		assert_null(strstr(a.text, tokens[i].hash.hex));
	token_secrets_destroy(tokens, count);
	a.text[67] = a.text[67] == '0' ? '1' : '0';
	assert_int_equal(check(fixture->open, a.text, RIGHT_ADMIN, NULL), ERR_UNAUTHORIZED);
}

static const struct {
	const char *name;
	const char *scopes;
	int64_t lifetime_s;
} refused[] = {
	{"", "read", 0},
	{"a b", "read", 0},
	{"a/b", "read", 0},
	{"1234567890123456789012345678901234567890123456789012345678901234", "read", 0},
	{"a", "", 0},
	{"a", "  ", 0},
	{"a", "write", 0},
	{"a", "reading", 0},
	{"a", "read:acme/*", 0},
	{"a", "admin:*", 0},
	{"a", "publish", 0},
	{"a", "publish:", 0},
	{"a", "publishacme/*", 0},
	{"a", "publish:acme/*,beta/*", 0},
	{"a", "publish:acme/*\n", 0},
	{"a", "publish:acme", 0},
	{"a", "withdraw:acme", 0},
	{"a", "publish:acme/", 0},
	{"a", "publish:/acme/*", 0},
	{"a", "publish:/*", 0},
	{"a", "publish:Acme/*", 0},
	{"a", "publish:acme.org/*", 0},
	{"a", "publish:-acme/*", 0},
	{"a", "publish:-*", 0},
	{"a", "publish:acme//*", 0},
	{"a", "publish:acme/x/", 0},
	{"a", "publish:acme/x y", 0},
	{"a", "publish:acme/x%", 0},
	{"a", "publish:http://host/acme/*", 0},
	{"a", "publish:acme:*", 0},
	{"a", "read publish:acme", 0},
	{"a", "read everything", 0},
	{"a", "read", -1},
	{"a", "read", INT64_MAX},
};

static void test_what_cannot_be_issued(void **state)
{
	struct fixture *fixture = *state;
	struct token_text token = {0};
	struct err err;

	for (size_t i = 0; i < COUNT(refused); i++) {
		if (access_issue(fixture->open, refused[i].name, refused[i].scopes, refused[i].lifetime_s,
			    &token, &err))
			fail_msg("issued: %s with %s", refused[i].name, refused[i].scopes);
		assert_int_equal(err.code, ERR_BAD_REQUEST);
		assert_string_equal(token.text, "");
	}
	(void)issue(fixture->open, "taken", "read");
	assert_false(access_issue(fixture->open, "taken", "read", 0, &token, &err));
	assert_int_equal(err.code, ERR_CONFLICT);
}

static void test_expiry(void **state)
{
	struct fixture *fixture = *state;
	struct digest hash = digest_of("old", 3);
	struct token_text token;
	struct err err;

	assert_true(catalog_add_token(fixture->catalog, "old", &hash, "admin", 1000, 2000, &err));
	assert_int_equal(check(fixture->open, "old", RIGHT_ADMIN, NULL), ERR_UNAUTHORIZED);
	assert_int_equal(check(fixture->closed, "old", RIGHT_READ, "acme/x"), ERR_UNAUTHORIZED);
	assert_true(access_issue(fixture->open, "new", "admin", 3600, &token, &err));
	assert_int_equal(check(fixture->open, token.text, RIGHT_ADMIN, NULL), ERR_NONE);
	/* The name of an expired token is free again. */
	token = issue(fixture->open, "old", "admin");
	assert_int_equal(check(fixture->open, token.text, RIGHT_ADMIN, NULL), ERR_NONE);
}

static void test_revocation(void **state)
{
	struct fixture *fixture = *state;
	struct token_text token = issue(fixture->open, "ci", "admin");
	struct err err;

	assert_int_equal(check(fixture->open, token.text, RIGHT_ADMIN, NULL), ERR_NONE);
	assert_true(access_revoke(fixture->open, "ci", &err));
	assert_int_equal(check(fixture->open, token.text, RIGHT_ADMIN, NULL), ERR_UNAUTHORIZED);
	assert_int_equal(check(fixture->open, token.text, RIGHT_READ, "acme/x"), ERR_NONE);
	assert_false(access_revoke(fixture->open, "ci", &err));
	assert_int_equal(err.code, ERR_NOT_FOUND);
}

static void test_other_processes_count(void **state)
{
	struct fixture *fixture = *state;
	struct token_text token = issue(fixture->other, "ci", "admin");
	int64_t give_up_ms = clock_monotonic_ms() + 300000;
	struct err err;

	/* A new one at once, although the table was read a moment ago … */
	assert_int_equal(check(fixture->closed, token.text, RIGHT_ADMIN, NULL), ERR_NONE);
	/* … and a revoked one no longer as soon as the table is read again. */
	assert_true(access_revoke(fixture->other, "ci", &err));
	while (check(fixture->closed, token.text, RIGHT_ADMIN, NULL) == ERR_NONE) {
		assert_true(clock_monotonic_ms() < give_up_ms);
		(void)usleep(20000);
	}
	assert_int_equal(check(fixture->closed, token.text, RIGHT_ADMIN, NULL), ERR_UNAUTHORIZED);
}

struct checker {
	struct access *access;
	const char *secret;
	bool failed;
};

static void *check_often(void *context)
{
	struct checker *checker = context;

	for (int i = 0; i < 500; i++) {
		if (check(checker->access, checker->secret, RIGHT_PUBLISH, "acme/x") != ERR_NONE ||
			check(checker->access, "lrd_unknown", RIGHT_PUBLISH, "acme/x") != ERR_UNAUTHORIZED)
			checker->failed = true;
	}
	return NULL;
}

static void test_threads(void **state)
{
	struct fixture *fixture = *state;
	struct token_text token = issue(fixture->open, "ci", "publish:acme/*");
	struct checker checkers[4];
	pthread_t threads[COUNT(checkers)];

	for (size_t i = 0; i < COUNT(checkers); i++) {
		checkers[i] = (struct checker){fixture->open, token.text, false};
		assert_int_equal(pthread_create(&threads[i], NULL, check_often, &checkers[i]), 0);
	}
	for (int i = 0; i < 20; i++) {
		char name[16];

		(void)snprintf(name, sizeof name, "t%d", i);
		(void)issue(fixture->open, name, "read");
	}
	for (size_t i = 0; i < COUNT(checkers); i++) {
		assert_int_equal(pthread_join(threads[i], NULL), 0);
		assert_false(checkers[i].failed);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_scopes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_nobody_and_strangers, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_who, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_secrets, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_what_cannot_be_issued, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_expiry, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_revocation, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_other_processes_count, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_threads, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

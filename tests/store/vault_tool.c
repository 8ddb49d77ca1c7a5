/* SPDX-License-Identifier: Apache-2.0
 *
 * The vault over a bucket on a command line, for tests: vault_tool CONFIG WORD ARGUMENT... Prints what became
 * of it: a word, or the error's code and text. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/digest.h"
#include "common/own.h"
#include "server/config.h"
#include "server/metrics.h"
#include "server/upstream/s3/bucket.h"
#include "server/vault/vault.h"
#include "server/vault/vault_bucket.h"

static int fail(const struct err *err)
{
	(void)printf("%s %s\n", err_name(err->code), err->text);
	return 0;
}

static bool read_name(const char *path, const char *format, struct name *out)
{
	struct err err;

	/* No module's, but that of who sweeps. */
	*out = (struct name){.handle = "!janitor", .version = 1};
	return (strcmp(path, "!janitor/1") == 0 || name_parse_versioned(path, out, &err)) &&
	       format_parse(format, &out->format);
}

/* find PATH FORMAT */
static int find(struct vault *vault, int count, char **words)
{
	static const char *const standings[] = {[VAULT_UNKNOWN] = "unknown",
		[VAULT_RECORDED] = "recorded",
		[VAULT_LACKING] = "lacking",
		[VAULT_GONE] = "gone"};
	enum vault_standing standing;
	struct identity identity;
	struct name name;
	struct err err;

	if (!read_name(words[0], words[1], &name))
		return 2;
	if (!vault_find(vault, &name, &standing, &identity, &err))
		return fail(&err);
	(void)printf("%s", standings[standing]);
	if (standing == VAULT_RECORDED)
		(void)printf(" %s %lld %s %s", identity.checksums.sha256.hex, (long long)identity.size_bytes,
			version_source_name(identity.source), identity.who);
	(void)puts("");
	return 0;
}

static bool digest_file(int fd, struct digest *out)
{
	AUTO_HASHER struct hasher *hasher = hasher_create();
	char bytes[65536];
	ssize_t got;

	while ((got = read(fd, bytes, sizeof bytes)) > 0)
		hasher_add(hasher, bytes, (size_t)got);
	*out = hasher_result(hasher);
	return got == 0;
}

/* keep PATH FORMAT FILE published|mirrored NONCE [new] */
static int keep(struct vault *vault, int count, char **words)
{
	AUTO_FD int fd = open(words[2], O_RDONLY | O_CLOEXEC);
	struct deposit deposit = {.fd = fd, .is_new = count > 5 && strcmp(words[5], "new") == 0};
	enum deposited deposited;
	struct name name;
	struct stat status;
	struct err err;

	if (fd < 0 || fstat(fd, &status) < 0 || !read_name(words[0], words[1], &name) ||
		!digest_file(fd, &deposit.identity.checksums.sha256) ||
		!version_source_parse(words[3], &deposit.identity.source))
		return 2;
	deposit.name = &name;
	deposit.identity.size_bytes = status.st_size;
	(void)snprintf(deposit.identity.who, sizeof deposit.identity.who, "who-%s", words[4]);
	(void)snprintf(deposit.identity.nonce, sizeof deposit.identity.nonce, "%s", words[4]);
	/* What it had when it got its name. */
	if (count > 6 && !digest_parse(words[6], &deposit.identity.checksums.sha256))
		return 2;
	if (!vault_keep(vault, &deposit, &deposited, &err))
		return fail(&err);
	return puts(deposited == DEPOSITED_NEW ? "new" : "before") < 0;
}

static bool hash(void *context, const void *bytes, size_t length)
{
	hasher_add(context, bytes, length);
	return true;
}

/* read DIGEST FIRST LENGTH: the digest of what came */
static int read_blob(struct vault *vault, int count, char **words)
{
	AUTO_HASHER struct hasher *hasher = hasher_create();
	const struct vault_receiver receiver = {hash, hasher};
	struct digest digest;
	struct err err;

	if (!digest_parse(words[0], &digest))
		return 2;
	if (!vault_read(vault, &digest, atoll(words[1]), atoll(words[2]), &receiver, &err))
		return fail(&err);
	digest = hasher_result(hasher);
	return puts(digest.hex) < 0;
}

/* withdraw PATH here|nowhere */
static int withdraw(struct vault *vault, int count, char **words)
{
	struct name name;
	bool before;
	struct err err;

	if (!read_name(words[0], "tf-hub", &name))
		return 2;
	if (!vault_withdraw(vault, &name, "who", strcmp(words[1], "here") == 0, &before, &err))
		return fail(&err);
	return puts(before ? "before" : "withdrawn") < 0;
}

/* ---- leases ---- */

enum { LOOK_EVERY_MS = 20 };

static void say(const char *word, const char *node)
{
	(void)printf("%s %s\n", word, node);
	(void)fflush(stdout);
}

/* Asks until it is ours; says once whose it is meanwhile. */
static bool acquire(
	struct vault *vault, const struct name *name, const struct lease_holder *us, struct lease_answer *out)
{
	static const char *const standings[] = {[LEASE_NEW] = "new", [LEASE_TAKEN] = "taken"};
	struct lease_watch watch = {0};
	struct err err;
	bool told = false;

	for (;;) {
		if (!vault_acquire(vault, name, us, &watch, out, &err))
			return fail(&err) != 0;
		if (out->standing != LEASE_THEIRS) {
			say(standings[out->standing], out->holder.node);
			return true;
		}
		if (!told)
			say("theirs", out->holder.node);
		told = true;
		clock_sleep_ms(LOOK_EVERY_MS);
	}
}

static void await_loss(void)
{
	while (metric_read(METRIC_LEASES_LOST) == 0)
		clock_sleep_ms(LOOK_EVERY_MS);
	say("lost", "");
}

static enum lease_end read_end(const char *line)
{
	if (strcmp(line, "nothing\n") == 0)
		return LEASE_END_NOTHING;
	return strcmp(line, "done\n") == 0 ? LEASE_END_DONE : LEASE_END_FAILED;
}

/* hold PATH FORMAT NODE [bare]: then, as lines come: "lost" waits until it is, "report" says how far it is,
 * "done", "failed" and "nothing" end it. */
static int hold(struct vault *vault, int count, char **words)
{
	struct lease_holder us = {.work = {.total_bytes = -1}};
	const struct lease_work work = {.upstream = "hub", .etag = "\"e\"", .bytes = 5, .total_bytes = 10};
	struct lease_answer answer;
	struct name name;
	char line[32];

	if (!read_name(words[0], words[1], &name))
		return 2;
	(void)snprintf(us.node, sizeof us.node, "%s", words[2]);
	if (!acquire(vault, &name, &us, &answer))
		return 0;
	while (fgets(line, sizeof line, stdin)) {
		if (strcmp(line, "lost\n") == 0)
			await_loss();
		else if (strcmp(line, "report\n") == 0)
			vault_report(vault, answer.lease, &work);
		else
			vault_release(vault, TAKE(answer.lease), read_end(line));
	}
	return 0;
}

static const struct {
	const char *word;
	int least;
	int (*run)(struct vault *vault, int count, char **words);
} words[] = {
	{"find", 2, find},
	{"keep", 5, keep},
	{"read", 3, read_blob},
	{"withdraw", 2, withdraw},
	{"hold", 3, hold},
};

int main(int argc, char **argv)
{
	AUTO_CONFIG struct config *config = NULL;
	AUTO_BUFFER struct buffer faults = {0};
	AUTO_BUCKET struct bucket *bucket = NULL;
	AUTO_VAULT struct vault *vault = NULL;
	struct err err;

	if (argc < 3 || !config_load(argv[1], &config, &faults, &err)) {
		(void)fputs(buffer_string(&faults), stderr);
		return 2;
	}
	bucket = bucket_create(&config->store.bucket);
	bucket_set_bare_etags(bucket, strcmp(argv[argc - 1], "bare") == 0);
	vault = vault_bucket_create(bucket, config->store.lease_ttl_s);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcmp(words[i].word, argv[2]) == 0 && argc - 3 >= words[i].least)
			return words[i].run(vault, argc - 3, argv + 3);
	}
	return 2;
}

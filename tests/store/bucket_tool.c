/* SPDX-License-Identifier: Apache-2.0
 *
 * The client of a bucket on a command line, for tests: bucket_tool CONFIG WORD ARGUMENT... Prints the
 * outcome, and what was told. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/own.h"
#include "server/config.h"
#include "server/upstream/s3/bucket.h"
#include "server/upstream/s3/bucket_parts.h"

static const char *const outcomes[] = {[BUCKET_DONE] = "done",
	[BUCKET_ABSENT] = "absent",
	[BUCKET_CLASH] = "clash",
	[BUCKET_REFUSED] = "refused",
	[BUCKET_BUSY] = "busy",
	[BUCKET_AMBIGUOUS] = "ambiguous",
	[BUCKET_UNREACHABLE] = "unreachable",
	[BUCKET_STOPPED] = "stopped",
	[BUCKET_OVERSIZED] = "oversized"};

static int conclude(enum bucket_outcome outcome, const char *told, const struct err *err)
{
	(void)printf("%s %s\n", outcomes[outcome], outcome == BUCKET_DONE ? told : err->text);
	return 0;
}

/* put KEY TEXT [-|ETAG]: "-" creates */
static int put(struct bucket *bucket, int count, char **words)
{
	struct digest digest = digest_of(words[1], strlen(words[1]));
	const struct s3_body body = {
		.bytes = words[1], .length = (int64_t)strlen(words[1]), .sha256 = digest.hex};
	bool create = count > 2 && strcmp(words[2], "-") == 0;
	const struct bucket_condition condition = {
		.if_absent = create, .if_etag = count > 2 && !create ? words[2] : NULL};
	struct bucket_facts facts = {0};
	struct err err = {0};
	enum bucket_outcome outcome = bucket_put(bucket, words[0], &body, &condition, &facts, &err);

	return conclude(outcome, facts.etag, &err);
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

/* file KEY PATH [parts [SHA256]] */
static int put_file(struct bucket *bucket, int count, char **words)
{
	AUTO_FD int fd = open(words[1], O_RDONLY | O_CLOEXEC);
	struct s3_body body = {.fd = fd};
	enum bucket_outcome outcome;
	struct err err = {0};
	struct digest digest;
	struct stat status;

	if (fd < 0 || fstat(fd, &status) < 0 || !digest_file(fd, &digest))
		return 1;
	body.length = status.st_size;
	body.sha256 = count > 3 ? words[3] : digest.hex;
	outcome = count > 2 ? bucket_put_parts(bucket, words[0], &body, BUCKET_PART_MIN, &err)
			    : bucket_put(bucket, words[0], &body, NULL, NULL, &err);
	return conclude(outcome, digest.hex, &err);
}

static bool hash(void *context, const void *bytes, size_t length)
{
	hasher_add(context, bytes, length);
	return true;
}

/* get KEY FIRST LENGTH: the digest of what came */
static int get(struct bucket *bucket, int count, char **words)
{
	AUTO_HASHER struct hasher *hasher = hasher_create();
	const struct s3_receiver receiver = {hash, hasher};
	struct err err = {0};
	struct digest digest;
	enum bucket_outcome outcome =
		bucket_get(bucket, words[0], atoll(words[1]), atoll(words[2]), &receiver, NULL, &err);

	digest = hasher_result(hasher);
	return conclude(outcome, digest.hex, &err);
}

static int read_small(struct bucket *bucket, int count, char **words)
{
	AUTO_BUFFER struct buffer body = {0};
	struct bucket_facts facts;
	struct err err = {0};
	enum bucket_outcome outcome = bucket_read(bucket, words[0], 1 << 20, NULL, &body, &facts, &err);

	return conclude(outcome, buffer_string(&body), &err);
}

static int head(struct bucket *bucket, int count, char **words)
{
	struct bucket_facts facts = {0};
	struct err err = {0};
	enum bucket_outcome outcome = bucket_head(bucket, words[0], NULL, &facts, &err);
	char told[64];

	(void)snprintf(told, sizeof told, "%lld", (long long)facts.length);
	return conclude(outcome, told, &err);
}

static int tell_etag(struct bucket *bucket, int count, char **words)
{
	struct bucket_facts facts = {0};
	struct err err = {0};
	enum bucket_outcome outcome = bucket_head(bucket, words[0], NULL, &facts, &err);

	return conclude(outcome, facts.etag, &err);
}

static int take_away(struct bucket *bucket, int count, char **words)
{
	struct err err = {0};

	return conclude(bucket_delete(bucket, words[0], &err), "", &err);
}

static char last_key[BUCKET_KEY_MAX + 1];

static bool print_key(void *context, const char *key, int64_t length)
{
	(void)context;
	(void)printf("%s %lld\n", key, (long long)length);
	(void)snprintf(last_key, sizeof last_key, "%s", key);
	return true;
}

/* list UNDER LIMIT: all pages */
static int list(struct bucket *bucket, int count, char **words)
{
	struct bucket_page page = {.under = words[0], .limit = atoi(words[1]), .object = print_key};
	enum bucket_outcome outcome = BUCKET_DONE;
	struct err err = {0};
	bool more = true;

	while (more && outcome == BUCKET_DONE) {
		outcome = bucket_list(bucket, &page, &more, NULL, &err);
		page.after = last_key;
	}
	return conclude(outcome, "", &err);
}

static const struct {
	const char *word;
	int least;
	int (*run)(struct bucket *bucket, int count, char **words);
} words[] = {
	{"put", 2, put},
	{"file", 2, put_file},
	{"get", 3, get},
	{"read", 1, read_small},
	{"head", 1, head},
	{"etag", 1, tell_etag},
	{"delete", 1, take_away},
	{"list", 2, list},
};

int main(int argc, char **argv)
{
	AUTO_CONFIG struct config *config = NULL;
	AUTO_BUFFER struct buffer faults = {0};
	AUTO_BUCKET struct bucket *bucket = NULL;
	struct err err;

	if (argc < 4 || !config_load(argv[1], &config, &faults, &err)) {
		(void)fputs(buffer_string(&faults), stderr);
		return 2;
	}
	bucket = bucket_create(&config->store.bucket);
	bucket_set_bare_etags(bucket, getenv("BARE_ETAGS") != NULL);
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strcmp(words[i].word, argv[2]) == 0 && argc - 3 >= words[i].least)
			return words[i].run(bucket, argc - 3, argv + 3);
	}
	return 2;
}

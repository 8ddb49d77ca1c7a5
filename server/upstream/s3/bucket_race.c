/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upstream/s3/bucket_race.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common/digest.h"
#include "common/thread.h"

enum { BODY_BYTES = 64 };

struct racer {
	int gate; /* the end of a pipe: its other end is closed once all are there */
	struct bucket *bucket;
	const char *key;
	const struct bucket_condition *condition;
	char body[BODY_BYTES];
	enum bucket_outcome told;
	struct err why;
	pthread_t thread;
};

static void *run(void *context)
{
	struct racer *racer = context;
	struct digest digest = digest_of(racer->body, strlen(racer->body));
	const struct s3_body body = {
		.bytes = racer->body, .length = (int64_t)strlen(racer->body), .sha256 = digest.hex};
	char nothing;

	while (read(racer->gate, &nothing, 1) < 0 && errno == EINTR)
		;
	racer->told = bucket_put(racer->bucket, racer->key, &body, racer->condition, NULL, &racer->why);
	return NULL;
}

/* How many began. They go when this is left, so that none is far ahead. */
static int begin(struct racer racers[BUCKET_RACERS], int gate, struct err *why)
{
	AUTO_FD int closed = gate;
	int count = 0;

	for (; count < BUCKET_RACERS; count++) {
		const struct thread_plan plan = {
			.name = "bucket race", .run = run, .context = &racers[count]};

		if (!thread_start(&racers[count].thread, &plan, why))
			break;
	}
	return count;
}

static bool is_fair(enum bucket_outcome told)
{
	return told == BUCKET_DONE || told == BUCKET_CLASH || told == BUCKET_BUSY || told == BUCKET_AMBIGUOUS;
}

static enum bucket_outcome count_up(
	const struct racer racers[BUCKET_RACERS], struct bucket_race *out, struct err *why)
{
	for (int i = 0; i < BUCKET_RACERS; i++) {
		enum bucket_outcome told = racers[i].told;

		if (!is_fair(told)) {
			*why = racers[i].why;
			return told;
		}
		out->told[i] = told;
		out->done += told == BUCKET_DONE;
		out->unclear += told == BUCKET_BUSY || told == BUCKET_AMBIGUOUS;
	}
	return BUCKET_DONE;
}

static enum bucket_outcome look(struct bucket *bucket, const char *key,
	const struct racer racers[BUCKET_RACERS], struct bucket_race *out, struct err *why)
{
	AUTO_BUFFER struct buffer body = {0};
	struct bucket_facts facts = {0};
	enum bucket_outcome outcome = bucket_read(bucket, key, BODY_BYTES, NULL, &body, &facts, why);

	for (int i = 0; outcome == BUCKET_DONE && i < BUCKET_RACERS; i++) {
		if (strcmp(buffer_string(&body), racers[i].body) == 0)
			out->winner = i;
	}
	(void)strcpy(out->etag, facts.etag);
	return outcome == BUCKET_ABSENT ? BUCKET_DONE : outcome;
}

enum bucket_outcome bucket_race(struct bucket *bucket, const char *key,
	const struct bucket_condition *condition, struct bucket_race *out, struct err *why)
{
	struct racer racers[BUCKET_RACERS];
	AUTO_FD int gate = -1;
	enum bucket_outcome outcome;
	uint64_t name;
	int ends[2];
	int count;

	if (pipe2(ends, O_CLOEXEC) < 0) {
		(void)err_errno(why, errno, "make a pipe");
		return BUCKET_BUSY;
	}
	gate = ends[0];
	random_bytes(&name, sizeof name);
	for (int i = 0; i < BUCKET_RACERS; i++) {
		racers[i] =
			(struct racer){.gate = gate, .bucket = bucket, .key = key, .condition = condition};
		(void)snprintf(racers[i].body, BODY_BYTES, "%d of %016" PRIx64, i, name);
	}
	count = begin(racers, ends[1], why);
	for (int i = 0; i < count; i++)
		thread_join(racers[i].thread);
	if (count < BUCKET_RACERS)
		return BUCKET_BUSY;
	*out = (struct bucket_race){.winner = -1};
	outcome = count_up(racers, out, why);
	return outcome == BUCKET_DONE ? look(bucket, key, racers, out, why) : outcome;
}

enum bucket_race_end bucket_race_end(const struct bucket_race *race)
{
	enum bucket_outcome winner = race->winner < 0 ? BUCKET_ABSENT : race->told[race->winner];

	if (race->done == 1 && winner == BUCKET_DONE)
		return RACE_WON;
	if (race->done > 0)
		return RACE_FALSE;
	/* Who is told that another was first may have been first itself, where libcurl sent it twice. */
	if (winner == BUCKET_AMBIGUOUS || winner == BUCKET_CLASH || (race->winner < 0 && race->unclear > 0))
		return RACE_UNCLEAR;
	return RACE_FALSE;
}

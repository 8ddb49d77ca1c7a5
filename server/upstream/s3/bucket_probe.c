/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upstream/s3/bucket_probe.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

#include "common/clock.h"
#include "common/digest.h"
#include "common/file.h"
#include "common/mem.h"
#include "server/upstream/s3/bucket_parts.h"

enum { CLOCK_WARNING_S = 60, CLOCK_FAILURE_S = 600, BODY_MAX = 4 << 10, SPEED_BYTES = 6 << 20 };

struct trial {
	struct bucket *bucket;
	struct probe_step *step;
	char key[64];
	char first[S3_ETAG_MAX];  /* of the object as it was created */
	char second[S3_ETAG_MAX]; /* as it was exchanged */
	int64_t date_s;
	bool written;
};

/* ---- verdicts ---- */

static void __attribute__((format(printf, 4, 5)))
tell(struct trial *trial, enum probe_verdict verdict, const char *remedy, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	(void)vsnprintf(trial->step->detail, sizeof trial->step->detail, format, arguments);
	va_end(arguments);
	trial->step->verdict = verdict;
	trial->step->remedy = remedy;
}

static const char *remedy_of(enum bucket_outcome outcome, const char *refused)
{
	switch (outcome) {
	case BUCKET_REFUSED:
		return refused;
	case BUCKET_ABSENT:
		return "make the bucket, or correct bucket and endpoint in [store]; Larder makes none";
	case BUCKET_UNREACHABLE:
		return "see that endpoint and ca_file in [store] are right and that the store runs; "
		       "connect_timeout_s "
		       "and timeout_s bound the wait";
	case BUCKET_BUSY:
	case BUCKET_AMBIGUOUS:
		return "the store is overloaded or ill: see its log, and try again";
	default:
		return "this is no store that Larder can use; docs/scale-out.md names some that are";
	}
}

static void tell_outcome(
	struct trial *trial, enum bucket_outcome outcome, const char *refused, const struct err *err)
{
	tell(trial, PROBE_FAILURE, remedy_of(outcome, refused), "%s",
		outcome == BUCKET_CLASH ? "a condition that holds is said not to" : err->text);
}

static const char write_remedy[] = "the credentials need s3:GetObject, s3:PutObject, s3:DeleteObject and "
				   "s3:ListBucket on the bucket and its "
				   "objects; see that key, secret and region are right";
static const char condition_remedy[] = "use a store that holds to If-None-Match and If-Match of PutObject "
				       "(AWS, Ceph 16 or newer, MinIO, R2); a "
				       "proxy before the store may be what drops them";

/* ---- steps ---- */

static enum bucket_outcome put(struct trial *trial, const char *text,
	const struct bucket_condition *condition, char etag[S3_ETAG_MAX], struct err *err)
{
	struct digest digest = digest_of(text, strlen(text));
	const struct s3_body body = {.bytes = text, .length = (int64_t)strlen(text), .sha256 = digest.hex};
	struct bucket_facts facts = {0};
	enum bucket_outcome outcome = bucket_put(trial->bucket, trial->key, &body, condition, &facts, err);

	if (outcome == BUCKET_DONE) {
		trial->written = true;
		(void)strcpy(etag, facts.etag);
	}
	return outcome;
}

static bool keep_no_key(void *context, const char *key, int64_t length)
{
	(void)context;
	(void)key;
	(void)length;
	return true;
}

static bool try_reach(struct trial *trial)
{
	const struct bucket_page page = {.under = "probe/", .limit = 1, .object = keep_no_key};
	struct bucket_facts facts;
	enum bucket_outcome outcome;
	struct err err;
	bool more;

	outcome = bucket_list(trial->bucket, &page, &more, &facts, &err);
	if (outcome != BUCKET_DONE)
		return tell_outcome(trial, outcome, write_remedy, &err), false;
	trial->date_s = facts.date_s;
	tell(trial, PROBE_OK, NULL, "the bucket is there and can be listed");
	return true;
}

/* The signature has a time in it, which stores take for wrong after 15 minutes. */
static bool try_clock(struct trial *trial)
{
	int64_t skew_s = clock_now_s() - trial->date_s;
	int64_t size_s = skew_s < 0 ? -skew_s : skew_s;
	static const char remedy[] =
		"set the clocks by NTP, here and there; 15 minutes apart every request is refused";

	if (trial->date_s == 0)
		tell(trial, PROBE_WARNING, NULL, "the store does not tell its time");
	else if (size_s > CLOCK_WARNING_S)
		tell(trial, size_s > CLOCK_FAILURE_S ? PROBE_FAILURE : PROBE_WARNING, remedy,
			"this clock is %" PRId64 " seconds %s the store's", size_s,
			skew_s > 0 ? "ahead of" : "behind");
	else
		tell(trial, PROBE_OK, NULL, "the clocks agree within %d seconds", CLOCK_WARNING_S);
	return trial->step->verdict != PROBE_FAILURE;
}

static bool try_create(struct trial *trial)
{
	struct err err;
	enum bucket_outcome outcome =
		put(trial, "first", &(struct bucket_condition){.if_absent = true}, trial->first, &err);

	if (outcome != BUCKET_DONE)
		return tell_outcome(trial, outcome, write_remedy, &err), false;
	tell(trial, PROBE_OK, NULL, "what is not there can be created");
	return true;
}

static bool try_create_again(struct trial *trial)
{
	char etag[S3_ETAG_MAX];
	struct err err;
	enum bucket_outcome outcome =
		put(trial, "other", &(struct bucket_condition){.if_absent = true}, etag, &err);

	if (outcome == BUCKET_DONE)
		tell(trial, PROBE_FAILURE, condition_remedy,
			"the store ignores If-None-Match: an object was created a second time, over the "
			"first");
	else if (outcome != BUCKET_CLASH)
		tell_outcome(trial, outcome, condition_remedy, &err);
	else
		tell(trial, PROBE_OK, NULL, "what is there cannot be created again");
	return outcome == BUCKET_CLASH;
}

static bool try_read(struct trial *trial)
{
	AUTO_BUFFER struct buffer body = {0};
	struct bucket_facts facts;
	struct err err;
	enum bucket_outcome outcome = bucket_read(trial->bucket, trial->key, BODY_MAX, &body, &facts, &err);

	if (outcome != BUCKET_DONE)
		return tell_outcome(trial, outcome, write_remedy, &err), false;
	if (strcmp(buffer_string(&body), "first") != 0)
		return tell(trial, PROBE_FAILURE, condition_remedy, "what is read is not what was written"),
		       false;
	if (!*facts.etag || (*trial->first && strcmp(facts.etag, trial->first) != 0))
		return tell(trial, PROBE_FAILURE, condition_remedy, "the store tells no ETag, or changes it"),
		       false;
	(void)strcpy(trial->first, facts.etag);
	tell(trial, PROBE_OK, NULL, "what was written is read at once");
	return true;
}

static bool try_swap(struct trial *trial)
{
	const struct bucket_condition condition = {.if_etag = trial->first};
	struct err err;
	enum bucket_outcome outcome = put(trial, "second", &condition, trial->second, &err);
	bool bare = outcome == BUCKET_CLASH || outcome == BUCKET_REFUSED;

	if (bare) {
		bucket_set_bare_etags(trial->bucket, true);
		outcome = put(trial, "second", &condition, trial->second, &err);
	}
	if (outcome != BUCKET_DONE)
		return tell_outcome(trial, outcome, condition_remedy, &err), false;
	tell(trial, PROBE_OK, NULL, "an object is exchanged by its ETag, %s quotes",
		bare ? "without" : "with");
	return true;
}

static bool try_stale_swap(struct trial *trial)
{
	char etag[S3_ETAG_MAX];
	struct err err;
	enum bucket_outcome outcome =
		put(trial, "third", &(struct bucket_condition){.if_etag = trial->first}, etag, &err);

	if (outcome == BUCKET_DONE)
		tell(trial, PROBE_FAILURE, condition_remedy,
			"the store ignores If-Match: an object was exchanged by an ETag that it no longer "
			"had");
	else if (outcome != BUCKET_CLASH)
		tell_outcome(trial, outcome, condition_remedy, &err);
	else
		tell(trial, PROBE_OK, NULL, "a stale ETag exchanges nothing");
	return outcome == BUCKET_CLASH;
}

struct sighting {
	const char *key;
	bool seen;
};

static bool look_for_key(void *context, const char *key, int64_t length)
{
	struct sighting *sighting = context;

	(void)length;
	sighting->seen = sighting->seen || strcmp(key, sighting->key) == 0;
	return true;
}

static bool try_list(struct trial *trial)
{
	struct sighting sighting = {.key = trial->key};
	const struct bucket_page page = {
		.under = trial->key, .limit = 10, .object = look_for_key, .context = &sighting};
	struct err err;
	bool more;
	enum bucket_outcome outcome = bucket_list(trial->bucket, &page, &more, NULL, &err);

	if (outcome != BUCKET_DONE)
		return tell_outcome(trial, outcome, write_remedy, &err), false;
	if (!sighting.seen)
		return tell(trial, PROBE_FAILURE, "use a store whose listings are consistent at once",
			       "what was written is not listed"),
		       false;
	tell(trial, PROBE_OK, NULL, "what was written is listed at once");
	return true;
}

static bool add_bytes(void *context, const void *bytes, size_t length)
{
	struct buffer *body = context;

	if (body->length + length > BODY_MAX)
		return false;
	buffer_add(body, bytes, length);
	return true;
}

static bool try_range(struct trial *trial)
{
	AUTO_BUFFER struct buffer body = {0};
	const struct s3_receiver receiver = {add_bytes, &body};
	struct err err;
	enum bucket_outcome outcome = bucket_get(trial->bucket, trial->key, 2, 3, &receiver, NULL, &err);

	if (outcome != BUCKET_DONE)
		return tell_outcome(trial, outcome, write_remedy, &err), false;
	if (strcmp(buffer_string(&body), "con") != 0)
		return tell(trial, PROBE_FAILURE, condition_remedy, "a range of an object is not that range"),
		       false;
	tell(trial, PROBE_OK, NULL, "ranges are those that are asked for");
	return true;
}

static bool try_digest(struct trial *trial)
{
	struct digest other = digest_of("other", 5);
	const struct s3_body body = {.bytes = "bytes", .length = 5, .sha256 = other.hex};
	struct err err;
	enum bucket_outcome outcome = bucket_put(trial->bucket, trial->key, &body, NULL, NULL, &err);

	if (outcome == BUCKET_DONE)
		tell(trial, PROBE_WARNING, NULL,
			"the store takes bytes that have not the digest they are sent with; Larder verifies "
			"what it reads itself");
	else if (outcome != BUCKET_REFUSED)
		tell_outcome(trial, outcome, write_remedy, &err);
	else
		tell(trial, PROBE_OK, NULL, "bytes that have not their digest are refused");
	return true;
}

static bool count_bytes(void *context, const void *bytes, size_t length)
{
	(void)bytes;
	*(int64_t *)context += (int64_t)length;
	return true;
}

static double mib_per_s(int64_t time_ms)
{
	return SPEED_BYTES / 1048576.0 * 1000 / (double)(time_ms > 0 ? time_ms : 1);
}

static bool try_parts_of(struct trial *trial, int fd)
{
	int64_t began_ms = clock_monotonic_ms();
	int64_t taken = 0;
	const struct s3_receiver receiver = {count_bytes, &taken};
	int64_t sent_ms;
	struct err err;
	enum bucket_outcome outcome =
		bucket_put_parts(trial->bucket, trial->key, fd, SPEED_BYTES, BUCKET_PART_MIN, &err);

	sent_ms = clock_monotonic_ms();
	if (outcome == BUCKET_DONE)
		outcome = bucket_get(trial->bucket, trial->key, 0, -1, &receiver, NULL, &err);
	if (outcome != BUCKET_DONE)
		return tell_outcome(trial, outcome, write_remedy, &err), false;
	if (taken != SPEED_BYTES)
		return tell(trial, PROBE_FAILURE, condition_remedy, "what was sent in parts is not whole"),
		       false;
	tell(trial, PROBE_OK, NULL, "parts make a whole; %.0f MiB/s there, %.0f MiB/s back",
		mib_per_s(sent_ms - began_ms), mib_per_s(clock_monotonic_ms() - sent_ms));
	return true;
}

static bool try_parts(struct trial *trial)
{
	AUTO_FD int fd = memfd_create("probe", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, SPEED_BYTES) < 0)
		return tell(trial, PROBE_WARNING, NULL, "there is no memory to try it"), true;
	return try_parts_of(trial, fd);
}

static bool try_delete(struct trial *trial)
{
	struct bucket_facts facts;
	struct err err;
	enum bucket_outcome outcome = bucket_delete(trial->bucket, trial->key, &err);

	if (outcome != BUCKET_DONE)
		return tell_outcome(trial, outcome, write_remedy, &err), false;
	trial->written = false;
	if (bucket_head(trial->bucket, trial->key, &facts, &err) != BUCKET_ABSENT)
		return tell(trial, PROBE_WARNING, NULL, "what was removed is still there"), true;
	tell(trial, PROBE_OK, NULL, "what is removed is gone");
	return true;
}

/* ---- the probe ---- */

static const struct {
	const char *name;
	bool (*run)(struct trial *trial);
	bool whole; /* a start does without it */
	bool alone; /* what follows does not depend on it */
} plan[] = {
	{"reach", try_reach, false, false},
	{"clock", try_clock, false, true},
	{"create", try_create, false, false},
	{"create once", try_create_again, false, true},
	{"read", try_read, false, false},
	{"exchange", try_swap, false, false},
	{"exchange once", try_stale_swap, false, true},
	{"list", try_list, false, true},
	{"ranges", try_range, true, true},
	{"digests", try_digest, true, true},
	{"parts", try_parts, true, true},
	{"remove", try_delete, false, true},
};

enum { PLAN_STEPS = sizeof plan / sizeof *plan };

_Static_assert((int)PLAN_STEPS <= (int)PROBE_STEPS_MAX, "a report has room for all");

static void run_step(struct trial *trial, bool (*run)(struct trial *trial))
{
	int64_t began_ms = clock_monotonic_ms();

	(void)run(trial);
	trial->step->time_ms = clock_monotonic_ms() - began_ms;
}

static void clean_up(struct trial *trial)
{
	struct err unused;

	if (trial->written)
		(void)bucket_delete(trial->bucket, trial->key, &unused);
}

void bucket_probe(struct bucket *bucket, bool whole, struct probe_report *out)
{
	struct trial trial = {.bucket = bucket};
	bool broken = false;
	uint64_t name;

	random_bytes(&name, sizeof name);
	(void)snprintf(trial.key, sizeof trial.key, "probe/%016" PRIx64, name);
	memset(out, 0, sizeof *out);
	out->sound = true;
	for (size_t i = 0; i < PLAN_STEPS; i++) {
		if (plan[i].whole && !whole)
			continue;
		trial.step = &out->steps[out->count++];
		trial.step->name = plan[i].name;
		trial.step->verdict = PROBE_SKIPPED;
		if (!broken)
			run_step(&trial, plan[i].run);
		out->sound = out->sound && trial.step->verdict != PROBE_FAILURE;
		broken = broken || (trial.step->verdict == PROBE_FAILURE && !plan[i].alone);
	}
	clean_up(&trial);
}

const char *probe_verdict_name(enum probe_verdict verdict)
{
	static const char *const names[] = {"ok", "warning", "failure", "skipped"};

	return names[verdict];
}

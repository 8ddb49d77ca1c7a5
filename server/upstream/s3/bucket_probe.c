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
#include "server/upstream/s3/bucket_call.h"
#include "server/upstream/s3/bucket_parts.h"
#include "server/upstream/s3/bucket_race.h"

enum { CLOCK_WARNING_S = 60, CLOCK_FAILURE_S = 600, BODY_MAX = 4 << 10, SPEED_BYTES = 6 << 20 };

struct trial_object {
	char key[64];
	bool written; /* it may be there */
};

enum { MAIN, NONE, RACE, OBJECTS };

struct trial {
	struct bucket *bucket;
	struct probe_step *step;
	struct probe_report *report;
	struct trial_object objects[OBJECTS];
	char first[S3_ETAG_MAX];  /* of the object as it was created */
	char second[S3_ETAG_MAX]; /* as it was exchanged */
	int64_t date_s;
	bool reached;
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

/* What the store does, it will do again. */
static void tell_fault(struct trial *trial, const char *remedy, const char *fault)
{
	tell(trial, PROBE_FAILURE, remedy, "%s", fault);
	trial->report->lasting = true;
}

static const char access_remedy[] =
	"the credentials need s3:GetObject, s3:PutObject, s3:DeleteObject and "
	"s3:AbortMultipartUpload on the bucket's objects and s3:ListBucket on the "
	"bucket; see that key, secret and region are right";
static const char credentials_remedy[] =
	"correct credentials_file in [store]: a file that Larder may read, of at "
	"most 256 KiB, as AWS' tools share it; without that key "
	"AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY of the environment count";
static const char condition_remedy[] = "use a store that holds to If-None-Match and If-Match of PutObject "
				       "(AWS, Ceph 16 or newer, MinIO, R2); a "
				       "proxy before the store may be what drops them";
static const char listing_remedy[] =
	"use a store whose listings show at once what was written, in the order of "
	"keys, and go on behind start-after";
static const char reach_remedy[] =
	"see that endpoint in [store] is that of a store that speaks S3, that key, secret "
	"and region are right, and that the credentials may s3:ListBucket on the bucket "
	"and s3:GetObject, s3:PutObject, s3:DeleteObject and s3:AbortMultipartUpload "
	"on its objects";
static const char clock_remedy[] =
	"set the clocks by NTP, here and there; 15 minutes apart every request is refused";

static const char *remedy_of(const struct trial *trial, enum bucket_outcome outcome, const char *refused)
{
	switch (outcome) {
	case BUCKET_REFUSED:
		return refused;
	case BUCKET_ABSENT:
		return trial->reached ? "use a store that shows at once what was written"
				      : "make the bucket, or correct bucket and endpoint in [store]; Larder "
					"makes none";
	case BUCKET_UNREACHABLE:
		return "see that endpoint and ca_file in [store] are right and that the store runs; "
		       "connect_timeout_s and timeout_s bound the wait";
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
	bool passes = outcome == BUCKET_BUSY || outcome == BUCKET_AMBIGUOUS || outcome == BUCKET_UNREACHABLE;

	if (outcome == BUCKET_CLASH) {
		tell_fault(trial, condition_remedy, "a condition that holds is said not to");
		return;
	}
	if (outcome == BUCKET_REFUSED && err->code == ERR_BAD_REQUEST)
		refused = credentials_remedy;
	if (strstr(err->text, "RequestTimeTooSkewed")) {
		refused = clock_remedy;
		passes = true;
	}
	tell(trial, PROBE_FAILURE, remedy_of(trial, outcome, refused), "%s", err->text);
	trial->report->lasting = trial->report->lasting || !passes;
}

/* ---- steps ---- */

static enum bucket_outcome put_into(struct trial *trial, int object, const char *text,
	const struct bucket_condition *condition, char etag[S3_ETAG_MAX], struct err *err)
{
	struct digest digest = digest_of(text, strlen(text));
	const struct s3_body body = {.bytes = text, .length = (int64_t)strlen(text), .sha256 = digest.hex};
	struct bucket_facts facts = {0};
	enum bucket_outcome outcome;

	trial->objects[object].written = true;
	outcome = bucket_put(trial->bucket, trial->objects[object].key, &body, condition, &facts, err);
	if (outcome == BUCKET_DONE)
		(void)strcpy(etag, facts.etag);
	return outcome;
}

static enum bucket_outcome put(struct trial *trial, const char *text,
	const struct bucket_condition *condition, char etag[S3_ETAG_MAX], struct err *err)
{
	return put_into(trial, MAIN, text, condition, etag, err);
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
		return tell_outcome(trial, outcome, reach_remedy, &err), false;
	trial->reached = true;
	trial->date_s = facts.date_s;
	tell(trial, PROBE_OK, NULL, "the bucket is there and can be listed");
	return true;
}

/* The signature has a time in it, which stores take for wrong after 15 minutes. */
static bool try_clock(struct trial *trial)
{
	int64_t skew_s = clock_now_s() - trial->date_s;
	int64_t size_s = skew_s < 0 ? -skew_s : skew_s;

	if (trial->date_s == 0)
		tell(trial, PROBE_WARNING, NULL, "the store does not tell its time");
	else if (size_s > CLOCK_WARNING_S)
		tell(trial, size_s > CLOCK_FAILURE_S ? PROBE_FAILURE : PROBE_WARNING, clock_remedy,
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
		return tell_outcome(trial, outcome, access_remedy, &err), false;
	if (!bucket_etag_tells(trial->first))
		return tell_fault(trial, condition_remedy, "the store tells no ETag of what it was sent"),
		       false;
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
		tell_fault(trial, condition_remedy,
			"the store ignores If-None-Match: an object was created a second time, over the "
			"first");
	else if (outcome != BUCKET_CLASH)
		tell_outcome(trial, outcome, condition_remedy, &err);
	else
		tell(trial, PROBE_OK, NULL, "what is there cannot be created again");
	return outcome == BUCKET_CLASH;
}

/* Whether the object is this text, with this ETag; the step's failure is told where not. */
static bool read_back(struct trial *trial, const char *text, const char *etag, const char *otherwise)
{
	AUTO_BUFFER struct buffer body = {0};
	struct bucket_facts facts;
	struct err err;
	enum bucket_outcome outcome =
		bucket_read(trial->bucket, trial->objects[MAIN].key, BODY_MAX, NULL, &body, &facts, &err);

	if (outcome != BUCKET_DONE)
		return tell_outcome(trial, outcome, access_remedy, &err), false;
	if (strcmp(buffer_string(&body), text) != 0)
		return tell_fault(trial, condition_remedy, otherwise), false;
	if (strcmp(facts.etag, etag) != 0)
		return tell_fault(trial, condition_remedy,
			       "the store tells another ETag of what is read than of what was written"),
		       false;
	return true;
}

static bool try_read(struct trial *trial)
{
	if (!read_back(trial, "first", trial->first, "what is read is not what was written"))
		return false;
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
	if (!bucket_etag_tells(trial->second) || strcmp(trial->second, trial->first) == 0)
		return tell_fault(
			       trial, condition_remedy, "the ETag of an object stays when its bytes do not"),
		       false;
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
		tell_fault(trial, condition_remedy,
			"the store ignores If-Match: an object was exchanged by an ETag that it no longer "
			"had");
	else if (outcome != BUCKET_CLASH)
		tell_outcome(trial, outcome, condition_remedy, &err);
	else if (read_back(trial, "second", trial->second,
			 "the store says that a stale ETag exchanges nothing, and exchanges the object"))
		tell(trial, PROBE_OK, NULL, "a stale ETag exchanges nothing");
	return outcome == BUCKET_CLASH;
}

static bool try_swap_of_none(struct trial *trial)
{
	char etag[S3_ETAG_MAX];
	struct bucket_facts facts;
	struct err err;
	enum bucket_outcome outcome = put_into(
		trial, NONE, "none", &(struct bucket_condition){.if_etag = trial->second}, etag, &err);

	if (outcome == BUCKET_DONE)
		tell_fault(trial, condition_remedy,
			"the store ignores If-Match where nothing is: an object that is not there was "
			"exchanged");
	else if (outcome != BUCKET_CLASH && outcome != BUCKET_ABSENT)
		tell_outcome(trial, outcome, condition_remedy, &err);
	else if (bucket_head(trial->bucket, trial->objects[NONE].key, NULL, &facts, &err) == BUCKET_DONE)
		tell_fault(trial, condition_remedy,
			"the store says that nothing was exchanged where nothing is, and keeps it");
	else
		tell(trial, PROBE_OK, NULL, "what is not there cannot be exchanged");
	return outcome == BUCKET_CLASH || outcome == BUCKET_ABSENT;
}

static void judge_race(struct trial *trial, const struct bucket_race *race, const char *verb)
{
	enum bucket_race_end end = bucket_race_end(race);

	tell(trial, PROBE_OK, NULL,
		"of %d who asked at the same instant %d were told that they %s the object%s",
		(int)BUCKET_RACERS, race->done, verb,
		end == RACE_FALSE && race->done < 2 ? ", which is not so" : "");
	trial->step->verdict = end == RACE_WON       ? PROBE_OK
			       : end == RACE_UNCLEAR ? PROBE_WARNING
						     : PROBE_FAILURE;
	trial->step->remedy = end == RACE_FALSE ? condition_remedy : NULL;
	trial->report->lasting = trial->report->lasting || end == RACE_FALSE;
}

static bool run_race(struct trial *trial, const struct bucket_condition *condition, const char *verb,
	struct bucket_race *race)
{
	struct trial_object *object = &trial->objects[RACE];
	enum bucket_outcome outcome;
	struct err err;

	object->written = true;
	outcome = bucket_race(trial->bucket, object->key, condition, race, &err);
	if (outcome != BUCKET_DONE)
		tell_outcome(trial, outcome, condition_remedy, &err);
	else
		judge_race(trial, race, verb);
	return trial->step->verdict != PROBE_FAILURE;
}

/* Those who are late find the ETag of another: as many as were told yes would be holders of one lease. */
static bool try_race(struct trial *trial)
{
	struct bucket_race race;
	const struct bucket_condition swap = {.if_etag = race.etag};
	struct bucket_race second;

	if (!run_race(trial, &(struct bucket_condition){.if_absent = true}, "created", &race))
		return false;
	if (race.winner < 0 || trial->step->verdict != PROBE_OK)
		return true;
	if (!run_race(trial, &swap, "exchanged", &second) || trial->step->verdict != PROBE_OK)
		return trial->step->verdict != PROBE_FAILURE;
	tell(trial, PROBE_OK, NULL, "of %d who ask at the same instant one creates, and one exchanges",
		(int)BUCKET_RACERS);
	return true;
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

/* Whether the object is listed behind after; false where that cannot be told. */
static bool is_listed(struct trial *trial, const char *after, bool *seen)
{
	struct sighting sighting = {.key = trial->objects[MAIN].key};
	const struct bucket_page page = {.under = sighting.key,
		.after = after,
		.limit = 10,
		.object = look_for_key,
		.context = &sighting};
	struct err err;
	bool more;
	enum bucket_outcome outcome = bucket_list(trial->bucket, &page, &more, NULL, &err);

	if (outcome != BUCKET_DONE)
		return tell_outcome(trial, outcome, listing_remedy, &err), false;
	*seen = sighting.seen;
	return true;
}

static bool try_list(struct trial *trial)
{
	bool seen;
	bool again;

	if (!is_listed(trial, NULL, &seen) || !is_listed(trial, trial->objects[MAIN].key, &again))
		return false;
	if (!seen || again)
		return tell_fault(trial, listing_remedy,
			       again ? "what was listed is listed again behind itself"
				     : "what was written is not listed"),
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
	enum bucket_outcome outcome =
		bucket_get(trial->bucket, trial->objects[MAIN].key, 2, 3, &receiver, NULL, &err);

	if (outcome != BUCKET_DONE)
		return tell_outcome(trial, outcome, access_remedy, &err), false;
	if (strcmp(buffer_string(&body), "con") != 0)
		return tell_fault(trial, condition_remedy, "a range of an object is not that range"), false;
	tell(trial, PROBE_OK, NULL, "ranges are those that are asked for");
	return true;
}

static bool try_digest(struct trial *trial)
{
	struct digest other = digest_of("other", 5);
	const struct s3_body body = {.bytes = "bytes", .length = 5, .sha256 = other.hex};
	struct err err;
	enum bucket_outcome outcome =
		bucket_put(trial->bucket, trial->objects[MAIN].key, &body, NULL, NULL, &err);

	if (outcome == BUCKET_DONE)
		tell(trial, PROBE_WARNING, NULL,
			"the store takes bytes that have not the digest they are sent with; Larder verifies "
			"what it reads itself");
	else if (outcome != BUCKET_REFUSED)
		tell_outcome(trial, outcome, access_remedy, &err);
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
	const struct s3_body file = {.fd = fd, .length = SPEED_BYTES};
	int64_t sent_ms;
	struct err err;
	enum bucket_outcome outcome =
		bucket_put_parts(trial->bucket, trial->objects[MAIN].key, &file, BUCKET_PART_MIN, &err);

	sent_ms = clock_monotonic_ms();
	if (outcome == BUCKET_DONE)
		outcome = bucket_get(trial->bucket, trial->objects[MAIN].key, 0, -1, &receiver, NULL, &err);
	if (outcome != BUCKET_DONE)
		return tell_outcome(trial, outcome, access_remedy, &err), false;
	if (taken != SPEED_BYTES)
		return tell_fault(trial, condition_remedy, "what was sent in parts is not whole"), false;
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
	enum bucket_outcome outcome = bucket_delete(trial->bucket, trial->objects[MAIN].key, &err);

	if (outcome != BUCKET_DONE)
		return tell_outcome(trial, outcome, access_remedy, &err), false;
	trial->objects[MAIN].written = false;
	if (bucket_head(trial->bucket, trial->objects[MAIN].key, NULL, &facts, &err) != BUCKET_ABSENT)
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
	{"exchange none", try_swap_of_none, false, true},
	{"race", try_race, false, true},
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

	for (int i = 0; i < OBJECTS; i++) {
		if (trial->objects[i].written)
			(void)bucket_delete(trial->bucket, trial->objects[i].key, &unused);
	}
}

static void name_objects(struct trial *trial)
{
	static const char *const endings[OBJECTS] = {[MAIN] = "", [NONE] = "-none", [RACE] = "-race"};
	uint64_t name;

	random_bytes(&name, sizeof name);
	for (int i = 0; i < OBJECTS; i++)
		(void)snprintf(trial->objects[i].key, sizeof trial->objects[i].key, "probe/%016" PRIx64 "%s",
			name, endings[i]);
}

void bucket_probe(struct bucket *bucket, bool whole, struct probe_report *out)
{
	struct trial trial = {.bucket = bucket, .report = out};
	bool broken = false;

	name_objects(&trial);
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

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vault/leases.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/digest.h"
#include "common/list.h"
#include "common/lock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/thread.h"
#include "server/metrics.h"
#include "server/ranks.h"
#include "server/upstream/s3/bucket.h"
#include "server/vault/bucket_health.h"
#include "server/vault/lease_record.h"
#include "server/vault/vault_keys.h"

static const struct lock_place lock_place = {"leases", RANK_LEASES};

/* How often an acquisition looks again, how often the end of a lease is written, what the wait for that is;
 * a lease is written so often within its time. */
enum { ACQUIRE_TRIES = 4, END_TRIES = 3, END_PAUSE_MS = 200, WRITES_A_TTL = 3, NONCE_BYTES = 16 };

_Static_assert(sizeof(((struct lease_watch *)0)->etag) >= S3_ETAG_MAX, "an ETag has room");

/* One that is held. The record changes under the mutex, the etag on the thread only. */
struct lease {
	struct list_link link;
	struct name name;
	struct lease_record record;
	char etag[S3_ETAG_MAX];
	int64_t written_ms; /* when it was written last, at the latest; on the thread only */
	int64_t due_ms;
	bool ending;
	bool lost; /* another has it: nothing is written any more */
	int end_tries;
};

struct leases {
	struct lock mutex; /* guards everything below up to the blank line */
	pthread_cond_t changed;
	struct list held;
	int64_t count;
	bool started;
	bool stopping;
	pthread_t thread;

	struct bucket *bucket;
	struct bucket_health *health;
	int64_t ttl_ms;
};

/* ---- requests ---- */

static enum bucket_outcome note(
	struct leases *leases, bool writes, enum bucket_outcome outcome, const struct err *why)
{
	bucket_health_note(leases->health, writes, outcome, why);
	return outcome;
}

/* *etag, of S3_ETAG_MAX bytes, is what the object has then; "" where the store does not tell. */
static enum bucket_outcome write_lease(struct leases *leases, const struct name *name,
	const struct lease_record *record, const struct bucket_condition *condition, char *etag,
	struct err *why)
{
	struct vault_key key = vault_key_of(VAULT_LEASES, name);
	AUTO_FREE char *text = lease_write(name, record);
	struct digest digest = digest_of(text, strlen(text));
	const struct s3_body body = {.bytes = text, .length = (int64_t)strlen(text), .sha256 = digest.hex};
	struct bucket_facts facts = {0};
	enum bucket_outcome outcome;

	if (!bucket_health_may_ask(leases->health, why))
		return BUCKET_UNREACHABLE;
	outcome =
		note(leases, true, bucket_put(leases->bucket, key.text, &body, condition, &facts, why), why);
	(void)snprintf(etag, S3_ETAG_MAX, "%s", facts.etag);
	return outcome;
}

static enum bucket_outcome read_lease(
	struct leases *leases, const struct name *name, struct lease_record *out, char *etag, struct err *why)
{
	enum { LEASE_BYTES_MAX = 16 << 10 };
	struct vault_key key = vault_key_of(VAULT_LEASES, name);
	AUTO_BUFFER struct buffer text = {0};
	struct bucket_facts facts = {0};
	enum bucket_outcome outcome;

	if (!bucket_health_may_ask(leases->health, why))
		return BUCKET_UNREACHABLE;
	outcome = note(leases, false,
		bucket_read(leases->bucket, key.text, LEASE_BYTES_MAX, NULL, &text, &facts, why), why);
	(void)snprintf(etag, S3_ETAG_MAX, "%s", facts.etag);
	if (outcome == BUCKET_DONE && !lease_read(buffer_string(&text), text.length, out, why))
		return BUCKET_REFUSED;
	return outcome;
}

/* Whether what became of a write is only known by reading. A create that was sent twice finds itself. */
static bool is_unclear(enum bucket_outcome outcome)
{
	return outcome == BUCKET_CLASH || outcome == BUCKET_AMBIGUOUS || outcome == BUCKET_BUSY ||
	       outcome == BUCKET_ABSENT;
}

/* ---- writing what is held ---- */

static void lose(struct leases *leases, struct lease *lease, const struct lease_record *other)
{
	metric_add(METRIC_LEASES_LOST, 1);
	log_event(LOG_LEVEL_WARN, "another node has taken a lease over", "name", name_path(&lease->name).text,
		"format", formats[lease->name.format].name, "node", other ? other->holder.node : "", NULL);
	LOCKED(&leases->mutex);
	lease->lost = true;
}

/* Writes the record in the place of what is there, and where that is not clear reads back whose it is. True
 * where the lease is still ours, and what is there is known. */
static bool exchange(struct leases *leases, struct lease *lease, const struct lease_record *record)
{
	const struct bucket_condition condition = {.if_etag = lease->etag};
	struct lease_record there;
	char etag[S3_ETAG_MAX];
	struct err why;
	int64_t before_ms = clock_monotonic_ms();
	enum bucket_outcome outcome = write_lease(leases, &lease->name, record, &condition, etag, &why);

	if (outcome == BUCKET_DONE && *etag) {
		(void)strcpy(lease->etag, etag);
		lease->written_ms = before_ms;
		return true;
	}
	if (outcome != BUCKET_DONE && !is_unclear(outcome))
		return false;
	outcome = read_lease(leases, &lease->name, &there, etag, &why);
	if (outcome == BUCKET_ABSENT || (outcome == BUCKET_DONE && strcmp(there.nonce, record->nonce) != 0))
		lose(leases, lease, outcome == BUCKET_DONE ? &there : NULL);
	else if (outcome == BUCKET_DONE)
		(void)strcpy(lease->etag, etag);
	return outcome == BUCKET_DONE && !lease->lost && there.count == record->count;
}

/* A store removes what is there, whoever has written it; so only where nobody can have taken it over: a while
 * after it was written as active. */
static bool vanish(struct leases *leases, struct lease *lease, const struct lease_record *record)
{
	struct lease_record active = *record;
	struct vault_key key = vault_key_of(VAULT_LEASES, &lease->name);
	struct err why;

	active.state = LEASE_ACTIVE;
	if (clock_monotonic_ms() - lease->written_ms > leases->ttl_ms / WRITES_A_TTL &&
		!exchange(leases, lease, &active))
		return false;
	return bucket_health_may_ask(leases->health, &why) &&
	       note(leases, true, bucket_delete(leases->bucket, key.text, &why), &why) == BUCKET_DONE;
}

/* Writes what is due, or removes it. */
static bool renew(struct leases *leases, struct lease *lease, const struct lease_record *record)
{
	return record->state == LEASE_REMOVED ? vanish(leases, lease, record)
					      : exchange(leases, lease, record);
}

/* The next one whose time has come, with what is to be written of it; NULL: *until_ms. */
static struct lease *take_due(struct leases *leases, struct lease_record *out, int64_t *until_ms)
{
	LOCKED(&leases->mutex);
	int64_t now_ms = clock_monotonic_ms();

	*until_ms = INT64_MAX;
	LIST_EACH (struct lease, lease, link, &leases->held) {
		if (lease->lost && !lease->ending)
			continue;
		if (lease->due_ms <= now_ms) {
			lease->due_ms = now_ms + leases->ttl_ms / WRITES_A_TTL;
			lease->record.count++;
			*out = lease->record;
			return lease;
		}
		*until_ms = lease->due_ms < *until_ms ? lease->due_ms : *until_ms;
	}
	return NULL;
}

static void drop(struct leases *leases, struct lease *lease)
{
	list_remove(&lease->link);
	leases->count--;
	metric_add(METRIC_LEASES_HELD, -1);
	free(lease);
}

/* It was written, or not. What has come to its end meanwhile is written once more. */
static void settle(struct leases *leases, struct lease *lease, enum lease_state written, bool done)
{
	LOCKED(&leases->mutex);
	bool ended = lease->ending && written != LEASE_ACTIVE &&
		     (done || leases->stopping || ++lease->end_tries >= END_TRIES);

	if (ended || (lease->ending && lease->lost))
		drop(leases, lease);
	else if (lease->ending)
		lease->due_ms = clock_monotonic_ms() + (written != LEASE_ACTIVE ? END_PAUSE_MS : 0);
	else if (!done)
		lease->due_ms = clock_monotonic_ms() + leases->ttl_ms / WRITES_A_TTL / WRITES_A_TTL;
}

/* False: it is to end, and nothing is held any more. */
static bool await(struct leases *leases, int64_t until_ms)
{
	LOCKED(&leases->mutex);

	if (leases->stopping && list_is_empty(&leases->held))
		return false;
	if (until_ms == INT64_MAX)
		lock_wait(&leases->mutex, &leases->changed);
	else
		(void)lock_wait_until(&leases->mutex, &leases->changed, until_ms);
	return true;
}

static void *run(void *argument)
{
	struct leases *leases = argument;
	struct lease_record record;
	int64_t until_ms;

	do {
		struct lease *lease;

		while ((lease = take_due(leases, &record, &until_ms)))
			settle(leases, lease, record.state, !lease->lost && renew(leases, lease, &record));
	} while (await(leases, until_ms));
	return NULL;
}

/* ---- acquiring ---- */

static bool start_thread(struct leases *leases)
{
	const struct thread_plan plan = {.name = "leases", .run = run, .context = leases};
	struct err ignored;

	lock_expect(&leases->mutex);
	if (!leases->started)
		leases->started = thread_start(&leases->thread, &plan, &ignored);
	return leases->started;
}

/* NULL where nobody could write it from now on: it is taken over in its time. */
static struct lease *hold(
	struct leases *leases, const struct name *name, const struct lease_record *record, const char *etag)
{
	LOCKED(&leases->mutex);
	struct lease *lease;

	if (leases->count >= LEASES_MAX || !start_thread(leases))
		return NULL;
	lease = mem_zero(1, sizeof *lease);
	lease->name = *name;
	lease->record = *record;
	(void)strcpy(lease->etag, etag);
	lease->written_ms = clock_monotonic_ms();
	lease->due_ms = clock_monotonic_ms() + leases->ttl_ms / WRITES_A_TTL;
	list_append(&leases->held, &lease->link);
	leases->count++;
	metric_add(METRIC_LEASES_HELD, 1);
	(void)pthread_cond_signal(&leases->changed);
	return lease;
}

/* Who wants it, and what is known of it meanwhile. */
struct wish {
	struct leases *leases;
	const struct name *name;
	struct lease_record ours;
	struct lease_record theirs;
	bool seen; /* there is one, with this: */
	char etag[S3_ETAG_MAX];
	struct lease_watch *watch;
};

static enum bucket_outcome look(struct wish *wish, struct err *err)
{
	enum bucket_outcome outcome = read_lease(wish->leases, wish->name, &wish->theirs, wish->etag, err);

	wish->seen = outcome == BUCKET_DONE;
	return outcome;
}

static void observe(struct wish *wish)
{
	struct lease_watch *watch = wish->watch;

	if (strcmp(watch->etag, wish->etag) == 0)
		return;
	(void)strcpy(watch->etag, wish->etag);
	watch->since_ms = clock_monotonic_ms();
}

static bool is_ours(const struct wish *wish)
{
	return wish->seen && strcmp(wish->theirs.nonce, wish->ours.nonce) == 0;
}

/* Its holder has come to an end, or has been silent for its time. */
static bool is_free(const struct wish *wish)
{
	return wish->theirs.state != LEASE_ACTIVE ||
	       clock_monotonic_ms() - wish->watch->since_ms > wish->leases->ttl_ms;
}

static bool conclude(struct wish *wish, bool taken, struct lease_answer *out)
{
	out->standing = taken ? LEASE_TAKEN : LEASE_NEW;
	out->lease = hold(wish->leases, wish->name, &wish->ours, wish->etag);
	metric_add(taken ? METRIC_LEASES_TAKEN : METRIC_LEASES_ACQUIRED, 1);
	return true;
}

/* Creates it, or takes it over. */
static enum bucket_outcome seize(struct wish *wish, struct err *err)
{
	const struct bucket_condition condition = {
		.if_absent = !wish->seen, .if_etag = wish->seen ? wish->etag : NULL};
	char etag[S3_ETAG_MAX];
	enum bucket_outcome outcome;

	wish->ours.count++;
	outcome = write_lease(wish->leases, wish->name, &wish->ours, &condition, etag, err);
	if (outcome == BUCKET_DONE)
		(void)strcpy(wish->etag, etag);
	return outcome;
}

/* One attempt: true where *over says that it is decided, and where it is not; false is a failure. */
static bool attempt(struct wish *wish, struct lease_answer *out, bool *over, struct err *err)
{
	bool taken = wish->seen;
	enum bucket_outcome outcome = seize(wish, err);
	bool done = outcome == BUCKET_DONE;

	*over = done && *wish->etag;
	if (*over)
		return conclude(wish, taken, out);
	if (!done && !is_unclear(outcome))
		return false;
	outcome = look(wish, err);
	if (outcome != BUCKET_DONE)
		return outcome == BUCKET_ABSENT;
	*over = is_ours(wish);
	if (*over)
		return conclude(wish, taken, out);
	observe(wish);
	*over = !is_free(wish);
	out->standing = LEASE_THEIRS;
	return true;
}

static bool refuse_unsteady(const struct name *name, struct err *err)
{
	return err_set(err, ERR_BUSY, "the lease on %s is coming and going", name_path(name).text);
}

static void begin(struct wish *wish, const struct lease_holder *holder)
{
	uint8_t random[NONCE_BYTES];

	random_bytes(random, sizeof random);
	wish->ours = (struct lease_record){.state = LEASE_ACTIVE, .holder = *holder};
	(void)snprintf(
		wish->ours.nonce, sizeof wish->ours.nonce, "%.32s", digest_of(random, sizeof random).hex);
}

/* Who has seen it before looks first whether it is free by now. *over: it is not. */
static bool look_again(struct wish *wish, struct lease_answer *out, bool *over, struct err *err)
{
	enum bucket_outcome outcome;

	*over = false;
	if (!*wish->watch->etag)
		return true;
	outcome = look(wish, err);
	if (outcome == BUCKET_DONE)
		observe(wish);
	*over = outcome == BUCKET_DONE && !is_free(wish);
	out->standing = LEASE_THEIRS;
	return outcome == BUCKET_DONE || outcome == BUCKET_ABSENT;
}

bool leases_acquire(struct leases *leases, const struct name *name, const struct lease_holder *holder,
	struct lease_watch *watch, struct lease_answer *out, struct err *err)
{
	struct wish wish = {.leases = leases, .name = name, .watch = watch};
	bool over;

	*out = (struct lease_answer){0};
	begin(&wish, holder);
	if (!look_again(&wish, out, &over, err))
		return false;
	for (int i = 0; i < ACQUIRE_TRIES && !over; i++) {
		if (!attempt(&wish, out, &over, err))
			return false;
	}
	if (out->standing != LEASE_NEW) {
		out->holder = wish.theirs.holder;
		(void)strcpy(out->holder.nonce, wish.theirs.nonce);
	}
	return over || refuse_unsteady(name, err);
}

void leases_report(struct leases *leases, struct lease *lease, const struct lease_work *work)
{
	if (!lease)
		return;
	LOCKED(&leases->mutex);
	struct lease_work *told = &lease->record.holder.work;
	bool other = strcmp(told->upstream, work->upstream) != 0 || strcmp(told->etag, work->etag) != 0 ||
		     strcmp(told->last_modified, work->last_modified) != 0 ||
		     told->total_bytes != work->total_bytes;

	*told = *work;
	/* Whoever takes over may go on with what there is, where he knows what that is. */
	if (other) {
		lease->due_ms = 0;
		(void)pthread_cond_signal(&leases->changed);
	}
}

void leases_release(struct leases *leases, struct lease *lease, enum lease_end end)
{
	static const enum lease_state states[] = {[LEASE_END_FAILED] = LEASE_FAILED,
		[LEASE_END_DONE] = LEASE_DONE,
		[LEASE_END_NOTHING] = LEASE_REMOVED};

	if (!lease)
		return;
	LOCKED(&leases->mutex);

	lease->record.state = states[end];
	lease->ending = true;
	lease->due_ms = 0;
	(void)pthread_cond_signal(&leases->changed);
}

/* ---- creating and ending ---- */

struct leases *leases_create(struct bucket *bucket, struct bucket_health *health, int64_t ttl_s)
{
	struct leases *leases = mem_zero(1, sizeof *leases);

	lock_init(&leases->mutex, &lock_place);
	(void)pthread_cond_init(&leases->changed, NULL);
	list_init(&leases->held);
	leases->bucket = bucket;
	leases->health = health;
	leases->ttl_ms = 1000 * ttl_s;
	return leases;
}

static void stop(struct leases *leases)
{
	LOCKED(&leases->mutex);

	leases->stopping = true;
	LIST_EACH (struct lease, lease, link, &leases->held) {
		if (!lease->ending)
			lease->record.state = LEASE_FAILED;
		lease->ending = true;
		lease->due_ms = 0;
	}
	(void)pthread_cond_signal(&leases->changed);
}

void leases_destroy(struct leases *leases)
{
	if (!leases)
		return;
	stop(leases);
	if (leases->started)
		thread_join(leases->thread);
	(void)pthread_cond_destroy(&leases->changed);
	lock_finish(&leases->mutex);
	free(leases);
}

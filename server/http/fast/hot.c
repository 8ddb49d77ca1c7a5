/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/fast/hot.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "common/lock.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/http/mhd/responses.h"
#include "server/ranks.h"

/* What a reply takes beside its body and target: its headers, twice, and this room's own. */
enum { BYTES_PER_REPLY = 2048 };

struct hot {
	struct rwlock lock; /* guards all but limits and seed; ticket is written under it */
	_Atomic uint64_t ticket;
	struct hot_reply **replies; /* the first count of limits.replies */
	unsigned count;
	unsigned hand;
	struct hot_reply **buckets;
	uint32_t bucket_mask;
	unsigned files;
	int64_t bytes;

	struct hot_limits limits;
	uint32_t seed;
};

static const struct lock_place lock_place = {"hot", RANK_HOT};

struct hot *hot_create(const struct hot_limits *limits)
{
	struct hot *hot = mem_zero(1, sizeof *hot);
	uint32_t buckets = 1;

	while (buckets < limits->replies)
		buckets *= 2;
	rwlock_init(&hot->lock, &lock_place);
	hot->limits = *limits;
	hot->replies = mem_zero(limits->replies, sizeof(struct hot_reply *));
	hot->buckets = mem_zero(buckets, sizeof(struct hot_reply *));
	hot->bucket_mask = buckets - 1;
	/* Without it the table would be as good, only easier to unbalance from outside. */
	if (getrandom(&hot->seed, sizeof hot->seed, GRND_NONBLOCK) < 0)
		hot->seed = 0;
	return hot;
}

void hot_destroy(struct hot *hot)
{
	if (!hot)
		return;
	for (unsigned i = 0; i < hot->count; i++)
		hot_release(hot->replies[i]);
	rwlock_finish(&hot->lock);
	free(hot->replies);
	free(hot->buckets);
	free(hot);
}

uint64_t hot_ticket(struct hot *hot)
{
	return hot ? atomic_load(&hot->ticket) : 0;
}

/* FNV-1a. */
static uint32_t hash_of(const struct hot *hot, const char *target)
{
	uint32_t hash = 2166136261u ^ hot->seed;

	for (const char *c = target; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	return hash ^ hash >> 15;
}

static struct hot_reply *find(struct hot *hot, uint32_t hash, const char *target)
{
	struct hot_reply *reply = hot->buckets[hash & hot->bucket_mask];

	while (reply && (reply->hash != hash || strcmp(reply->target, target) != 0))
		reply = reply->next;
	return reply;
}

struct hot_reply *hot_find(struct hot *hot, const char *target)
{
	struct hot_reply *reply;
	uint32_t hash;

	if (!hot || strnlen(target, HOT_TARGET_MAX + 1) > HOT_TARGET_MAX)
		return NULL;
	hash = hash_of(hot, target);
	READ_LOCKED(&hot->lock);
	reply = find(hot, hash, target);
	if (!reply)
		return NULL;
	(void)atomic_fetch_add_explicit(&reply->holders, 1, memory_order_relaxed);
	/* Asked first: a line of memory that is only read stays in every core's cache. */
	if (!atomic_load_explicit(&reply->used, memory_order_relaxed))
		atomic_store_explicit(&reply->used, true, memory_order_relaxed);
	return reply;
}

void hot_release(struct hot_reply *reply)
{
	if (!reply || atomic_fetch_sub(&reply->holders, 1) > 1)
		return;
	if (reply->is_file && reply->body)
		(void)munmap((void *)reply->body, (size_t)reply->size);
	response_destroy(reply->response);
	reuse_finish(&reply->reuse);
	free(reply->target);
	free(reply->log_path);
	free(reply->note);
	free(reply->fields);
	free(reply->etag);
	free(reply);
}

static int64_t bytes_of(const struct hot_reply *reply)
{
	return BYTES_PER_REPLY + 2 * (int64_t)strlen(reply->target) + (int64_t)reply->fields_length +
	       (reply->is_file ? 0 : reply->size);
}

/* Takes a reply out of the table and puts it onto the list of those to let go. */
static void take_out(struct hot *hot, struct hot_reply *reply, struct hot_reply **gone)
{
	struct hot_reply **link = &hot->buckets[reply->hash & hot->bucket_mask];

	while (*link != reply)
		link = &(*link)->next;
	*link = reply->next;
	hot->replies[reply->slot] = hot->replies[--hot->count];
	hot->replies[reply->slot]->slot = reply->slot;
	hot->bytes -= bytes_of(reply);
	hot->files -= reply->is_file;
	reply->next = *gone;
	*gone = reply;
}

/* Outside of the lock, since it may close files. */
static void let_go(struct hot_reply *gone)
{
	struct hot_reply *next;

	for (; gone; gone = next) {
		next = gone->next;
		hot_release(gone);
	}
}

/* One that was not used since the hand last came by; the second round finds one for sure. */
static void take_out_idle(struct hot *hot, bool file, struct hot_reply **gone)
{
	struct hot_reply *reply;

	do {
		hot->hand = (hot->hand + 1) % hot->count;
		reply = hot->replies[hot->hand];
	} while ((file && !reply->is_file) || atomic_exchange(&reply->used, false));
	take_out(hot, reply, gone);
}

static void make_room(struct hot *hot, const struct hot_reply *reply, struct hot_reply **gone)
{
	if (reply->is_file && hot->files == hot->limits.files)
		take_out_idle(hot, true, gone);
	while (hot->count == hot->limits.replies || hot->bytes + bytes_of(reply) > hot->limits.bytes)
		take_out_idle(hot, false, gone);
}

static bool is_welcome(struct hot *hot, uint64_t ticket, const struct hot_reply *reply)
{
	return ticket == atomic_load(&hot->ticket) && strlen(reply->target) <= HOT_TARGET_MAX &&
	       reply->fields_length <= HOT_FIELDS_MAX && bytes_of(reply) <= hot->limits.bytes &&
	       (!reply->is_file || hot->limits.files > 0) && !find(hot, reply->hash, reply->target);
}

static struct hot_reply *put(struct hot *hot, uint64_t ticket, struct hot_reply *reply)
{
	struct hot_reply *gone = NULL;
	struct hot_reply **bucket;
	WRITE_LOCKED(&hot->lock);

	reply->hash = hash_of(hot, reply->target);
	reply->next = NULL;
	if (!is_welcome(hot, ticket, reply))
		return reply;
	make_room(hot, reply, &gone);
	bucket = &hot->buckets[reply->hash & hot->bucket_mask];
	reply->next = *bucket;
	*bucket = reply;
	reply->slot = hot->count;
	hot->replies[hot->count++] = reply;
	hot->bytes += bytes_of(reply);
	hot->files += reply->is_file;
	return gone;
}

void hot_keep(struct hot *hot, uint64_t ticket, struct hot_reply *reply)
{
	let_go(put(hot, ticket, reply));
}

static bool has_label(const struct hot_reply *reply, const char *label)
{
	for (size_t i = 0; i < REUSE_LABELS; i++) {
		if (reply->reuse.labels[i] && strcmp(reply->reuse.labels[i], label) == 0)
			return true;
	}
	return false;
}

static struct hot_reply *take_out_labelled(struct hot *hot, const char *label)
{
	struct hot_reply *gone = NULL;
	unsigned i = 0;
	WRITE_LOCKED(&hot->lock);

	/* Also where there is none: one may be on its way here. */
	(void)atomic_fetch_add(&hot->ticket, 1);
	while (i < hot->count) {
		if (has_label(hot->replies[i], label))
			take_out(hot, hot->replies[i], &gone);
		else
			i++;
	}
	return gone;
}

void hot_forget(struct hot *hot, const char *label)
{
	let_go(take_out_labelled(hot, label));
}

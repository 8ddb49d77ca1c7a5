/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/response_cache.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>

#include "common/invariant.h"
#include "common/lock.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/ranks.h"

/* What a reply takes beside its body and target: its headers, twice, and this room's own. */
enum { BYTES_PER_REPLY = 2048 };

struct response_cache {
	struct rwlock lock; /* guards all but limits and seed; ticket is written under it */
	_Atomic uint64_t ticket;
	struct cached_reply **replies; /* the first count of limits.replies */
	unsigned count;
	unsigned hand;
	struct cached_reply **buckets;
	uint32_t bucket_mask;
	unsigned files;
	int64_t bytes;

	struct response_cache_limits limits;
	uint32_t seed;
};

static const struct lock_place lock_place = {"response cache", RANK_RESPONSE_CACHE};

struct response_cache *response_cache_create(const struct response_cache_limits *limits)
{
	struct response_cache *cache = mem_zero(1, sizeof *cache);
	uint32_t buckets = 1;

	while (buckets < limits->replies)
		buckets *= 2;
	rwlock_init(&cache->lock, &lock_place);
	cache->limits = *limits;
	cache->replies = mem_zero(limits->replies, sizeof(struct cached_reply *));
	cache->buckets = mem_zero(buckets, sizeof(struct cached_reply *));
	cache->bucket_mask = buckets - 1;
	/* Without it the table would be as good, only easier to unbalance from outside. */
	if (getrandom(&cache->seed, sizeof cache->seed, GRND_NONBLOCK) < 0)
		cache->seed = 0;
	return cache;
}

void response_cache_destroy(struct response_cache *cache)
{
	if (!cache)
		return;
	for (unsigned i = 0; i < cache->count; i++)
		cached_reply_release(cache->replies[i]);
	rwlock_finish(&cache->lock);
	free(cache->replies);
	free(cache->buckets);
	free(cache);
}

uint64_t response_cache_ticket(struct response_cache *cache)
{
	return cache ? atomic_load(&cache->ticket) : 0;
}

/* FNV-1a. */
static uint32_t hash_of(const struct response_cache *cache, const char *target)
{
	uint32_t hash = 2166136261u ^ cache->seed;

	for (const char *c = target; *c; c++)
		hash = (hash ^ (unsigned char)*c) * 16777619u;
	return hash ^ hash >> 15;
}

static struct cached_reply *find(struct response_cache *cache, uint32_t hash, const char *target)
{
	struct cached_reply *reply = cache->buckets[hash & cache->bucket_mask];

	while (reply && (reply->hash != hash || strcmp(reply->target, target) != 0))
		reply = reply->next;
	return reply;
}

struct cached_reply *cached_reply_hold(struct cached_reply *reply)
{
	(void)atomic_fetch_add_explicit(&reply->holders, 1, memory_order_relaxed);
	return reply;
}

struct cached_reply *response_cache_find(struct response_cache *cache, const char *target)
{
	struct cached_reply *reply;
	uint32_t hash;

	if (!cache || strnlen(target, CACHED_TARGET_MAX + 1) > CACHED_TARGET_MAX)
		return NULL;
	hash = hash_of(cache, target);
	READ_LOCKED(&cache->lock);
	reply = find(cache, hash, target);
	if (!reply)
		return NULL;
	(void)cached_reply_hold(reply);
	/* Asked first: a line of memory that is only read stays in every core's cache. */
	if (!atomic_load_explicit(&reply->used, memory_order_relaxed))
		atomic_store_explicit(&reply->used, true, memory_order_relaxed);
	return reply;
}

static void let_go_of_body(struct cached_reply *reply)
{
	if (reply->is_file && reply->body)
		(void)munmap((void *)reply->body, (size_t)reply->size);
	if (reply->owns_body && reply->is_file)
		own_close(&reply->fd);
	else if (reply->owns_body)
		free((void *)reply->body);
}

void cached_reply_release(struct cached_reply *reply)
{
	if (!reply || atomic_fetch_sub(&reply->holders, 1) > 1)
		return;
	let_go_of_body(reply);
	reuse_finish(&reply->reuse);
	free(reply->target);
	free(reply->log_path);
	free(reply->note);
	free(reply->fields);
	free(reply->etag);
	free(reply);
}

static int64_t bytes_of(const struct cached_reply *reply)
{
	return BYTES_PER_REPLY + 2 * (int64_t)strlen(reply->target) + (int64_t)reply->fields_length +
	       (reply->is_file ? 0 : reply->size);
}

/* Takes a reply out of the table and puts it onto the list of those to let go. */
static void take_out(struct response_cache *cache, struct cached_reply *reply, struct cached_reply **gone)
{
	struct cached_reply **link = &cache->buckets[reply->hash & cache->bucket_mask];

	INVARIANT(cache->replies[reply->slot] == reply);
	while (*link != reply)
		link = &(*link)->next;
	*link = reply->next;
	cache->replies[reply->slot] = cache->replies[--cache->count];
	cache->replies[reply->slot]->slot = reply->slot;
	cache->bytes -= bytes_of(reply);
	cache->files -= reply->is_file;
	INVARIANT(cache->count > 0 || (cache->bytes == 0 && cache->files == 0));
	reply->next = *gone;
	*gone = reply;
}

/* Outside of the lock, since it may close files. */
static void let_go(struct cached_reply *gone)
{
	struct cached_reply *next;

	for (; gone; gone = next) {
		next = gone->next;
		cached_reply_release(gone);
	}
}

/* One that was not used since the hand last came by; the second round finds one for sure. */
static void take_out_idle(struct response_cache *cache, bool file, struct cached_reply **gone)
{
	struct cached_reply *reply;

	do {
		cache->hand = (cache->hand + 1) % cache->count;
		reply = cache->replies[cache->hand];
	} while ((file && !reply->is_file) || atomic_exchange(&reply->used, false));
	take_out(cache, reply, gone);
}

static void make_room(
	struct response_cache *cache, const struct cached_reply *reply, struct cached_reply **gone)
{
	if (reply->is_file && cache->files == cache->limits.files)
		take_out_idle(cache, true, gone);
	while (cache->count == cache->limits.replies || cache->bytes + bytes_of(reply) > cache->limits.bytes)
		take_out_idle(cache, false, gone);
}

static bool is_welcome(struct response_cache *cache, uint64_t ticket, const struct cached_reply *reply)
{
	return ticket == atomic_load(&cache->ticket) && strlen(reply->target) <= CACHED_TARGET_MAX &&
	       reply->fields_length <= CACHED_FIELDS_MAX && bytes_of(reply) <= cache->limits.bytes &&
	       (!reply->is_file || cache->limits.files > 0) && !find(cache, reply->hash, reply->target);
}

static struct cached_reply *put(struct response_cache *cache, uint64_t ticket, struct cached_reply *reply)
{
	struct cached_reply *gone = NULL;
	struct cached_reply **bucket;
	WRITE_LOCKED(&cache->lock);

	reply->hash = hash_of(cache, reply->target);
	reply->next = NULL;
	if (!is_welcome(cache, ticket, reply))
		return reply;
	make_room(cache, reply, &gone);
	INVARIANT(
		cache->count < cache->limits.replies && cache->files + reply->is_file <= cache->limits.files);
	bucket = &cache->buckets[reply->hash & cache->bucket_mask];
	reply->next = *bucket;
	*bucket = reply;
	reply->slot = cache->count;
	cache->replies[cache->count++] = reply;
	cache->bytes += bytes_of(reply);
	cache->files += reply->is_file;
	return gone;
}

void response_cache_keep(struct response_cache *cache, uint64_t ticket, struct cached_reply *reply)
{
	let_go(put(cache, ticket, reply));
}

static bool has_label(const struct cached_reply *reply, const char *label)
{
	for (size_t i = 0; i < REUSE_LABELS; i++) {
		if (reply->reuse.labels[i] && strcmp(reply->reuse.labels[i], label) == 0)
			return true;
	}
	return false;
}

static struct cached_reply *take_out_labelled(struct response_cache *cache, const char *label)
{
	struct cached_reply *gone = NULL;
	unsigned i = 0;
	WRITE_LOCKED(&cache->lock);

	/* Also where there is none: one may be on its way here. */
	(void)atomic_fetch_add(&cache->ticket, 1);
	while (i < cache->count) {
		if (has_label(cache->replies[i], label))
			take_out(cache, cache->replies[i], &gone);
		else
			i++;
	}
	return gone;
}

void response_cache_forget(struct response_cache *cache, const char *label)
{
	let_go(take_out_labelled(cache, label));
}

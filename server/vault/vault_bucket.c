/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vault/vault_bucket.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/crypto_thread.h"
#include "common/digest.h"
#include "common/file.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/thread.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/upstream/s3/bucket.h"
#include "server/upstream/s3/bucket_parts.h"
#include "server/vault/bucket_changes.h"
#include "server/vault/bucket_health.h"
#include "server/vault/bucket_names.h"
#include "server/vault/bucket_notes.h"
#include "server/vault/bucket_sweep.h"
#include "server/vault/bucket_objects.h"
#include "server/vault/identity_record.h"
#include "server/vault/leases.h"
#include "server/vault/vault_keys.h"
#include "server/vault/vault_ops.h"

/* One request for what is no larger, else parts; how often a create is tried whose answer was lost. */
enum { WHOLE_BYTES_MAX = 64 << 20, PART_BYTES = 32 << 20, CREATE_TRIES = 4, HASH_BYTES = 256 << 10 };

struct vault_bucket {
	struct vault base;
	struct bucket *bucket;
	struct bucket_health health;
	struct bucket_objects objects;
	struct leases *leases;
};

static struct vault_bucket *self(struct vault *vault)
{
	return (struct vault_bucket *)vault;
}

static void destroy(struct vault *vault)
{
	leases_destroy(self(vault)->leases);
	bucket_health_await(&self(vault)->health);
	bucket_health_finish(&self(vault)->health);
	free(vault);
}

static bool find(struct vault *vault, const struct name *name, enum vault_standing *out,
	struct identity *identity, struct err *err)
{
	return bucket_names_find(&self(vault)->objects, name, out, identity, err);
}

static bool is_gone(struct vault *vault, const struct name *name, bool *out, struct err *err)
{
	return bucket_names_look_gone(&self(vault)->objects, name, out, err);
}

/* ---- keeping ---- */

static bool check_wanted(const struct deposit *deposit, struct err *err)
{
	return !deposit->stop || !atomic_load(deposit->stop) ||
	       err_set(err, ERR_BUSY, "nobody waits for %s any more", name_path(deposit->name).text);
}

/* Whether what was refused is what it is called: where the disk has damaged it, the store is well. */
static bool check_bytes(const struct deposit *deposit, struct err *err)
{
	AUTO_HASHER struct hasher *hasher = hasher_create();
	AUTO_FREE char *bytes = mem_zero(1, HASH_BYTES);
	struct digest digest;
	int64_t offset = 0;
	size_t got;

	do {
		if (!file_read_at(deposit->fd, bytes, HASH_BYTES, offset, &got, err))
			return false;
		hasher_add(hasher, bytes, got);
		offset += (int64_t)got;
	} while (got > 0);
	digest = hasher_result(hasher);
	return digest_equal(&digest, &deposit->identity.checksums.sha256) ||
	       err_set(err, ERR_INTERNAL,
		       "the bytes of %.200s are damaged on the disk: they have sha256:%.12s…, and had %.12s…",
		       name_path(deposit->name).text, digest.hex, deposit->identity.checksums.sha256.hex);
}

static bool put_blob(
	const struct bucket_objects *objects, const char *key, const struct deposit *deposit, struct err *err)
{
	const struct identity *identity = &deposit->identity;
	const struct s3_body body = {.fd = deposit->fd,
		.length = identity->size_bytes,
		.sha256 = identity->checksums.sha256.hex,
		.stop = deposit->stop};
	enum bucket_outcome outcome;

	if (!objects_may_ask(objects, err))
		return false;
	outcome = identity->size_bytes <= WHOLE_BYTES_MAX
			  ? bucket_put(objects->bucket, key, &body, NULL, NULL, err)
			  : bucket_put_parts(objects->bucket, key, &body, PART_BYTES, err);
	if (outcome == BUCKET_REFUSED) {
		struct err why = *err;

		if (!check_bytes(deposit, err))
			return false;
		*err = why;
	}
	/* A bucket that is not there, or a condition that nobody set. */
	if (outcome == BUCKET_ABSENT || outcome == BUCKET_CLASH)
		outcome = BUCKET_REFUSED;
	return objects_note(objects, true, outcome, err) == BUCKET_DONE;
}

/* A sweep that has looked for names already may be about to take it, where it has none yet that counts: it
 * is written anew, which the sweep sees. Half of the time that it waits is for whoever writes the name. */
static bool is_aging(const struct bucket_facts *facts)
{
	return facts->date_s > 0 && facts->modified_s > 0 &&
	       facts->date_s - facts->modified_s >= SWEEP_GRACE_S / 2;
}

/* Overwriting with the same bytes harms nobody. To send what is there is a waste, but before it is named
 * (fresh), and where somebody publishes it: what has the length may be damaged, and nobody else can mend it
 * (anew). */
static bool ensure_blob(const struct bucket_objects *objects, const struct deposit *deposit, bool fresh,
	bool anew, struct err *err)
{
	struct vault_key key = vault_key_blob(&deposit->identity.checksums.sha256);
	struct bucket_facts facts = {0};
	bool there;

	if (deposit->fd < 0)
		return true;
	for (int i = 0; i < CREATE_TRIES; i++) {
		if (!check_wanted(deposit, err) || !objects_look(objects, key.text, &there, &facts, err))
			return false;
		if (there && facts.length == deposit->identity.size_bytes && !(fresh && is_aging(&facts)) &&
			!(anew && i == 0))
			return true;
		if (!put_blob(objects, key.text, deposit, err))
			return false;
	}
	return objects_refuse_unwritten(err);
}

static bool refuse_conflict(const struct deposit *deposit, const struct identity *there, struct err *err)
{
	return err_set(err, ERR_CONFLICT,
		"%.100s (%s) is already %s with other bytes (sha256:%.12s…): a version never changes; use a "
		"new version",
		name_path(deposit->name).text, formats[deposit->name->format].name,
		version_source_name(there->source), there->checksums.sha256.hex);
}

static bool refuse_old(const struct deposit *deposit, struct err *err)
{
	return version_refuse_known(deposit->name, err);
}

/* Before it is there: whoever ends in between has told of nothing, which the others pass over and look at
 * again for minutes. Of what was mirrored they may know by their next listing. */
static bool tell_first(const struct bucket_objects *objects, const struct deposit *deposit, struct err *err)
{
	if (bucket_changes_tell(objects, CHANGE_KEPT, deposit->name, err))
		return true;
	log_event(LOG_LEVEL_WARN, "other nodes cannot be told of what is kept", "name",
		name_path(deposit->name).text, "why", err->text, NULL);
	return deposit->identity.source != SOURCE_PUBLISHED || objects_refuse_unavailable(err);
}

/* It is so; where this fails, the others know of it by their next listing. */
static void tell_late(const struct bucket_objects *objects, enum vault_change change, const struct name *name)
{
	struct err err;

	if (!bucket_changes_tell(objects, change, name, &err))
		log_event(LOG_LEVEL_WARN, "other nodes learn late of a change", "name", name_path(name).text,
			"why", err.text, NULL);
}

/* What had been mirrored is published now. Whoever was first counts; that it is there is read back. */
static bool mark_published(
	const struct bucket_objects *objects, const struct deposit *deposit, struct err *err)
{
	struct vault_key key = vault_key_of(VAULT_PUBLISHED, deposit->name);
	struct mark mark = {.at_s = deposit->identity.at_s};
	AUTO_FREE char *text = NULL;
	bool there = false;

	(void)strcpy(mark.who, deposit->identity.who);
	(void)strcpy(mark.nonce, deposit->identity.nonce);
	text = mark_write(deposit->name, &mark);
	for (int i = 0; i < CREATE_TRIES && !there; i++) {
		enum bucket_outcome outcome = objects_create(objects, key.text, text, err);

		if (outcome != BUCKET_DONE && outcome != BUCKET_CLASH && outcome != BUCKET_AMBIGUOUS)
			return outcome != BUCKET_ABSENT ? false : objects_refuse_unavailable(err);
		if (!objects_look(objects, key.text, &there, NULL, err))
			return false;
	}
	if (there)
		tell_late(objects, CHANGE_PUBLISHED, deposit->name);
	return there || objects_refuse_unwritten(err);
}

/* The mark is a name that counts for more, and is given as the first one is. */
static bool publish_mirrored(
	const struct bucket_objects *objects, const struct deposit *deposit, struct err *err)
{
	return ensure_blob(objects, deposit, true, false, err) && mark_published(objects, deposit, err) &&
	       ensure_blob(objects, deposit, false, false, err);
}

/* There is an identity: is it this deposit's? */
static bool settle(const struct bucket_objects *all, const struct deposit *deposit, struct identity *there,
	enum deposited *out, struct err *err)
{
	bool ours = strcmp(there->nonce, deposit->identity.nonce) == 0;
	bool publishes = deposit->identity.source == SOURCE_PUBLISHED;
	struct deposit rest = *deposit;
	struct bucket_objects asked = *all;
	const struct bucket_objects *objects = &asked;

	if (!ours && deposit->is_new)
		return refuse_old(deposit, err);
	if (!digest_equal(&there->checksums.sha256, &deposit->identity.checksums.sha256))
		return refuse_conflict(deposit, there, err);
	/* What has its name already comes to its end, whoever waits for it. */
	if (ours)
		rest.stop = NULL;
	asked.stop = rest.stop;
	if (!ensure_blob(objects, &rest, false, publishes && !ours, err))
		return false;
	*out = ours ? DEPOSITED_NEW : DEPOSITED_BEFORE;
	/* Whoever was first may not have come so far. */
	if (publishes && !ours)
		tell_late(objects, CHANGE_KEPT, deposit->name);
	if (!publishes)
		return true;
	return bucket_names_read_published(objects, deposit->name, there, err) &&
	       (there->source == SOURCE_PUBLISHED || publish_mirrored(objects, &rest, err));
}

/* What the version's other formats say to that. */
static bool check_others(const struct bucket_objects *objects, const struct deposit *deposit, struct err *err)
{
	struct formats_there formats_there;
	bool published;

	if (!bucket_names_list_formats(objects, deposit->name, &formats_there, err))
		return false;
	if (deposit->is_new && formats_there.count > 0)
		return refuse_old(deposit, err);
	if (deposit->identity.source == SOURCE_PUBLISHED)
		return true;
	if (!bucket_names_look_published(objects, deposit->name, &formats_there, &published, err))
		return false;
	return !published || err_set(err, ERR_NOT_FOUND, "%s was published in other formats, and not as %s",
				     name_path(deposit->name).text, formats[deposit->name->format].name);
}

/* Whoever is told that it was created, and whoever is told nothing, reads back what is there. */
static bool create_identity(const struct bucket_objects *objects, const struct deposit *deposit,
	struct identity *there, struct err *err)
{
	struct vault_key key = vault_key_of(VAULT_IDS, deposit->name);
	AUTO_FREE char *text = identity_write(deposit->name, &deposit->identity);
	bool found = false;

	for (int i = 0; i < CREATE_TRIES && !found; i++) {
		enum bucket_outcome outcome = objects_create(objects, key.text, text, err);

		if (outcome != BUCKET_DONE && outcome != BUCKET_CLASH && outcome != BUCKET_AMBIGUOUS &&
			outcome != BUCKET_BUSY)
			return outcome != BUCKET_ABSENT ? false : objects_refuse_unavailable(err);
		if (!bucket_names_read_identity(objects, deposit->name, &found, there, err))
			return false;
	}
	return found || objects_refuse_unwritten(err);
}

static bool check_not_gone(const struct bucket_objects *objects, const struct name *name, struct err *err)
{
	bool gone;

	return bucket_names_look_gone(objects, name, &gone, err) &&
	       (!gone || version_check_state(name, STATE_WITHDRAWN, err));
}

/* First the bytes, then what they are; then the bytes again, in case a sweep has taken them before they had a
 * name; and the tombstone again, since all that may have taken hours. */
static bool keep(struct vault *base, const struct deposit *deposit, enum deposited *out, struct err *err)
{
	struct bucket_objects asked = self(base)->objects;
	const struct bucket_objects *objects = &asked;
	struct identity there;
	bool publishes = deposit->identity.source == SOURCE_PUBLISHED;
	bool found;

	asked.stop = deposit->stop;
	if (!check_wanted(deposit, err) || !check_not_gone(objects, deposit->name, err))
		return false;
	if (!bucket_names_read_identity(objects, deposit->name, &found, &there, err))
		return false;
	if (!found &&
		!(check_others(objects, deposit, err) &&
			ensure_blob(objects, deposit, true, publishes, err) && check_wanted(deposit, err) &&
			tell_first(objects, deposit, err) && create_identity(objects, deposit, &there, err)))
		return false;
	if (!settle(objects, deposit, &there, out, err))
		return false;
	asked.stop = NULL;
	return check_not_gone(objects, deposit->name, err);
}

/* ---- reading ---- */

static bool holds(
	struct vault *base, const struct digest *digest, int64_t size_bytes, bool *out, struct err *err)
{
	struct vault_key key = vault_key_blob(digest);
	struct bucket_facts facts = {0};
	bool known = objects_look(&self(base)->objects, key.text, out, &facts, err);

	*out = known && *out && facts.length == size_bytes;
	return known;
}

static bool read_blob(struct vault *base, const struct digest *digest, int64_t first, int64_t length,
	const struct vault_receiver *receiver, struct err *err)
{
	struct vault_bucket *vault = self(base);
	struct vault_key key = vault_key_blob(digest);
	const struct s3_receiver to = {receiver->take, receiver->context};
	enum bucket_outcome outcome;

	if (!objects_may_ask(&vault->objects, err))
		return false;
	outcome = objects_note(&vault->objects, false,
		bucket_get(vault->bucket, key.text, first, length, &to, NULL, err), err);
	if (outcome == BUCKET_ABSENT)
		return err_set(err, ERR_NOT_FOUND, "the bucket has no bytes with sha256:%s", digest->hex);
	return outcome == BUCKET_DONE || outcome == BUCKET_STOPPED;
}

/* ---- withdrawing ---- */

/* Whose tombstone it is does not matter, but to say so. */
static bool create_tombstone(
	struct vault_bucket *vault, const struct name *name, const char *who, bool *before, struct err *err)
{
	struct vault_key key = vault_key_of(VAULT_GONE_MARKS, name);
	const struct mark mark = mark_new(who);
	AUTO_FREE char *text = mark_write(name, &mark);
	struct mark there;
	bool found = false;

	for (int i = 0; i < CREATE_TRIES && !found; i++) {
		AUTO_BUFFER struct buffer read = {0};
		enum bucket_outcome outcome = objects_create(&vault->objects, key.text, text, err);

		if (outcome != BUCKET_DONE && outcome != BUCKET_CLASH && outcome != BUCKET_AMBIGUOUS &&
			outcome != BUCKET_BUSY)
			return outcome != BUCKET_ABSENT ? false : objects_refuse_unavailable(err);
		if (!objects_read(&vault->objects, key.text, &found, &read, err) ||
			(found && !mark_read(buffer_string(&read), read.length, &there, err)))
			return false;
	}
	if (found)
		*before = strcmp(there.nonce, mark.nonce) != 0;
	return found || objects_refuse_unwritten(err);
}

static bool withdraw(struct vault *base, const struct name *name, const char *who, bool known_here,
	bool *before, struct err *err)
{
	struct vault_bucket *vault = self(base);
	struct formats_there formats_there;

	if (!bucket_names_list_formats(&vault->objects, name, &formats_there, err))
		return false;
	if (!known_here && formats_there.count == 0)
		return err_set(err, ERR_NOT_FOUND, "there is no %s", name_path(name).text);
	if (!create_tombstone(vault, name, who, before, err))
		return false;
	/* It is withdrawn; whoever is told otherwise tries again, which tells the others again. */
	return bucket_changes_tell(&vault->objects, CHANGE_WITHDRAWN, name, err) ||
	       objects_refuse_unavailable(err);
}

static bool describe(
	struct vault *vault, const struct name *name, bool *found, struct identity *identity, struct err *err)
{
	const struct bucket_objects *objects = &self(vault)->objects;

	return bucket_names_read_identity(objects, name, found, identity, err) &&
	       (!*found || bucket_names_read_published(objects, name, identity, err));
}

static bool last_version(struct vault *vault, const char *handle, int64_t *out, struct err *err)
{
	return bucket_names_last_version(&self(vault)->objects, handle, out, err);
}

static bool list(struct vault *vault, enum vault_change change, struct vault_place *place,
	const struct vault_listener *listener, bool *more, struct err *err)
{
	return bucket_changes_list(&self(vault)->objects, change, place, listener, more, err) ||
	       objects_refuse_unavailable(err);
}

static bool each_identity(struct vault *vault, const struct vault_census *census, struct err *err)
{
	return bucket_names_each(&self(vault)->objects, census, err);
}

static bool poll(struct vault *vault, int64_t since_s, int64_t notes_since_s,
	const struct vault_listener *listener, struct err *err)
{
	return bucket_changes_poll(&self(vault)->objects, since_s, notes_since_s, listener, err) ||
	       objects_refuse_unavailable(err);
}

static bool read_note(struct vault *vault, enum vault_change change, const struct name *name,
	struct note *out, struct err *err)
{
	return bucket_notes_read(&self(vault)->objects, change, name, out, err);
}

static bool write_note(struct vault *vault, enum vault_change change, const struct name *name,
	struct note *note, struct err *err)
{
	return bucket_notes_write(&self(vault)->objects, change, name, note, err);
}

/* ---- leases ---- */

static bool acquire(struct vault *vault, const struct name *name, const struct lease_holder *holder,
	struct lease_watch *watch, struct lease_answer *out, struct err *err)
{
	return leases_acquire(self(vault)->leases, name, holder, watch, out, err) ||
	       objects_refuse_unavailable(err);
}

static void report(struct vault *vault, struct lease *lease, const struct lease_work *work)
{
	leases_report(self(vault)->leases, lease, work);
}

static void release(struct vault *vault, struct lease *lease, enum lease_end end)
{
	leases_release(self(vault)->leases, lease, end);
}

/* ---- how it does ---- */

static bool ask_reading(struct vault_bucket *vault, struct err *err)
{
	static const struct name nobody = {.handle = "larder/ready", .version = 1};
	struct formats_there formats_there;

	return bucket_names_list_formats(&vault->objects, &nobody, &formats_there, err);
}

/* Each node writes over what the others have. */
static bool ask_writing(struct vault_bucket *vault, struct err *err)
{
	static const char text[] = "a node of Larder asks whether it may write\n";
	struct digest digest = digest_of(text, sizeof text - 1);
	const struct s3_body body = {.bytes = text, .length = sizeof text - 1, .sha256 = digest.hex};
	enum bucket_outcome outcome;

	if (!objects_may_ask(&vault->objects, err))
		return false;
	outcome = bucket_put(vault->bucket, "probe/ready", &body, NULL, NULL, err);
	return objects_note(&vault->objects, true, outcome == BUCKET_ABSENT ? BUCKET_REFUSED : outcome,
		       err) == BUCKET_DONE;
}

static void *find_out(void *argument)
{
	struct vault_bucket *vault = argument;
	struct err err;

	(void)ask_reading(vault, &err);
	(void)ask_writing(vault, &err);
	crypto_thread_end();
	bucket_health_asked(&vault->health);
	return NULL;
}

/* Whoever wants to know does not wait: he is told what was known, and the next one what it is now. */
static bool is_able(struct vault_bucket *vault, bool writes, struct err *err)
{
	const struct thread_plan plan = {
		.name = "bucket health", .run = find_out, .context = vault, .detached = true};
	bool asks;
	struct ability ability = bucket_health_look(&vault->health, writes, &asks);
	struct err unused;

	if (asks && !thread_start(NULL, &plan, &unused))
		bucket_health_asked(&vault->health);
	if (ability.err.code != ERR_NONE)
		*err = ability.err;
	return ability.err.code == ERR_NONE;
}

static bool can_read(struct vault *vault, struct err *err)
{
	return is_able(self(vault), false, err);
}

static bool can_write(struct vault *vault, struct err *err)
{
	return is_able(self(vault), true, err);
}

struct vault *vault_bucket_create(struct bucket *bucket, int64_t lease_ttl_s)
{
	static const struct vault_ops ops = {.is_shared = true,
		.destroy = destroy,
		.find = find,
		.is_gone = is_gone,
		.keep = keep,
		.holds = holds,
		.read = read_blob,
		.withdraw = withdraw,
		.describe = describe,
		.last_version = last_version,
		.list = list,
		.each_identity = each_identity,
		.poll = poll,
		.read_note = read_note,
		.write_note = write_note,
		.acquire = acquire,
		.report = report,
		.release = release,
		.can_read = can_read,
		.can_write = can_write};
	struct vault_bucket *vault = mem_zero(1, sizeof *vault);

	vault->base.ops = &ops;
	vault->bucket = bucket;
	bucket_health_init(&vault->health);
	vault->objects = (struct bucket_objects){.bucket = bucket, .health = &vault->health};
	vault->leases = leases_create(bucket, &vault->health, lease_ttl_s);
	return &vault->base;
}

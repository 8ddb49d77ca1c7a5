/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vault/bucket_objects.h"

#include <string.h>

#include "common/digest.h"
#include "server/upstream/s3/bucket.h"
#include "server/vault/bucket_health.h"
#include "server/vault/identity_record.h"

/* No answer is none: whatever keeps the store from giving one, it may later. */
bool objects_refuse_unavailable(struct err *err)
{
	return bucket_health_refuse(err);
}

bool objects_refuse_unwritten(struct err *err)
{
	(void)err_set(err, ERR_STORE_UNAVAILABLE, "what was written is not there when it is read back");
	return objects_refuse_unavailable(err);
}

bool objects_may_ask(const struct bucket_objects *objects, struct err *err)
{
	return bucket_health_may_ask(objects->health, err);
}

enum bucket_outcome objects_note(
	const struct bucket_objects *objects, bool writes, enum bucket_outcome outcome, struct err *err)
{
	if (outcome != BUCKET_DONE && outcome != BUCKET_ABSENT && outcome != BUCKET_CLASH &&
		outcome != BUCKET_STOPPED && outcome != BUCKET_OVERSIZED)
		(void)objects_refuse_unavailable(err);
	bucket_health_note(objects->health, writes, outcome, err);
	return outcome;
}

static bool refuse_stopped(struct err *err)
{
	return err_set(err, ERR_BUSY, "nobody waits for what the store was asked any more");
}

bool objects_look(const struct bucket_objects *objects, const char *key, bool *out,
	struct bucket_facts *facts, struct err *err)
{
	enum bucket_outcome outcome;

	if (!objects_may_ask(objects, err))
		return false;
	outcome = objects_note(
		objects, false, bucket_head(objects->bucket, key, objects->stop, facts, err), err);
	*out = outcome == BUCKET_DONE;
	if (outcome == BUCKET_STOPPED)
		return refuse_stopped(err);
	return outcome == BUCKET_DONE || outcome == BUCKET_ABSENT;
}

bool objects_read(const struct bucket_objects *objects, const char *key, bool *found, struct buffer *out,
	struct err *err)
{
	return objects_read_large(objects, key, RECORD_BYTES_MAX, found, out, NULL, err);
}

bool objects_read_large(const struct bucket_objects *objects, const char *key, size_t limit, bool *found,
	struct buffer *out, struct bucket_facts *facts, struct err *err)
{
	enum bucket_outcome outcome;

	if (!objects_may_ask(objects, err))
		return false;
	outcome = objects_note(objects, false,
		bucket_read(objects->bucket, key, limit, objects->stop, out, facts, err), err);
	if (outcome == BUCKET_OVERSIZED)
		return err_set(err, ERR_UPSTREAM_FAILED,
			"what the bucket has as %.200s is larger than anything that Larder reads there", key);
	*found = outcome == BUCKET_DONE;
	if (outcome == BUCKET_STOPPED)
		return refuse_stopped(err);
	return outcome == BUCKET_DONE || outcome == BUCKET_ABSENT;
}

enum bucket_outcome objects_create(
	const struct bucket_objects *objects, const char *key, const char *text, struct err *err)
{
	static const struct bucket_condition once = {.if_absent = true};
	struct digest digest = digest_of(text, strlen(text));
	const struct s3_body body = {
		.bytes = text, .length = (int64_t)strlen(text), .sha256 = digest.hex, .stop = objects->stop};
	enum bucket_outcome outcome;

	if (!objects_may_ask(objects, err))
		return BUCKET_UNREACHABLE;
	outcome = objects_note(objects, true, bucket_put(objects->bucket, key, &body, &once, NULL, err), err);
	if (outcome == BUCKET_STOPPED)
		(void)refuse_stopped(err);
	return outcome;
}

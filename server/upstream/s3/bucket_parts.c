/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upstream/s3/bucket_parts.h"

#include <string.h>

#include "common/digest.h"
#include "common/file.h"
#include "common/mem.h"
#include "server/upstream/s3/bucket_call.h"
#include "server/upstream/s3/s3_xml.h"

enum { ANSWER_BYTES_MAX = 64 << 10, UPLOAD_ID_MAX = 1024, HASH_BYTES = 256 << 10, COMPLETE_TRIES = 6 };

/* Thousands of parts take a store minutes. */
enum { COMPLETE_SILENCE_S = 600 };

struct parts {
	struct bucket *bucket;
	const char *key;
	const struct s3_body *file;
	char upload_id[UPLOAD_ID_MAX];
	char before[S3_ETAG_MAX]; /* what is there before; "" where nothing is */
	struct buffer list;       /* of what was stored, as the end is told it */
	struct hasher *whole;     /* of all parts so far */
};

static void finish_parts(struct parts *parts)
{
	buffer_finish(&parts->list);
	hasher_destroy(parts->whole);
}

static bool take_upload_id(void *context, const char *name, const char *text)
{
	struct parts *parts = context;

	if (strcmp(name, "UploadId") == 0 && strlen(text) < sizeof parts->upload_id)
		(void)strcpy(parts->upload_id, text);
	return true;
}

/* What stands in a query in one spelling only, so that every version of libcurl signs it. */
static bool is_plain(const char *text)
{
	size_t length = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~");

	return length > 0 && !text[length];
}

static enum bucket_outcome begin(struct parts *parts, struct err *why)
{
	const struct s3_xml_reader reader = {take_upload_id, parts};
	AUTO(s3_answer_finish) struct s3_answer answer = {0};
	struct bucket_call call = {.kind = METRIC_STORE_PARTS,
		.request = {.method = "POST", .body_max = ANSWER_BYTES_MAX},
		.key = parts->key,
		.query = "uploads="};
	enum bucket_outcome outcome = bucket_call(parts->bucket, &call, &answer, why);

	if (outcome != BUCKET_DONE)
		return outcome;
	if (!s3_xml_read(answer.body.data, answer.body.length, &reader, why))
		return BUCKET_REFUSED;
	if (is_plain(parts->upload_id))
		return BUCKET_DONE;
	(void)err_set(why, ERR_UPSTREAM_FAILED, "the store names an upload in letters that cannot be signed");
	return BUCKET_REFUSED;
}

/* No body is held whole in memory: its digest is made before it is sent. */
static bool hash_part(
	struct parts *parts, int64_t offset, int64_t length, struct digest *out, struct err *err)
{
	int fd = parts->file->fd;
	AUTO_HASHER struct hasher *hasher = hasher_create();
	AUTO_FREE char *bytes = mem_zero(1, HASH_BYTES);

	for (int64_t done = 0; done < length;) {
		size_t want = length - done < HASH_BYTES ? (size_t)(length - done) : HASH_BYTES;
		size_t got = 0;

		if (!file_read_at(fd, bytes, want, offset + done, &got, err))
			return false;
		if (got == 0)
			return err_set(err, ERR_INTERNAL, "the file is shorter than it was");
		hasher_add(hasher, bytes, got);
		hasher_add(parts->whole, bytes, got);
		done += (int64_t)got;
	}
	*out = hasher_result(hasher);
	return true;
}

static enum bucket_outcome put_part(
	struct parts *parts, int number, int64_t offset, int64_t length, struct err *why)
{
	AUTO_FREE char *query = mem_printf("partNumber=%d&uploadId=%s", number, parts->upload_id);
	AUTO(s3_answer_finish) struct s3_answer answer = {0};
	struct digest digest;
	struct bucket_call call = {.kind = METRIC_STORE_PARTS,
		.request = {.method = "PUT",
			.body = {.fd = parts->file->fd,
				.offset = offset,
				.length = length,
				.sha256 = digest.hex,
				.stop = parts->file->stop}},
		.key = parts->key,
		.query = query};
	enum bucket_outcome outcome;

	if (!hash_part(parts, offset, length, &digest, why))
		return BUCKET_REFUSED;
	outcome = bucket_call(parts->bucket, &call, &answer, why);
	if (outcome != BUCKET_DONE)
		return outcome;
	if (!bucket_etag_tells(answer.etag) || strpbrk(answer.etag, "<>&")) {
		(void)err_set(why, ERR_UPSTREAM_FAILED,
			"the store tells no ETag of a part, or none that can be written down");
		return BUCKET_REFUSED;
	}
	buffer_printf(
		&parts->list, "<Part><PartNumber>%d</PartNumber><ETag>%s</ETag></Part>", number, answer.etag);
	return BUCKET_DONE;
}

/* A 200 may turn out to be a failure in its body: it was begun while the store was still at it. */
static bool take_root(void *context, const char *name, const char *text)
{
	bool *done = context;

	(void)text;
	if (strcmp(name, "CompleteMultipartUploadResult") == 0)
		*done = true;
	return true;
}

static enum bucket_outcome complete_once(struct parts *parts, struct err *why)
{
	AUTO_FREE char *query = mem_printf("uploadId=%s", parts->upload_id);
	AUTO_BUFFER struct buffer body = {0};
	AUTO(s3_answer_finish) struct s3_answer answer = {0};
	bool done = false;
	const struct s3_xml_reader reader = {take_root, &done};
	struct digest digest;
	struct bucket_call call = {
		.kind = METRIC_STORE_PARTS, .key = parts->key, .query = query, .once = true};
	enum bucket_outcome outcome;

	buffer_printf(
		&body, "<CompleteMultipartUpload>%s</CompleteMultipartUpload>", buffer_string(&parts->list));
	digest = digest_of(body.data, body.length);
	call.request = (struct s3_request){.method = "POST",
		.silence_s = COMPLETE_SILENCE_S,
		.body_max = ANSWER_BYTES_MAX,
		.body = {.bytes = body.data,
			.length = (int64_t)body.length,
			.sha256 = digest.hex,
			.stop = parts->file->stop}};
	outcome = bucket_call(parts->bucket, &call, &answer, why);
	if (outcome != BUCKET_DONE)
		return outcome;
	if (!s3_xml_read(answer.body.data, answer.body.length, &reader, why))
		return BUCKET_AMBIGUOUS;
	if (done)
		return BUCKET_DONE;
	(void)err_set(why, ERR_BUSY, "the store could not put the parts together");
	return BUCKET_AMBIGUOUS;
}

/* Who is told that there is no such upload has ended it before, where there is another object now. */
static enum bucket_outcome look_at_end(struct parts *parts, struct err *why)
{
	struct bucket_facts facts;
	enum bucket_outcome outcome = bucket_head(parts->bucket, parts->key, parts->file->stop, &facts, why);

	if (outcome == BUCKET_DONE && facts.length == parts->file->length &&
		strcmp(facts.etag, parts->before) != 0)
		return BUCKET_DONE;
	(void)err_set(why, ERR_BUSY, "the store knows no such upload any more: what is there may be it");
	return BUCKET_AMBIGUOUS;
}

/* An answer may be lost, or cut off by who stands between, while the store goes on: it is asked again, which
 * changes nothing. */
static enum bucket_outcome complete(struct parts *parts, struct err *why)
{
	enum bucket_outcome outcome = complete_once(parts, why);
	bool lost = outcome == BUCKET_AMBIGUOUS;

	for (int tried = 1; tried < COMPLETE_TRIES && outcome == BUCKET_AMBIGUOUS; tried++) {
		bucket_pause(tried);
		outcome = complete_once(parts, why);
	}
	if (outcome == BUCKET_ABSENT)
		return look_at_end(parts, why);
	return lost && outcome != BUCKET_DONE ? BUCKET_AMBIGUOUS : outcome;
}

/* Parts that are left behind cost room, and are listed nowhere. */
static void take_back(struct parts *parts)
{
	AUTO_FREE char *query = mem_printf("uploadId=%s", parts->upload_id);
	AUTO(s3_answer_finish) struct s3_answer answer = {0};
	struct bucket_call call = {.kind = METRIC_STORE_PARTS,
		.request = {.method = "DELETE"},
		.key = parts->key,
		.query = query};
	struct err unused;

	(void)bucket_call(parts->bucket, &call, &answer, &unused);
}

/* Each part is what was read of the file; all of them may be another than it was when it got its name. */
static bool check_whole(struct parts *parts, struct err *err)
{
	struct digest digest = hasher_result(parts->whole);

	return !parts->file->sha256 || strcmp(digest.hex, parts->file->sha256) == 0 ||
	       err_set(err, ERR_INTERNAL, "the file has sha256:%s, and should have sha256:%s", digest.hex,
		       parts->file->sha256);
}

static enum bucket_outcome put_all(struct parts *parts, int64_t part_bytes, struct err *why)
{
	enum bucket_outcome outcome = BUCKET_DONE;
	int64_t length = parts->file->length;
	int number = 1;

	for (int64_t offset = 0; offset < length && outcome == BUCKET_DONE; offset += part_bytes, number++)
		outcome = put_part(parts, number, offset,
			length - offset < part_bytes ? length - offset : part_bytes, why);
	if (outcome == BUCKET_DONE && !check_whole(parts, why))
		outcome = BUCKET_REFUSED;
	if (outcome != BUCKET_DONE) {
		take_back(parts);
		return outcome;
	}
	outcome = complete(parts, why);
	if (outcome == BUCKET_REFUSED)
		take_back(parts);
	return outcome;
}

static enum bucket_outcome look_before(struct parts *parts, struct err *why)
{
	struct bucket_facts facts = {0};
	enum bucket_outcome outcome = bucket_head(parts->bucket, parts->key, parts->file->stop, &facts, why);

	(void)strcpy(parts->before, facts.etag);
	return outcome == BUCKET_ABSENT ? BUCKET_DONE : outcome;
}

enum bucket_outcome bucket_put_parts(struct bucket *bucket, const char *key, const struct s3_body *file,
	int64_t part_bytes, struct err *why)
{
	AUTO(finish_parts) struct parts parts = {.bucket = bucket, .key = key, .file = file};
	int64_t least = (file->length + BUCKET_PARTS_MAX - 1) / BUCKET_PARTS_MAX;
	enum bucket_outcome outcome = look_before(&parts, why);

	parts.whole = hasher_create();
	if (part_bytes < BUCKET_PART_MIN)
		part_bytes = BUCKET_PART_MIN;
	if (outcome == BUCKET_DONE)
		outcome = begin(&parts, why);
	return outcome == BUCKET_DONE ? put_all(&parts, part_bytes < least ? least : part_bytes, why)
				      : outcome;
}

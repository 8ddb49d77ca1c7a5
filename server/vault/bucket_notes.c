/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vault/bucket_notes.h"

#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/digest.h"
#include "server/upstream/s3/bucket.h"
#include "server/vault/bucket_changes.h"
#include "server/vault/identity_record.h"
#include "server/vault/vault_keys.h"

/* Others read it again for three times as long after they were told (NOTES_LOOK_BACK_S of tidings.c). */
enum { WRITE_TRIES = 4, TOLD_FOR_MS = 10 * 1000 };

/* What is there, and whose. */
static bool read_at(const struct bucket_objects *objects, const char *key, const struct name *name,
	struct note *out, char nonce[IDENTITY_WORD_MAX + 1], struct err *err)
{
	AUTO_BUFFER struct buffer text = {0};
	struct bucket_facts facts = {0};
	bool found;

	*out = (struct note){0};
	*nonce = '\0';
	if (!objects_read_large(objects, key, NOTE_TEXT_MAX + RECORD_BYTES_MAX, &found, &text, &facts, err))
		return false;
	if (!found)
		return true;
	if (!note_read(&text, name, out, nonce, err))
		return false;
	(void)snprintf(out->etag, sizeof out->etag, "%s", facts.etag);
	return true;
}

bool bucket_notes_read(const struct bucket_objects *objects, enum vault_change change,
	const struct name *name, struct note *out, struct err *err)
{
	struct vault_key key = vault_key_of(bucket_changes_kind(change), name);
	char nonce[IDENTITY_WORD_MAX + 1];

	return read_at(objects, key.text, name, out, nonce, err);
}

static enum bucket_outcome put(const struct bucket_objects *objects, const char *key,
	const struct buffer *text, const struct note *before, struct bucket_facts *facts, struct err *err)
{
	const struct bucket_condition condition = {
		.if_absent = before->revision == 0, .if_etag = before->revision == 0 ? NULL : before->etag};
	struct digest digest = digest_of(text->data, text->length);
	const struct s3_body body = {
		.bytes = text->data, .length = (int64_t)text->length, .sha256 = digest.hex};

	if (!objects_may_ask(objects, err))
		return BUCKET_UNREACHABLE;
	return objects_note(
		objects, true, bucket_put(objects->bucket, key, &body, &condition, facts, err), err);
}

static bool is_unclear(enum bucket_outcome outcome)
{
	return outcome == BUCKET_CLASH || outcome == BUCKET_AMBIGUOUS || outcome == BUCKET_BUSY;
}

/* Whose note is there after an answer that does not tell; *over: ours, or another's, which *err tells. */
static bool look_again(const struct bucket_objects *objects, const char *key, const struct name *name,
	const char *nonce, struct note *note, bool *over, struct err *err)
{
	char whose[IDENTITY_WORD_MAX + 1];
	struct note there;
	bool is_read = read_at(objects, key, name, &there, whose, err);
	bool ours = is_read && strcmp(whose, nonce) == 0;

	note_finish(&there);
	*over = !is_read || ours || there.revision != note->revision;
	if (ours)
		(void)strcpy(note->etag, there.etag);
	if (is_read && *over && !ours)
		(void)err_set(
			err, ERR_CONFLICT, "another node has changed that of %.200s meanwhile", name->handle);
	return ours;
}

static bool exchange(const struct bucket_objects *objects, const char *key, const struct name *name,
	struct note *note, struct err *err)
{
	AUTO_BUFFER struct buffer text = {0};
	char nonce[IDENTITY_WORD_MAX + 1];
	bool over = false;

	nonce_make(nonce);
	note_write(name, note, note->revision + 1, nonce, &text);
	for (int i = 0; i < WRITE_TRIES && !over; i++) {
		struct bucket_facts facts = {0};
		enum bucket_outcome outcome = put(objects, key, &text, note, &facts, err);

		if (outcome == BUCKET_DONE && *facts.etag) {
			(void)snprintf(note->etag, sizeof note->etag, "%s", facts.etag);
			return true;
		}
		if (outcome != BUCKET_DONE && !is_unclear(outcome))
			return outcome == BUCKET_ABSENT ? objects_refuse_unavailable(err) : false;
		if (look_again(objects, key, name, nonce, note, &over, err))
			return true;
	}
	return over ? false : objects_refuse_unwritten(err);
}

bool bucket_notes_write(const struct bucket_objects *objects, enum vault_change change,
	const struct name *name, struct note *note, struct err *err)
{
	struct vault_key key = vault_key_of(bucket_changes_kind(change), name);
	int64_t told_ms = clock_monotonic_ms();

	if (!bucket_changes_tell(objects, change, name, err))
		return objects_refuse_unavailable(err);
	if (!exchange(objects, key.text, name, note, err))
		return false;
	note->revision++;
	/* It is so; where nobody can be told again, the others know of it by their next listing. */
	if (clock_monotonic_ms() - told_ms > TOLD_FOR_MS) {
		struct err ignored;

		(void)bucket_changes_tell(objects, change, name, &ignored);
	}
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/vault/store_identity.h"

#include <stdio.h>
#include <string.h>

#include "common/digest.h"
#include "common/own.h"
#include "server/upstream/s3/bucket.h"

static const char key[] = "store-id";

enum { TRIES = 4, CHANCE_BYTES = 16, ID_BYTES = 32 };

static bool refuse(const char *why, struct err *err)
{
	return err_set(err, ERR_STORE_UNAVAILABLE, "the bucket does not tell which one it is (%s): %.300s",
		key, why);
}

/* A create that was lost, or clashes, is read back by the next try. */
static bool create(struct bucket *bucket, struct err *err)
{
	static const struct bucket_condition once = {.if_absent = true};
	uint8_t chance[CHANCE_BYTES];
	char text[ID_BYTES + 2];
	enum bucket_outcome outcome;
	struct err why = {0};

	random_bytes(chance, sizeof chance);
	(void)snprintf(text, sizeof text, "%.*s\n", ID_BYTES, digest_of(chance, sizeof chance).hex);
	struct digest digest = digest_of(text, strlen(text));
	const struct s3_body body = {.bytes = text, .length = (int64_t)strlen(text), .sha256 = digest.hex};

	outcome = bucket_put(bucket, key, &body, &once, NULL, &why);
	return outcome == BUCKET_DONE || outcome == BUCKET_CLASH || outcome == BUCKET_AMBIGUOUS ||
	       outcome == BUCKET_BUSY || refuse(why.text, err);
}

static bool take(struct buffer *text, struct store_id *out, struct err *err)
{
	const char *word = buffer_string(text);

	if (strspn(word, "0123456789abcdef") != ID_BYTES || strcmp(word + ID_BYTES, "\n") != 0)
		return refuse("it holds something else", err);
	(void)snprintf(out->text, sizeof out->text, "%.*s", ID_BYTES, word);
	return true;
}

bool store_identity_find(struct bucket *bucket, struct store_id *out, struct err *err)
{
	struct err why = {0};

	for (int i = 0; i < TRIES; i++) {
		AUTO_BUFFER struct buffer text = {0};
		enum bucket_outcome outcome = bucket_read(bucket, key, STORE_ID_MAX, NULL, &text, NULL, &why);

		if (outcome == BUCKET_DONE)
			return take(&text, out, err);
		if (outcome != BUCKET_ABSENT)
			return refuse(why.text, err);
		if (!create(bucket, err))
			return false;
	}
	return refuse("it is not there when it is read back", err);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/paced_blob.h"

#include "common/clock.h"
#include "common/container.h"

enum { STEP_MS = 100 };

/* In steps, so that a slow rate holds up no end. */
static void wait_turn(struct paced_blob *blob)
{
	int64_t left_us;

	while ((left_us = blob->rate->next_us - clock_monotonic_us()) > 0 &&
		blob_stream_is_wanted(&blob->source))
		clock_sleep_ms(left_us > STEP_MS * INT64_C(1000) ? STEP_MS : left_us / 1000 + 1);
}

static void count(struct paced_blob *blob, size_t length)
{
	struct read_rate *rate = blob->rate;
	int64_t now_us = clock_monotonic_us();

	if (rate->bytes_per_s == 0)
		return;
	/* What waiting took too long is made up for, a little. */
	if (rate->next_us < now_us - STEP_MS * INT64_C(1000))
		rate->next_us = now_us - STEP_MS * INT64_C(1000);
	rate->next_us += (int64_t)((double)length * 1e6 / (double)rate->bytes_per_s);
}

static bool next_piece(struct stream *stream, const uint8_t **data, size_t *length, struct err *err)
{
	struct paced_blob *blob = CONTAINER_OF(stream, struct paced_blob, stream);

	wait_turn(blob);
	if (!stream_next(&blob->source.stream, data, length, err))
		return false;
	hasher_add(blob->hasher, *data, *length);
	count(blob, *length);
	return true;
}

static bool read_again(
	struct stream *stream, int64_t offset, void *out, size_t length, size_t *out_read, struct err *err)
{
	struct paced_blob *blob = CONTAINER_OF(stream, struct paced_blob, stream);

	wait_turn(blob);
	if (!blob->source.stream.again(&blob->source.stream, offset, out, length, out_read, err))
		return false;
	count(blob, *out_read);
	return true;
}

struct stream *paced_blob_init(
	struct paced_blob *blob, int fd, const atomic_bool *stop, struct read_rate *rate)
{
	(void)blob_stream_init(&blob->source, fd, stop);
	blob->stream = (struct stream){next_piece, read_again};
	blob->rate = rate;
	blob->hasher = hasher_create();
	return &blob->stream;
}

void paced_blob_finish(struct paced_blob *blob)
{
	hasher_destroy(blob->hasher);
	blob->hasher = NULL;
}

bool paced_blob_verify(struct paced_blob *blob, const struct digest *digest, struct err *err)
{
	struct digest is;

	if (!stream_drain(&blob->stream, err))
		return false;
	is = hasher_result(blob->hasher);
	return digest_equal(&is, digest) ||
	       err_set(err, ERR_INTERNAL,
		       "its file is damaged: blobs/sha256/%.2s/%s does not have its digest", digest->hex,
		       digest->hex);
}

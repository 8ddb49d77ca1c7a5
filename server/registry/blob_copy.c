/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/blob_copy.h"

#include "common/mem.h"
#include "common/own.h"
#include "server/store/blobs.h"

bool blob_copy_blame(struct err *err)
{
	if (err->code == ERR_INTERNAL)
		err->code = ERR_DIGEST_MISMATCH;
	return false;
}

bool blob_copy_is_blamed(const struct err *err)
{
	return err->code == ERR_NOT_FOUND || err->code == ERR_DIGEST_MISMATCH;
}

static bool pour(struct stream *stream, struct spool *spool, struct err *err)
{
	const uint8_t *data;
	size_t length;

	for (;;) {
		if (!stream_next(stream, &data, &length, err))
			return blob_copy_blame(err);
		if (length == 0)
			return true;
		if (!spool_append(spool, data, length, err))
			return false;
	}
}

bool blob_copy(int fd, const struct digest *digest, struct read_rate *rate, struct blobs *into,
	struct spool **out, struct err *err)
{
	static const atomic_bool never = false;
	AUTO_FREE struct paced_blob *blob = mem_zero(1, sizeof *blob);
	AUTO_SPOOL struct spool *spool = NULL;
	struct stream *stream;
	bool copied;

	if (!blobs_begin(into, &spool, err))
		return false;
	stream = paced_blob_init(blob, fd, &never, rate);
	copied = pour(stream, spool, err) && (paced_blob_verify(blob, digest, err) || blob_copy_blame(err));
	paced_blob_finish(blob);
	if (!copied)
		return false;
	spool_complete(spool);
	*out = TAKE(spool);
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/blob_losses.h"

#include "server/registry/committer.h"
#include "server/registry/span.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_passes.h"

/* A published one goes first, since without a row a sweep would remove it; others after their row. */
static bool remove_file(
	const struct blob_losses *losses, const struct digest *digest, bool is_published, struct err *err)
{
	if (is_published)
		return blobs_put_aside(losses->blobs, digest, err) &&
		       catalog_forget_blob(losses->catalog, digest, err);
	return catalog_forget_blob(losses->catalog, digest, err) && blobs_remove(losses->blobs, digest, err);
}

bool blob_losses_condemn(const struct blob_losses *losses, const struct digest *digest, int fd,
	bool is_published, bool *condemned, struct err *err)
{
	bool claimed;
	bool removed;
	ALONE(committer_span(losses->committer));

	*condemned = false;
	if (!catalog_claims_blob(losses->catalog, digest, &claimed, err))
		return false;
	if (!claimed || !blobs_is_file(losses->blobs, digest, fd))
		return true;
	committer_forget(losses->committer, digest->hex);
	removed = remove_file(losses, digest, is_published, err);
	committer_remove_unpacked(losses->committer, digest);
	/* Again: it may have been taken up once more before the row changed. */
	committer_forget(losses->committer, digest->hex);
	*condemned = removed;
	return removed;
}

/* The file, then its row. */
static bool adopt_and_return(const struct blob_losses *losses, const struct digest *digest,
	struct spool *spool, bool *mended, struct err *err)
{
	SHARED(committer_span(losses->committer));

	if (!blobs_adopt(losses->blobs, spool, digest, err) ||
		!catalog_return_blob(losses->catalog, digest, mended, err))
		return false;
	committer_forget(losses->committer, digest->hex);
	return true;
}

/* Alone, so that it is not one that waits for its row. */
static bool remove_unneeded(const struct blob_losses *losses, const struct digest *digest, struct err *err)
{
	bool needed;
	ALONE(committer_span(losses->committer));

	return catalog_needs_blob(losses->catalog, digest, &needed, err) &&
	       (needed || blobs_remove(losses->blobs, digest, err));
}

bool blob_losses_mend(const struct blob_losses *losses, const struct digest *digest, struct spool *spool,
	bool *mended, struct err *err)
{
	struct err ignored;

	*mended = false;
	if (!blobs_prepare(spool, err))
		return false;
	if (!adopt_and_return(losses, digest, spool, mended, err)) {
		(void)remove_unneeded(losses, digest, &ignored);
		return false;
	}
	spool_mark_kept(spool);
	return *mended || remove_unneeded(losses, digest, err);
}

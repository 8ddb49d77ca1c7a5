/* SPDX-License-Identifier: Apache-2.0
 *
 * Where a bundle is written: a folder in the form of an OCI image layout, or the same in one tar or its
 * pieces. What an interrupted attempt left there is proved and used. Nobody can take an unfinished one for
 * whole: a folder has its index.json last, a tar its name, pieces their list. */
#ifndef SERVER_BUNDLE_OUTLET_H
#define SERVER_BUNDLE_OUTLET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/err.h"
#include "common/own.h"
#include "server/bundle/contents.h"
#include "server/bundle/digest_set.h"

enum { OUTLET_BLOCK_BYTES = 1 << 20 };

struct outlet;

/* Is told of bytes that were copied (or found to be there); false ends the export. */
struct outlet_watch {
	bool (*progressed)(struct outlet_watch *watch, int64_t bytes, struct err *err);
};

/* What each kind of outlet does; names are as in the layout. */
struct outlet_kind {
	/* A blob of these bytes; that it is there already is no error. */
	bool (*put)(struct outlet *outlet, const struct digest *digest, const void *bytes, size_t length,
		struct err *err);
	/* A blob that a file has, which is hashed meanwhile: ERR_DIGEST_MISMATCH where it is another. */
	bool (*copy)(struct outlet *outlet, const struct bundle_blob *blob, int fd,
		struct outlet_watch *watch, struct err *err);
	/* The text of index.json. Of a tar it stands before the blobs that are copied. */
	bool (*set_index)(struct outlet *outlet, const char *text, size_t length, struct err *err);
	/* Ends it, durably. wanted: all blobs that belong to it. */
	bool (*commit)(struct outlet *outlet, const struct digest_set *wanted, struct err *err);
	void (*close)(struct outlet *outlet);
};

struct outlet {
	const struct outlet_kind *kind;
	int pieces; /* once it is committed, how many the tar is in; 0 where it is not cut */
};

/* ERR_CONFLICT where something else is in the way, or another process writes there, or a whole bundle is
 * there and replace is false. With replace it is made anew, in a folder out of what is there. split_bytes: 0,
 * or how long a piece is. */
bool outlet_open_folder(const char *path, bool replace, struct outlet **out, struct err *err);
bool outlet_open_tar(
	const char *path, int64_t split_bytes, bool replace, struct outlet **out, struct err *err);

/* Only compares: whatever is written is held against what lies there, and fails with ERR_CONFLICT where that
 * is not the same to the byte, or nothing; committed, all of it is there. */
bool outlet_prove_folder(const char *path, struct outlet **out, struct err *err);
bool outlet_prove_tar(const char *path, int64_t split_bytes, struct outlet **out, struct err *err);

/* Appends the index.json of a folder; nothing where it has none. */
void outlet_read_index(const char *path, struct buffer *out);

/* Takes NULL. */
void outlet_close(struct outlet *outlet);
AUTO_CLEANER(own_outlet, struct outlet *, outlet_close)
#define AUTO_OUTLET AUTO(own_outlet)

/* For the kinds: reads a blob from its file in blocks, hashed, and hands each on. ERR_DIGEST_MISMATCH. */
bool outlet_pump(const struct bundle_blob *blob, int fd, struct outlet_watch *watch,
	bool (*take)(void *context, const void *bytes, size_t length, struct err *err), void *context,
	struct err *err);

/* The text of the file oci-layout. */
extern const char outlet_layout[];

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * The container of a module: one gzip member around one tar. Read strictly as a stream: whoever reads to the
 * end knows that CRC and length are right, the tar is whole and nothing but zeros lies behind either. It
 * judges bytes, not modules: which members are allowed is the business of module/examination. */
#ifndef SERVER_MODULE_ARCHIVES_ARCHIVE_H
#define SERVER_MODULE_ARCHIVES_ARCHIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "common/stream.h"
#include "server/module/archives/archive_fault.h"
#include "server/module/archives/archive_limits.h"

enum member_kind {
	MEMBER_FILE,
	MEMBER_FOLDER,
	MEMBER_OTHER /* link, device, fifo, label, anything that hub clients refuse */
};

struct member {
	char name[ARCHIVE_NAME_MAX + 1]; /* as in the archive: may begin with "./", may end with "/" */
	enum member_kind kind;
	char type;      /* the tar header's type flag */
	bool is_sparse; /* a file whose holes the tar leaves out; its content has them */
	int64_t size_bytes;
};

struct archive;

/* Reads from the stream within the limits, but for that of members, which is the reader's. The stream stays
 * the caller's and must outlive the archive. destroy takes NULL. */
struct archive *archive_create(struct stream *gzip, const struct archive_limits *limits);
void archive_destroy(struct archive *archive);
AUTO_CLEANER(own_archive, struct archive *, archive_destroy)
#define AUTO_ARCHIVE AUTO(own_archive)

/* Goes to the next member, skipping what is left of the one before; *found is false at the archive's end, and
 * only where gzip and tar both ended well. ERR_INVALID_MODULE says what is broken and about where. */
bool archive_next(struct archive *archive, struct member *member, bool *found, struct err *err);

/* The content of the current member, to be read at most to its end; valid until the next archive_next. */
struct stream *archive_content(struct archive *archive);

/* What archive_next or the content failed with; every failure stays. While it is ARCHIVE_SOUND, a reader of
 * the content that failed did so for its own reasons. */
enum archive_fault archive_fault(const struct archive *archive);

/* The CRC-32 of the last file that archive_next went past, found at next to no cost; 0 of a sparse one. */
uint32_t archive_passed_crc(const struct archive *archive);

/* Bytes of tar that were read so far. */
int64_t archive_unpacked_bytes(const struct archive *archive);

/* At the archive's end: whether its two blocks of zeros, or one of them, are missing. */
bool archive_lacks_end(const struct archive *archive);

/* Whether gzip's header has extra fields, over which Python's tarfile stumbles. */
bool archive_has_gzip_extra(const struct archive *archive);

#endif

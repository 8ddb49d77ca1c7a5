/* SPDX-License-Identifier: Apache-2.0
 *
 * The contents of a bundle: JSON, a line each, the first of them the header, then versions, publishers and
 * collections, each of these by name. All that an import takes is named here, and this is what is signed
 * (docs/bundle.md). Written a line at a time, and read so as a stranger's. */
#ifndef SERVER_BUNDLE_CONTENTS_H
#define SERVER_BUNDLE_CONTENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/err.h"
#include "common/own.h"
#include "common/stream.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"

enum {
	CONTENTS_LINE_BYTES_MAX = 8 << 20, /* a publisher's Markdown of 1 MiB, however it is escaped */
	CONTENTS_LINES_MAX = 2000000,
	BUNDLE_NAME_MAX = 200,
	BUNDLE_MARKDOWN_MAX = 1 << 20
};

/* Whether people can be shown it as the name of a bundle: UTF-8 of at most BUNDLE_NAME_MAX bytes, without
 * control characters. */
bool bundle_name_is_plain(const char *text);

struct bundle_blob {
	struct digest digest;
	int64_t size_bytes;
};

struct bundle_header {
	int64_t created_s;
	int64_t since_s;                /* what it is an update of was made then; 0: all is in here */
	char name[BUNDLE_NAME_MAX + 1]; /* what people call it; "" without one */
	char server[64];                /* "larder 0.1.0" */
	bool has_audit_head;
	struct digest audit_head; /* of the audit log where it was made, as it was then. It is read here where
				     an export of a time has it here; now the contents' manifest has it */
};

struct bundle_artifact {
	enum format format;
	struct bundle_blob blob;
};

struct bundle_version {
	struct name name; /* its format says nothing */
	enum version_source source;
	enum version_state state;
	struct bundle_blob manifest;
	struct bundle_blob record;                      /* version_record.h: the manifest's configuration */
	struct bundle_artifact artifacts[FORMAT_COUNT]; /* by format; of what is withdrawn none */
	size_t artifact_count;
};

/* A publisher or a collection: a document in the hub's format, which hubdoc_read() reads. */
struct bundle_page {
	char *name; /* "google", "google/bert" */
	char *markdown;
};

enum contents_kind { CONTENTS_VERSION, CONTENTS_PUBLISHER, CONTENTS_COLLECTION, CONTENTS_KIND_COUNT };

struct contents_line {
	enum contents_kind kind;
	struct bundle_version version;
	struct bundle_page page; /* of publishers and collections */
};
void contents_line_finish(struct contents_line *line);

/* Append a line, with its end. */
void contents_write_header(const struct bundle_header *header, struct buffer *out);
void contents_write_version(const struct bundle_version *version, struct buffer *out);
void contents_write_page(enum contents_kind kind, const char *name, const char *markdown, struct buffer *out);

/* ---- reading ---- */

struct contents_reader {
	struct stream *stream; /* the caller's */
	struct buffer text;    /* of the line that is being read */
	const uint8_t *data;   /* that the stream has given */
	size_t length;
	bool is_at_end;
	size_t lines; /* so far */
	struct bundle_header header;
	/* What came last: nothing may come twice, nor out of order. */
	enum contents_kind kind;
	char *last_name;
	int64_t last_version;
};

/* Reads the header, too. All of these fail with ERR_BAD_REQUEST or ERR_TOO_LARGE and a sentence that names
 * the line, for what is no contents, is not in order, has members that are not known here or is over the
 * limits; with the stream's own errors where those come. */
bool contents_open(struct contents_reader *reader, struct stream *stream, struct err *err);

/* *more is false at the end; else *out is to be finished. */
bool contents_next(struct contents_reader *reader, struct contents_line *out, bool *more, struct err *err);
void contents_close(struct contents_reader *reader);

#endif

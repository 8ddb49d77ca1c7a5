/* SPDX-License-Identifier: Apache-2.0
 *
 * What a bundle says of one version: the configuration of its manifest. An import takes what is here; what
 * people may want to see besides is in it too, and not read. */
#ifndef SERVER_BUNDLE_VERSION_RECORD_H
#define SERVER_BUNDLE_VERSION_RECORD_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/buffer.h"
#include "common/err.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog.h"

/* More than the Markdown, however it is escaped, with what people are shown: no export writes more. */
enum { VERSION_RECORD_BYTES_MAX = 8 << 20, VERSION_RECORD_SHOWN_MAX = 1 << 20 };
enum { VERSION_ATTESTATIONS_MAX = 16, VERSION_ATTESTATIONS_BYTES_MAX = 1 << 20 };

/* Where an artifact came from; NULL where it is not known, or does not apply. */
struct artifact_record {
	enum format format;
	enum version_source source; /* published or mirrored */
	char *published_by;
	char *upstream;
	int64_t created_s;
};

struct version_record {
	struct name name;
	enum version_source source;
	enum version_state state;
	char *published_by;
	char *upstream;
	int64_t created_s;
	int64_t updated_s;
	char *markdown;      /* NULL: it is not documented, and the next two say nothing */
	char *documented_by; /* NULL: it came with a tree of documentation */
	int64_t documented_s;
	bool listed[FORMAT_COUNT];                      /* formats that documentation tells of */
	struct artifact_record artifacts[FORMAT_COUNT]; /* by format */
	size_t artifact_count;
	char *attestations[VERSION_ATTESTATIONS_MAX]; /* as they were sent; what they say is not looked at */
	size_t attestation_count;
};
void version_record_finish(struct version_record *record);

/* Appends it as JSON. shown, which it lets go of, is an object with what else people may want to see; where
 * that is over VERSION_RECORD_SHOWN_MAX it is left out. */
void version_record_write(const struct version_record *record, json_t *shown, struct buffer *out);

/* Reads the blob's text, which the caller has limited to VERSION_RECORD_BYTES_MAX, and takes out of it what
 * is not read. ERR_BAD_REQUEST, ERR_TOO_LARGE, with a sentence. *out is to be finished. */
bool version_record_read(struct buffer *text, struct version_record *out, struct err *err);

#endif

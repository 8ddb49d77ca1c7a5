/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON of an image layout: manifests, and the index of a bundle. That one is to the byte what Go's
 * library for images writes of what it has read, so that a copy by skopeo keeps its digest.
 * https://github.com/opencontainers/image-spec/blob/v1.1.0/spec.md */
#ifndef SERVER_BUNDLE_LAYOUT_H
#define SERVER_BUNDLE_LAYOUT_H

#include "common/buffer.h"
#include "server/bundle/contents.h"

/* The blob of what has no configuration, or no layer: "{}". */
struct bundle_blob layout_empty_blob(void);

/* Append a manifest: of a version (whose own blob says nothing yet), of the contents (signature NULL: not
 * signed; audit_head NULL: there is none). */
void layout_write_version(const struct bundle_version *version, int64_t updated_s, struct buffer *out);
void layout_write_contents(const struct bundle_blob *contents, const struct bundle_blob *signature,
	const struct digest *audit_head, struct buffer *out);

/* The bundle's index, piece by piece: its beginning with the contents' manifest, a descriptor of each
 * version, its end. */
void layout_begin_index(const struct bundle_blob *contents_manifest, struct buffer *out);
void layout_add_to_index(const struct bundle_version *version, struct buffer *out);
void layout_end_index(const struct bundle_header *header, struct buffer *out);

/* The file index.json, which names the bundle's index. */
void layout_write_outer(
	const struct bundle_blob *index, const struct bundle_header *header, struct buffer *out);

/* "half-plus-two_1.tar.gz" */
void layout_file_name(const struct name *name, struct buffer *out);

#endif

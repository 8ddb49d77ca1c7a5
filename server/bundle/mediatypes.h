/* SPDX-License-Identifier: Apache-2.0
 *
 * What the blobs of a bundle are called (docs/bundle.md): the names of this house, and those of OCI's image
 * format that it uses. */
#ifndef SERVER_BUNDLE_MEDIATYPES_H
#define SERVER_BUNDLE_MEDIATYPES_H

#define MEDIA_INDEX "application/vnd.oci.image.index.v1+json"
#define MEDIA_MANIFEST "application/vnd.oci.image.manifest.v1+json"
#define MEDIA_EMPTY "application/vnd.oci.empty.v1+json"

/* Types of artifacts: what a manifest is of. */
#define MEDIA_CONTENTS_MANIFEST "application/vnd.larder.contents.v1"
#define MEDIA_MODULE "application/vnd.larder.module.v1"

/* Layers and configurations. That of a module's bytes is MEDIA_MODULE_PREFIX, the format's name, and the
 * suffix of an archive or of a bare file. */
#define MEDIA_CONTENTS "application/vnd.larder.contents.v1+jsonl"
#define MEDIA_SIGNATURE "application/vnd.larder.signature.v1.dsse+json"
#define MEDIA_VERSION "application/vnd.larder.version.v1+json"
#define MEDIA_MODULE_PREFIX "application/vnd.larder.module."
#define MEDIA_ARCHIVE_SUFFIX ".v1.tar+gzip"
#define MEDIA_BARE_SUFFIX ".v1"

/* What a signature is over. */
#define MEDIA_SIGNED "application/vnd.larder.bundle.v1+json"

/* Annotations. The first is on the bundle's index and on its descriptor, the second on the descriptor of the
 * contents' manifest within it: skopeo keeps annotations, and no artifactType there. */
#define NOTE_BUNDLE "dev.larder.bundle"
#define NOTE_CONTENTS "dev.larder.contents"
#define NOTE_AUDIT_HEAD "dev.larder.audit-head"
#define NOTE_NAME "dev.larder.name"
#define NOTE_HANDLE "dev.larder.handle"
#define NOTE_VERSION "dev.larder.version"
#define NOTE_SOURCE "dev.larder.source"
#define NOTE_STATE "dev.larder.state"
#define NOTE_FORMAT "dev.larder.format"
#define NOTE_CREATED "org.opencontainers.image.created"
#define NOTE_REFERENCE "org.opencontainers.image.ref.name"
#define NOTE_TITLE "org.opencontainers.image.title"

/* The value of NOTE_BUNDLE and NOTE_CONTENTS, and the tag under which the index is found. */
#define BUNDLE_FORMAT_VERSION 1
#define BUNDLE_REFERENCE "bundle"

#endif

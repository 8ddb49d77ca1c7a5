/* SPDX-License-Identifier: Apache-2.0
 *
 * The digests of a module's files, stated as OpenSSF model signing does: one subject, whose digest is that of
 * all files' digests one after another; the files by name.
 * https://github.com/sigstore/model-transparency */
#ifndef SERVER_ATTEST_FILE_MANIFEST_H
#define SERVER_ATTEST_FILE_MANIFEST_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/err.h"
#include "server/bundle/signing_key.h"

enum { FILE_MANIFEST_FILES_MAX = 4000 };

struct manifest_file {
	char *path; /* in the module, with "/" */
	struct digest sha256;
};

/* Zeroed, it is empty. */
struct file_manifest {
	struct manifest_file *files;
	size_t count;
	size_t capacity;
};
void file_manifest_finish(struct file_manifest *manifest);
#define AUTO_FILE_MANIFEST AUTO(file_manifest_finish)

void file_manifest_add(struct file_manifest *manifest, const char *path, const struct digest *sha256);

/* Brings the files into the order that the format wants: that of their names, segment by segment. */
void file_manifest_sort(struct file_manifest *manifest);

/* Of all digests of sorted files, one after another: what the statement's subject has. */
struct digest file_manifest_root(const struct file_manifest *manifest);

/* Appends the statement about sorted files. title: the name of the model, for people. */
void file_manifest_write(const struct file_manifest *manifest, const char *title, struct buffer *out);

/* Reads the statement: each file once, by its SHA-256; then it is sorted. ERR_BAD_REQUEST where it breaks the
 * format, its root digest is not that of its files, it was made of parts of files or by another algorithm, or
 * a name leads out of the folder. */
bool file_manifest_read(const json_t *statement, struct file_manifest *out, struct err *err);

/* Whether both have the same files; ERR_BAD_REQUEST names the first that differs. Both are sorted. */
bool file_manifest_compare(
	const struct file_manifest *stated, const struct file_manifest *there, struct err *err);

/* Appends a Sigstore bundle (v0.3) around an envelope, which names the key: what model signing's verifier
 * reads as model.sig. */
void file_manifest_wrap(const struct signing_key *key, const struct buffer *envelope, struct buffer *out);

#endif

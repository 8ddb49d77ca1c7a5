/* SPDX-License-Identifier: Apache-2.0
 *
 * The judgement on one artifact's bytes: reads it whole, lists its members and what its model says of itself,
 * and finds every rule of the interface (section "Publishing") that it breaks. */
#ifndef SERVER_MODULE_EXAMINATION_H
#define SERVER_MODULE_EXAMINATION_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/own.h"
#include "common/stream.h"
#include "server/module/archives/archive_limits.h"
#include "server/module/findings.h"
#include "server/module/savedmodel/savedmodel.h"

/* Reads the stream to its end and judges it as an artifact of this format. The caller owns *out. Whatever is
 * wrong with the bytes becomes a finding; false only where the stream itself failed. Memory is bounded by the
 * limits. */
bool examination_run(struct stream *stream, enum format format, const struct archive_limits *limits,
	struct examination **out, struct err *err);

/* How many findings have this severity. */
size_t examination_count(const struct examination *examination, enum severity severity);

/* Frees it all; takes NULL. */
void examination_destroy(struct examination *examination);
AUTO_CLEANER(own_examination, struct examination *, examination_destroy)
#define AUTO_EXAMINATION AUTO(own_examination)

#endif

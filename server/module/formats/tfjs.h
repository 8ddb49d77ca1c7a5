/* SPDX-License-Identifier: Apache-2.0
 *
 * What a TF.js model needs beside its model.json: every shard of its weights, of the size that its manifest
 * declares. */
#ifndef SERVER_MODULE_FORMATS_TFJS_H
#define SERVER_MODULE_FORMATS_TFJS_H

#include "common/stream.h"
#include "server/module/archives/tree.h"
#include "server/module/findings.h"
#include "server/module/formats/manifest.h"

/* Judges what model.json says against the members that lie beside it. */
void tfjs_judge(struct examination *examination, const struct manifest *manifest, const struct tree *members);

#endif

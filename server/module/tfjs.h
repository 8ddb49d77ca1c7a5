/* SPDX-License-Identifier: Apache-2.0
 *
 * What a TF.js model needs beside its model.json: every shard of its weights, of the size that its manifest
 * declares. */
#ifndef SERVER_MODULE_TFJS_H
#define SERVER_MODULE_TFJS_H

#include "common/buffer.h"
#include "server/module/examination.h"
#include "server/module/tree.h"

/* Limits on model.json, so that what it becomes in memory is bounded as well. */
enum { TFJS_JSON_BYTES_MAX = 64 << 20, TFJS_JSON_VALUES_MAX = 2 << 20 };

/* Judges model.json against the members that lie beside it. */
void tfjs_judge(struct examination *examination, const struct buffer *model_json, const struct tree *members);

#endif

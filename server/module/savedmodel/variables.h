/* SPDX-License-Identifier: Apache-2.0
 *
 * The variables of a SavedModel: whether those that it restores are there, each shard of them and as long as
 * their index says. The index is a table in LevelDB's format, whose values are TensorFlow's BundleHeaderProto
 * and BundleEntryProto: https://github.com/google/leveldb/blob/main/doc/table_format.md */
#ifndef SERVER_MODULE_SAVEDMODEL_VARIABLES_H
#define SERVER_MODULE_SAVEDMODEL_VARIABLES_H

#include <stdbool.h>

#include "common/buffer.h"
#include "server/module/findings.h"

#define CHECKPOINT_INDEX "variables/variables.index"

/* Larger ones are not looked into: about 20,000 variables. */
enum { VARIABLES_INDEX_BYTES_MAX = 2 << 20 };

/* Adds a finding for what is missing among the members. With an index, NULL where it was not read, its
 * entries are held against the shards. */
void variables_judge(struct examination *examination, const struct buffer *index);

#endif

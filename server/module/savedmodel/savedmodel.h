/* SPDX-License-Identifier: Apache-2.0
 *
 * What a SavedModel says of itself: meta graphs, signatures, callables, ops. Read as a stream in bounded
 * memory from saved_model.pb (binary protobuf) or saved_model.pbtxt (text). Field numbers:
 * schema/saved_model.proto. */
#ifndef SERVER_MODULE_SAVEDMODEL_SAVEDMODEL_H
#define SERVER_MODULE_SAVEDMODEL_SAVEDMODEL_H

#include <stdbool.h>

#include "common/err.h"
#include "common/own.h"
#include "common/stream.h"
#include "server/module/safety/safety_findings.h"
#include "server/module/savedmodel/dtype.h"
#include "server/module/savedmodel/model_facts.h"

/* Where findings of the safety rules go, and as of which file. */
struct saved_model_watch {
	struct safety_findings *findings;
	const char *where;
};

/* Reads a saved_model.pb from the stream to its end. The caller owns *out. Merges as protobuf does. What the
 * safety rules say of its graphs goes to the watch (or NULL), also where it proves to be broken later.
 * ERR_INVALID_MODULE where the bytes are no SavedModel message or it has no meta graph; the stream's own
 * errors pass through. */
bool saved_model_read(struct stream *stream, const struct saved_model_watch *watch, struct saved_model **out,
	struct err *err);

/* The same for the text format. */
bool saved_model_read_text(struct stream *stream, const struct saved_model_watch *watch,
	struct saved_model **out, struct err *err);

void signature_finish(struct signature *signature);

/* Counts so many more ops of this name, sorted in, where *listed_left has room for a new name; false where
 * not. */
bool meta_graph_count_op(struct meta_graph *graph, const char *op, int64_t count, size_t *listed_left);

/* Frees it all; takes NULL. */
void saved_model_destroy(struct saved_model *model);
AUTO_CLEANER(own_saved_model, struct saved_model *, saved_model_destroy)
#define AUTO_SAVED_MODEL AUTO(own_saved_model)

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Inputs and outputs, made from the messages that describe tensors. */
#ifndef SERVER_MODULE_SAVEDMODEL_TENSOR_H
#define SERVER_MODULE_SAVEDMODEL_TENSOR_H

#include <stdbool.h>

#include "server/module/savedmodel/message.h"
#include "server/module/savedmodel/model_facts.h"

/* Fills encoding, tensor names, type, dtype and shape from a TensorInfo. */
void tensor_from_info(struct tensor *tensor, const struct message *info);

/* The same from a StructuredValue that is neither list, tuple nor dict: a spec, or else a literal. */
void tensor_from_value(struct tensor *tensor, const struct message *value);

/* What a text, a tensor with its texts, and tensors cost where they are listed: in memory, as JSON, on a
 * page. */
size_t text_cost(const char *text);
size_t tensors_cost(const struct tensors *tensors);

/* Moves a tensor to the end of the list where the pool has bytes left for it; frees it and is false
 * otherwise. */
bool tensors_add(struct tensors *tensors, struct tensor *tensor, struct pool *pool);

void tensor_finish(struct tensor *tensor);
void tensors_finish(struct tensors *tensors);

/* How Python writes a StructuredValue that is a plain value ("False", "'nearest'", "1e-07"); free() it. */
char *literal_repr(const struct message *value);

#endif

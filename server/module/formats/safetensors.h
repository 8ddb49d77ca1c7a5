/* SPDX-License-Identifier: Apache-2.0
 *
 * The head of a safetensors file: its tensors' names, dtypes and shapes.
 * https://github.com/huggingface/safetensors#format */
#ifndef SERVER_MODULE_FORMATS_SAFETENSORS_H
#define SERVER_MODULE_FORMATS_SAFETENSORS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/stream.h"
#include "server/module/formats/modellist.h"

/* Lists the tensors as the signature's outputs, and reads no further than the head. ERR_INVALID_MODULE where
 * it is malformed; the stream's errors pass through. */
bool safetensors_read(struct stream *content, int64_t size, struct modellist *listing,
	struct signature *signature, struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * What an ONNX model takes and gives, and the ops of its graph; weights are passed over.
 * https://github.com/onnx/onnx/blob/main/onnx/onnx.proto */
#ifndef SERVER_MODULE_FORMATS_ONNX_H
#define SERVER_MODULE_FORMATS_ONNX_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/stream.h"
#include "server/module/formats/modellist.h"

/* Lists inputs that have no initial value, and outputs, in the graph's order. ERR_INVALID_MODULE where it is
 * malformed or has no graph; the stream's errors pass through. */
bool onnx_read(struct stream *content, int64_t size, struct modellist *listing, struct signature *signature,
	struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * What a TensorFlow Lite model takes and gives: its signatures, or where it has none, the inputs and outputs
 * of its first subgraph; dtypes, shapes and quantisation. */
#ifndef SERVER_MODULE_FORMATS_TFLITELISTING_H
#define SERVER_MODULE_FORMATS_TFLITELISTING_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/stream.h"
#include "server/module/savedmodel/model_facts.h"

/* Lists a file that was found sound; the caller owns *out. False where the stream failed, or with
 * ERR_INVALID_MODULE where there is too much of it to look at. */
bool tflite_listing_read(struct stream *stream, int64_t size, struct saved_model **out, struct err *err);

#endif

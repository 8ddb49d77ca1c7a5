/* SPDX-License-Identifier: Apache-2.0
 *
 * Which ops a TensorFlow Lite model has that are not its own: custom ones, and TensorFlow's by its delegate.
 */
#ifndef SERVER_MODULE_FORMATS_TFLITEOPS_H
#define SERVER_MODULE_FORMATS_TFLITEOPS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/stream.h"
#include "server/module/safety/safety_findings.h"

/* Adds what the safety rules say of a model that flatbuffer_check() has passed. False where the stream fails.
 */
bool tflite_ops_judge(struct safety_findings *findings, struct stream *stream, int64_t size, struct err *err);

#endif

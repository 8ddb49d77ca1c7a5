/* SPDX-License-Identifier: Apache-2.0
 *
 * The check on a TensorFlow Lite model: one bare FlatBuffer file. */
#ifndef SERVER_MODULE_FORMATS_TFLITE_H
#define SERVER_MODULE_FORMATS_TFLITE_H

#include "common/stream.h"
#include "server/module/findings.h"

/* Reads the stream to its end, or to max_bytes (0: no limit), counts it as one file and follows each
 * reference in it, and says what lies behind that is no part of it. A stream that keeps nothing is judged by
 * its beginning alone. False only where the stream failed. */
bool tflite_judge(struct examination *examination, struct stream *stream, int64_t max_bytes, struct err *err);

#endif

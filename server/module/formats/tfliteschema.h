/* SPDX-License-Identifier: Apache-2.0
 *
 * Which fields of a TensorFlow Lite model refer to something, as TensorFlow's schema.fbs (version 3c) numbers
 * them. */
#ifndef SERVER_MODULE_FORMATS_TFLITESCHEMA_H
#define SERVER_MODULE_FORMATS_TFLITESCHEMA_H

#include "server/module/formats/flatbuffer.h"

/* The root table. */
extern const struct flat_type tflite_model_type;

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * The names of TensorFlow's DataType in protobuf's text format; those that people see are in
 * server/module/savedmodel/savedmodel.h. */
#ifndef SERVER_MODULE_SAVEDMODEL_DTYPE_H
#define SERVER_MODULE_SAVEDMODEL_DTYPE_H

#include <stdbool.h>
#include <stdint.h>

/* The number behind "DT_FLOAT" or "DT_FLOAT_REF"; false if there is none. */
bool dtype_parse_symbol(const char *symbol, int64_t *out);

#endif

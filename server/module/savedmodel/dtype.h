/* SPDX-License-Identifier: Apache-2.0
 *
 * The names of TensorFlow's DataType: in Python, which people see, and in protobuf's text format. Formats of
 * others have dtypes that TensorFlow has not; these have numbers and names here as well. */
#ifndef SERVER_MODULE_SAVEDMODEL_DTYPE_H
#define SERVER_MODULE_SAVEDMODEL_DTYPE_H

#include <stdbool.h>
#include <stdint.h>

/* TensorFlow's Python name of a DataType number ("float32", "float32_ref", "dtype_77"). */
struct dtype_name {
	char text[32];
};
struct dtype_name dtype_name(int64_t dtype);

/* The number behind such a name; false if there is none. */
bool dtype_parse(const char *name, int64_t *out);

/* The number behind "DT_FLOAT" or "DT_FLOAT_REF"; false if there is none. */
bool dtype_parse_symbol(const char *symbol, int64_t *out);

#endif

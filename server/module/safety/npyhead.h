/* SPDX-License-Identifier: Apache-2.0
 *
 * The heads of NumPy's arrays: https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html */
#ifndef SERVER_MODULE_SAFETY_NPYHEAD_H
#define SERVER_MODULE_SAFETY_NPYHEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Where the array's data begin, which may lie behind these bytes; 0: it is no array. */
size_t npyhead_end(const uint8_t *bytes, size_t length);

/* Whether the head, which ends there, is written as NumPy writes that of an array of plain numbers or texts;
 * any other may be one of objects, as it is an expression of Python. */
bool npyhead_is_of_numbers(const uint8_t *bytes, size_t end);

/* Whether it has a letter that types of objects have. */
bool npyhead_may_be_of_objects(const uint8_t *bytes, size_t end);

#endif

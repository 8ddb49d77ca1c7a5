/* SPDX-License-Identifier: Apache-2.0
 *
 * Numbers as people write them. */
#ifndef COMMON_NUMBER_H
#define COMMON_NUMBER_H

#include <stdbool.h>
#include <stdint.h>

/* A decimal integer from 0 to INT64_MAX and nothing else: no sign, no space. */
bool number_parse(const char *text, int64_t *out);

/* A size in bytes: a decimal integer, optionally followed by K, M, G or T (powers of 1024). */
bool number_parse_size(const char *text, int64_t *out_bytes);

/* The value of a hexadecimal digit of either case; -1 for any other character. */
int number_of_hex_digit(char digit);

/* "1.4 GiB", "312 B". */
struct size_text {
	char text[24];
};
struct size_text number_size(int64_t bytes);

#endif

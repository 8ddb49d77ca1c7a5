/* SPDX-License-Identifier: Apache-2.0
 *
 * UTF-8 (RFC 3629) one code point at a time, for names that strangers chose. */
#ifndef COMMON_UTF8_H
#define COMMON_UTF8_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Decodes the code point at text; its length in bytes, or 0 where the bytes are not UTF-8 (overlong forms and
 * surrogates are not). At the terminating NUL it is 1, as for any ASCII. */
size_t utf8_decode(const char *text, uint32_t *out_code);

/* Writes the UTF-8 of a code point, without a NUL; its length in bytes, at most 4. */
size_t utf8_encode(uint32_t code, char *out);

/* Whether a code point is a control character (C0, DEL, C1). */
bool utf8_is_control(uint32_t code);

/* Whether these bytes, which a NUL follows, are UTF-8; NUL is a character like others. */
bool utf8_is_characters(const char *bytes, size_t length);

/* Whether these bytes, which a NUL follows, are UTF-8 without a NUL among them. */
bool utf8_is_text(const char *bytes, size_t length);

/* How many bytes of a text are its longest beginning of at most max bytes that ends between two characters.
 */
size_t utf8_cut(const char *text, size_t max);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Tables of names, by the number of an enum. */
#ifndef COMMON_NAMES_H
#define COMMON_NAMES_H

#include <stddef.h>

/* The place of a name in such a table; count where it is none of them, or NULL. */
size_t names_find(const char *const *names, size_t count, const char *name);

#endif

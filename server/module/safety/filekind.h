/* SPDX-License-Identifier: Apache-2.0
 *
 * What a file is that no model needs, by its name and its first bytes: programs, scripts, code, archives. */
#ifndef SERVER_MODULE_SAFETY_FILEKIND_H
#define SERVER_MODULE_SAFETY_FILEKIND_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/module/safety/safety_findings.h"

/* As many first bytes as tell all there is to tell. */
enum { FILEKIND_HEAD_BYTES = 512 };

/* Adds what the rules say of a file of this name that begins so. */
void filekind_judge(struct safety_findings *findings, const char *where, const char *name,
	const uint8_t *head, size_t length);

/* Whether the name has one of these suffixes, in whatever case; the list's are separated by blanks. */
bool filekind_has_suffix(const char *name, const char *suffixes);

bool filekind_is_zip(const uint8_t *head, size_t length);

/* Whether it begins as a text does. */
bool filekind_is_text(const uint8_t *head, size_t length);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * A member's name by itself: its normal form, and the rules that hold for every name. */
#ifndef SERVER_MODULE_ARCHIVES_MEMBERNAME_H
#define SERVER_MODULE_ARCHIVES_MEMBERNAME_H

#include <stdbool.h>
#include <stddef.h>

#include "server/module/archives/archive_fault.h"
#include "server/module/findings.h"

/* What every file system and every client can take. */
enum { MEMBERNAME_MAX = 1024, MEMBERNAME_SEGMENT_MAX = 255 };

/* Writes the normal form: without "./", doubled slashes and slashes at the ends; "" is the root. */
void membername_normalise(const char *name, char out[ARCHIVE_NAME_MAX + 1]);

/* Adds a finding for each rule that the name breaks; false if the member cannot count for one of them. */
bool membername_judge(struct examination *examination, const char *name);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Modules as JSON: one by itself, or as lists have it. */
#ifndef SERVER_API_MODULES_H
#define SERVER_API_MODULES_H

#include <jansson.h>

#include "common/err.h"
#include "server/api/ask.h"

struct module_summary;
struct tags;

/* {"task":[…], …} */
json_t *tags_json(const struct tags *tags);

/* As in a list. */
json_t *module_summary_json(const struct module_summary *summary);

/* The module with a page of its versions, also withdrawn ones, as the query asks for (limit, cursor, newest);
 * NULL with ERR_NOT_FOUND where it is not known. */
json_t *module_json(const struct ask *ask, const char *handle, struct err *err);

#endif

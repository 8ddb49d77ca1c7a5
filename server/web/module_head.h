/* SPDX-License-Identifier: Apache-2.0
 *
 * The head of a version's page: what it is, which version, how to have it, and where on the page the rest is.
 */
#ifndef SERVER_WEB_MODULE_HEAD_H
#define SERVER_WEB_MODULE_HEAD_H

#include <jansson.h>
#include <stdbool.h>

#include "server/web/view.h"

struct module_head {
	const json_t *module;
	const json_t *version;
	bool has_code;
	bool has_signatures;
	bool has_documentation;
};
void module_head_write(struct view *view, const struct module_head *head);

#endif

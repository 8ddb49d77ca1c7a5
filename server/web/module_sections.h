/* SPDX-License-Identifier: Apache-2.0
 *
 * The sections of a version's page that are lists of facts. */
#ifndef SERVER_WEB_MODULE_SECTIONS_H
#define SERVER_WEB_MODULE_SECTIONS_H

#include <jansson.h>
#include <stdint.h>

#include "server/module/name.h"
#include "server/web/view.h"

/* What people must know before they use it: its state, and what was found in its artifacts. */
void module_sections_write_notices(struct view *view, const json_t *version);

void module_sections_write_artifacts(struct view *view, const json_t *version);

/* The files of each archive; nothing where the API has none. */
void module_sections_write_files(struct view *view, const json_t *version);

/* The column beside the text: figures, versions, comparing them. */
void module_sections_write_aside(struct view *view, const json_t *module, const json_t *version);

/* A page of its versions, one of which is marked. */
void module_sections_write_versions(struct view *view, const json_t *module, int64_t current);

/* A form that chooses two of its versions. */
void module_sections_write_comparing(struct view *view, const json_t *module, int64_t from, int64_t to);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * What belongs to one model: the version that others are deployments of, and these. */
#ifndef SERVER_API_FAMILY_H
#define SERVER_API_FAMILY_H

#include <jansson.h>

#include "common/err.h"
#include "server/api/ask.h"
#include "server/module/name.h"
#include "server/registry/services.h"

struct deployments;
struct module_summary;
struct version_details;

/* Whether a list is asked for whose rows tell of deployments: fold. ERR_BAD_REQUEST for what is neither true
 * nor false. */
bool family_read_fold(const struct ask *ask, bool *out, struct err *err);

/* A module as a folded list has it, with its first deployments and how many there are. */
json_t *family_row_json(const struct module_summary *summary, const struct deployments *deployments);

/* {"handle", "version"} of what a version says it is a deployment of; null where it says nothing. */
json_t *family_parent_json(const struct version_details *details);

/* [{"handle", "version", "formats"}] */
json_t *family_list_json(const struct deployments *deployments);

/* [{"handle", "version", "formats"}] of a version's deployments, up to a hundred; NULL where the catalogue
 * failed. */
json_t *family_deployments_json(const struct services *services, const struct name *name, struct err *err);

#endif

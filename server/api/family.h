/* SPDX-License-Identifier: Apache-2.0
 *
 * What belongs to one model: the version that others are deployments of, and these. */
#ifndef SERVER_API_FAMILY_H
#define SERVER_API_FAMILY_H

#include <jansson.h>

#include "common/err.h"
#include "server/module/name.h"
#include "server/registry/services.h"

struct deployments;
struct version_details;

/* {"handle", "version"} of what a version says it is a deployment of; null where it says nothing. */
json_t *family_parent_json(const struct version_details *details);

/* [{"handle", "version", "formats"}] */
json_t *family_list_json(const struct deployments *deployments);

/* [{"handle", "version", "formats"}] of a version's deployments, up to a hundred; NULL where the catalogue
 * failed. */
json_t *family_deployments_json(const struct services *services, const struct name *name, struct err *err);

#endif

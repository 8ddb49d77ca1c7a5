/* SPDX-License-Identifier: Apache-2.0
 *
 * How paths of the API name a version, and what is refused of those that are named. */
#ifndef SERVER_API_VERSION_H
#define SERVER_API_VERSION_H

#include "common/err.h"
#include "server/api/ask.h"
#include "server/module/name.h"
#include "server/registry/services.h"

struct artifact;
struct saved_model;
struct version_details;

/* Reads "<handle>/<version>" from what the route matched; format is tf-hub's. ERR_BAD_REQUEST for anything
 * else. */
bool version_named(const struct ask *ask, struct name *out, struct err *err);

/* The version's JSON, also of a withdrawn one; NULL with ERR_NOT_FOUND. */
json_t *version_json(const struct ask *ask, const struct name *name, struct err *err);

/* All that is known of it; the caller owns *out. ERR_NOT_FOUND. */
bool version_look(const struct services *services, const struct name *name, struct version_details *out,
	struct err *err);

/* The same, and ERR_GONE where it was withdrawn. */
bool version_find(const struct services *services, const struct name *name, struct version_details *out,
	struct err *err);

/* What its artifact of this format lists; NULL where nothing does. It is the details' own. */
const struct saved_model *version_model(const struct version_details *details, enum format format);

/* Its artifact in name->format only, which may be one that is not recorded. The same refusals. */
bool version_find_artifact(
	const struct services *services, const struct name *name, struct artifact *out, struct err *err);

#endif

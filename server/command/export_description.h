/* SPDX-License-Identifier: Apache-2.0
 *
 * What people may want to see of a version in a bundle's configuration of it. */
#ifndef SERVER_COMMAND_EXPORT_DESCRIPTION_H
#define SERVER_COMMAND_EXPORT_DESCRIPTION_H

#include <jansson.h>

#include "server/store/catalog/catalog_versions.h"

/* An object: the description, tags, findings and the SavedModel. The caller owns it. */
json_t *export_description(const struct version_details *details);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * The configuration's keys as variables of the environment: LARDER_SECTION_KEY, as LARDER_STORAGE_MAX_BYTES,
 * and LARDER_UPSTREAM_NAME_KEY, as LARDER_UPSTREAM_TFHUB_URL. They count as if they stood in the file, and
 * over what does. */
#ifndef SERVER_CONFIG_ENVIRONMENT_H
#define SERVER_CONFIG_ENVIRONMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "common/buffer.h"
#include "server/config_named.h"
#include "server/config_values.h"

/* Takes over what the variables say, in the order of their names. Each fault is a line of *faults, "LARDER_X:
 * sentence", and counted in what is returned. What only looks like ours (a variable of Kubernetes' for a
 * service of that name, of a client's, or of nobody's) is passed over. */
size_t environment_apply(struct config *config, struct buffer *faults);

/* Whether a variable sets a key of the section of this kind and name (NULL: of any name). */
bool environment_speaks_of(const struct named *named, const char *name);

/* Appends ", NAME" for each variable that has set something. */
void environment_tell(const struct config *config, struct buffer *out);

/* Appends a line for each variable that begins with LARDER_ and that nothing knows. */
void environment_note_unknown(struct buffer *out);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Attestations of versions: taken as they come, and given out. */
#ifndef SERVER_API_ATTESTATIONS_H
#define SERVER_API_ATTESTATIONS_H

#include <jansson.h>

#include "server/api/ask.h"
#include "server/http/route.h"

/* Where the body of a PUT goes: into memory, since it is short. */
extern const struct upload_ops attestation_upload;

/* {"attestations": […]} with the envelopes. */
json_t *ask_attestations(const struct ask *ask, struct err *err);

#endif

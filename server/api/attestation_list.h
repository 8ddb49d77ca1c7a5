/* SPDX-License-Identifier: Apache-2.0
 *
 * What was attested of a version, as JSON. */
#ifndef SERVER_API_ATTESTATION_LIST_H
#define SERVER_API_ATTESTATION_LIST_H

#include <jansson.h>
#include <stdbool.h>

#include "common/err.h"
#include "server/api/ask.h"

struct attestation_row;
struct version_details;

/* One without its envelope. */
json_t *attestation_json(const struct attestation_row *row);

/* An array of those that are about artifacts that are here, each with its artifact's format; with_texts: and
 * with its envelope. NULL with the refusal. */
json_t *attestation_list_json(
	const struct ask *ask, const struct version_details *details, bool with_texts, struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * The header fields of an answer: those that every answer has, and how they all stand in a head. */
#ifndef SERVER_HTTP_RESPONSE_FIELDS_H
#define SERVER_HTTP_RESPONSE_FIELDS_H

#include <stddef.h>

#include "server/http/reply.h"

struct answer_field {
	const char *name;
	const char *value;
};

/* What every answer says beside its own. */
extern const struct answer_field every_answer[];
extern const size_t every_answer_count;

/* A reply's header fields as they stand in a head, each with its end of line, Content-Type first
 * (*type_length bytes of it); without Date, Connection and Content-Length. The caller frees. */
char *response_fields(const struct reply *reply, size_t *length, size_t *type_length);

#endif

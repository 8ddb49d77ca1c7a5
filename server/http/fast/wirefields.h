/* SPDX-License-Identifier: Apache-2.0
 *
 * The parts of a head that was found to have one meaning only (wirehead.h): its first line and its fields by
 * name. */
#ifndef SERVER_HTTP_FAST_WIREFIELDS_H
#define SERVER_HTTP_FAST_WIREFIELDS_H

#include <stdbool.h>
#include <stddef.h>

#include "server/http/request.h"

struct wire_fields {
	char *text; /* all strings lie in it */
	enum method method;
	const char *target; /* as it was sent */
	bool is_1_0;
	const char *first; /* names and values in turn, up to end */
	const char *end;
};

/* Copies a head of this length that wire_head_read has passed; wire_fields_finish frees. */
void wire_fields_read(const char *bytes, size_t length, struct wire_fields *out);
void wire_fields_finish(struct wire_fields *fields);

/* The value of the first, and of the last, field of this name, in any case, or NULL; fits request.find_header
 * and find_last_header. */
const char *wire_fields_find(const void *fields, const char *name);
const char *wire_fields_find_last(const void *fields, const char *name);

#endif

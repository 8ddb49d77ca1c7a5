/* SPDX-License-Identifier: Apache-2.0 */
#include "server/kagglehub/kaggle_body.h"

#include <string.h>

bool kaggle_read_body(const struct request *request, json_t **out, struct err *err)
{
	json_error_t fault;
	json_t *body;

	/* Only browsers send it. */
	if (request_header(request, "Origin"))
		return err_set(err, ERR_FORBIDDEN, "These calls are for programs, not for pages.");
	body = json_loadb(request->body.length ? request->body.data : "", request->body.length,
		JSON_REJECT_DUPLICATES, &fault);
	if (json_is_object(body)) {
		*out = body;
		return true;
	}
	if (body) {
		json_decref(body);
		return err_set(err, ERR_BAD_REQUEST, "The body must be a JSON object, and is other JSON.");
	}
	return err_set(err, ERR_BAD_REQUEST, "The body must be a JSON object (line %d: %.100s).", fault.line,
		fault.text);
}

const char *kaggle_text(const json_t *body, const char *key)
{
	const json_t *value = json_object_get(body, key);

	/* A NUL ends no name. */
	return json_is_string(value) && strlen(json_string_value(value)) == json_string_length(value)
		       ? json_string_value(value)
		       : NULL;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The JSON that kagglehub sends. */
#ifndef SERVER_KAGGLEHUB_KAGGLE_BODY_H
#define SERVER_KAGGLEHUB_KAGGLE_BODY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "server/http/request.h"

/* The request's body, an object; the caller's. ERR_BAD_REQUEST; ERR_FORBIDDEN where a page of another site
 * has had a browser send it. */
bool kaggle_read_body(const struct request *request, json_t **out, struct err *err);

/* A text without a NUL; NULL: there is none under this key. It is the body's. */
const char *kaggle_text(const json_t *body, const char *key);

#endif

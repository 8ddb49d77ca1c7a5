/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers in the form in which kagglehub reads them. */
#ifndef SERVER_KAGGLEHUB_KAGGLE_REPLY_H
#define SERVER_KAGGLEHUB_KAGGLE_REPLY_H

#include <jansson.h>
#include <stdbool.h>

#include "common/err.h"
#include "server/http/reply.h"
#include "server/http/request.h"

struct services;

/* What the query of a file's address has where a download leads to it: it is served as this client can take
 * it. */
#define KAGGLE_MARK "for=kagglehub"

/* 200 with this value, which it lets go of. */
void kaggle_reply_json(struct reply *reply, json_t *value);

/* 200 {"error", "errorCode"}: what uploads fail with. The text may be longer than an error's. */
void kaggle_reply_failure(struct reply *reply, const struct err *err, const char *text);

/* As front_settings.adapt: a problem becomes {"code", "message"} with its status, a file's bytes become
 * octets. Leaves other requests' answers alone. */
void kaggle_adapt(void *services, const struct request *request, struct reply *reply);

/* Whether it is one of this client's requests. */
bool kaggle_is_call(const struct request *request);

#endif

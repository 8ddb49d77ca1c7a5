/* SPDX-License-Identifier: Apache-2.0
 *
 * What every answer of the API is made of: addresses, texts and times as JSON, and the header that all carry.
 */
#ifndef SERVER_API_ANSWER_H
#define SERVER_API_ANSWER_H

#include <jansson.h>
#include <stdint.h>

#include "server/api/ask.h"
#include "server/http/reply.h"
#include "server/http/request.h"
#include "server/registry/services.h"

struct examination;

/* Where the client reached us, without a last slash: public_url, else by the Host that it sent; free() it. */
char *answer_base_url(const struct services *services, const struct request *request);

/* A text from elsewhere; bytes that are not UTF-8 are shown as \xNN. NULL becomes null. */
json_t *answer_text(const char *text);

/* RFC 3339. */
json_t *answer_time(int64_t time_s);

/* {"violations": […]}: the rules that a published module may not break. */
json_t *answer_violations(const struct examination *examination);

/* {"findings": […]}: what the safety rules have found. */
json_t *answer_findings(const struct examination *examination);

/* 200 with this value, which it lets go of; Cache-Control: no-cache. */
void answer_json(struct reply *reply, json_t *value);

/* Answers a request with the value of what it asks for, or the refusal. */
void answer_ask(void *services, const struct request *request, struct reply *reply, ask_value *value);

/* The same, where the query has no parameters but these, which stand with blanks between them. */
void answer_ask_with(void *services, const struct request *request, struct reply *reply, ask_value *value,
	const char *parameters);

/* What a request asks for. base_url (answer_base_url) must outlive it, as the request must. */
struct ask answer_read(const struct services *services, const struct request *request, const char *base_url);

#endif

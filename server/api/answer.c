/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/answer.h"

#include "server/module/examination.h"

#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/api/parameters.h"
#include "server/config.h"
#include "server/http/problem.h"
#include "server/module/safety/safety_rules.h"

enum { HOST_MAX = 262 }; /* a name of 255 bytes, a colon and a port */

/* Host is the client's word and ends up in links: only what a name, an address and a port are written with.
 */
static bool is_host(const char *host)
{
	static const char characters[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._:[]";
	size_t length = strspn(host, characters);

	return length > 0 && length <= HOST_MAX && host[length] == '\0';
}

char *answer_base_url(const struct services *services, const struct request *request)
{
	const char *host = request->told_host ? request->told_host : request_header(request, "Host");
	const char *own = services->config->server.tls_certificate ? "https" : "http";

	if (services->config->server.public_url || !host || !is_host(host))
		return mem_dup(atomic_load(&services->url));
	return mem_printf("%s://%s", *request->told_scheme ? request->told_scheme : own, host);
}

static json_t *escape(const char *text)
{
	AUTO_BUFFER struct buffer out = {0};

	for (; *text; text++) {
		if ((unsigned char)*text < 0x80)
			buffer_add(&out, text, 1);
		else
			buffer_printf(&out, "\\x%02x", (unsigned char)*text);
	}
	return json_string(buffer_string(&out));
}

json_t *answer_text(const char *text)
{
	json_t *value = text ? json_string(text) : json_null();

	return value ? value : escape(text);
}

json_t *answer_time(int64_t time_s)
{
	return json_string(clock_rfc3339(time_s).text);
}

void answer_json(struct reply *reply, json_t *value)
{
	reply_json(reply, 200, value);
	reply_header(reply, "Cache-Control", "no-cache");
	mem_note_made(reply->length);
}

struct ask answer_read(const struct services *services, const struct request *request, const char *base_url)
{
	return (struct ask){.services = services,
		.base_url = base_url,
		.path = request->path,
		.rest = request->rest,
		.query = &request->query};
}

void answer_ask(void *services, const struct request *request, struct reply *reply, ask_value *value)
{
	AUTO_FREE char *base_url = answer_base_url(services, request);
	const struct ask ask = answer_read(services, request, base_url);
	struct err err;
	json_t *answer = value(&ask, &err);

	if (answer)
		answer_json(reply, answer);
	else
		problem_reply(reply, &err);
}

json_t *answer_violations(const struct examination *examination)
{
	json_t *violations = json_array();

	for (size_t i = 0; i < examination->finding_count; i++) {
		const struct finding *finding = &examination->findings[i];

		if (!finding->publishable)
			(void)json_array_append_new(
				violations, json_pack("{s:s, s:s, s:s}", "rule", finding->rule, "path",
						    finding->path, "message", finding->message));
	}
	return json_pack("{s:o}", "violations", violations);
}

json_t *answer_findings(const struct examination *examination)
{
	json_t *findings = json_array();

	for (size_t i = 0; i < examination->safety.count; i++) {
		const struct safety_finding *finding = &examination->safety.items[i];
		const struct safety_rule *rule = &safety_rules[finding->rule];

		(void)json_array_append_new(findings,
			json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s}", "format",
				formats[examination->format].name, "rule", rule->name, "severity",
				safety_severity_name(rule->severity), "where", finding->where, "detail",
				finding->detail, "meaning", rule->meaning, "reference", rule->reference));
	}
	return json_pack("{s:o}", "findings", findings);
}

void answer_ask_with(void *services, const struct request *request, struct reply *reply, ask_value *value,
	const char *parameters)
{
	struct err err;

	if (parameters_check(&request->query, parameters, &err))
		answer_ask(services, request, reply, value);
	else
		problem_reply(reply, &err);
}

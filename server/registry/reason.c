/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/reason.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/jsonbounds.h"
#include "common/own.h"
#include "common/utf8.h"
#include "server/registry/verdict.h"

/* The parser goes into itself for each level, on the small stack of a fill's thread. */
enum { CONTAINERS_MAX = 64, VALUES_MAX = 1024, WAIT_MS = 2000 };

static const char cut_off[] = "…";

static bool may_be_a_buckets(const struct answer *answer)
{
	return answer->status == 403 && strcasestr(answer->content_type, "xml");
}

bool reason_is_told(const struct answer *answer)
{
	return answer->status >= 400 && answer->length <= REASON_BODY_MAX &&
	       (answer_is_problem(answer) || may_be_a_buckets(answer)) && !answer->content_encoding[0];
}

bool reason_is_a_buckets(const struct reason *reason)
{
	const char *text = buffer_string(&reason->body);

	return !reason->given_up && strstr(text, "<Error") && strstr(text, "<Code>AccessDenied</Code>");
}

bool reason_add(struct reason *reason, const void *bytes, size_t length)
{
	int64_t now_ms = clock_monotonic_ms();

	if (reason->began_ms == 0)
		reason->began_ms = now_ms;
	if (length > REASON_BODY_MAX - reason->body.length || now_ms - reason->began_ms > WAIT_MS)
		reason->given_up = true;
	if (!reason->given_up)
		buffer_add(&reason->body, bytes, length);
	return !reason->given_up;
}

void reason_finish(struct reason *reason)
{
	buffer_finish(&reason->body);
}

/* Not to be seen, or able to change how what stands beside it is seen. */
static bool is_unprintable(uint32_t code)
{
	static const struct {
		uint32_t first;
		uint32_t last;
	} ranges[] = {{0x20, 0x20}, {0xa0, 0xa0}, {0xad, 0xad}, {0x61c, 0x61c}, {0x200b, 0x200f},
		{0x2028, 0x202f}, {0x2060, 0x206f}, {0xe000, 0xf8ff}, {0xfeff, 0xfeff}, {0xfff0, 0xffff},
		{0xe0000, 0x10ffff}};

	for (size_t i = 0; i < sizeof ranges / sizeof *ranges; i++) {
		if (code >= ranges[i].first && code <= ranges[i].last)
			return true;
	}
	return utf8_is_control(code);
}

/* One line: whatever cannot be printed is one blank in a row, and none at the ends. The quotation mark is
 * ours.
 */
static void tidy(const char *text, struct buffer *out)
{
	bool blank = false;
	uint32_t code;
	size_t step;

	for (; *text && (step = utf8_decode(text, &code)) > 0; text += step) {
		if (is_unprintable(code)) {
			blank = out->length > 0;
			continue;
		}
		if (blank)
			buffer_add_string(out, " ");
		blank = false;
		if (code == '"')
			buffer_add_string(out, "'");
		else
			buffer_add(out, text, step);
	}
}

/* Between two characters. */
static void cut(struct buffer *said)
{
	size_t length = REASON_TOLD_MAX - strlen(cut_off);

	if (said->length <= REASON_TOLD_MAX)
		return;
	while (((unsigned char)said->data[length] & 0xc0) == 0x80)
		length--;
	said->length = length;
	buffer_add_string(said, cut_off);
}

static bool betrays(const struct upstream *upstream, const struct credentials *credentials, const char *text)
{
	return upstream_is_betrayed_by(upstream, text) || credentials_are_told_by(credentials, text);
}

void reason_append(const struct reason *reason, const struct upstream *upstream,
	const struct credentials *credentials, struct err *err)
{
	json_auto_t *problem = NULL;
	AUTO_BUFFER struct buffer said = {0};
	size_t used = strlen(err->text);
	const char *detail;

	if (reason->given_up ||
		json_exceeds(buffer_string(&reason->body), reason->body.length, CONTAINERS_MAX, VALUES_MAX))
		return;
	problem = json_loadb(buffer_string(&reason->body), reason->body.length, 0, NULL);
	detail = json_string_value(json_object_get(problem, "detail"));
	if (!detail)
		return;
	tidy(detail, &said);
	if (said.length == 0 || betrays(upstream, credentials, detail) ||
		betrays(upstream, credentials, buffer_string(&said)))
		return;
	cut(&said);
	(void)snprintf(err->text + used, sizeof err->text - used, ", saying \"%s\"", buffer_string(&said));
}

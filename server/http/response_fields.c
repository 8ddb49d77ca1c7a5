/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/response_fields.h"

#include "common/buffer.h"
#include "common/own.h"

const struct answer_field every_answer[] = {
	{"Server", "larder/" LARDER_VERSION},
	{"X-Content-Type-Options", "nosniff"},
	{"Access-Control-Allow-Origin", "*"},
	{"Access-Control-Expose-Headers",
		"Content-Length, Content-Range, Accept-Ranges, Content-Disposition, ETag, Repr-Digest, "
		"x-goog-hash, Cache-Status, Retry-After"},
	{"Cross-Origin-Resource-Policy", "cross-origin"},
};
const size_t every_answer_count = sizeof every_answer / sizeof *every_answer;

static void add_field(struct buffer *out, const char *name, const char *value)
{
	buffer_add_string(out, name);
	buffer_add_string(out, ": ");
	buffer_add_string(out, value);
	buffer_add_string(out, "\r\n");
}

char *response_fields(const struct reply *reply, size_t *length, size_t *type_length)
{
	AUTO_BUFFER struct buffer out = {0};
	const char *type = reply_find_header(reply, "Content-Type");

	if (type)
		add_field(&out, "Content-Type", type);
	*type_length = out.length;
	for (size_t i = 0; i < every_answer_count; i++)
		add_field(&out, every_answer[i].name, every_answer[i].value);
	for (size_t i = 0; i < reply->header_count; i++) {
		if (reply->headers[i].value != type)
			add_field(&out, reply->headers[i].name, reply->headers[i].value);
	}
	*length = out.length;
	return buffer_take(&out);
}

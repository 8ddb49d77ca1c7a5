/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/fast/wirehead.h"

#include <string.h>
#include <strings.h>

#include "common/number.h"
#include "common/uri.h"
#include "server/http/http_token.h"
#include "server/http/request_line.h"

/* What libmicrohttpd keeps for a part of the head, and for all else that it writes there: its answer's head.
 */
enum { PART_BYTES = 72, ANSWER_BYTES = 4 << 10 };

size_t wire_head_end(const char *bytes, size_t length, size_t searched)
{
	const char *end = bytes + length;
	size_t from = request_line_skip_empty(bytes, length);
	const char *at;

	if (searched > from + 2)
		from = searched - 2;
	for (at = bytes + from; (at = memchr(at, '\n', (size_t)(end - at))); at++) {
		if (end - at > 1 && at[1] == '\n')
			return (size_t)(at + 2 - bytes);
		if (end - at > 2 && at[1] == '\r' && at[2] == '\n')
			return (size_t)(at + 3 - bytes);
	}
	return 0;
}

static bool refuse(struct err *err, const char *what)
{
	return err_set(err, ERR_BAD_REQUEST, "The request's head cannot be read: %s.", what);
}

static bool refuse_size(struct err *err)
{
	return err_set(err, ERR_HEAD_TOO_LARGE,
		"The request's head has more than %d bytes: send fewer or smaller cookies and fields.",
		WIRE_HEAD_MAX);
}

bool wire_head_may_end(const char *bytes, size_t length, struct err *err)
{
	if (length > WIRE_HEAD_MAX)
		return refuse_size(err);
	return length == 0 || *bytes == '\r' || http_token_has(*bytes) ||
	       refuse(err, "it begins with no method (is this TLS, sent to a plain address?)");
}

struct reading {
	const char *at;
	const char *end;
	size_t parts;
	size_t cookie_bytes;
	int hosts;
	int lengths;
	int codings;
	int connections; /* words about it */
	bool is_1_1;
	bool expects;
	struct wire_head *out;
	struct err *err;
};

/* Takes a line without its end. */
static bool take_line(struct reading *reading, const char **line, size_t *length)
{
	const char *feed = memchr(reading->at, '\n', (size_t)(reading->end - reading->at));

	if (!feed || feed == reading->at || feed[-1] != '\r')
		return refuse(reading->err, "a line ends with LF instead of CR LF");
	*line = reading->at;
	*length = (size_t)(feed - 1 - reading->at);
	reading->at = feed + 1;
	for (size_t i = 0; i < *length; i++) {
		unsigned char byte = (unsigned char)(*line)[i];

		if ((byte < ' ' && byte != '\t') || byte == 0x7f)
			return refuse(reading->err, "it has a control character");
	}
	return true;
}

static size_t count_bytes(const char *text, size_t length, char byte)
{
	size_t count = 0;

	for (size_t i = 0; i < length; i++)
		count += text[i] == byte;
	return count;
}

static bool refuse_line(struct err *err, enum request_line_fault fault)
{
	static const char *const faults[] = {
		[LINE_UNENDED] = "a line ends with LF instead of CR LF",
		[LINE_CONTROL] = "it has a control character",
		[LINE_FORM] = "its first line is not \"METHOD /path HTTP/1.1\"",
		[LINE_VERSION] =
			"its first line is not \"METHOD /path HTTP/1.1\" (this server speaks HTTP/1.1 "
			"and 1.0)",
	};

	return refuse(err, faults[fault]);
}

static bool count_parameters(struct reading *reading, const char *target, size_t length)
{
	const char *query = memchr(target, '?', length);
	size_t parameters = 0;

	if (query)
		parameters = 1 + count_bytes(query, (size_t)(target + length - query), '&');
	if (parameters > URI_QUERY_MAX)
		return err_set(reading->err, ERR_BAD_REQUEST, "The query has more than %d parameters.",
			URI_QUERY_MAX);
	reading->parts += parameters;
	return true;
}

static bool read_first_line(struct reading *reading)
{
	struct request_line line;
	enum request_line_fault fault =
		request_line_read(reading->at, (size_t)(reading->end - reading->at), &line);

	if (fault != LINE_GOOD)
		return refuse_line(reading->err, fault);
	reading->at += line.length;
	reading->is_1_1 = line.minor > 0;
	reading->out->method = line.method;
	return count_parameters(reading, line.target, line.target_length);
}

/* ---- fields ---- */

static bool is_word(const char *value, size_t length, const char *word)
{
	return strlen(word) == length && strncasecmp(value, word, length) == 0;
}

static bool read_host(struct reading *reading, const char *value, size_t length)
{
	reading->hosts++;
	return true;
}

static bool read_content_length(struct reading *reading, const char *value, size_t length)
{
	char digits[24] = "";

	reading->lengths++;
	for (size_t i = 0; i < length; i++) {
		if (value[i] < '0' || value[i] > '9')
			return refuse(reading->err, "Content-Length is no number");
	}
	if (length == 0)
		return refuse(reading->err, "Content-Length is no number");
	for (; length > 1 && *value == '0'; length--)
		value++;
	if (length < sizeof digits)
		memcpy(digits, value, length);
	return number_parse(digits, &reading->out->body) ||
	       err_set(reading->err, ERR_TOO_LARGE, "No body may have %.*s bytes.",
		       (int)(length < 60 ? length : 60), value);
}

static bool read_coding(struct reading *reading, const char *value, size_t length)
{
	reading->codings++;
	reading->out->body = -1;
	return is_word(value, length, "chunked") ||
	       refuse(reading->err, "Transfer-Encoding is something else than chunked");
}

static bool read_connection(struct reading *reading, const char *value, size_t length)
{
	reading->connections++;
	reading->out->stays &= is_word(value, length, "keep-alive");
	reading->out->closes = is_word(value, length, "close");
	return true;
}

static bool read_expect(struct reading *reading, const char *value, size_t length)
{
	reading->expects = true;
	return true;
}

/* libmicrohttpd copies cookies and lists them one by one. */
static bool read_cookie(struct reading *reading, const char *value, size_t length)
{
	reading->cookie_bytes += length + 1;
	reading->parts += 1 + count_bytes(value, length, ';');
	return true;
}

static const struct {
	const char *name;
	bool (*read)(struct reading *reading, const char *value, size_t length);
} fields[] = {
	{"Host", read_host},
	{"Content-Length", read_content_length},
	{"Transfer-Encoding", read_coding},
	{"Connection", read_connection},
	{"Upgrade", read_connection},
	{"Expect", read_expect},
	{"Cookie", read_cookie},
};

static bool read_value(
	struct reading *reading, const char *name, size_t name_length, const char *value, size_t length)
{
	for (; length > 0 && (*value == ' ' || *value == '\t'); length--)
		value++;
	while (length > 0 && (value[length - 1] == ' ' || value[length - 1] == '\t'))
		length--;
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		if (is_word(name, name_length, fields[i].name))
			return fields[i].read(reading, value, length);
	}
	return true;
}

static bool read_field(struct reading *reading, const char *line, size_t length)
{
	size_t name = http_token_length(line, length);

	reading->parts++;
	if (*line == ' ' || *line == '\t')
		return refuse(reading->err, "a field is folded over two lines");
	if (name == 0 || name == length || line[name] != ':')
		return refuse(reading->err, "a line is not \"Name: value\"");
	return read_value(reading, line, name, line + name + 1, length - name - 1);
}

static bool read_fields(struct reading *reading)
{
	const char *line = NULL;
	size_t length = 0;

	do {
		if (!take_line(reading, &line, &length))
			return false;
		if (length > 0 && !read_field(reading, line, length))
			return false;
	} while (length > 0);
	return true;
}

bool wire_head_check_framing(unsigned hosts, unsigned framings, bool is_1_1, struct err *err)
{
	if (hosts == 0 && is_1_1)
		return err_set(err, ERR_BAD_REQUEST, "a request of HTTP/1.1 names its host: Host is missing");
	return (hosts <= 1 && framings <= WIRE_FRAMINGS_MAX) ||
	       err_set(err, ERR_BAD_REQUEST,
		       "the request's head can be read in two ways: one Host, and either one "
		       "Content-Length or Transfer-Encoding: chunked");
}

/* RFC 9112 sections 3.2, 6.1, 6.3 and 11.2; RFC 9110 section 10.1.1. */
static bool check_framing(const struct reading *reading)
{
	if (!wire_head_check_framing(
		    reading->hosts, reading->lengths + reading->codings, reading->is_1_1, reading->err))
		return false;
	if (reading->expects && reading->lengths + reading->codings == 0)
		return refuse(reading->err, "Expect stands in a request without a body");
	return reading->parts <= WIRE_PARTS_MAX ||
	       err_set(reading->err, ERR_HEAD_TOO_LARGE,
		       "The request has more than %d fields, cookies and parameters: send fewer.",
		       WIRE_PARTS_MAX);
}

bool wire_head_read(const char *bytes, size_t length, struct wire_head *out, struct err *err)
{
	struct reading reading = {.at = bytes + request_line_skip_empty(bytes, length),
		.end = bytes + length,
		.out = out,
		.err = err};

	*out = (struct wire_head){.length = length, .stays = true};
	if (length > WIRE_HEAD_MAX)
		return refuse_size(err);
	if (!read_first_line(&reading) || !read_fields(&reading) || !check_framing(&reading))
		return false;
	out->stays &= reading.is_1_1;
	out->closes = reading.connections == 0 ? !reading.is_1_1 : reading.connections == 1 && out->closes;
	out->memory = length + reading.cookie_bytes + reading.parts * PART_BYTES + ANSWER_BYTES;
	return true;
}

static void count_in(struct wire_heads *heads, const struct wire_head *head)
{
	bool known = head->body >= 0 && head->body <= INT64_MAX / 2;

	heads->count++;
	heads->bytes = known ? heads->bytes + (int64_t)head->length + head->body : -1;
	heads->memory = heads->memory < head->memory ? head->memory : heads->memory;
	heads->stays = head->stays;
}

void wire_heads_read(const char *bytes, size_t length, const struct wire_head *first, struct wire_heads *out)
{
	struct wire_head head = *first;
	struct err err;

	*out = (struct wire_heads){.count = 0};
	count_in(out, &head);
	out->before_chunks = head.body < 0 ? head.length : 0;
	while (out->stays && out->bytes >= 0 && out->bytes < (int64_t)length) {
		const char *next = bytes + out->bytes;
		size_t left = length - (size_t)out->bytes;
		size_t end = wire_head_end(next, left, 0);

		if (end ? !wire_head_read(next, end, &head, &err) : !wire_head_may_end(next, left, &err))
			out->spoilt = err.code;
		if (!end || out->spoilt || head.body < 0)
			return;
		count_in(out, &head);
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/mhd/request_head.h"

#include <microhttpd.h>
#include <string.h>
#include <strings.h>

#include "common/number.h"
#include "server/http/fast/wirehead.h"
#include "server/http/accesslog.h"

static const char *find_header(const void *headers, const char *name)
{
	return MHD_lookup_connection_value((struct MHD_Connection *)headers, MHD_HEADER_KIND, name);
}

struct last {
	const char *name;
	const char *value;
};

static enum MHD_Result note_last(void *argument, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct last *last = argument;

	(void)kind;
	if (strcasecmp(name, last->name) == 0)
		last->value = value;
	return MHD_YES;
}

static const char *find_last_header(const void *headers, const char *name)
{
	struct last last = {name, NULL};

	(void)MHD_get_connection_values((struct MHD_Connection *)headers, MHD_HEADER_KIND, note_last, &last);
	return last.value;
}

static void write_client(struct MHD_Connection *connection, char *out, size_t size)
{
	const union MHD_ConnectionInfo *info =
		MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

	accesslog_client(info ? info->client_addr : NULL, out, size);
}

void request_head_read(
	struct request *request, struct MHD_Connection *connection, const char *method, const char *version)
{
	const char *length = find_header(connection, MHD_HTTP_HEADER_CONTENT_LENGTH);
	const char *coding = find_header(connection, MHD_HTTP_HEADER_TRANSFER_ENCODING);

	request->method = method_of(method, strlen(method));
	request->http_1_0 = strcmp(version, MHD_HTTP_VERSION_1_0) == 0;
	request->headers = connection;
	request->find_header = find_header;
	request->find_last_header = find_last_header;
	if (coding || !length)
		request->content_length = -1;
	else if (!number_parse(length, &request->content_length))
		request->content_length =
			INT64_MAX; /* it was looked at before: only too large a number is none */
	request->has_body = coding || request->content_length > 0;
	write_client(connection, request->client, sizeof request->client);
}

struct framing {
	unsigned lengths;
	unsigned codings;
	unsigned hosts;
	bool odd;
};

static enum MHD_Result count_framing(
	void *argument, enum MHD_ValueKind kind, const char *name, const char *value)
{
	struct framing *framing = argument;

	framing->lengths += strcasecmp(name, MHD_HTTP_HEADER_CONTENT_LENGTH) == 0;
	framing->hosts += strcasecmp(name, MHD_HTTP_HEADER_HOST) == 0;
	if (strcasecmp(name, MHD_HTTP_HEADER_TRANSFER_ENCODING) == 0) {
		framing->codings++;
		framing->odd |= !value || strcasecmp(value, "chunked") != 0;
	}
	framing->odd |= strpbrk(name, " \t") != NULL;
	return MHD_YES;
}

bool request_head_check_framing(struct MHD_Connection *connection, const char *version, struct err *err)
{
	struct framing framing = {0};

	(void)MHD_get_connection_values(connection, MHD_HEADER_KIND, count_framing, &framing);
	return wire_head_check_framing(framing.hosts,
		framing.odd ? WIRE_FRAMINGS_MAX + 1 : framing.lengths + framing.codings,
		strcmp(version, MHD_HTTP_VERSION_1_1) == 0, err);
}

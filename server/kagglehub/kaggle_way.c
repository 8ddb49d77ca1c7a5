/* SPDX-License-Identifier: Apache-2.0 */
#include "server/kagglehub/kaggle_way.h"

#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/api/answer.h"
#include "server/config.h"
#include "server/kagglehub/kaggle_reply.h"
#include "server/registry/capabilities.h"
#include "server/registry/services.h"

/* A client resumes a download from the same address, as often as it breaks off. */
enum { READ_LIFETIME_S = 6 * 3600 };

static const char kept_in_paths[] = "/-._~!$&'()*+,;=:@";

static void write_way(
	const struct services *services, const struct request *request, const char *path, struct buffer *out)
{
	AUTO_BUFFER struct buffer encoded = {0};
	AUTO_FREE char *way = NULL;

	uri_encode(&encoded, path, kept_in_paths);
	if (services->config->auth.read_needs_token) {
		buffer_printf(out, "/-/t/%s",
			capabilities_make(
				services->capabilities, CAPABILITY_READS, path, request->who, READ_LIFETIME_S)
				.text);
		buffer_add_string(out, buffer_string(&encoded));
		return;
	}
	way = request_way_to(request, buffer_string(&encoded));
	buffer_add_string(out, way);
}

void kaggle_redirect(const struct services *services, const struct request *request, const char *path,
	const char *query, struct reply *reply)
{
	AUTO_BUFFER struct buffer way = {0};

	write_way(services, request, path, &way);
	buffer_printf(&way, "?%s", query);
	reply_empty(reply, 302);
	reply_header(reply, "Location", buffer_string(&way));
	reply_header(reply, "Cache-Control", "no-store");
}

void kaggle_redirect_to_file(const struct services *services, const struct request *request,
	const struct name *name, const char *file, struct reply *reply)
{
	const struct format_row *format = &formats[name->format];
	bool is_member = file && format->is_archive;
	AUTO_FREE char *path = is_member ? mem_printf("/%s/%s", name_path(name).text, file)
					 : mem_printf("/%s", name_path(name).text);
	AUTO_FREE char *query =
		mem_printf("%s=%s&" KAGGLE_MARK, format->query_key, is_member ? "file" : format->query_value);

	kaggle_redirect(services, request, path, query, reply);
}

/* The authority that the client used, where it takes us for its proxy: it goes on the same way. */
static char *base_url(const struct services *services, const struct request *request)
{
	const char *host = request_header(request, "Host");

	if (request->as_proxy && host && strncasecmp(host, "localhost", strlen("localhost")) == 0 &&
		strspn(host + strlen("localhost"), ":0123456789") == strlen(host + strlen("localhost")))
		return mem_printf("http://%s", host);
	return answer_base_url(services, request);
}

char *kaggle_blob_url(
	const struct services *services, const struct request *request, const char *path, int64_t lifetime_s)
{
	AUTO_FREE char *base = base_url(services, request);

	return mem_printf("%s/-/t/%s%s", base,
		capabilities_make(services->capabilities, CAPABILITY_PUTS, path, request->who, lifetime_s)
			.text,
		path);
}

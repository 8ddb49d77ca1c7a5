/* SPDX-License-Identifier: Apache-2.0
 *
 * Any lines as a request's head: the first is the target, the others are fields. What handlers see is a path
 * without tricks, what is logged has no token, and a selected range lies within what there is. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/http/conditions.h"
#include "server/http/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { TOKEN_TELLING_MIN = 8 };

/* headers is the text behind the first line, its ends of line made into NULs and ended by two of them. */
static const char *find_header(const void *headers, const char *name)
{
	for (const char *line = headers; *line; line += strlen(line) + 1) {
		if (strncasecmp(line, name, strlen(name)) == 0 && line[strlen(name)] == ':')
			return line + strlen(name) + 1;
	}
	return NULL;
}

static void check_path(const char *path)
{
	if (path[0] != '/' || strstr(path, "//") || strstr(path, "/../") || strstr(path, "/./"))
		abort();
}

/* Who writes the token a second time, into the query, has told it himself. */
static void check_log(const struct request *request, const char *target)
{
	const char *token = request->path_token;

	if (!request->log_path || (token && strlen(token) >= TOKEN_TELLING_MIN && !strchr(target, '?') &&
					  !strstr(request->path, token) && strstr(request->log_path, token)))
		abort();
}

static void check_selection(const struct request *request, int64_t size_bytes)
{
	struct selection selection = conditions_evaluate(request, "\"sha256:00ff\"", 1700000000, size_bytes);

	if (selection.condition == CONDITION_PART && (selection.first < 0 || selection.length < 1 ||
							     selection.first > size_bytes - selection.length))
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_FREE char *text = mem_zero(size + 3, 1);
	struct request request = {.find_header = find_header};
	struct err err;

	for (size_t i = 0; i < size; i++)
		text[i] = data[i] == '\n' ? '\0' : (char)data[i];
	request.headers = text + strlen(text) + 1;
	if (request_set_target(&request, text, "tfhub.dev, www.tfhub.dev", &err)) {
		check_path(request.path);
		check_log(&request, text);
		(void)request_token(&request);
		(void)request_wants_html(&request);
		check_selection(&request, 0);
		check_selection(&request, 1000);
		check_selection(&request, INT64_MAX);
	}
	request_finish(&request);
	return 0;
}

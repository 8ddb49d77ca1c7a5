/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/documentation.h"

#include <string.h>

#include "common/own.h"
#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/version.h"
#include "server/http/problem.h"
#include "server/module/documents/hubdoc.h"
#include "server/module/documents/renderings.h"

static bool wants_markdown(const struct request *request)
{
	const char *accept = request_header(request, "Accept");

	return accept && strcasestr(accept, "text/markdown") != NULL;
}

/* The caller owns *out. */
static bool find_markdown(
	const struct services *services, const struct request *request, char **out, struct err *err)
{
	AUTO_FREE char *markdown = NULL;
	struct artifact artifact;
	struct name name;

	if (!version_named(request, &name, err) || !version_find_artifact(services, &name, &artifact, err) ||
		!catalog_find_documentation(services->catalog, &name, &markdown, err))
		return false;
	if (!markdown)
		return err_set(err, ERR_NOT_FOUND,
			"Version %s has no documentation. PUT it with Content-Type: text/markdown.",
			name_path(&name).text);
	*out = TAKE(markdown);
	return true;
}

/* Its links are whole addresses, as those of the API are: the fragment may come to stand anywhere. */
static char *render(const struct services *services, const struct request *request, const char *markdown)
{
	AUTO_FREE char *base = answer_base_url(services, request);

	return renderings_find(services->renderings, hubdoc_body(markdown), base, false);
}

void documentation_reply(const struct services *services, const struct request *request, const char *markdown,
	struct reply *reply)
{
	char *html;

	if (wants_markdown(request)) {
		reply_text(reply, 200, "text/markdown; charset=utf-8", markdown);
	} else {
		html = render(services, request, markdown);
		reply_take_bytes(reply, 200, "text/html; charset=utf-8", html, strlen(html));
	}
	reply_header(reply, "Content-Security-Policy", "default-src 'none'; sandbox");
	reply_header(reply, "Cache-Control", "no-cache");
	reply_header(reply, "Vary", "Accept");
}

void api_documentation(void *services, struct request *request, struct reply *reply)
{
	AUTO_FREE char *markdown = NULL;
	struct err err;

	if (find_markdown(services, request, &markdown, &err))
		documentation_reply(services, request, markdown, reply);
	else
		problem_reply(reply, &err);
}

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
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_documentation.h"

static bool wants_markdown(const struct request *request)
{
	const char *accept = request_header(request, "Accept");

	return accept && strcasestr(accept, "text/markdown") != NULL;
}

char *ask_documentation(const struct ask *ask, struct err *err)
{
	AUTO_FREE char *markdown = NULL;
	struct artifact artifact;
	struct name name;

	if (!version_named(ask, &name, err) || !version_find_artifact(ask->services, &name, &artifact, err) ||
		!catalog_find_documentation(ask->services->catalog, &name, &markdown, err))
		return NULL;
	if (!markdown)
		(void)err_set(err, ERR_NOT_FOUND,
			"Version %s has no documentation. PUT it with Content-Type: text/markdown.",
			name_path(&name).text);
	return TAKE(markdown);
}

static void send_markdown(const struct ask *ask, bool as_it_is, const char *markdown, struct reply *reply)
{
	char *html;

	if (as_it_is) {
		reply_text(reply, 200, "text/markdown; charset=utf-8", markdown);
	} else {
		/* Its links are whole addresses, as those of the API are: the fragment may come to stand
		 * anywhere. */
		html = renderings_find(ask->services->renderings, hubdoc_body(markdown), ask->base_url,
			ask->base_url, false);
		reply_take_bytes(reply, 200, "text/html; charset=utf-8", html, strlen(html));
	}
	reply_header(reply, "Content-Security-Policy", "default-src 'none'; sandbox");
	reply_header(reply, "Cache-Control", "no-cache");
	reply_header(reply, "Vary", "Accept");
}

void documentation_reply(
	void *services, const struct request *request, struct reply *reply, ask_markdown *find)
{
	AUTO_FREE char *base_url = answer_base_url(services, request);
	const struct ask ask = answer_read(services, request, base_url);
	struct err err;
	AUTO_FREE char *markdown = find(&ask, &err);

	if (markdown)
		send_markdown(&ask, wants_markdown(request), markdown, reply);
	else
		problem_reply(reply, &err);
}

void api_documentation(void *services, struct request *request, struct reply *reply)
{
	documentation_reply(services, request, reply, ask_documentation);
}

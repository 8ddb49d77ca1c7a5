/* SPDX-License-Identifier: Apache-2.0
 *
 * One page on its way to a browser: the frame that all pages share, their headers, and how a refusal looks.
 */
#ifndef SERVER_WEB_VIEW_H
#define SERVER_WEB_VIEW_H

#include <stdbool.h>

#include "common/err.h"
#include "common/own.h"
#include "server/http/reply.h"
#include "server/http/request.h"
#include "server/registry/services.h"
#include "server/web/html.h"

enum view_section {
	SECTION_NONE,
	SECTION_MODULES,
	SECTION_COLLECTIONS,
	SECTION_PUBLISHERS,
	SECTION_ACTIVITY
};

struct view {
	struct services *services;
	const struct request *request;
	char *root;       /* what links begin with: "", or "/-/t/<token>" for a browser that reads so */
	char *base_url;   /* where the client reaches us; no last slash */
	char *url;        /* the same, with root */
	char *feed;       /* the Atom feed of what it shows, under root; NULL: that of all */
	const char *next; /* where a form that signs in leads to; NULL: back to this page */
	struct html html;
};

void view_init(struct view *view, struct services *services, const struct request *request);
void view_finish(struct view *view);
#define AUTO_VIEW AUTO(view_finish)

/* Writes all that comes before a page's own content; script is one of static/, or NULL. The header has a
 * search form unless the page is one. */
void view_begin(struct view *view, const char *title, enum view_section section, const char *script);

/* Closes the page and makes it the reply. */
void view_send(struct view *view, struct reply *reply, int status);

/* Whether the address has no parameters but these (blanks between them) and what is no matter of ours; else
 * it is refused. */
bool view_takes(struct view *view, const char *parameters, struct reply *reply);

/* Throws away what was written and sends a page that tells of the refusal. */
void view_refuse(struct view *view, const struct err *err, struct reply *reply);

/* What a form of one of our pages has sent; query_finish() it. ERR_BAD_REQUEST. */
bool view_read_form(const struct request *request, struct query *out, struct err *err);

/* A form that signs in, and leads to this path of ours then. */
void view_write_sign_in(struct view *view, const char *next);

/* Why something was refused; where that names an address of the API, the page that tells the same. */
void view_write_detail(struct view *view, const char *detail);

/* <a href> to a path under root, for the caller to close; the path is percent-encoded. */
void view_link(struct view *view, const char *path);

/* The way to this page from above: links, the first of them to a path under root. */
void view_begin_crumbs(struct view *view, const char *path, const char *name);
void view_crumb(struct view *view, const char *path, const char *name);
void view_end_crumbs(struct view *view);

/* A part of the page that has a heading. */
void view_begin_section(struct view *view, const char *id, const char *title);
void view_end_section(struct view *view);

/* The section of what facts_render_documentation() gave; what is to be known of it before, or NULL. */
void view_document(struct view *view, const char *title, const char *rendered, const char *note);

/* A line of code with a button that copies it. */
void view_code(struct view *view, const char *label, const char *code);

#endif

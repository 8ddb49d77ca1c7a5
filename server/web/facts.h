/* SPDX-License-Identifier: Apache-2.0
 *
 * What pages show of modules: exactly what the JSON API tells. What else a page asks for itself (feeds of the
 * catalog, whether a version can be had) the API tells as well. */
#ifndef SERVER_WEB_FACTS_H
#define SERVER_WEB_FACTS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "server/api/ask.h"
#include "server/web/view.h"

/* What the API would tell the page's client: its services and addresses are filled in, a query is optional.
 * The caller owns the value; NULL with what the API refused with. */
json_t *facts_ask(const struct view *view, ask_value *value, const struct ask *what, struct err *err);

/* The documentation, as a section of a page that is safe to show; NULL where there is none. The caller frees
 * it. */
char *facts_render_documentation(const struct view *view, ask_markdown *find, const char *rest);

/* A member of an object: "" and 0 where there is none, or it is of another type. Valid as long as the object.
 */
const char *fact_text(const json_t *object, const char *key);
int64_t fact_number(const json_t *object, const char *key);
bool fact_true(const json_t *object, const char *key);

/* What becomes of what is not in the store: an upstream is asked for it, or none is. */
const char *facts_away(const struct view *view);

/* Whether any of a version's artifacts is in the store. */
bool facts_is_stored(const json_t *version);

/* Of a version that is not, what stands for it: its first artifact, or where it has none, itself. And why it
 * cannot be had; NULL where it can. */
const json_t *facts_stand_in(const json_t *version);
const json_t *facts_unavailable(const json_t *version);

#endif

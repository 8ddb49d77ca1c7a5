/* SPDX-License-Identifier: Apache-2.0 */
#include "server/web/facts.h"

#include "server/module/documents/renderings.h"
#include "server/registry/mirror.h"

static struct ask complete(const struct view *view, const struct ask *what)
{
	static const struct query nothing;
	struct ask ask = *what;

	ask.services = view->services;
	ask.base_url = view->base_url;
	ask.path = view->request->path;
	if (!ask.query)
		ask.query = &nothing;
	return ask;
}

json_t *facts_ask(const struct view *view, ask_value *value, const struct ask *what, struct err *err)
{
	const struct ask ask = complete(view, what);

	return value(&ask, err);
}

char *facts_render_documentation(const struct view *view, ask_markdown *find, const char *rest)
{
	const struct ask ask = complete(view, &(struct ask){.rest = rest});
	struct err err;
	AUTO_FREE char *markdown = find(&ask, &err);

	return markdown ? renderings_find(view->services->renderings, markdown, view->root, view->url, true)
			: NULL;
}

const char *fact_text(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "";
}

int64_t fact_number(const json_t *object, const char *key)
{
	return json_integer_value(json_object_get(object, key));
}

bool fact_true(const json_t *object, const char *key)
{
	return json_is_true(json_object_get(object, key));
}

const char *facts_away(const struct view *view)
{
	return mirror_is_offline(view->services->mirror) ? "not stored here" : "downloaded at first use";
}

bool facts_is_stored(const json_t *version)
{
	const json_t *artifact;
	size_t i;

	json_array_foreach(json_object_get(version, "artifacts"), i, artifact)
	{
		if (fact_true(artifact, "cached"))
			return true;
	}
	return false;
}

const json_t *facts_stand_in(const json_t *version)
{
	const json_t *artifact = json_array_get(json_object_get(version, "artifacts"), 0);

	return artifact ? artifact : version;
}

const json_t *facts_unavailable(const json_t *version)
{
	return json_object_get(facts_stand_in(version), "unavailable");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/store/catalog/catalog.h"

#include "common/names.h"

static const char *const source_names[SOURCE_COUNT] = {
	[SOURCE_PUBLISHED] = "published", [SOURCE_MIRRORED] = "mirrored", [SOURCE_LISTED] = "listed"};
static const char *const state_names[STATE_COUNT] = {
	[STATE_ACTIVE] = "active", [STATE_WITHDRAWN] = "withdrawn", [STATE_QUARANTINED] = "quarantined"};

const char *version_source_name(enum version_source source)
{
	return source_names[source];
}

const char *version_state_name(enum version_state state)
{
	return state_names[state];
}

bool version_source_parse(const char *name, enum version_source *out)
{
	size_t place = names_find(source_names, SOURCE_COUNT, name);

	if (place == SOURCE_COUNT)
		return false;
	*out = (enum version_source)place;
	return true;
}

bool version_state_parse(const char *name, enum version_state *out)
{
	size_t place = names_find(state_names, STATE_COUNT, name);

	if (place == STATE_COUNT)
		return false;
	*out = (enum version_state)place;
	return true;
}

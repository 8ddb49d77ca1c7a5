/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/parameters.h"

#include <string.h>

#include "common/mem.h"
#include "common/nearness.h"
#include "common/own.h"

enum { NAMES_MAX = 64 };

/* What mail and other sites add to links, beside all that begins with "utm_". */
static const char *const decorations[] = {"dclid", "fbclid", "gbraid", "gclid", "igshid", "mc_cid", "mc_eid",
	"msclkid", "ref", "wbraid", "yclid"};

static size_t split(char *text, const char *names[NAMES_MAX])
{
	size_t count = 0;
	char *rest;

	for (char *name = strtok_r(text, " ", &rest); name && count < NAMES_MAX;
		name = strtok_r(NULL, " ", &rest))
		names[count++] = name;
	return count;
}

static bool has(const char *const *names, size_t count, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(names[i], name) == 0)
			return true;
	}
	return false;
}

static bool refuse(
	const char *const *names, size_t count, const char *known, const char *name, struct err *err)
{
	const char *meant = nearness_find(names, count, name);

	if (meant)
		return err_set(err, ERR_BAD_REQUEST,
			"There is no parameter \"%.40s\" here: did you mean \"%s\"?", name, meant);
	if (count == 0)
		return err_set(err, ERR_BAD_REQUEST,
			"There is no parameter \"%.40s\" here: this address takes none.", name);
	return err_set(err, ERR_BAD_REQUEST, "There is no parameter \"%.40s\" here; there are: %.150s%s",
		name, known, strlen(known) > 150 ? " …" : "");
}

static bool check(const struct query *query, const char *known, bool is_page, struct err *err)
{
	AUTO_FREE char *text = mem_dup(known);
	const char *names[NAMES_MAX];
	size_t count = split(text, names);

	for (size_t i = 0; i < query->count; i++) {
		const char *name = query->parameters[i].name;
		bool is_decoration =
			is_page && (strncmp(name, "utm_", 4) == 0 ||
					   has(decorations, sizeof decorations / sizeof *decorations, name));

		if (!has(names, count, name) && !is_decoration)
			return refuse(names, count, known, name, err);
	}
	return true;
}

bool parameters_check(const struct query *query, const char *known, struct err *err)
{
	return check(query, known, false, err);
}

bool parameters_check_page(const struct query *query, const char *known, struct err *err)
{
	return check(query, known, true, err);
}

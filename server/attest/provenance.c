/* SPDX-License-Identifier: Apache-2.0 */
#include "server/attest/provenance.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>

#include "common/clock.h"
#include "common/own.h"
#include "server/attest/statement.h"

/* What our builds are called where nobody says who made them. */
static const char build_type[] = "urn:larder:publish:v1";
static const char builder_unsaid[] = "urn:larder:builder:not-said";

static json_t *definition(const struct provenance *provenance)
{
	const struct name *name = provenance->name;
	json_t *sources = json_array();

	if (provenance->source)
		(void)json_array_append_new(sources, json_pack("{s:s}", "uri", provenance->source));
	return json_pack("{s:s, s:{s:s, s:I, s:s}, s:o}", "buildType", build_type, "externalParameters",
		"handle", name->handle, "version", (json_int_t)name->version, "format",
		formats[name->format].name, "resolvedDependencies", sources);
}

static json_t *run(const struct provenance *provenance)
{
	json_t *run = json_pack("{s:{s:s}, s:{s:s}}", "builder", "id",
		provenance->builder ? provenance->builder : builder_unsaid, "metadata", "finishedOn",
		clock_rfc3339(provenance->time_s).text);

	if (provenance->files)
		(void)json_object_set_new(run, "byproducts",
			json_pack("[{s:s, s:{s:s}}]", "name", "files", "digest", "sha256",
				provenance->files->hex));
	return run;
}

void provenance_write(const struct provenance *provenance, struct buffer *out)
{
	json_auto_t *statement = json_pack("{s:s, s:[{s:s, s:{s:s}}], s:s, s:{s:o, s:o}}", "_type",
		STATEMENT_TYPE, "subject", "name", name_path(provenance->name).text, "digest", "sha256",
		provenance->digest.hex, "predicateType", PREDICATE_PROVENANCE, "predicate", "buildDefinition",
		definition(provenance), "runDetails", run(provenance));
	AUTO_FREE char *text = json_dumps(statement, JSON_COMPACT);

	buffer_add_string(out, text);
}

bool provenance_is_uri(const char *text)
{
	const char *colon = strchr(text, ':');

	if (!colon || colon == text || !colon[1] || !isalpha((unsigned char)*text))
		return false;
	for (const char *at = text; at < colon; at++) {
		if (!isalnum((unsigned char)*at) && !strchr("+-.", *at))
			return false;
	}
	for (const char *at = text; *at; at++) {
		if ((unsigned char)*at <= ' ' || (unsigned char)*at >= 0x7F)
			return false;
	}
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/likeness.h"

#include "common/digest.h"
#include "common/own.h"
#include "server/store/catalog/catalog_versions.h"
#include "server/vault/vault.h"

/* By format; those that are not on record are NULL. */
struct here {
	const struct digest *digests[FORMAT_COUNT];
	bool any;
};

static struct here on_record(const struct version_details *details)
{
	struct here here = {0};

	for (size_t i = 0; i < details->artifact_count; i++) {
		const struct artifact *artifact = &details->artifacts[i].artifact;

		if (!artifact->recorded)
			continue;
		here.digests[artifact->name.format] = &artifact->checksums.sha256;
		here.any = true;
	}
	return here;
}

static bool compare(const struct here *here, struct vault *vault, const struct name *version, bool *alike,
	struct err *err)
{
	struct name name = *version;
	bool any_there = false;
	bool same = false;

	for (int i = 0; i < FORMAT_COUNT && !same; i++) {
		struct identity theirs;
		bool found;

		name.format = (enum format)i;
		if (!vault_describe(vault, &name, &found, &theirs, err))
			return false;
		any_there = any_there || found;
		same = found && here->digests[i] && digest_equal(here->digests[i], &theirs.checksums.sha256);
	}
	*alike = same || !any_there;
	return true;
}

bool likeness_find(struct catalog *catalog, struct vault *vault, const struct name *version, bool *alike,
	struct err *err)
{
	AUTO(version_details_finish) struct version_details details = {0};
	struct here here;
	bool found;

	*alike = true;
	if (!catalog_find_version(catalog, version, &details, &found, err))
		return false;
	if (!found)
		return true;
	here = on_record(&details);
	return !here.any || compare(&here, vault, version, alike, err);
}

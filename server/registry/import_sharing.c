/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/import_sharing.h"

#include <stdio.h>

#include "common/clock.h"
#include "common/own.h"
#include "server/registry/shared_documents.h"
#include "server/registry/shared_holds.h"
#include "server/store/blobs.h"
#include "server/vault/identity_record.h"
#include "server/vault/vault.h"

static bool is_to_come(const struct import_result *result)
{
	return result->outcome == IMPORT_NEW || result->outcome == IMPORT_CHANGED;
}

/* ---- asking ---- */

static void refuse(struct import_result *result, enum err_code code, const char *why)
{
	result->outcome = IMPORT_REFUSED;
	(void)err_set(&result->why, code, "%s", why);
}

static bool judge_artifact(struct vault *vault, const struct imported_version *version,
	const struct imported_artifact *artifact, struct import_result *result, struct err *err)
{
	struct name name = version->name;
	enum vault_standing standing;
	struct identity identity;

	name.format = artifact->format;
	if (!vault_find(vault, &name, &standing, &identity, err))
		return false;
	if (standing == VAULT_GONE)
		refuse(result, ERR_GONE, "it was withdrawn on all nodes, and its number is never used again");
	else if (standing == VAULT_LACKING && artifact->source == SOURCE_MIRRORED)
		refuse(result, ERR_CONFLICT, "all nodes have it as published, in other formats");
	else if (standing == VAULT_RECORDED && !digest_equal(&identity.checksums.sha256, &artifact->digest)) {
		result->outcome = IMPORT_REFUSED;
		(void)err_set(&result->why, ERR_CONFLICT,
			"all nodes have its %s with sha256:%s, and the bundle has sha256:%s",
			formats[artifact->format].name, identity.checksums.sha256.hex, artifact->digest.hex);
	}
	return true;
}

bool import_sharing_judge(struct vault *vault, const struct imported_version *version,
	struct import_result *result, struct err *err)
{
	if (!vault_is_shared(vault))
		return true;
	for (size_t i = 0; is_to_come(result) && i < version->artifact_count; i++) {
		if (!judge_artifact(vault, version, &version->artifacts[i], result, err))
			return false;
	}
	return true;
}

/* ---- sending ---- */

/* What would be so with each of them ends it all. */
static bool settle(bool *refused, const struct err *err)
{
	*refused = err->code == ERR_CONFLICT || err->code == ERR_GONE || err->code == ERR_NOT_FOUND;
	return *refused;
}

static struct deposit deposit_of(const struct imported_artifact *artifact, const struct name *name, int fd)
{
	const char *who = artifact->source == SOURCE_PUBLISHED ? artifact->published_by : artifact->upstream;
	struct deposit deposit = {.name = name,
		.identity = {.checksums = {.sha256 = artifact->digest},
			.size_bytes = artifact->size_bytes,
			.source = artifact->source,
			.at_s = clock_now_s()},
		.fd = fd};

	nonce_make(deposit.identity.nonce);
	(void)snprintf(deposit.identity.who, sizeof deposit.identity.who, "%s", who ? who : "");
	return deposit;
}

/* Whether all have it already, with its bytes: an import that goes on sends the rest only. */
static bool is_there(struct vault *vault, const struct name *name, const struct imported_artifact *artifact,
	bool *out, struct err *err)
{
	enum vault_standing standing;
	struct identity there;

	*out = false;
	if (!vault_find(vault, name, &standing, &there, err))
		return false;
	if (standing != VAULT_RECORDED || !digest_equal(&there.checksums.sha256, &artifact->digest) ||
		(artifact->source == SOURCE_PUBLISHED && there.source != SOURCE_PUBLISHED))
		return true;
	return vault_holds(vault, &artifact->digest, artifact->size_bytes, out, err);
}

/* Bytes that went from the disk since they were recorded are where all have them. */
static bool send_artifact(const struct import_sharing *sharing, const struct imported_version *version,
	const struct imported_artifact *artifact, bool *refused, struct err *err)
{
	struct name name = version->name;
	struct deposit deposit;
	enum deposited deposited;
	AUTO_FD int fd = -1;
	int64_t size_bytes;
	bool there;

	name.format = artifact->format;
	if (!blobs_read(sharing->blobs, &artifact->digest, &fd, &size_bytes, err) &&
		err->code != ERR_NOT_FOUND)
		return false;
	if (artifact->held_for[0] && !shared_holds_add(sharing->vault, &name, &artifact->digest,
					     artifact->held_for, sharing->who, err))
		return false;
	if (!is_there(sharing->vault, &name, artifact, &there, err))
		return false;
	if (there)
		return true;
	deposit = deposit_of(artifact, &name, fd);
	return vault_keep(sharing->vault, &deposit, &deposited, err) || settle(refused, err);
}

static bool send_artifacts(const struct import_sharing *sharing, const struct imported_version *version,
	enum version_source source, bool *refused, struct err *err)
{
	for (size_t i = 0; i < version->artifact_count && !*refused; i++) {
		if (version->artifacts[i].source == source &&
			!send_artifact(sharing, version, &version->artifacts[i], refused, err))
			return false;
	}
	return true;
}

static bool send_tombstone(const struct import_sharing *sharing, const struct imported_version *version,
	bool *refused, struct err *err)
{
	const char *who = sharing->who;
	bool before;

	return vault_withdraw(sharing->vault, &version->name, who ? who : "import", true, &before, err) ||
	       settle(refused, err);
}

static bool has_text(const struct imported_version *version, const struct import_result *result)
{
	return version->markdown &&
	       (result->documentation == DOCS_NEW || result->documentation == DOCS_CHANGED);
}

/* Once any format is there as published, mirrored ones may not join it. */
bool import_sharing_send(const struct import_sharing *sharing, const struct imported_version *version,
	const struct import_result *result, bool *refused, struct err *err)
{
	struct vault *vault = sharing->vault;

	*refused = false;
	if (!vault_is_shared(vault) || !is_to_come(result))
		return true;
	if (result->withdrawn)
		return send_tombstone(sharing, version, refused, err);
	if (!send_artifacts(sharing, version, SOURCE_MIRRORED, refused, err) ||
		!send_artifacts(sharing, version, SOURCE_PUBLISHED, refused, err))
		return false;
	return *refused || !has_text(version, result) ||
	       shared_documents_tell(vault, &version->name, version->markdown, sharing->who, err);
}

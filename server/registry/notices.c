/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/notices.h"

#include "common/log.h"
#include "server/registry/committer.h"
#include "server/registry/hearsay.h"
#include "server/registry/shared_documents.h"
#include "server/registry/shared_holds.h"
#include "server/registry/shared_pins.h"
#include "server/registry/shared_tokens.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/vault/vault.h"

static bool (*const takers[CHANGE_COUNT])(
	struct vault *vault, struct catalog *catalog, const struct name *name, struct err *err) = {
	[CHANGE_TOKEN] = shared_tokens_take,
	[CHANGE_PIN] = shared_pins_take,
	[CHANGE_HELD] = shared_holds_take,
	[CHANGE_DOCUMENTED] = shared_documents_take,
};

/* ---- versions ---- */

static bool bring_formats(const struct notices *notices, const struct name *name, struct err *err)
{
	AUTO_HEARSAY struct hearsay *hearsay =
		hearsay_create(notices->vault, notices->catalog, notices->committer);
	struct name artifact = *name;

	for (int i = 0; i < FORMAT_COUNT; i++) {
		artifact.format = (enum format)i;
		if (!hearsay_take(hearsay, CHANGE_KEPT, &artifact, err))
			return false;
	}
	return hearsay_flush(hearsay, err);
}

static bool check_known(const struct notices *notices, const struct name *name, struct err *err)
{
	struct artifact artifact;
	bool found;

	return catalog_find_artifact(notices->catalog, name, &artifact, &found, err) &&
	       (found || err_set(err, ERR_NOT_FOUND, "there is no %s", name_path(name).text));
}

bool notices_bring(const struct notices *notices, const struct name *name, struct err *err)
{
	enum vault_standing standing;
	struct identity unused;

	if (!vault_find(notices->vault, name, &standing, &unused, err))
		return false;
	if (standing == VAULT_GONE)
		return version_check_state(name, STATE_WITHDRAWN, err);
	return bring_formats(notices, name, err) && check_known(notices, name, err);
}

/* ---- notes ---- */

static bool take(
	const struct notices *notices, enum vault_change change, const struct name *name, struct err *err)
{
	return takers[change](notices->vault, notices->catalog, name, err) ||
	       (err->code == ERR_NOT_FOUND && notices_bring(notices, name, err) &&
		       takers[change](notices->vault, notices->catalog, name, err));
}

/* Whether it is to be left alone for now, lest it hold up all others. */
static bool is_alone(const struct notices *notices, const struct err *err)
{
	switch (err->code) {
	case ERR_NOT_FOUND:
	case ERR_GONE:
	case ERR_UPSTREAM_FAILED:
	case ERR_BAD_REQUEST:
	case ERR_CONFLICT:
		return true;
	case ERR_STORE_UNAVAILABLE:
		return !hearsay_store_is_away(notices->vault);
	default:
		return false;
	}
}

bool notices_take(
	const struct notices *notices, enum vault_change change, const struct name *name, struct err *err)
{
	if (take(notices, change, name, err)) {
		if (change == CHANGE_HELD)
			committer_forget(notices->committer, name_path(name).text);
		return true;
	}
	if (!is_alone(notices, err))
		return false;
	if (err->code != ERR_NOT_FOUND && err->code != ERR_GONE)
		log_event(LOG_LEVEL_WARN, "what other nodes have agreed on is not so here", "name",
			name_path(name).text, "why", err->text, NULL);
	return true;
}

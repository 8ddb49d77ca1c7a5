/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/trust.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/lock.h"
#include "common/mem.h"
#include "server/config.h"
#include "server/module/handle_globs.h"
#include "server/ranks.h"
#include "server/store/catalog/catalog_attestations.h"

static const struct lock_place lock_place = {"trust", RANK_TRUST};

/* What the configuration said at one time; whoever judges by it holds it. */
struct trust_terms {
	_Atomic int holders;
	char *globs[2]; /* by enum arrival; NULL: none */
	struct trusted_keys *keys;
};

struct trust {
	struct lock lock; /* guards which terms count */
	struct catalog *catalog;
	bool is_node; /* one of several that share a bucket */
	struct trust_terms *terms;
};

/* ---- terms ---- */

void trust_terms_destroy(struct trust_terms *terms)
{
	if (!terms || atomic_fetch_sub(&terms->holders, 1) > 1)
		return;
	free(terms->globs[ARRIVAL_PUBLISHED]);
	free(terms->globs[ARRIVAL_MIRRORED]);
	trusted_keys_destroy(terms->keys);
	free(terms);
}

bool trust_terms_read(const struct config *config, struct trust_terms **out, struct err *err)
{
	AUTO_TRUST_TERMS struct trust_terms *terms = mem_zero(1, sizeof *terms);

	atomic_store(&terms->holders, 1);
	terms->globs[ARRIVAL_PUBLISHED] = mem_dup(config->publish.require_signature);
	terms->globs[ARRIVAL_MIRRORED] = mem_dup(config->mirror.require_signature);
	if (!trusted_keys_read(config->publish.trusted_keys, &terms->keys, err))
		return false;
	*out = TAKE(terms);
	return true;
}

static struct trust_terms *hold(struct trust *trust)
{
	LOCKED(&trust->lock);

	(void)atomic_fetch_add(&trust->terms->holders, 1);
	return trust->terms;
}

static struct trust_terms *exchange(struct trust *trust, struct trust_terms *terms)
{
	struct trust_terms *former;
	LOCKED(&trust->lock);

	former = trust->terms;
	trust->terms = terms;
	return former;
}

bool trust_create(const struct config *config, struct catalog *catalog, struct trust **out, struct err *err)
{
	struct trust_terms *terms;
	struct trust *trust;

	if (!trust_terms_read(config, &terms, err))
		return false;
	trust = mem_zero(1, sizeof *trust);
	lock_init(&trust->lock, &lock_place);
	trust->catalog = catalog;
	trust->is_node = config->store.kind == STORE_S3;
	trust->terms = terms;
	*out = trust;
	return true;
}

void trust_destroy(struct trust *trust)
{
	if (!trust)
		return;
	trust_terms_destroy(trust->terms);
	lock_finish(&trust->lock);
	free(trust);
}

void trust_adopt(struct trust *trust, struct trust_terms *terms)
{
	trust_terms_destroy(exchange(trust, terms));
}

char *trust_terms_tell(const struct trust_terms *terms)
{
	return trusted_keys_count(terms->keys) == 0
		       ? mem_dup("")
		       : mem_printf(", keys sha256:%s", trusted_keys_digest(terms->keys).hex);
}

char *trust_tell(struct trust *trust)
{
	AUTO_TRUST_TERMS struct trust_terms *terms = hold(trust);

	return trust_terms_tell(terms);
}

/* ---- judging ---- */

bool trust_requires(struct trust *trust, enum arrival arrival, const char *handle)
{
	AUTO_TRUST_TERMS struct trust_terms *terms = hold(trust);

	return terms->globs[arrival] && handle_globs_match(terms->globs[arrival], handle);
}

bool trust_find_signer(
	struct trust *trust, const struct attestation *attestation, struct signer *out, struct err *err)
{
	AUTO_TRUST_TERMS struct trust_terms *terms = hold(trust);

	return trusted_keys_find_signer(terms->keys, &attestation->dsse, clock_now_s(), out, err);
}

static bool refuse_unsigned(const struct name *name, bool others, struct err *err)
{
	return err_set(err, ERR_SIGNATURE_REQUIRED,
		"%s must be signed by a key that is trusted here, and %s: publish it by \"larder publish "
		"--sign "
		"KEY\", which sends the attestation first",
		name_path(name).text,
		others ? "what is attested of it is about other bytes" : "nothing is attested of it");
}

bool trust_hold(struct trust *trust, struct attestation *const *attestations, size_t count,
	const struct name *name, const struct digest *digest, struct err *err)
{
	struct signer signer;
	size_t fitting = 0;

	for (size_t i = 0; i < count; i++) {
		if (!attestation_is_about(attestations[i], name, digest))
			continue;
		if (trust_find_signer(trust, attestations[i], &signer, err))
			return true;
		fitting++;
	}
	return fitting > 0 ? err_prefix(err, "the attestation of %s: ", name_path(name).text)
			   : refuse_unsigned(name, count > 0, err);
}

/* ---- what is published ---- */

static bool hold_rows(struct trust *trust, const struct attestation_row *rows, size_t count,
	const struct name *name, const struct digest *digest, struct err *err)
{
	struct attestation *read[ATTESTATIONS_MAX] = {0};
	size_t read_count = 0;
	struct err fault;
	bool held;

	/* What was taken once can be read again. */
	for (size_t i = 0; i < count && read_count < ATTESTATIONS_MAX; i++)
		read_count += attestation_read(rows[i].text, strlen(rows[i].text), &read[read_count], &fault);
	held = trust_hold(trust, read, read_count, name, digest, err);
	for (size_t i = 0; i < read_count; i++)
		attestation_destroy(read[i]);
	return held;
}

/* What to look at besides, where another node may have got the attestation. */
static bool refuse_published(const struct trust *trust, struct err *err)
{
	const struct err why = *err;

	return !trust->is_node ? false
			       : err_set(err, why.code,
					 "%s. Of nodes that share a bucket only the one that an "
					 "attestation was sent to knows it: both must go to the same node",
					 why.text);
}

bool trust_check_published(
	struct trust *trust, const struct name *name, const struct digest *digest, struct err *err)
{
	struct attestation_row *rows;
	size_t count;
	bool held;

	if (!trust_requires(trust, ARRIVAL_PUBLISHED, name->handle))
		return true;
	if (!catalog_list_attestations(trust->catalog, name, true, &rows, &count, err))
		return false;
	held = hold_rows(trust, rows, count, name, digest, err);
	attestation_rows_destroy(rows, count);
	return held || refuse_published(trust, err);
}

static bool has_fitting(const struct attestation_row *rows, size_t count, const struct digest *digest)
{
	for (size_t i = 0; i < count; i++) {
		if (!digest || digest_equal(&rows[i].subject, digest))
			return true;
	}
	return false;
}

bool trust_check_early(
	struct trust *trust, const struct name *name, const struct digest *digest, struct err *err)
{
	struct attestation_row *rows;
	size_t count;
	bool fits;

	if (!trust_requires(trust, ARRIVAL_PUBLISHED, name->handle))
		return true;
	if (!catalog_list_attestations(trust->catalog, name, false, &rows, &count, err))
		return false;
	fits = has_fitting(rows, count, digest);
	attestation_rows_destroy(rows, count);
	return fits || refuse_unsigned(name, count > 0, err) || refuse_published(trust, err);
}

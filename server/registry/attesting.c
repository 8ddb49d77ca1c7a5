/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/attesting.h"

#include <string.h>

#include "common/clock.h"
#include "common/mem.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_inspection.h"

enum { PENDING_MAX_S = 24 * 3600, FILES_AT_ONCE = 500 };

/* What is to be kept of one, and what it is held against. */
struct taking {
	struct catalog *catalog;
	struct trust *trust;
	const struct name *name;
	const char *who;
	const char *from;
	struct attestation *attestation;
	struct signer signer;
	bool is_signed;
	bool is_bound;       /* what was sent before says whose files it is about: */
	struct digest bound; /* this artifact's */
	bool is_vouched;     /* and that has the same signer as this one */
};

/* How the files of an archive are to those that are attested. */
enum likeness { FILES_UNKNOWN, FILES_OTHER, FILES_SAME };

void attested_finish(struct attested *attested)
{
	free(attested->row.predicate_type);
	free(attested->row.signed_by);
	free(attested->row.key_id);
	free(attested->row.who);
}

/* ---- the artifact that it is about ---- */

/* The artifact of the version's next format that is here, from this one on. */
static bool find_next(struct catalog *catalog, struct name *name, struct artifact *out, struct err *err)
{
	bool found;

	*out = (struct artifact){0};
	for (; name->format < FORMAT_COUNT; name->format++) {
		if (!catalog_find_artifact(catalog, name, out, &found, err))
			return false;
		if (found && out->recorded)
			return true;
	}
	out->recorded = false;
	return true;
}

static bool list_files(struct catalog *catalog, const struct name *name, struct file_manifest *out,
	bool *complete, struct err *err)
{
	int64_t total = 1;

	*complete = true;
	for (int64_t at = 0; at < total && *complete;) {
		struct file_row *rows;
		size_t count;

		if (!catalog_list_files(catalog, name, at, FILES_AT_ONCE, &rows, &count, &total, err))
			return false;
		*complete = total <= FILE_MANIFEST_FILES_MAX && (count > 0 || total == 0);
		for (size_t i = 0; i < count; i++) {
			*complete = *complete && rows[i].has_sha256;
			file_manifest_add(out, rows[i].path, &rows[i].sha256);
		}
		at += (int64_t)count;
		file_rows_destroy(rows, count);
	}
	file_manifest_sort(out);
	return true;
}

/* Whether the files of this archive are those that are attested; why says what is not so. */
static bool compare_files(const struct taking *taking, const struct artifact *artifact, enum likeness *out,
	struct err *why, struct err *err)
{
	AUTO_FILE_MANIFEST struct file_manifest files = {0};
	bool complete;

	*out = FILES_UNKNOWN;
	if (!formats[artifact->name.format].is_archive)
		return true;
	if (!list_files(taking->catalog, &artifact->name, &files, &complete, err))
		return false;
	if (!complete || (int64_t)files.count != artifact->file_count)
		return !err_set(why, ERR_NOT_FOUND, "the digests of all files of %s are not known here%s",
			name_path(taking->name).text,
			files.count > 0 ? " yet: send it once more in a minute" : "");
	*out = FILES_SAME;
	if (!file_manifest_compare(&taking->attestation->files, &files, why)) {
		(void)err_prefix(why, "the attestation is not about %s: ", name_path(taking->name).text);
		*out = FILES_OTHER;
	}
	return true;
}

/* Whose files these are, another attestation may say, which was sent before. What anybody may have written
 * says nothing of whether the one who has signed the files has signed them as this version's. */
static void bind_files(struct taking *taking, const struct attestation_row *row, const struct digest *root)
{
	AUTO_ATTESTATION struct attestation *other = NULL;
	struct signer signer;
	struct err fault;
	bool is_vouched;

	if (!attestation_read(row->text, strlen(row->text), &other, &fault) || other->is_files ||
		!attestation_has_byproduct(other, root))
		return;
	is_vouched = taking->is_signed && trust_find_signer(taking->trust, other, &signer, &fault) &&
		     digest_equal(&signer.id, &taking->signer.id);
	if (taking->is_bound && !is_vouched)
		return;
	taking->is_bound = true;
	taking->is_vouched = is_vouched;
	taking->bound = row->subject;
}

static bool find_bound(struct taking *taking, struct err *err)
{
	const struct digest root = file_manifest_root(&taking->attestation->files);
	struct attestation_row *rows;
	size_t count;

	if (!catalog_list_attestations(taking->catalog, taking->name, true, &rows, &count, err))
		return false;
	for (size_t i = 0; i < count && !taking->is_vouched; i++)
		bind_files(taking, &rows[i], &root);
	attestation_rows_destroy(rows, count);
	return true;
}

/* Files that are known here are compared, whatever others say of them. */
static bool is_about_files(
	struct taking *taking, const struct artifact *artifact, bool *out, struct err *why, struct err *err)
{
	enum likeness likeness;

	*out = false;
	if (taking->is_bound && !digest_equal(&taking->bound, &artifact->checksums.sha256))
		return true;
	if (!compare_files(taking, artifact, &likeness, why, err))
		return false;
	if (taking->is_bound && likeness == FILES_OTHER) {
		*err = *why;
		return false;
	}
	*out = likeness == FILES_SAME || (taking->is_bound && likeness == FILES_UNKNOWN);
	taking->is_vouched = taking->is_vouched || likeness == FILES_SAME;
	return true;
}

static bool is_about(
	struct taking *taking, const struct artifact *artifact, bool *out, struct err *why, struct err *err)
{
	if (taking->attestation->is_files)
		return is_about_files(taking, artifact, out, why, err);
	*out = attestation_is_about(taking->attestation, taking->name, &artifact->checksums.sha256);
	return true;
}

/* Of files it must be known now whose they are; the artifact itself may come later. */
static bool find_artifact(
	struct taking *taking, struct attested *out, struct digest *subject, struct err *err)
{
	struct name name = *taking->name;
	struct artifact artifact;
	struct err why;

	if (taking->attestation->is_files && !find_bound(taking, err))
		return false;
	if (taking->is_bound)
		*subject = taking->bound;
	(void)err_set(&why, ERR_NOT_FOUND,
		"it is not known whose files it is about: neither does an attestation of %s that was sent "
		"before "
		"name its root digest among its byproducts, nor is an archive here whose files could be "
		"compared",
		name_path(&name).text);
	for (name.format = 0; find_next(taking->catalog, &name, &artifact, err); name.format++) {
		if (!artifact.recorded)
			break;
		if (!is_about(taking, &artifact, &out->has_artifact, &why, err))
			return false;
		if (out->has_artifact) {
			out->format = name.format;
			*subject = artifact.checksums.sha256;
			return true;
		}
	}
	if (name.format < FORMAT_COUNT)
		return false;
	if (taking->is_bound || !taking->attestation->is_files)
		return true;
	*err = why;
	return false;
}

/* ---- keeping ---- */

static bool judge(struct taking *taking, enum arrival arrival, struct err *err)
{
	taking->is_signed = trust_find_signer(taking->trust, taking->attestation, &taking->signer, err);
	return taking->is_signed || arrival != ARRIVAL_PUBLISHED ||
	       !trust_requires(taking->trust, arrival, taking->name->handle) ||
	       err_prefix(err, "the attestation of %s: ", name_path(taking->name).text);
}

static bool keep(const struct taking *taking, const char *text, struct attested *out, struct err *err)
{
	const struct attestation_limits limits = {
		ATTESTATIONS_MAX, ATTESTATIONS_BYTES_MAX, clock_now_s() - PENDING_MAX_S};
	bool kept;

	out->row.text = mem_dup(text);
	kept = catalog_keep_attestation(
		taking->catalog, taking->name, &out->row, &limits, &out->created, err);
	free(out->row.text);
	out->row.text = NULL;
	return kept;
}

static void fill_row(const struct taking *taking, const char *text, struct attestation_row *row)
{
	bool is_known = taking->is_signed && (!taking->attestation->is_files || taking->is_vouched);

	row->digest = digest_of(text, strlen(text));
	row->predicate_type = mem_dup(taking->attestation->predicate_type);
	row->signed_by = is_known ? mem_dup(taking->signer.name) : NULL;
	row->key_id = is_known ? mem_dup(taking->signer.id.hex) : NULL;
	row->who = mem_dup(taking->who);
	row->from = taking->from;
	row->created_at = clock_now_s();
}

bool attesting_take(struct catalog *catalog, struct trust *trust, enum arrival arrival,
	const struct name *name, const char *text, const char *who, const char *from, struct attested *out,
	struct err *err)
{
	AUTO(attested_finish) struct attested attested = {0};
	AUTO_ATTESTATION struct attestation *attestation = NULL;
	struct taking taking = {.catalog = catalog, .trust = trust, .name = name, .who = who, .from = from};

	if (!attestation_read(text, strlen(text), &attestation, err) ||
		!attestation_find_subject(attestation, name, &attested.row.subject, err))
		return false;
	taking.attestation = attestation;
	if (!judge(&taking, arrival, err) || !find_artifact(&taking, &attested, &attested.row.subject, err))
		return false;
	fill_row(&taking, text, &attested.row);
	if (!keep(&taking, text, &attested, err))
		return false;
	*out = attested;
	attested = (struct attested){0};
	return true;
}

/* ---- what a bundle carries ---- */

/* Whose files they are another one says. */
static bool find_carried_subject(struct attestation *const *all, size_t count, const struct attestation *one,
	const struct name *name, struct digest *out)
{
	struct digest root = file_manifest_root(&one->files);
	struct err err;

	if (!one->is_files)
		return attestation_find_subject(one, name, out, &err);
	for (size_t i = 0; i < count; i++) {
		if (all[i] && !all[i]->is_files && attestation_has_byproduct(all[i], &root))
			return attestation_find_subject(all[i], name, out, &err);
	}
	return false;
}

size_t attesting_read_carried(
	const struct name *name, char *const *texts, size_t count, struct attestation_row *out)
{
	struct attestation *all[ATTESTATIONS_MAX] = {0};
	size_t taken = 0;
	struct err err;

	for (size_t i = 0; i < count && i < ATTESTATIONS_MAX; i++) {
		if (!attestation_read(texts[i], strlen(texts[i]), &all[i], &err))
			all[i] = NULL;
	}
	for (size_t i = 0; i < count && i < ATTESTATIONS_MAX; i++) {
		struct digest subject;

		if (!all[i] || !find_carried_subject(all, ATTESTATIONS_MAX, all[i], name, &subject))
			continue;
		out[taken++] = (struct attestation_row){.digest = digest_of(texts[i], strlen(texts[i])),
			.predicate_type = mem_dup(all[i]->predicate_type),
			.subject = subject,
			.created_at = clock_now_s(),
			.text = mem_dup(texts[i])};
	}
	for (size_t i = 0; i < ATTESTATIONS_MAX; i++)
		attestation_destroy(all[i]);
	return taken;
}

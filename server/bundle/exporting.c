/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/exporting.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "server/bundle/copying.h"
#include "server/bundle/digest_set.h"
#include "server/bundle/layout.h"
#include "server/bundle/notes.h"
#include "server/bundle/version_record.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_attestations.h"
#include "server/store/catalog/catalog_export.h"
#include "server/store/catalog/catalog_listing.h"
#include "server/store/outgoing.h"

/* Beside the header, publishers and collections. */
enum { VERSIONS_AT_ONCE = 200, VERSIONS_MAX = CONTENTS_LINES_MAX / 2 };

struct exporting {
	const struct exporting_options *options;
	struct export_report report;
	struct outgoing *outgoing;
	struct notes contents;
	struct notes entries; /* of the index */
	struct notes copies;  /* a line each: digest, size, what it is of */
	struct digest_set wanted;
	struct digest_set publishers;
	struct export_progress progress;
};

static void finish(struct exporting *exporting)
{
	notes_finish(&exporting->contents);
	notes_finish(&exporting->entries);
	notes_finish(&exporting->copies);
	digest_set_finish(&exporting->wanted);
	digest_set_finish(&exporting->publishers);
	outgoing_close(exporting->outgoing);
}

/* ---- blobs of our own making ---- */

/* Hands on a small blob, once. */
static bool put(
	struct exporting *exporting, const struct buffer *bytes, struct bundle_blob *out, struct err *err)
{
	struct outlet *outlet = exporting->options->outlet;
	bool is_new;

	*out = (struct bundle_blob){digest_of(bytes->data, bytes->length), (int64_t)bytes->length};
	if (!digest_set_add(&exporting->wanted, &out->digest, &is_new, err))
		return false;
	if (!is_new)
		return true;
	exporting->report.other_bytes += out->size_bytes;
	return !outlet || outlet->kind->put(outlet, &out->digest, bytes->data, bytes->length, err);
}

static bool put_notes(
	struct exporting *exporting, struct notes *notes, struct bundle_blob *out, struct err *err)
{
	struct outlet *outlet = exporting->options->outlet;
	bool is_new;

	*out = notes_blob(notes);
	if (!digest_set_add(&exporting->wanted, &out->digest, &is_new, err))
		return false;
	if (!is_new)
		return true;
	exporting->report.other_bytes += out->size_bytes;
	return !outlet || outlet->kind->copy(outlet, out, notes->fd, NULL, err);
}

/* ---- one version ---- */

/* All of a version that is about to be written. */
struct parcel {
	struct version_details details;
	struct export_words words;
	struct attestation_row *attestations;
	size_t attestation_count;
	struct bundle_version version;
	struct buffer record;
	struct buffer manifest;
};

static void finish_parcel(struct parcel *parcel)
{
	version_details_finish(&parcel->details);
	export_words_finish(&parcel->words);
	attestation_rows_destroy(parcel->attestations, parcel->attestation_count);
	buffer_finish(&parcel->record);
	buffer_finish(&parcel->manifest);
}

struct artifact_words {
	char text[NAME_PATH_MAX + 48];
};

/* "acme/x/1 (tf-hub)" */
static struct artifact_words artifact_words(const struct name *name, enum format format)
{
	struct artifact_words words;

	(void)snprintf(words.text, sizeof words.text, "%s (%s)", name_path(name).text, formats[format].name);
	return words;
}

/* What is evicted between the looking and the holding was never here; a file that is claimed should be. */
static bool note_missing(struct exporting *exporting, const struct artifact *artifact, struct err *err)
{
	struct artifact now;
	char why[160];
	bool found;

	if (!catalog_find_artifact(exporting->options->catalog, &artifact->name, &now, &found, err))
		return false;
	if (!found || !now.cached || now.state != STATE_ACTIVE)
		return true;
	(void)snprintf(why, sizeof why, "the file of blob sha256:%s is missing in the data folder",
		artifact->checksums.sha256.hex);
	return damages_add(exporting->options->damages, &artifact->checksums.sha256,
		artifact_words(&artifact->name, artifact->name.format).text, why, err);
}

static bool hold_artifacts(struct exporting *exporting, struct version_details *details, struct err *err)
{
	for (size_t i = 0; i < details->artifact_count; i++) {
		struct artifact *artifact = &details->artifacts[i].artifact;

		if (!artifact->cached || artifact->state != STATE_ACTIVE)
			continue;
		if (damages_has(exporting->options->damages, &artifact->checksums.sha256)) {
			artifact->cached = false;
			continue;
		}
		if (outgoing_hold(exporting->outgoing, &artifact->checksums.sha256, err))
			continue;
		if (err->code != ERR_NOT_FOUND || !note_missing(exporting, artifact, err))
			return false;
		artifact->cached = false;
	}
	return true;
}

/* As of what goes along, whatever it was here. Where no bytes go, it is listed: so that they can be had
 * elsewhere. */
static enum version_source source_of(const struct version_details *details, const bool taken[FORMAT_COUNT])
{
	enum version_source source = SOURCE_LISTED;

	if (details->state == STATE_WITHDRAWN)
		return details->source;
	for (size_t i = 0; i < details->artifact_count; i++) {
		const struct artifact_details *artifact = &details->artifacts[i];

		if (taken[artifact->artifact.name.format] && source != SOURCE_PUBLISHED)
			source = artifact->artifact.source;
	}
	return source;
}

static void fill_version(struct parcel *parcel, const bool taken[FORMAT_COUNT])
{
	const struct version_details *details = &parcel->details;
	struct bundle_version *version = &parcel->version;

	version->name = details->name;
	version->state = details->state;
	for (size_t i = 0; i < details->artifact_count; i++) {
		const struct artifact *artifact = &details->artifacts[i].artifact;

		if (taken[artifact->name.format])
			version->artifacts[version->artifact_count++] = (struct bundle_artifact){
				artifact->name.format, {artifact->checksums.sha256, artifact->size_bytes}};
	}
	version->source = source_of(details, taken);
}

/* Those that are about artifacts that are taken. */
static void add_attestations(const struct parcel *parcel, struct version_record *record)
{
	for (size_t i = 0; i < parcel->attestation_count; i++) {
		struct attestation_row *row = &parcel->attestations[i];
		bool goes = false;

		for (size_t j = 0; j < parcel->version.artifact_count; j++)
			goes = goes || digest_equal(&row->subject, &parcel->version.artifacts[j].blob.digest);
		if (goes && record->attestation_count < VERSION_ATTESTATIONS_MAX)
			record->attestations[record->attestation_count++] = row->text;
	}
}

/* Everything in it is borrowed. */
static void write_record(
	const struct exporting *exporting, struct parcel *parcel, const bool taken[FORMAT_COUNT])
{
	const struct version_details *details = &parcel->details;
	struct version_record record = {.name = details->name,
		.source = parcel->version.source,
		.state = details->state,
		.published_by = details->published_by,
		.upstream = details->upstream,
		.created_s = details->created_at,
		.updated_s = parcel->words.updated_at,
		.markdown = parcel->words.markdown,
		.documented_by = parcel->words.documented_by,
		.documented_s = parcel->words.documented_at};

	memcpy(record.listed, parcel->words.listed, sizeof record.listed);
	for (size_t i = 0; i < details->artifact_count; i++) {
		const struct artifact_details *artifact = &details->artifacts[i];

		if (taken[artifact->artifact.name.format])
			record.artifacts[record.artifact_count++] = (struct artifact_record){
				artifact->artifact.name.format, artifact->artifact.source,
				artifact->published_by, artifact->upstream, artifact->artifact.created_at};
	}
	add_attestations(parcel, &record);
	version_record_write(&record,
		exporting->options->describe ? exporting->options->describe(details) : NULL, &parcel->record);
}

static struct bundle_blob blob_of(const struct buffer *bytes)
{
	return (struct bundle_blob){digest_of(bytes->data, bytes->length), (int64_t)bytes->length};
}

static void fill_parcel(
	const struct exporting *exporting, struct parcel *parcel, const bool taken[FORMAT_COUNT])
{
	fill_version(parcel, taken);
	write_record(exporting, parcel, taken);
	parcel->version.record = blob_of(&parcel->record);
	layout_write_version(&parcel->version, parcel->words.updated_at, &parcel->manifest);
	parcel->version.manifest = blob_of(&parcel->manifest);
}

static bool note_copy(struct exporting *exporting, const struct name *name,
	const struct bundle_artifact *artifact, struct err *err)
{
	bool is_new;

	exporting->report.artifacts++;
	if (!digest_set_add(&exporting->wanted, &artifact->blob.digest, &is_new, err))
		return false;
	if (is_new) {
		exporting->report.blobs++;
		exporting->report.blob_bytes += artifact->blob.size_bytes;
	}
	return copying_add(
		&exporting->copies, &artifact->blob, artifact_words(name, artifact->format).text, err);
}

static bool note_version(struct exporting *exporting, const struct bundle_version *version, struct err *err)
{
	AUTO_BUFFER struct buffer line = {0};
	AUTO_BUFFER struct buffer entry = {0};

	contents_write_version(version, &line);
	layout_add_to_index(version, &entry);
	if (!notes_add(&exporting->contents, line.data, line.length, err) ||
		!notes_add(&exporting->entries, entry.data, entry.length, err))
		return false;
	for (size_t i = 0; i < version->artifact_count; i++) {
		if (!note_copy(exporting, &version->name, &version->artifacts[i], err))
			return false;
	}
	if (++exporting->report.versions > VERSIONS_MAX)
		return err_set(err, ERR_TOO_LARGE,
			"there are more than %d versions, which no import reads: split it: export with a "
			"glob, such as one for each publisher, or --since",
			VERSIONS_MAX);
	exporting->report.withdrawn += version->state == STATE_WITHDRAWN;
	exporting->report.listed += version->state != STATE_WITHDRAWN && version->artifact_count == 0;
	return true;
}

static bool put_empty(struct exporting *exporting, struct err *err)
{
	static char text[] = "{}";
	const struct buffer bytes = {text, sizeof text - 1, 0};
	struct bundle_blob blob;

	return put(exporting, &bytes, &blob, err);
}

static bool send_parcel(struct exporting *exporting, struct parcel *parcel, struct err *err)
{
	struct publisher_name publisher = name_publisher(parcel->version.name.handle);
	struct digest key = digest_of(publisher.text, strlen(publisher.text));
	struct bundle_blob blob;
	bool is_known = false, is_new;

	if (exporting->options->base &&
		!base_has_version(exporting->options->base, &parcel->version, &is_known, err))
		return false;
	if (is_known) {
		exporting->report.unchanged++;
		return true;
	}
	return digest_set_add(&exporting->publishers, &key, &is_new, err) &&
	       (parcel->version.artifact_count > 0 || put_empty(exporting, err)) &&
	       put(exporting, &parcel->record, &blob, err) && put(exporting, &parcel->manifest, &blob, err) &&
	       note_version(exporting, &parcel->version, err);
}

static bool load_parcel(struct exporting *exporting, const struct name *name, struct parcel *out, bool *found,
	struct err *err)
{
	struct catalog *catalog = exporting->options->catalog;

	return catalog_find_version(catalog, name, &out->details, found, err) &&
	       (!*found || catalog_find_export_words(catalog, name, &out->words, found, err)) &&
	       (!*found || catalog_list_attestations(
				   catalog, name, true, &out->attestations, &out->attestation_count, err)) &&
	       (!*found || exporting->options->selection->words_only ||
		       hold_artifacts(exporting, &out->details, err));
}

static bool export_version(struct exporting *exporting, const struct name *name, bool is_new, struct err *err)
{
	AUTO(finish_parcel) struct parcel parcel = {0};
	bool taken[FORMAT_COUNT];
	bool goes;

	if (!load_parcel(exporting, name, &parcel, &goes, err))
		return false;
	if (!goes)
		return true;
	selection_judge(exporting->options->selection, &parcel.details, parcel.words.markdown, taken, &goes);
	if (!goes)
		return true;
	if (!is_new) {
		exporting->report.unchanged++;
		return true;
	}
	fill_parcel(exporting, &parcel, taken);
	return send_parcel(exporting, &parcel, err);
}

/* ---- all versions ---- */

static bool export_row(struct exporting *exporting, const struct export_row *row, struct err *err)
{
	const struct exporting_options *options = exporting->options;
	struct name name = {.version = row->version};

	(void)snprintf(name.handle, sizeof name.handle, "%s", row->handle);
	if (!selection_means(options->selection, row->handle, row->version))
		return true;
	if (row->state == STATE_QUARANTINED) {
		exporting->report.quarantined++;
		return true;
	}
	return export_version(exporting, &name, row->changed_at > options->changed_since_s, err);
}

static bool tell_looking(struct exporting *exporting, struct err *err)
{
	struct export_watch *watch = exporting->options->watch;
	struct export_progress *progress = &exporting->progress;

	/* Those that are active were counted. */
	if (++progress->count > progress->total_count)
		progress->total_count = progress->count;
	return watch->progressed(watch, progress, err);
}

static bool export_page_of_rows(struct exporting *exporting, struct name *after, bool *more, struct err *err)
{
	AUTO(export_rows_finish) struct export_rows rows = {0};

	if (!catalog_list_exports(
		    exporting->options->catalog, after->handle, after->version, VERSIONS_AT_ONCE, &rows, err))
		return false;
	for (size_t i = 0; i < rows.count; i++) {
		if (!export_row(exporting, &rows.items[i], err) || !tell_looking(exporting, err))
			return false;
	}
	*more = rows.count == VERSIONS_AT_ONCE;
	if (!*more)
		return true;
	(void)snprintf(after->handle, sizeof after->handle, "%s", rows.items[rows.count - 1].handle);
	after->version = rows.items[rows.count - 1].version;
	return true;
}

static bool export_versions(struct exporting *exporting, struct err *err)
{
	struct name after = {.handle = ""};
	struct catalog_totals totals;
	bool more = true;

	if (!catalog_count(exporting->options->catalog, &totals, err))
		return false;
	exporting->progress.total_count = totals.versions;
	if (exporting->options->base && !base_rewind(exporting->options->base, err))
		return false;
	while (more) {
		if (!export_page_of_rows(exporting, &after, &more, err))
			return false;
	}
	return true;
}

/* ---- publishers and collections ---- */

static bool goes_along(const struct exporting *exporting, enum export_page kind, const char *name)
{
	const struct exporting_options *options = exporting->options;
	struct digest key = digest_of(name, strlen(name));

	if (options->with_pages)
		return true;
	if (kind == EXPORT_COLLECTIONS)
		return options->collection && strcmp(options->collection, name) == 0;
	return digest_set_has(&exporting->publishers, &key);
}

static bool export_page(struct exporting *exporting, enum contents_kind as, const char *name,
	const char *markdown, bool *goes, struct err *err)
{
	AUTO_BUFFER struct buffer line = {0};
	bool is_known = false;

	if (exporting->options->base &&
		!base_has_page(exporting->options->base, as, name, markdown, &is_known, err))
		return false;
	*goes = !is_known;
	if (is_known)
		return true;
	contents_write_page(as, name, markdown, &line);
	return notes_add(&exporting->contents, line.data, line.length, err);
}

static bool export_pages(struct exporting *exporting, enum export_page kind, enum contents_kind as,
	int64_t *count, struct err *err)
{
	AUTO_FREE char *after = mem_dup("");

	for (;;) {
		AUTO_FREE char *name = NULL;
		AUTO_FREE char *markdown = NULL;
		bool goes = false;

		if (!catalog_next_export_page(
			    exporting->options->catalog, kind, after, &name, &markdown, err))
			return false;
		if (!name)
			return true;
		if (goes_along(exporting, kind, name) &&
			!export_page(exporting, as, name, markdown, &goes, err))
			return false;
		*count += goes;
		free(after);
		after = TAKE(name);
	}
}

/* ---- what tells of them ---- */

static bool begin(struct exporting *exporting, struct err *err)
{
	AUTO_BUFFER struct buffer line = {0};

	contents_write_header(&exporting->options->header, &line);
	digest_set_init(&exporting->wanted, &exporting->options->scratch);
	digest_set_init(&exporting->publishers, &exporting->options->scratch);
	return outgoing_open(exporting->options->data_dir, &exporting->outgoing, err) &&
	       notes_open(&exporting->contents, exporting->outgoing, err) &&
	       notes_open(&exporting->entries, exporting->outgoing, err) &&
	       notes_open(&exporting->copies, exporting->outgoing, err) &&
	       notes_add(&exporting->contents, line.data, line.length, err);
}

static bool put_signature(struct exporting *exporting, struct bundle_blob *out, struct err *err)
{
	const struct signed_statement statement = {exporting->report.contents,
		exporting->options->header.created_s, exporting->options->header.has_audit_head,
		exporting->options->header.audit_head};
	AUTO_BUFFER struct buffer envelope = {0};

	if (!exporting->options->key)
		return true;
	signature_write(exporting->options->key, &statement, &envelope);
	return put(exporting, &envelope, out, err);
}

static bool put_contents(struct exporting *exporting, struct bundle_blob *out_manifest, struct err *err)
{
	const struct bundle_header *header = &exporting->options->header;
	AUTO_BUFFER struct buffer manifest = {0};
	struct bundle_blob signature;

	if (!put_notes(exporting, &exporting->contents, &exporting->report.contents, err) ||
		!put_signature(exporting, &signature, err) || !put_empty(exporting, err))
		return false;
	layout_write_contents(&exporting->report.contents, exporting->options->key ? &signature : NULL,
		header->has_audit_head ? &header->audit_head : NULL, &manifest);
	return put(exporting, &manifest, out_manifest, err);
}

static bool put_index(struct exporting *exporting, const struct bundle_blob *contents, struct err *err)
{
	AUTO(notes_finish) struct notes index = {.fd = -1};
	AUTO_BUFFER struct buffer begin_text = {0};
	AUTO_BUFFER struct buffer end_text = {0};

	layout_begin_index(contents, &begin_text);
	layout_end_index(&exporting->options->header, &end_text);
	return notes_open(&index, exporting->outgoing, err) &&
	       notes_add(&index, begin_text.data, begin_text.length, err) &&
	       notes_append(&index, &exporting->entries, err) &&
	       notes_add(&index, end_text.data, end_text.length, err) &&
	       put_notes(exporting, &index, &exporting->report.index, err);
}

static bool set_outer(struct exporting *exporting, struct err *err)
{
	struct outlet *outlet = exporting->options->outlet;
	AUTO_BUFFER struct buffer text = {0};

	layout_write_outer(&exporting->report.index, &exporting->options->header, &text);
	exporting->report.other_bytes += (int64_t)text.length;
	return !outlet || outlet->kind->set_index(outlet, text.data, text.length, err);
}

/* ---- all of it ---- */

static bool copy_all(struct exporting *exporting, struct err *err)
{
	const struct copying copying = {exporting->options->outlet, exporting->options->watch,
		exporting->options->damages, exporting->outgoing, &exporting->copies, exporting->report.blobs,
		exporting->report.blob_bytes, &exporting->options->scratch};

	return copying_run(&copying, err);
}

bool exporting_run(const struct exporting_options *options, struct export_report *out, struct err *err)
{
	AUTO(finish)
	struct exporting exporting = {
		.options = options, .contents = {.fd = -1}, .entries = {.fd = -1}, .copies = {.fd = -1}};
	struct bundle_blob manifest;

	if (!begin(&exporting, err) || !export_versions(&exporting, err) ||
		!export_pages(&exporting, EXPORT_PUBLISHERS, CONTENTS_PUBLISHER, &exporting.report.publishers,
			err) ||
		!export_pages(&exporting, EXPORT_COLLECTIONS, CONTENTS_COLLECTION,
			&exporting.report.collections, err) ||
		!put_contents(&exporting, &manifest, err) || !put_index(&exporting, &manifest, err) ||
		!set_outer(&exporting, err))
		return false;
	if (options->outlet && (!copy_all(&exporting, err) || !options->outlet->kind->commit(options->outlet,
								      &exporting.wanted, err)))
		return false;
	*out = exporting.report;
	return true;
}

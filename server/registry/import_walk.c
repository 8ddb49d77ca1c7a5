/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/attesting.h"
#include "server/registry/import_walk.h"

#include <string.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/number.h"

/* What stands before a record in our file: its length, or that there is none. */
enum { NO_RECORD = -1 };

/* What a stranger says of his contents, and how many bytes he may have read for nothing: a record that many
 * lines name is one's at most. */
enum { WASTED_BYTES_MAX = 256 << 20 };
static const int64_t contents_bytes_max = (int64_t)4 << 30;

/* ---- our files ---- */

static bool check_room(struct import_notes *notes, int64_t more, struct err *err)
{
	notes->written_bytes += more;
	return notes->written_bytes <= SCRATCH_SMALL_BYTES ||
	       scratch_check_room(
		       notes->contents_fd, notes->scratch, more, "what the bundle says of itself", err);
}

static bool copy_contents(
	int fd, struct carrier *carrier, const struct bundle_blob *contents, struct err *err)
{
	AUTO_CARRIER_BLOB struct carrier_blob blob = {.fd = -1};
	const uint8_t *data;
	int64_t offset = 0;
	size_t length;

	if (!carrier_open_blob(carrier, contents, &blob, err))
		return false;
	do {
		if (!stream_next(&blob.stream, &data, &length, err) ||
			!file_write_at(fd, data, length, offset, err))
			return false;
		offset += (int64_t)length;
	} while (length > 0);
	return true;
}

static bool check_contents(struct import_notes *notes, const struct bundle_blob *contents, struct err *err)
{
	if (contents->size_bytes > contents_bytes_max)
		return err_set(err, ERR_TOO_LARGE,
			"the bundle is said to have contents of %s, and no bundle has more than %s",
			number_size(contents->size_bytes).text, number_size(contents_bytes_max).text);
	return check_room(notes, contents->size_bytes, err);
}

bool import_notes_open(struct import_notes *notes, const struct scratch_place *scratch,
	struct carrier *carrier, const struct bundle_blob *contents, struct err *err)
{
	*notes = (struct import_notes){-1, -1, scratch, 0};
	return scratch_open(scratch->folder, &notes->contents_fd, err) &&
	       scratch_open(scratch->folder, &notes->records_fd, err) &&
	       check_contents(notes, contents, err) &&
	       copy_contents(notes->contents_fd, carrier, contents, err);
}

void import_notes_finish(struct import_notes *notes)
{
	own_close(&notes->contents_fd);
	own_close(&notes->records_fd);
	*notes = (struct import_notes){.contents_fd = -1, .records_fd = -1};
}

/* ---- walking ---- */

bool import_walk_open(
	struct import_walk *walk, struct import_notes *notes, struct carrier *carrier, struct err *err)
{
	*walk = (struct import_walk){.carrier = carrier, .notes = notes, .is_open = true};
	walk->place = SIZE_MAX;
	scratch_stream_init(&walk->stream, notes->contents_fd);
	return contents_open(&walk->reader, &walk->stream.stream, err);
}

static void leave_line(struct import_walk *walk)
{
	hubdoc_destroy(TAKE(walk->head));
	version_record_finish(&walk->record);
	attestation_rows_destroy(TAKE(walk->attestations), walk->attestation_count);
	walk->attestation_count = 0;
	walk->record = (struct version_record){0};
	contents_line_finish(&walk->line);
}

void import_walk_finish(struct import_walk *walk)
{
	if (!walk->is_open)
		return;
	leave_line(walk);
	contents_close(&walk->reader);
	scratch_stream_finish(&walk->stream);
	walk->is_open = false;
}

/* ---- records ---- */

static bool write_note(struct import_walk *walk, const void *bytes, size_t length, struct err *err)
{
	bool done = file_write_at(walk->notes->records_fd, bytes, length, walk->at, err);

	walk->at += (int64_t)length;
	return done;
}

/* Notes the record that was taken from the medium, once it is known for one of this version. */
static bool note_record(struct import_walk *walk, const struct buffer *text, struct err *err)
{
	int64_t length = walk->usable ? (int64_t)text->length : NO_RECORD;

	/* Of its text only what is read has stayed. */
	if (!walk->usable && text->length > 0)
		walk->wasted_bytes += walk->line.version.record.size_bytes;
	if (walk->wasted_bytes > WASTED_BYTES_MAX)
		return err_set(err, ERR_BAD_REQUEST,
			"more than %s of the bundle's records of versions are none of these versions': it is "
			"damaged, or was not made by \"larder export\"",
			number_size(WASTED_BYTES_MAX).text);
	return write_note(walk, &length, sizeof length, err) &&
	       (!walk->usable || (check_room(walk->notes, length, err) &&
					 write_note(walk, text->data, text->length, err)));
}

static bool read_note(struct import_walk *walk, void *bytes, size_t length, struct err *err)
{
	size_t got;

	if (!file_read_at(walk->notes->records_fd, bytes, length, walk->at, &got, err))
		return false;
	walk->at += (int64_t)got;
	return got == length || err_set(err, ERR_INTERNAL, "the importer's own notes are cut off");
}

static bool recall_record(struct import_walk *walk, struct buffer *text, struct err *err)
{
	int64_t length;

	if (!read_note(walk, &length, sizeof length, err))
		return false;
	walk->usable = length != NO_RECORD;
	if (!walk->usable)
		return true;
	buffer_reserve(text, (size_t)length);
	text->length = (size_t)length;
	text->data[length] = '\0';
	return read_note(walk, text->data, (size_t)length, err);
}

/* ---- versions ---- */

static const struct artifact_record *find_artifact(const struct version_record *record, enum format format)
{
	for (size_t i = 0; i < record->artifact_count; i++) {
		if (record->artifacts[i].format == format)
			return &record->artifacts[i];
	}
	return NULL;
}

/* The line is what is signed, and the record what it points to: they tell of the same. */
static bool agrees(const struct bundle_version *line, const struct version_record *record)
{
	bool same = strcmp(line->name.handle, record->name.handle) == 0 &&
		    line->name.version == record->name.version && line->source == record->source &&
		    line->state == record->state;

	for (size_t i = 0; i < line->artifact_count; i++)
		same = same && find_artifact(record, line->artifacts[i].format);
	return same;
}

/* The word is what the artifacts make of a version that is kept: published where one of them is. */
static bool check_source(
	const struct bundle_version *line, const struct version_record *record, struct err *err)
{
	enum version_source source = line->artifact_count > 0 ? SOURCE_MIRRORED : SOURCE_LISTED;

	for (size_t i = 0; i < line->artifact_count; i++) {
		if (find_artifact(record, line->artifacts[i].format)->source == SOURCE_PUBLISHED)
			source = SOURCE_PUBLISHED;
	}
	return line->state == STATE_WITHDRAWN || line->source == source ||
	       err_set(err, ERR_BAD_REQUEST, "it is called %s, and by its artifacts it is %s",
		       version_source_name(line->source), version_source_name(source));
}

static void take_artifact(
	struct import_walk *walk, const struct bundle_artifact *line, const struct artifact_record *record)
{
	walk->version.artifacts[walk->version.artifact_count++] =
		(struct imported_artifact){.format = line->format,
			.digest = line->blob.digest,
			.size_bytes = line->blob.size_bytes,
			.source = record->source,
			.published_by = record->published_by,
			.upstream = record->upstream};
}

static void take_attestations(struct import_walk *walk)
{
	const struct version_record *record = &walk->record;

	if (record->attestation_count == 0)
		return;
	walk->attestations = mem_zero(ATTESTATIONS_MAX, sizeof *walk->attestations);
	walk->attestation_count = attesting_read_carried(
		&walk->version.name, record->attestations, record->attestation_count, walk->attestations);
	walk->version.attestations = walk->attestations;
	walk->version.attestation_count = walk->attestation_count;
}

static void take_version(struct import_walk *walk)
{
	const struct bundle_version *line = &walk->line.version;
	const struct version_record *record = &walk->record;

	walk->version = (struct imported_version){.name = line->name,
		.source = line->source,
		.state = line->state,
		.published_by = record->published_by,
		.upstream = record->upstream,
		.markdown = record->markdown,
		.head = walk->head,
		/* A date that is still to come would keep all later words out. */
		.documented_at = record->documented_s < clock_now_s() ? record->documented_s : clock_now_s()};
	memcpy(walk->version.listed, record->listed, sizeof record->listed);
	take_attestations(walk);
	for (size_t i = 0; i < line->artifact_count; i++)
		take_artifact(walk, &line->artifacts[i], find_artifact(record, line->artifacts[i].format));
}

static bool read_version(struct import_walk *walk, struct buffer *text)
{
	const struct name *name = &walk->line.version.name;
	struct err *why = &walk->why;

	if (!version_record_read(text, &walk->record, why))
		return false;
	if (!agrees(&walk->line.version, &walk->record))
		return err_set(why, ERR_BAD_REQUEST,
			"the contents and the version's own configuration do not say the same of it");
	if (!check_source(&walk->line.version, &walk->record, why))
		return false;
	if (walk->record.markdown && !hubdoc_read_of(name, walk->record.markdown, &walk->head, why))
		return false;
	take_version(walk);
	return true;
}

static bool take_version_line(struct import_walk *walk, struct err *err)
{
	AUTO_BUFFER struct buffer text = {0};

	/* Its name is known, whatever is wrong with the rest. */
	walk->version = (struct imported_version){.name = walk->line.version.name};
	if (!walk->carrier && !recall_record(walk, &text, err))
		return false;
	if (walk->carrier)
		walk->usable = carrier_read_blob(walk->carrier, &walk->line.version.record,
			VERSION_RECORD_BYTES_MAX, &text, &walk->why);
	walk->usable = walk->usable && read_version(walk, &text);
	return !walk->carrier || note_record(walk, &text, err);
}

/* ---- pages ---- */

static bool read_page(struct import_walk *walk)
{
	static const enum hubdoc_kind kinds[] = {
		[CONTENTS_PUBLISHER] = HUBDOC_PUBLISHER, [CONTENTS_COLLECTION] = HUBDOC_COLLECTION};
	const struct bundle_page *page = &walk->line.page;
	struct err *why = &walk->why;
	bool is_one;
	size_t line;

	if (!hubdoc_read(page->markdown, &walk->head, &is_one, &line, why))
		return err_prefix(why, "line %zu: ", line);
	return (is_one && walk->head->kind == kinds[walk->line.kind] &&
		       strcmp(walk->head->name.handle, page->name) == 0) ||
	       err_set(why, ERR_BAD_REQUEST, "its first line names another page than the contents do");
}

bool import_walk_next(struct import_walk *walk, bool *more, struct err *err)
{
	leave_line(walk);
	if (!contents_next(&walk->reader, &walk->line, more, err))
		return false;
	if (!*more)
		return true;
	walk->place++;
	walk->is_version = walk->line.kind == CONTENTS_VERSION;
	if (walk->is_version)
		return take_version_line(walk, err);
	walk->usable = read_page(walk);
	return true;
}

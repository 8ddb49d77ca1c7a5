/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/head.h"

#include <archive.h>
#include <archive_entry.h>
#include <errno.h>
#include <string.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "server/bundle/digest_set.h"
#include "server/bundle/opening.h"
#include "server/bundle/outlet.h"
#include "server/bundle/version_record.h"

/* As much of index.json, and of a version's manifest, as an import reads. */
enum { INDEX_BYTES_MAX = 1 << 20, MANIFEST_BYTES_MAX = 64 << 10 };

struct head {
	struct carrier *carrier;
	struct archive *archive;
	bool lenient;
	struct digest_set seen;
};

static void finish(struct head *head)
{
	if (head->archive)
		(void)archive_write_free(head->archive);
	digest_set_finish(&head->seen);
}

static bool is_written(struct head *head, bool done, struct err *err)
{
	const char *words = archive_error_string(head->archive);

	return done || err_set(err, archive_errno(head->archive) == ENOSPC ? ERR_NO_SPACE : ERR_INTERNAL,
			       "a copy of what the bundle says of itself cannot be written: %.200s; $TMPDIR "
			       "names the folder for it",
			       words ? words : "no reason given");
}

static bool begin_entry(struct head *head, const char *name, int64_t size_bytes, struct err *err)
{
	struct archive_entry *entry = archive_entry_new();
	bool done;

	if (!entry)
		return err_set(err, ERR_INTERNAL, "memory is exhausted");
	archive_entry_set_pathname(entry, name);
	archive_entry_set_size(entry, size_bytes);
	archive_entry_set_filetype(entry, AE_IFREG);
	archive_entry_set_perm(entry, 0644);
	done = archive_write_header(head->archive, entry) == ARCHIVE_OK;
	archive_entry_free(entry);
	return is_written(head, done, err);
}

static bool write_data(struct head *head, const void *bytes, size_t length, struct err *err)
{
	return is_written(head, archive_write_data(head->archive, bytes, length) == (la_ssize_t)length, err);
}

static bool add_file(struct head *head, const char *name, const void *bytes, size_t length, struct err *err)
{
	return begin_entry(head, name, (int64_t)length, err) && write_data(head, bytes, length, err);
}

static bool add_index(struct head *head, struct err *err)
{
	AUTO_BUFFER struct buffer text = {0};

	return carrier_read_index(head->carrier, INDEX_BYTES_MAX, &text, err) &&
	       add_file(head, "index.json", buffer_string(&text), text.length, err);
}

/* ---- blobs ---- */

/* Whether one goes on without what could not be read. */
static bool is_passed_over(const struct head *head, const struct err *why, struct err *err)
{
	bool passed = head->lenient || why->code != ERR_INTERNAL;

	if (!passed)
		*err = *why;
	return passed;
}

/* What cannot be read any more is zeros, and so damaged. */
static bool add_bytes(struct head *head, struct carrier_blob *blob, struct err *err)
{
	static const uint8_t zeros[64 << 10];
	const uint8_t *data;
	size_t length;
	struct err why;

	blob->trusting = true;
	do {
		if (!stream_next(&blob->stream, &data, &length, &why)) {
			if (!is_passed_over(head, &why, err))
				return false;
			break;
		}
		if (length > 0 && !write_data(head, data, length, err))
			return false;
	} while (length > 0);
	for (int64_t left = blob->size_bytes - blob->done_bytes; left > 0; left -= (int64_t)length) {
		length = left < (int64_t)sizeof zeros ? (size_t)left : sizeof zeros;
		if (!write_data(head, zeros, length, err))
			return false;
	}
	return true;
}

static bool add_blob(struct head *head, const struct bundle_blob *named, int64_t limit, struct err *err)
{
	AUTO_CARRIER_BLOB struct carrier_blob blob = {.fd = -1};
	AUTO_FREE char *name = mem_printf("blobs/sha256/%s", named->digest.hex);
	struct err why;
	bool is_new = false;

	if (named->size_bytes <= limit && !digest_set_add(&head->seen, &named->digest, &is_new, err))
		return false;
	if (!is_new)
		return true;
	if (!carrier_open_blob(head->carrier, named, &blob, &why))
		return is_passed_over(head, &why, err);
	return begin_entry(head, name, named->size_bytes, err) && add_bytes(head, &blob, err);
}

static bool add_opening(struct head *head, const struct opening *opening, struct err *err)
{
	return add_blob(head, &opening->index, INT64_MAX, err) &&
	       add_blob(head, &opening->manifest, INT64_MAX, err) &&
	       (!opening->has_config || add_blob(head, &opening->config, INT64_MAX, err)) &&
	       add_blob(head, &opening->contents, INT64_MAX, err) &&
	       (!opening->is_signed || add_blob(head, &opening->signature, INT64_MAX, err));
}

static bool add_version(struct head *head, const struct contents_line *line, struct err *err)
{
	return line->kind != CONTENTS_VERSION ||
	       (add_blob(head, &line->version.manifest, MANIFEST_BYTES_MAX, err) &&
		       add_blob(head, &line->version.record, VERSION_RECORD_BYTES_MAX, err));
}

static bool add_all(struct head *head, struct contents_reader *reader, struct err *err)
{
	bool more = true;

	while (more) {
		__attribute__((cleanup(contents_line_finish))) struct contents_line line = {0};

		if (!contents_next(reader, &line, &more, err) || (more && !add_version(head, &line, err)))
			return false;
	}
	return true;
}

static bool add_versions(struct head *head, const struct opening *opening, struct err *err)
{
	AUTO_CARRIER_BLOB struct carrier_blob blob = {.fd = -1};
	struct contents_reader reader = {0};
	bool done;

	if (!carrier_open_blob(head->carrier, &opening->contents, &blob, err))
		return false;
	done = contents_open(&reader, &blob.stream, err) && add_all(head, &reader, err);
	contents_close(&reader);
	return done;
}

bool head_write(struct carrier *carrier, const struct opening *opening, bool lenient,
	const struct scratch_place *scratch, int fd, struct err *err)
{
	AUTO(finish)
	struct head head = {.carrier = carrier, .archive = archive_write_new(), .lenient = lenient};

	digest_set_init(&head.seen, scratch);
	if (!head.archive)
		return err_set(err, ERR_INTERNAL, "memory is exhausted");
	return is_written(&head,
		       archive_write_set_format_pax_restricted(head.archive) == ARCHIVE_OK &&
			       archive_write_open_fd(head.archive, fd) == ARCHIVE_OK,
		       err) &&
	       add_file(&head, "oci-layout", outlet_layout, strlen(outlet_layout), err) &&
	       add_index(&head, err) && add_opening(&head, opening, err) &&
	       add_versions(&head, opening, err) &&
	       is_written(&head, archive_write_close(head.archive) == ARCHIVE_OK, err);
}

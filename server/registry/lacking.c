/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/lacking.h"

#include <stdlib.h>
#include <string.h>

#include "common/file.h"
#include "common/mem.h"
#include "server/bundle/blob_places.h"

/* As they lie in the file, one behind the other; what is at no such place is none. */
enum { MARK = 0x4c41434b };

/* After so many it is looked how much room there is: a few mebibytes are always written. */
enum { LOOK_EACH = 1 << 14 };

struct row {
	uint32_t mark;
	uint8_t format;
	uint8_t source;
	uint16_t handle_length;
	int64_t version;
	int64_t size_bytes;
	uint8_t digest[32];
};

struct lacking {
	int fd;
	const struct scratch_place *scratch;
	int64_t length_bytes;
	struct blob_places *places; /* where they lie, and one more: no place is 0 */
	size_t count;
	int64_t bytes;
};

bool lacking_create(const struct scratch_place *scratch, struct lacking **out, struct err *err)
{
	AUTO_LACKING struct lacking *lacking = mem_zero(1, sizeof *lacking);

	lacking->fd = -1;
	lacking->scratch = scratch;
	if (!scratch_open(scratch->folder, &lacking->fd, err) ||
		!blob_places_open(scratch, &lacking->places, err))
		return false;
	*out = TAKE(lacking);
	return true;
}

void lacking_destroy(struct lacking *lacking)
{
	if (!lacking)
		return;
	own_close(&lacking->fd);
	blob_places_close(lacking->places);
	free(lacking);
}

/* The same bytes may be of two formats. What is found under it is held against both. */
static struct digest key_of(const struct digest *digest, enum format format)
{
	uint8_t bytes[sizeof digest->bytes];

	memcpy(bytes, digest->bytes, sizeof bytes);
	bytes[0] ^= (uint8_t)format;
	return digest_from_bytes(bytes);
}

static bool check_room(const struct lacking *lacking, struct err *err)
{
	return lacking->count == 0 || lacking->count % LOOK_EACH != 0 ||
	       scratch_check_room(lacking->fd, lacking->scratch, 0, "what is lacking of the bundle", err);
}

bool lacking_add(struct lacking *lacking, const struct lacked *lacked, struct err *err)
{
	const struct digest key = key_of(&lacked->digest, lacked->name.format);
	size_t length = strlen(lacked->name.handle);
	struct row row = {.mark = MARK,
		.format = (uint8_t)lacked->name.format,
		.source = (uint8_t)lacked->source,
		.handle_length = (uint16_t)length,
		.version = lacked->name.version,
		.size_bytes = lacked->size_bytes};
	bool is_new;

	memcpy(row.digest, lacked->digest.bytes, sizeof row.digest);
	if (!check_room(lacking, err) ||
		!blob_places_add(lacking->places, &key, lacking->length_bytes + 1, 0, &is_new, err))
		return false;
	if (!is_new)
		return true;
	if (!file_write_at(lacking->fd, &row, sizeof row, lacking->length_bytes, err) ||
		!file_write_at(lacking->fd, lacked->name.handle, length,
			lacking->length_bytes + (int64_t)sizeof row, err))
		return false;
	lacking->length_bytes += (int64_t)(sizeof row + length);
	lacking->count++;
	lacking->bytes += lacked->size_bytes;
	return true;
}

size_t lacking_count(const struct lacking *lacking)
{
	return lacking->count;
}

int64_t lacking_bytes(const struct lacking *lacking)
{
	return lacking->bytes;
}

static bool is_row(const struct row *row)
{
	return row->mark == MARK && row->format < FORMAT_COUNT && row->source < SOURCE_COUNT &&
	       row->handle_length < sizeof(struct name){0}.handle;
}

bool lacking_next(
	const struct lacking *lacking, int64_t *place, struct lacked *out, bool *more, struct err *err)
{
	struct row row = {0};
	size_t got;

	*more = *place < lacking->length_bytes;
	if (!*more)
		return true;
	if (!file_read_at(lacking->fd, &row, sizeof row, *place, &got, err))
		return false;
	if (!is_row(&row))
		return err_set(err, ERR_BAD_REQUEST, "no artifact that is lacking stands there");
	*out = (struct lacked){.name = {.format = (enum format)row.format, .version = row.version},
		.source = (enum version_source)row.source,
		.digest = digest_from_bytes(row.digest),
		.size_bytes = row.size_bytes};
	if (!file_read_at(lacking->fd, out->name.handle, row.handle_length, *place + (int64_t)sizeof row,
		    &got, err))
		return false;
	*place += (int64_t)(sizeof row + row.handle_length);
	return true;
}

bool lacking_find(const struct lacking *lacking, const struct digest *digest, enum format format,
	struct lacked *out, bool *found, struct err *err)
{
	const struct digest key = key_of(digest, format);
	int64_t place, size_bytes;
	bool more;

	*found = blob_places_find(lacking->places, &key, &place, &size_bytes);
	if (!*found)
		return true;
	place--;
	if (!lacking_next(lacking, &place, out, &more, err))
		return false;
	*found = more && out->name.format == format && digest_equal(&out->digest, digest);
	return true;
}

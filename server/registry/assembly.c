/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/assembly.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/file.h"
#include "common/mem.h"
#include "server/config.h"
#include "server/registry/inflow.h"
#include "server/registry/parcels.h"
#include "server/registry/pieces.h"
#include "server/registry/publisher.h"
#include "server/registry/services.h"
#include "server/registry/zip_pieces.h"
#include "server/store/blobs.h"
#include "server/store/catalog/catalog_spellings.h"
#include "server/vault/vault.h"

enum { BLOCK_BYTES = 256 << 10 };

struct assembly {
	struct services *services;
	char *who;
	char *from;
	struct name name;
	int64_t taken; /* this version is another node's, though it is not known here */
	enum format preferred;
	struct parcel **parcels; /* that are held */
	size_t parcel_count;
	size_t parcel_capacity;
	struct pieces pieces;
	struct inflow unzipped; /* what archive.zip had in it */
	struct upload *upload;
	bool begun;
	bool unwanted; /* the upload says why */
	bool failed;   /* err says why */
	bool used;     /* nobody can do anything with the files any more */
	struct err err;
};

struct assembly *assembly_create(
	struct services *services, const char *handle, const char *who, const char *from)
{
	struct assembly *assembly = mem_zero(1, sizeof *assembly);

	assembly->services = services;
	assembly->who = mem_dup(who);
	assembly->from = mem_dup(from);
	(void)strcpy(assembly->name.handle, handle);
	return assembly;
}

void assembly_prefer(struct assembly *assembly, enum format format)
{
	assembly->preferred = format;
}

void assembly_destroy(struct assembly *assembly)
{
	if (!assembly)
		return;
	if (assembly->upload)
		upload_abort(assembly->upload);
	for (size_t i = 0; i < assembly->parcel_count; i++)
		parcels_release(assembly->services->parcels, assembly->parcels[i], assembly->used);
	inflow_finish(&assembly->unzipped);
	pieces_finish(&assembly->pieces);
	free(assembly->parcels);
	free(assembly->who);
	free(assembly->from);
	free(assembly);
}

/* ---- the files ---- */

static bool hold(struct assembly *assembly, const char *id, struct parcel **out, struct err *err)
{
	struct parcel *parcel;

	for (size_t i = 0; i < assembly->parcel_count; i++) {
		if (parcel_is(assembly->parcels[i], id))
			return err_set(err, ERR_BAD_REQUEST,
				"the token of %.150s is in the tree twice: each file is sent once for each "
				"place",
				parcel_name(assembly->parcels[i]));
	}
	if (!parcels_hold(assembly->services->parcels, id, assembly->who, &parcel, err))
		return false;
	if (!parcel)
		return err_set(err, ERR_BUSY, "a file of this version is sent or used just now");
	MEM_GROW(assembly->parcels, assembly->parcel_count, assembly->parcel_capacity);
	assembly->parcels[assembly->parcel_count++] = parcel;
	*out = parcel;
	return true;
}

bool assembly_add(struct assembly *assembly, const char *folder, const char *id, struct err *err)
{
	struct parcel *parcel = NULL;
	AUTO_FREE char *path = NULL;
	struct piece *piece;

	if (!hold(assembly, id, &parcel, err) || !parcel_flush(parcel, err))
		return false;
	path = mem_printf("%s%s", folder, parcel_name(parcel));
	if (parcel_received(parcel) < parcel_length(parcel))
		return err_set(err, ERR_BAD_REQUEST, "of %.150s only %lld of %lld bytes have come", path,
			(long long)parcel_received(parcel), (long long)parcel_length(parcel));
	if (strchr(parcel_name(parcel), '/') || !zip_pieces_is_path(path))
		return err_set(err, ERR_INVALID_MODULE, "\"%.150s\" is no name that a file may have", path);
	piece = pieces_add(&assembly->pieces, path, 0);
	piece->size_bytes = parcel_length(parcel);
	piece->fd = parcel_fd(parcel);
	return true;
}

/* The one file in which kagglehub sends a large folder; NULL: the files are what they are. */
static struct parcel *find_zip(const struct assembly *assembly)
{
	const struct pieces *pieces = &assembly->pieces;
	const char *base = pieces->count == 1 ? strrchr(pieces->items[0].path, '/') : NULL;

	if (pieces->count != 1)
		return NULL;
	base = base ? base + 1 : pieces->items[0].path;
	return strcmp(base, "archive.zip") == 0 ? assembly->parcels[0] : NULL;
}

static bool unzip(struct assembly *assembly, struct err *err)
{
	const struct services *services = assembly->services;
	struct parcel *zip = find_zip(assembly);
	struct pieces pieces = {0};

	if (!zip)
		return true;
	if (!inflow_open(&assembly->unzipped, services->space, parcel_length(zip), true, err) ||
		!blobs_begin(services->blobs, &assembly->unzipped.spool, err))
		return false;
	if (!zip_pieces_read(parcel_fd(zip), parcel_length(zip), &services->config->publish.archives,
		    &assembly->unzipped, &pieces, err)) {
		pieces_finish(&pieces);
		return false;
	}
	pieces_finish(&assembly->pieces);
	assembly->pieces = pieces;
	return true;
}

/* ---- which format they are ---- */

static bool has(const struct assembly *assembly, const char *path)
{
	return pieces_find(&assembly->pieces, path) != NULL;
}

static bool is_bare(const struct assembly *assembly)
{
	static const char suffix[] = ".tflite";
	const char *path = assembly->pieces.count == 1 ? assembly->pieces.items[0].path : "";
	size_t length = strlen(path);

	return length > strlen(suffix) && strcasecmp(path + length - strlen(suffix), suffix) == 0;
}

/* Whether they are such a model at first sight; the publish checks look further. */
static bool is_like(const struct assembly *assembly, enum format format)
{
	switch (format) {
	case FORMAT_TF_HUB:
		return has(assembly, "saved_model.pb") || has(assembly, "saved_model.pbtxt");
	case FORMAT_TFJS:
		return has(assembly, "model.json");
	case FORMAT_TFLITE:
	case FORMAT_CORAL:
		return is_bare(assembly);
	default:
		return true;
	}
}

/* ---- packing ---- */

static bool pass_on(void *context, const void *bytes, size_t length, struct err *err)
{
	struct assembly *assembly = context;

	if (!upload_has_room(assembly->upload, length))
		upload_make_room(assembly->upload, length);
	assembly->unwanted = !upload_write(assembly->upload, bytes, length);
	return !assembly->unwanted || err_set(err, ERR_INTERNAL, "the upload wants no more");
}

static bool copy_bare(struct assembly *assembly, const struct piece *piece, struct err *err)
{
	AUTO_FREE char *block = mem_zero(1, BLOCK_BYTES);
	int fd = piece->fd >= 0 ? piece->fd : spool_fd(assembly->unzipped.spool);

	for (int64_t at = 0; at < piece->size_bytes;) {
		int64_t left = piece->size_bytes - at;
		size_t got;

		if (!file_read_at(fd, block, left < BLOCK_BYTES ? (size_t)left : BLOCK_BYTES,
			    piece->offset + at, &got, err))
			return false;
		if (got == 0)
			return err_set(err, ERR_INTERNAL, "a draft has become shorter");
		if (!pass_on(assembly, block, got, err))
			return false;
		at += (int64_t)got;
	}
	return true;
}

static bool write_out(struct assembly *assembly, struct err *err)
{
	const struct tarball_sink sink = {pass_on, assembly};
	int fd = assembly->unzipped.spool ? spool_fd(assembly->unzipped.spool) : -1;
	bool written = formats[assembly->name.format].is_archive
			       ? pieces_write(&assembly->pieces, fd, &sink, err)
			       : copy_bare(assembly, assembly->pieces.items, err);

	return written || assembly->unwanted;
}

/* The last version that counts. Once a number turned out to be taken elsewhere, all that others have are
 * asked for: they would be tried one by one. */
static bool find_last(struct assembly *assembly, int64_t *out, struct err *err)
{
	const struct services *services = assembly->services;
	const char *handle = assembly->name.handle;
	int64_t others = 0;

	if (!catalog_last_version(services->catalog, handle, out, err) ||
		(assembly->taken > 0 && !vault_last_version(services->vault, handle, &others, err)))
		return false;
	if (*out < assembly->taken)
		*out = assembly->taken;
	if (*out < others)
		*out = others;
	return *out < INT64_MAX ||
	       err_set(err, ERR_BAD_REQUEST, "%.200s has the last version that can be: none follows", handle);
}

static bool pack(struct assembly *assembly, struct err *err)
{
	struct declaration declaration = {.length = -1, .is_new = true};
	struct services *services = assembly->services;
	int64_t last;

	(void)snprintf(declaration.from, sizeof declaration.from, "%s", assembly->from);
	if (!assembly->unzipped.space && !unzip(assembly, err))
		return false;
	if (assembly->pieces.count == 0)
		return err_set(err, ERR_INVALID_MODULE, "there is no file in it");
	assembly->name.format = is_like(assembly, assembly->preferred) ? assembly->preferred : FORMAT_ARCHIVE;
	if (!find_last(assembly, &last, err))
		return false;
	assembly->name.version = last + 1;
	return publisher_begin(services->publisher, &assembly->name, assembly->who, &declaration,
		       &assembly->upload, err) &&
	       write_out(assembly, err);
}

static void begin(struct assembly *assembly)
{
	if (assembly->begun)
		return;
	assembly->begun = true;
	assembly->unwanted = false;
	assembly->failed = !pack(assembly, &assembly->err);
}

bool assembly_await(struct assembly *assembly, struct waiter *waiter)
{
	begin(assembly);
	return !assembly->failed && upload_await(assembly->upload, waiter);
}

bool assembly_leave(struct assembly *assembly, struct waiter *waiter)
{
	return !assembly->failed && assembly->upload && upload_leave(assembly->upload, waiter);
}

/* What no second try with the same files would change. */
static bool is_final(enum err_code code)
{
	return code == ERR_INVALID_MODULE || code == ERR_TOO_LARGE;
}

bool assembly_finish(
	struct assembly *assembly, struct name *out, struct examination **examination, struct err *err)
{
	bool done = false;
	enum kept kept;

	*examination = NULL;
	begin(assembly);
	if (assembly->failed)
		*err = assembly->err;
	else
		done = upload_finish(TAKE(assembly->upload), &kept, examination, err);
	if (!done && (err->code == ERR_CONFLICT || err->code == ERR_GONE))
		assembly->taken = assembly->name.version;
	assembly->begun = false;
	assembly->used = done || is_final(err->code);
	if (done)
		*out = assembly->name;
	return done;
}

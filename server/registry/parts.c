/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/parts.h"

#include <stdio.h>
#include <stdlib.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/registry/inflow.h"
#include "server/registry/pieces.h"
#include "server/registry/services.h"
#include "server/store/blobs.h"

struct parts {
	struct publisher *publisher;
	struct upload *upload;
	struct inflow inflow;
	struct pieces pieces;
	bool packed;
	bool unwanted; /* the upload says why */
	bool failed;   /* err says why */
	struct err err;
};

static void free_parts(struct parts *parts)
{
	pieces_finish(&parts->pieces);
	inflow_finish(&parts->inflow);
	free(parts);
}

bool parts_begin(const struct services *services, const struct name *name, const char *who, const char *from,
	int64_t length, struct parts **out, struct err *err)
{
	struct parts *parts = mem_zero(1, sizeof *parts);
	struct declaration declaration = {.length = length};

	(void)snprintf(declaration.from, sizeof declaration.from, "%s", from);
	parts->publisher = services->publisher;
	if (!publisher_begin(services->publisher, name, who, &declaration, &parts->upload, err)) {
		free(parts);
		return false;
	}
	if (!inflow_open(&parts->inflow, services->space, length, true, err) ||
		!blobs_begin(services->blobs, &parts->inflow.spool, err)) {
		parts_abort(parts);
		return false;
	}
	*out = parts;
	return true;
}

void parts_add(struct parts *parts, const char *path)
{
	if (parts->pieces.count == PARTS_MAX)
		abort();
	(void)pieces_add(&parts->pieces, path, parts->inflow.length);
}

bool parts_has_room(const struct parts *parts, size_t length)
{
	return inflow_has_room(&parts->inflow, length);
}

bool parts_make_room(struct parts *parts, size_t length, struct err *err)
{
	return publisher_fits(parts->publisher, parts->inflow.length + (int64_t)length, err) &&
	       inflow_make_room(&parts->inflow, length, err);
}

bool parts_write(struct parts *parts, const void *bytes, size_t length, struct err *err)
{
	if (!publisher_fits(parts->publisher, parts->inflow.length + (int64_t)length, err) ||
		!inflow_put(&parts->inflow, bytes, length, err))
		return false;
	parts->pieces.items[parts->pieces.count - 1].size_bytes += (int64_t)length;
	return true;
}

/* ---- the archive ---- */

static bool pass_on(void *context, const void *bytes, size_t length, struct err *err)
{
	struct parts *parts = context;

	if (!upload_has_room(parts->upload, length))
		upload_make_room(parts->upload, length);
	parts->unwanted = !upload_write(parts->upload, bytes, length);
	return !parts->unwanted || err_set(err, ERR_INTERNAL, "the upload wants no more");
}

static void pack(struct parts *parts)
{
	const struct tarball_sink sink = {pass_on, parts};

	if (parts->packed)
		return;
	parts->packed = true;
	parts->failed = !inflow_flush(&parts->inflow, &parts->err) ||
			(!pieces_write(&parts->pieces, spool_fd(parts->inflow.spool), &sink, &parts->err) &&
				!parts->unwanted);
}

bool parts_await(struct parts *parts, struct waiter *waiter)
{
	pack(parts);
	return !parts->failed && upload_await(parts->upload, waiter);
}

bool parts_leave(struct parts *parts, struct waiter *waiter)
{
	return upload_leave(parts->upload, waiter);
}

bool parts_finish(struct parts *parts, enum kept *out, struct examination **examination, struct err *err)
{
	bool done;

	*examination = NULL;
	pack(parts);
	if (parts->failed) {
		*err = parts->err;
		parts_abort(parts);
		return false;
	}
	done = upload_finish(TAKE(parts->upload), out, examination, err);
	free_parts(parts);
	return done;
}

void parts_abort(struct parts *parts)
{
	upload_abort(TAKE(parts->upload));
	free_parts(parts);
}

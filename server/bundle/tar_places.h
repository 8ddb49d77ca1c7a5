/* SPDX-License-Identifier: Apache-2.0
 *
 * The members of a bundle's tar: its headers are read once, strictly, and where each blob lies is noted. */
#ifndef SERVER_BUNDLE_TAR_PLACES_H
#define SERVER_BUNDLE_TAR_PLACES_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "server/bundle/blob_places.h"
#include "server/bundle/reel.h"

struct tar_place {
	int64_t offset; /* 0: it is not there */
	int64_t size_bytes;
};

/* What is no blob. */
enum layout_file { LAYOUT_INDEX, LAYOUT_MARK, LAYOUT_FILE_COUNT };
extern const char *const layout_file_names[LAYOUT_FILE_COUNT];

/* ERR_BAD_REQUEST for what is no tar, is compressed or cut off, has members that are no part of a bundle, or
 * one of them twice. */
bool tar_places_read(struct reel *reel, struct blob_places *blobs, struct tar_place files[LAYOUT_FILE_COUNT],
	struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads hub URLs: what a path and a query of a hub client ask for. Translation, no answer. */
#ifndef SERVER_HUB_HUB_URL_H
#define SERVER_HUB_HUB_URL_H

#include <stdbool.h>

#include "common/err.h"
#include "server/http/request.h"
#include "server/module/name.h"
#include "server/store/catalog/catalog_paths.h"

enum wanted {
	WANTED_DESCRIPTION,  /* no format: the page, or JSON */
	WANTED_ARTIFACT,     /* the bytes of name.format */
	WANTED_UNCOMPRESSED, /* the place of an unpacked copy */
	WANTED_MEMBER        /* one file of the TF.js archive */
};

struct hub_url {
	enum wanted wanted;
	struct name name;                /* version 0 where none is given */
	char written[NAME_PATH_MAX + 1]; /* its handle as it was before a framework's spelling was settled */
	const char *member;              /* with WANTED_MEMBER; points into memory */
	char *memory;
};

/* Reads a request for a hub URL (docs/clients.md). Where its path can be read in several ways, the
 * catalog decides, as it does of spellings of a framework; NULL: the grammar. ERR_BAD_REQUEST with a
 * sentence. */
bool hub_url_read(
	const struct request *request, struct catalog *catalog, struct hub_url *out, struct err *err);
void hub_url_finish(struct hub_url *hub_url);
#define AUTO_HUB_URL __attribute__((cleanup(hub_url_finish)))

/* Whether a path names a version of a module, so that it can be published, documented and withdrawn there. */
bool hub_url_is_version(const char *path);

/* The format that an upload's query names; tf-hub without one. */
bool hub_url_read_upload(const struct request *request, struct name *out, struct err *err);

#endif

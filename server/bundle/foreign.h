/* SPDX-License-Identifier: Apache-2.0
 *
 * A model that other tools have put into an image layout, by the CNCF's ModelPack specification or as it was
 * named before: which layers it has. https://github.com/modelpack/model-spec */
#ifndef SERVER_BUNDLE_FOREIGN_H
#define SERVER_BUNDLE_FOREIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/err.h"
#include "server/bundle/carrier.h"
#include "server/bundle/contents.h"

/* What a layer may be. */
enum foreign_kind {
	FOREIGN_ARCHIVE, /* of weights, in gzip */
	FOREIGN_FILE,    /* one file of weights, as it is */
	FOREIGN_TAR,     /* of weights, without gzip */
	FOREIGN_OTHER    /* no weights: code, documents, data */
};

struct foreign_layer {
	enum foreign_kind kind;
	struct bundle_blob blob;
	char *title; /* the file that it was made of, or else its media type */
};

struct foreign_model {
	struct bundle_blob manifest;
	int64_t created_s; /* 0: not told */
	struct foreign_layer *layers;
	size_t count;
};

/* ERR_BAD_REQUEST where the carrier has not just one such model. *out is to be finished. */
bool foreign_find(struct carrier *carrier, struct foreign_model *out, struct err *err);
void foreign_model_finish(struct foreign_model *model);
#define AUTO_FOREIGN_MODEL AUTO(foreign_model_finish)

#endif

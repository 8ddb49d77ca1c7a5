/* SPDX-License-Identifier: Apache-2.0
 *
 * The bundle that an export is an update of: what is in it need not go again. */
#ifndef SERVER_BUNDLE_BASE_H
#define SERVER_BUNDLE_BASE_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "server/bundle/contents.h"
#include "server/bundle/scratch.h"

struct base;

/* Opens a bundle and proves its contents by their digest, whoever has signed it; scratch is a folder for what
 * does not belong into memory. close takes NULL. */
bool base_open(const char *path, const struct scratch_place *scratch, struct base **out, struct err *err);
void base_close(struct base *base);
AUTO_CLEANER(own_base, struct base *, base_close)
#define AUTO_BASE AUTO(own_base)

/* When it was made. */
int64_t base_created(const struct base *base);

/* Begins anew. */
bool base_rewind(struct base *base, struct err *err);

/* Whether it has this version, this page, to the byte. To be asked in the order of contents. */
bool base_has_version(struct base *base, const struct bundle_version *version, bool *out, struct err *err);
bool base_has_page(struct base *base, enum contents_kind kind, const char *name, const char *markdown,
	bool *out, struct err *err);

#endif

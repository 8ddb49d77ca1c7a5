/* SPDX-License-Identifier: Apache-2.0
 *
 * What an import works with. */
#ifndef SERVER_REGISTRY_IMPORT_TOOLS_H
#define SERVER_REGISTRY_IMPORT_TOOLS_H

#include <stdint.h>

#include "server/bundle/scratch.h"
#include "server/module/archives/archive_limits.h"
#include "server/module/findings.h"
#include "server/registry/committer.h"
#include "server/registry/space.h"

struct safety_policy;

struct importer {
	struct catalog *catalog;
	struct blobs *blobs;
	struct committer *committer;
	struct space *space;
	struct scratch_place scratch; /* what stays free there is the space's, too */
	int64_t max_upload_bytes;
	struct archive_limits limits;
	const struct safety_policy *safety; /* NULL: nothing is refused or held back for findings */
};

#endif

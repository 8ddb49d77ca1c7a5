/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/trail.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/own.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"trail", RANK_TRAIL};

void trail_init(struct trail *trail, char *ids)
{
	lock_init(&trail->mutex, &lock_place);
	trail->ids = ids;
	trail->closed = false;
}

void trail_finish(struct trail *trail)
{
	free(trail->ids);
	lock_finish(&trail->mutex);
}

bool trail_join(struct trail *trail, const char *ids)
{
	LOCKED(&trail->mutex);
	char *common = NULL;

	if (trail->closed)
		return false;
	common = cdn_loop_common(trail->ids, ids);
	free(trail->ids);
	trail->ids = common;
	return true;
}

void trail_read(struct trail *trail, char out[CDN_LOOP_MAX + 1])
{
	LOCKED(&trail->mutex);

	(void)snprintf(out, CDN_LOOP_MAX + 1, "%s", trail->ids);
}

bool trail_close(struct trail *trail, const char *sent)
{
	LOCKED(&trail->mutex);

	trail->closed = strcmp(trail->ids, sent) == 0;
	return trail->closed;
}

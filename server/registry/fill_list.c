/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/fill_list.h"

#include <stdlib.h>

#include "common/clock.h"
#include "common/mem.h"

enum { ENDED_S = 600 };

struct ended_fills {
	size_t count;                              /* ever */
	struct fill_status items[ENDED_FILLS_MAX]; /* a ring */
};

void fill_list_finish(struct fill_list *list)
{
	free(list->items);
	*list = (struct fill_list){0};
}

struct ended_fills *ended_fills_create(void)
{
	return mem_zero(1, sizeof(struct ended_fills));
}

void ended_fills_destroy(struct ended_fills *ended)
{
	free(ended);
}

void ended_fills_add(struct ended_fills *ended, const struct fill_status *status)
{
	struct fill_status *place = &ended->items[ended->count++ % ENDED_FILLS_MAX];

	*place = *status;
	place->ended_as = (int64_t)ended->count;
}

void ended_fills_list(const struct ended_fills *ended, struct fill_list *list)
{
	size_t remembered = ended->count < ENDED_FILLS_MAX ? ended->count : ENDED_FILLS_MAX;
	int64_t since_s = clock_now_s() - ENDED_S;

	for (size_t i = 1; i <= remembered; i++) {
		const struct fill_status *status = &ended->items[(ended->count - i) % ENDED_FILLS_MAX];

		if (status->ended_at >= since_s)
			list->items[list->count++] = *status;
	}
}

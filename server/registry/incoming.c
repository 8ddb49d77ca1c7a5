/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/incoming.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"

struct incoming *incoming_create(const char *who, const char *from, struct signing_key *key)
{
	struct incoming *incoming = mem_zero(1, sizeof *incoming);
	uint8_t bytes[INCOMING_ID_LENGTH / 2];

	random_bytes(bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		(void)snprintf(incoming->id + 2 * i, 3, "%02x", bytes[i]);
	incoming->who = mem_dup(who);
	incoming->from = mem_dup(from);
	incoming->key = key;
	incoming->opened_at = clock_now_s();
	incoming->touched_ms = clock_monotonic_ms();
	return incoming;
}

void incoming_destroy(struct incoming *incoming)
{
	if (!incoming)
		return;
	inflow_finish(&incoming->head);
	remarks_release(incoming->remarks);
	for (size_t i = 0; i < incoming->fault_count; i++)
		free(incoming->faults[i].why);
	free(incoming->faults);
	lacking_destroy(incoming->lacking);
	signing_key_destroy(incoming->key);
	free(incoming->who);
	free(incoming->from);
	free(incoming);
}

/* ---- faults ---- */

static size_t find(const struct incoming *incoming, const struct digest *digest, enum format format)
{
	size_t i = 0;

	while (i < incoming->fault_count &&
		(incoming->faults[i].format != format || !digest_equal(&incoming->faults[i].digest, digest)))
		i++;
	return i;
}

void incoming_add_fault(struct incoming *incoming, const struct lacked *lacked, const struct err *why)
{
	incoming_drop_fault(incoming, lacked);
	/* Of more it is told that they have not come, which is true of them. */
	if (incoming->fault_count == INCOMING_FAULTS_MAX)
		return;
	MEM_GROW(incoming->faults, incoming->fault_count, incoming->fault_capacity);
	incoming->faults[incoming->fault_count++] =
		(struct incoming_fault){lacked->digest, lacked->name.format, mem_dup(why->text)};
}

void incoming_drop_fault(struct incoming *incoming, const struct lacked *lacked)
{
	size_t place = find(incoming, &lacked->digest, lacked->name.format);

	if (place == incoming->fault_count)
		return;
	free(incoming->faults[place].why);
	incoming->faults[place] = incoming->faults[--incoming->fault_count];
}

const char *incoming_find_fault(
	const struct incoming *incoming, const struct digest *digest, enum format format)
{
	size_t place = find(incoming, digest, format);

	return place < incoming->fault_count ? incoming->faults[place].why : NULL;
}

/* ---- showing ---- */

/* ---- looking ---- */

struct incoming_view incoming_view(const struct incoming *incoming)
{
	/* Before that the thread still adds to it. */
	bool is_read = incoming->state >= INCOMING_OPEN && incoming->lacking;
	struct incoming_view view = {.who = mem_dup(incoming->who),
		.has_key = incoming->key != NULL,
		.state = incoming->state,
		.opened_at = incoming->opened_at,
		.progress = incoming->progress,
		.report = incoming->report,
		.failure = incoming->failure,
		.lacked = is_read ? lacking_count(incoming->lacking) : 0,
		.lacked_bytes = is_read ? lacking_bytes(incoming->lacking) : 0,
		.remarks = remarks_share(incoming->remarks)};

	memcpy(view.id, incoming->id, sizeof view.id);
	if (incoming->key)
		view.key_id = signing_key_id(incoming->key);
	return view;
}

void incoming_view_finish(struct incoming_view *view)
{
	free(view->who);
	remarks_release(view->remarks);
	*view = (struct incoming_view){0};
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/incoming.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/mem.h"

struct incoming *incoming_create(const char *who, struct signing_key *key)
{
	struct incoming *incoming = mem_zero(1, sizeof *incoming);
	uint8_t bytes[INCOMING_ID_LENGTH / 2];

	random_bytes(bytes, sizeof bytes);
	for (size_t i = 0; i < sizeof bytes; i++)
		(void)snprintf(incoming->id + 2 * i, 3, "%02x", bytes[i]);
	incoming->who = mem_dup(who);
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
	incoming_drop_remarks(incoming);
	for (size_t i = 0; i < incoming->fault_count; i++)
		free(incoming->faults[i].why);
	free(incoming->faults);
	free(incoming->remarks);
	lacking_destroy(incoming->lacking);
	signing_key_destroy(incoming->key);
	free(incoming->who);
	free(incoming);
}

/* ---- remarks ---- */

void incoming_add_remark(struct incoming *incoming, const struct import_told *told)
{
	if (incoming->remark_count == INCOMING_REMARKS_MAX) {
		incoming->more_remarks++;
		return;
	}
	MEM_GROW(incoming->remarks, incoming->remark_count, incoming->remark_capacity);
	incoming->remarks[incoming->remark_count++] = (struct remark){
		told->remark, mem_dup(told->name), mem_dup(told->format), mem_dup(told->detail)};
}

void incoming_drop_remarks(struct incoming *incoming)
{
	for (size_t i = 0; i < incoming->remark_count; i++) {
		free(incoming->remarks[i].name);
		free(incoming->remarks[i].format);
		free(incoming->remarks[i].detail);
	}
	incoming->remark_count = incoming->more_remarks = 0;
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

struct incoming_view incoming_view(const struct incoming *incoming)
{
	bool is_read = incoming->state >= INCOMING_OPEN && incoming->lacking;

	return (struct incoming_view){.id = incoming->id,
		.who = incoming->who,
		.key = incoming->key,
		.state = incoming->state,
		.opened_at = incoming->opened_at,
		.progress = &incoming->progress,
		.report = &incoming->report,
		.failure = &incoming->failure,
		.lacked = is_read ? lacking_count(incoming->lacking) : 0,
		.lacked_bytes = is_read ? lacking_bytes(incoming->lacking) : 0,
		.remarks = incoming->remarks,
		.remark_count = incoming->remark_count,
		.more_remarks = incoming->more_remarks};
}

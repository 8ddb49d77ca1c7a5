/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/peer_notes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/clock.h"
#include "common/lock.h"
#include "common/mem.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"peer_notes", RANK_PEER_NOTES};

struct peer_notes {
	struct lock mutex;                      /* guards what follows */
	struct peer_note items[PEER_NOTES_MAX]; /* who was asked last first */
	size_t count;
};

struct peer_notes *peer_notes_create(void)
{
	struct peer_notes *notes = mem_zero(1, sizeof *notes);

	lock_init(&notes->mutex, &lock_place);
	return notes;
}

void peer_notes_destroy(struct peer_notes *notes)
{
	if (!notes)
		return;
	lock_finish(&notes->mutex);
	free(notes);
}

/* "http://host:80" of "http://name:word@host:80/path?query"; what is no address is shown as nothing. Another
 * node wrote it, and JSON takes no bytes that are no text. */
static void node_of(const char *url, char out[PEER_NODE_MAX + 1])
{
	static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_:[]%";
	const char *host = strstr(url, "://");
	size_t scheme, length;
	const char *at;

	(void)strcpy(out, "?");
	if (!host)
		return;
	scheme = (size_t)(host - url);
	host += 3;
	length = strcspn(host, "/?#");
	at = memrchr(host, '@', length);
	if (at) {
		length -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	if (length == 0 || strspn(host, letters) < length || scheme + 3 + length > PEER_NODE_MAX ||
		(strncmp(url, "http://", scheme + 3) != 0 && strncmp(url, "https://", scheme + 3) != 0))
		return;
	(void)snprintf(out, PEER_NODE_MAX + 1, "%.*s://%.*s", (int)scheme, url, (int)length, host);
}

/* Moves its note to the front, where there is none one that makes room, or a new one. */
static struct peer_note *bring_up(struct peer_notes *notes, const char *node)
{
	struct peer_note found = {0};
	size_t i = 0;

	lock_expect(&notes->mutex);
	while (i < notes->count && strcmp(notes->items[i].node, node) != 0)
		i++;
	if (i < notes->count)
		found = notes->items[i];
	else if (notes->count < PEER_NOTES_MAX)
		notes->count++;
	else
		i--;
	memmove(notes->items + 1, notes->items, i * sizeof *notes->items);
	(void)strcpy(found.node, node);
	notes->items[0] = found;
	return notes->items;
}

void peer_notes_add(struct peer_notes *notes, const char *url, int64_t bytes, enum err_code failure)
{
	char node[PEER_NODE_MAX + 1];
	struct peer_note *note;

	if (!notes)
		return;
	node_of(url, node);
	LOCKED(&notes->mutex);
	note = bring_up(notes, node);
	note->follows++;
	note->bytes += bytes;
	note->at_s = clock_now_s();
	if (failure != ERR_NONE) {
		note->failed_at_s = note->at_s;
		note->last_error = failure;
	}
}

size_t peer_notes_list(struct peer_notes *notes, struct peer_note *out)
{
	LOCKED(&notes->mutex);

	memcpy(out, notes->items, notes->count * sizeof *out);
	return notes->count;
}

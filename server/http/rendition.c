/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/rendition.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/lock.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/siphash.h"
#include "common/thread.h"
#include "server/http/conditions.h"
#include "server/http/gzip.h"
#include "server/ranks.h"

/* What packs into one segment anyway is not worth it. At most 16 MiB are kept. */
enum { WORTH_PACKING = 1000, KEPT_BYTES_MAX = 64 << 10, KEPT_MAX = 256 };

/* Names of types, or how they begin. */
static const char *const texts[] = {"application/json", "application/yaml", "application/atom+xml",
	"text/html", "text/markdown", "text/plain"};

/* Of a text. Nobody who does not know the keys can make two texts of one print, and no library has to be
 * started for it. */
struct print {
	uint64_t words[2];
};

struct kept {
	struct print of;
	char *packed; /* NULL: the slot is empty */
	size_t length;
};

struct renditions {
	struct lock mutex; /* guards kept */
	struct kept kept[KEPT_MAX];
	struct siphash_key keys[2];
};

static const struct lock_place lock_place = {"renditions", RANK_RENDITIONS};

struct renditions *renditions_create(void)
{
	struct renditions *renditions = mem_zero(1, sizeof *renditions);

	lock_init(&renditions->mutex, &lock_place);
	for (int i = 0; i < 2; i++)
		renditions->keys[i] = siphash_key_create();
	return renditions;
}

void renditions_destroy(struct renditions *renditions)
{
	if (!renditions)
		return;
	for (size_t i = 0; i < KEPT_MAX; i++)
		free(renditions->kept[i].packed);
	lock_finish(&renditions->mutex);
	free(renditions);
}

/* ---- Accept-Encoding ---- */

/* "gzip;q=0.000" refuses; a weight that is none counts as 1. */
static bool is_refused(const char *item, size_t length)
{
	const char *at = memchr(item, ';', length);

	if (!at)
		return false;
	at += 1 + strspn(at + 1, " \t");
	if (strncasecmp(at, "q=0", 3) != 0)
		return false;
	at += 3 + (at[3] == '.');
	return at + strspn(at, "0") >= item + length || strchr(" \t,", at[strspn(at, "0")]);
}

static bool is_named(const char *item, size_t length, const char *name)
{
	return length == strlen(name) && strncasecmp(item, name, length) == 0;
}

bool rendition_takes_gzip(const char *accept_encoding)
{
	bool any = false;

	for (const char *item = accept_encoding ? accept_encoding : ""; *item; item += strcspn(item, ",")) {
		size_t name, length;

		item += strspn(item, ", \t");
		name = strcspn(item, ",; \t");
		length = strcspn(item, ",");
		if (is_named(item, name, "gzip") || is_named(item, name, "x-gzip"))
			return !is_refused(item, length);
		any |= is_named(item, name, "*") && !is_refused(item, length);
	}
	return any;
}

/* ---- packing ---- */

static struct print print_of(const struct renditions *renditions, const struct reply *reply)
{
	return (struct print){{siphash(&renditions->keys[0], reply->bytes, reply->length),
		siphash(&renditions->keys[1], reply->bytes, reply->length)}};
}

static struct kept *slot_of(struct renditions *renditions, const struct print *print)
{
	return &renditions->kept[print->words[0] % KEPT_MAX];
}

/* A copy, since the slot may be another's the moment after; NULL where it is not kept. */
static char *find_kept(struct renditions *renditions, const struct print *print, size_t *length)
{
	const struct kept *kept;
	LOCKED(&renditions->mutex);

	kept = slot_of(renditions, print);
	if (!kept->packed || memcmp(&kept->of, print, sizeof *print) != 0)
		return NULL;
	*length = kept->length;
	return mem_dup_n(kept->packed, kept->length);
}

static void keep(struct renditions *renditions, const struct print *print, const char *packed, size_t length)
{
	AUTO_FREE char *copy = length <= KEPT_BYTES_MAX ? mem_dup_n(packed, length) : NULL;
	struct kept *kept;
	LOCKED(&renditions->mutex);

	if (!copy)
		return;
	kept = slot_of(renditions, print);
	free(kept->packed);
	*kept = (struct kept){.of = *print, .length = length};
	kept->packed = TAKE(copy);
}

static char *pack(
	struct renditions *renditions, const struct print *print, const struct reply *reply, size_t *length)
{
	char *packed = find_kept(renditions, print, length);

	if (packed)
		return packed;
	may_block("packing");
	packed = gzip_pack(reply->bytes, reply->length, length);
	keep(renditions, print, packed, *length);
	return packed;
}

/* ---- one reply ---- */

static bool is_text(const struct reply *reply)
{
	const char *type = reply_find_header(reply, "Content-Type");

	if (reply->kind != REPLY_BYTES || reply->is_module || reply->reuse.ops || !type ||
		reply_find_header(reply, "Content-Encoding") || reply_find_header(reply, "ETag"))
		return false;
	for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
		size_t length = strlen(texts[i]);

		if (strncmp(type, texts[i], length) == 0 && strchr("; ", type[length]))
			return true;
	}
	return false;
}

/* A page with a token in its links is sent as it is: how well it packs would tell of the token to whoever can
 * have words of theirs put beside it. No other answer holds a secret. */
static bool is_to_be_packed(const struct request *request, const struct reply *reply)
{
	return reply->length >= WORTH_PACKING && !request->path_token &&
	       rendition_takes_gzip(request_header(request, "Accept-Encoding"));
}

static bool has_etag(const struct request *request, const struct reply *reply)
{
	return reply->status == 200 && (request->method == METHOD_GET || request->method == METHOD_HEAD);
}

void rendition_finish(struct renditions *renditions, const struct request *request, struct reply *reply)
{
	struct print print;
	char etag[64] = "";
	bool packs;

	if (!is_text(reply))
		return;
	packs = is_to_be_packed(request, reply);
	reply_vary(reply, "Accept-Encoding");
	if (!packs && !has_etag(request, reply))
		return;
	print = print_of(renditions, reply);
	if (has_etag(request, reply)) {
		(void)snprintf(etag, sizeof etag, "\"%016" PRIx64 "%016" PRIx64 "%s\"", print.words[0],
			print.words[1], packs ? "-gzip" : "");
		reply_header(reply, "ETag", etag);
	}
	if (*etag && conditions_client_has(request, etag)) {
		reply_empty(reply, condition_status(CONDITION_NOT_MODIFIED));
	} else if (packs) {
		size_t length;
		char *packed = pack(renditions, &print, reply, &length);

		free(reply->bytes);
		reply->bytes = packed;
		reply->length = length;
		reply_header(reply, "Content-Encoding", "gzip");
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/vouching.h"

#include <jansson.h>
#include <stdatomic.h>
#include <string.h>
#include <strings.h>

#include "common/log.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/bundle/strictjson.h"
#include "server/registry/attesting.h"
#include "server/registry/fill_tools.h"
#include "server/registry/trust.h"
#include "server/upstream/transfer_terms.h"

/* Each attestation comes as its envelope, and may come once more in its bundle. */
enum { ANSWER_BYTES_MAX = 3 * ATTESTATIONS_BYTES_MAX, ANSWER_VALUES_MAX = 4096, PATIENCE_S = 60 };

bool vouching_is_larder(const struct answer *answer)
{
	return strncasecmp(answer->cache_status, "larder", strlen("larder")) == 0;
}

/* ---- asking ---- */

static bool take_any(void *context, const struct answer *answer, struct err *err)
{
	(void)context;
	(void)answer;
	(void)err;
	return true;
}

static bool gather(void *context, const void *bytes, size_t length, struct err *err)
{
	struct buffer *page = context;

	if (page->length + length > ANSWER_BYTES_MAX)
		return err_set(err, ERR_UPSTREAM_FAILED, "what it attests has more than %d KiB",
			ANSWER_BYTES_MAX >> 10);
	buffer_add(page, bytes, length);
	return true;
}

static enum verdict ask(const struct fetch *fill, const char *url, struct buffer *page, struct err *err)
{
	static const struct object nothing = {.length = -1};
	const struct fetch fetch = {.tools = fill->tools,
		.name = fill->name,
		.cdn_loop = fill->cdn_loop,
		.progress = fill->progress,
		.ticket = fill->ticket,
		.granted = fill->granted,
		.upstream = fill->upstream,
		.page = url,
		.is_beside = true,
		.patience_s = PATIENCE_S,
		.object = &nothing,
		.head = take_any,
		.body = gather,
		.context = page};

	return fetch_run(&fetch, err);
}

/* ---- what it says ---- */

struct vouched {
	char *texts[ATTESTATIONS_MAX];
	struct attestation *read[ATTESTATIONS_MAX];
	size_t count;
};

static void finish(struct vouched *vouched)
{
	for (size_t i = 0; i < vouched->count; i++) {
		free(vouched->texts[i]);
		attestation_destroy(vouched->read[i]);
	}
}

/* As it was sent there; what cannot be read is passed over. */
static void add(struct vouched *vouched, const json_t *item)
{
	const json_t *bundle = json_object_get(item, "bundle");
	AUTO_FREE char *text = json_dumps(bundle ? bundle : json_object_get(item, "envelope"), JSON_COMPACT);
	struct err err;

	if (text && vouched->count < ATTESTATIONS_MAX &&
		attestation_read(text, strlen(text), &vouched->read[vouched->count], &err))
		vouched->texts[vouched->count++] = TAKE(text);
}

static bool read_page(struct vouched *vouched, const struct buffer *page, struct err *err)
{
	json_auto_t *answer = NULL;
	const json_t *list, *item;
	size_t i;

	if (!strictjson_parse(
		    page->length > 0 ? page->data : "", page->length, ANSWER_VALUES_MAX, &answer, err))
		return err_prefix(err, "what it attests cannot be read: ");
	list = json_object_get(answer, "attestations");
	json_array_foreach(list, i, item)
	{
		add(vouched, item);
	}
	return true;
}

/* They come before the artifact, which is kept only after. What fails here is told, and stops nothing. */
static void keep(const struct fetch *fill, const struct vouched *vouched)
{
	const struct fill_tools *tools = fill->tools;

	for (size_t i = 0; i < vouched->count; i++) {
		AUTO(attested_finish) struct attested attested = {0};
		struct err err;

		if (!attesting_take(tools->catalog, tools->trust, ARRIVAL_MIRRORED, fill->name,
			    vouched->texts[i], tools->settings.upstreams[fill->upstream].name, NULL,
			    &attested, &err))
			log_event(LOG_LEVEL_WARN, "an upstream's attestation is not kept", "name",
				name_path(fill->name).text, "why", err.text, NULL);
	}
}

/* ---- judging ---- */

static enum verdict refuse(struct err *err)
{
	const struct err why = *err;

	(void)err_set(err, ERR_UPSTREAM_FAILED, "mirror.require_signature: %s", why.text);
	return VERDICT_REFUSED;
}

static enum verdict judge(const struct fetch *fill, const struct vouched *vouched, bool is_required,
	const struct digest *digest, struct err *err)
{
	struct err why;

	if (is_required &&
		!trust_hold(fill->tools->trust, vouched->read, vouched->count, fill->name, digest, &why)) {
		*err = why;
		return refuse(err);
	}
	keep(fill, vouched);
	return VERDICT_TAKE;
}

/* Who attests nothing answers so; who cannot be asked may be, later. */
static bool may_be_asked_again(enum verdict verdict)
{
	return verdict == VERDICT_FAILED || verdict == VERDICT_BROKEN || verdict == VERDICT_SLOW ||
	       verdict == VERDICT_FATAL;
}

/* Nobody asks again while the artifact is here. */
static void tell_unknown(const struct fetch *fill, bool is_required, const struct err *why)
{
	if (!is_required)
		log_event(LOG_LEVEL_WARN, "what an upstream attests is not known, and not kept", "name",
			name_path(fill->name).text, "upstream",
			fill->tools->settings.upstreams[fill->upstream].name, "why", why->text, NULL);
}

enum verdict vouching_check(
	const struct fetch *fill, bool is_larder, const struct digest *digest, struct err *err)
{
	const struct fill_tools *tools = fill->tools;
	bool is_required = tools->trust && trust_requires(tools->trust, ARRIVAL_MIRRORED, fill->name->handle);
	AUTO_FREE char *url =
		upstream_attestations_url(&tools->settings.upstreams[fill->upstream], fill->name);
	AUTO(finish) struct vouched vouched = {.count = 0};
	AUTO_BUFFER struct buffer page = {0};
	struct err why = {0};
	enum verdict verdict;
	bool is_unknown = false;

	if (!tools->trust || (!is_larder && !is_required))
		return VERDICT_TAKE;
	verdict = url ? ask(fill, url, &page, &why) : VERDICT_ABSENT;
	if (verdict == VERDICT_TAKE && !read_page(&vouched, &page, &why))
		is_unknown = true;
	if (atomic_load(&fill->progress->cancelled)) {
		(void)fill_progress_refuse_stopped(fill->progress, err);
		return VERDICT_FATAL;
	}
	if (is_unknown || may_be_asked_again(verdict))
		tell_unknown(fill, is_required, &why);
	if (is_required && may_be_asked_again(verdict)) {
		*err = why;
		return verdict == VERDICT_FATAL ? VERDICT_FATAL : VERDICT_FAILED;
	}
	return judge(fill, &vouched, is_required, digest, err);
}

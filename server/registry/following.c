/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/following.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "common/clock.h"
#include "common/lock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/thread.h"
#include "server/metrics.h"
#include "server/ranks.h"
#include "server/registry/capabilities.h"
#include "server/registry/fill_tools.h"
#include "server/registry/peer_notes.h"
#include "server/vault/vault.h"

static const struct lock_place lock_place = {"following", RANK_FOLLOWING};

/* The pause between two attempts grows from the first to the last. While another's bytes come, it is looked
 * twice in the time of a lease whether they still do; and more often whether the fill was stopped. */
enum { PAUSE_FIRST_MS = 50, PAUSE_MAX_MS = 1000, LOOKS_A_TTL = 6, STOP_LOOK_MS = 200 };
/* For so many times of a lease it is waited for who cannot be reached: longer than for who is silent. */
enum { ALONE_AFTER_TTLS = 2 };

enum { ADDRESS_LIFETIME_S = 12 * 3600, THREAD_STACK_BYTES = 512 << 10 };

void following_init(struct following *following, const struct fill_tools *tools, const struct name *name,
	const char *cdn_loop, struct intake *intake, struct fill_progress *progress)
{
	*following = (struct following){.tools = tools,
		.name = name,
		.cdn_loop = cdn_loop,
		.intake = intake,
		.progress = progress,
		.work = {.total_bytes = -1}};
}

static bool is_told(const struct lease_work *work)
{
	return *work->upstream != '\0';
}

/* What has come to nothing before an upstream had it leaves nothing: names that nobody has would be there by
 * the number. */
void following_finish(struct following *following, bool kept)
{
	enum lease_end end = kept                        ? LEASE_END_DONE
			     : is_told(&following->work) ? LEASE_END_FAILED
							 : LEASE_END_NOTHING;

	vault_release(following->tools->vault, TAKE(following->lease), end);
}

static bool is_stopped(const struct following *following)
{
	return atomic_load(&following->progress->stop);
}

static int64_t ttl_ms(const struct following *following)
{
	return 1000 * following->tools->peers.lease_ttl_s;
}

/* ---- the lease ---- */

/* An address that is good for this one version, whether or not reading takes a token here. */
static void tell_address(const struct following *following, struct lease_holder *out)
{
	const struct peers *peers = &following->tools->peers;
	const char *node = atomic_load(peers->node_url);
	AUTO_FREE char *path = mem_printf("/%s", name_path(following->name).text);
	struct capability_text right =
		capabilities_make(peers->capabilities, CAPABILITY_FOLLOWS, path, "", ADDRESS_LIFETIME_S);
	AUTO_FREE char *template = mem_printf("%s/-/t/%s/{path}?{query}", node, right.text);
	const struct upstream here = {.kind = UPSTREAM_HUB, .url = template};
	AUTO_FREE char *url = upstream_url(&here, following->name);

	*out = (struct lease_holder){.work = following->work};
	(void)snprintf(out->node, sizeof out->node, "%s", node);
	/* One that is cut leads nowhere, and the others wait for a while then. */
	(void)snprintf(out->url, sizeof out->url, "%s", url);
}

static bool acquire(struct following *following, struct lease_answer *out)
{
	struct lease_holder us;
	struct err err;

	tell_address(following, &us);
	if (vault_acquire(following->tools->vault, following->name, &us, &following->watch, out, &err))
		return true;
	log_event(LOG_LEVEL_WARN, "a fill goes on without a lease", "name", name_path(following->name).text,
		"why", err.text, NULL);
	return false;
}

/* ---- of which object the other's bytes are ---- */

static bool is_same_object(const struct lease_work *one, const struct lease_work *other)
{
	return strcmp(one->upstream, other->upstream) == 0 && strcmp(one->etag, other->etag) == 0 &&
	       strcmp(one->last_modified, other->last_modified) == 0 &&
	       one->total_bytes == other->total_bytes;
}

static bool has_bytes(const struct following *following)
{
	return intake_is_from(following->intake, INTAKE_NODES);
}

/* What the lease says by now, under which the bytes came. One who changes his object has given bytes of
 * either. */
static void note_work(struct following *following, const struct lease_answer *answer)
{
	struct held *held = &following->held;
	const struct lease_holder *holder = &answer->holder;

	if (!has_bytes(following) || answer->standing == LEASE_NEW ||
		strcmp(held->nonce, holder->nonce) != 0 || !is_told(&holder->work))
		return;
	if (!is_told(&held->work))
		held->work = holder->work;
	else if (!is_same_object(&held->work, &holder->work))
		held->is_mixed = true;
}

enum fitness {
	FITS,
	FITS_NOT_YET, /* it is not known what he will fetch */
	FITS_NOT
};

/* Whether what this holder gives belongs behind what is here. Where nobody knows of which object that is,
 * nothing but its digest will tell. */
static enum fitness judge_holder(const struct following *following, const struct lease_holder *holder)
{
	const struct held *held = &following->held;

	if (!has_bytes(following) || held->is_mixed || !is_told(&held->work))
		return FITS;
	if (!is_told(&holder->work))
		return FITS_NOT_YET;
	return is_same_object(&held->work, &holder->work) ? FITS : FITS_NOT;
}

/* Before he gives some. */
static void hold_from(struct following *following, const struct lease_holder *holder)
{
	struct held *held = &following->held;
	bool is_other = strcmp(held->nonce, holder->nonce) != 0;

	if (!has_bytes(following))
		*held = (struct held){.work = holder->work};
	else if (is_other && !is_told(&held->work))
		held->is_mixed = true;
	(void)strcpy(held->nonce, holder->nonce);
}

/* It is ours. */
static void take(struct following *following, const struct lease_answer *answer)
{
	following->lease = answer->lease;
	atomic_store(&following->progress->leads, following->lease != NULL);
}

/* ---- the other's bytes ---- */

/* A transfer from who has the lease, and who looks meanwhile whether that still holds. */
struct chase {
	struct lock mutex; /* guards "over" */
	pthread_cond_t ended;
	bool over;

	struct following *following;
	_Atomic int64_t bytes;
	_Atomic bool stop;
	struct lease_answer answer; /* the thread's, until it was joined */
	bool acquired;
	bool begun; /* an answer to take has come */
	struct err err;
	bool is_refused;       /* the holder says that no upstream has given him anything */
	enum err_code failure; /* why the transfer ended too soon; ERR_NONE: it did not */
};

static bool fits(const struct chase *chase, const struct answer *answer)
{
	int64_t here = intake_bytes(chase->following->intake);

	return here == 0 ? answer->status == 200 : answer->status == 206 && answer->range_first == here;
}

/* What it says of the object is its own business: the bytes go by their digest. */
static bool take_head(void *context, const struct answer *answer)
{
	struct chase *chase = context;
	const struct answer head = {.status = 200,
		.length = answer->length,
		.until_close = answer->until_close,
		.range_first = -1,
		.range_last = -1,
		.range_total = -1};

	chase->is_refused = answer->status == 404 || answer->status == 502 || answer->status == 504;
	chase->begun = fits(chase, answer) &&
		       intake_head(chase->following->intake, INTAKE_NODES, &head, &chase->err);
	return chase->begun;
}

static bool take_body(void *context, const void *bytes, size_t length)
{
	struct chase *chase = context;
	struct intake *intake = chase->following->intake;

	if (!intake_body(intake, bytes, length, &chase->err))
		return false;
	atomic_store(&chase->bytes, intake_bytes(intake));
	return !is_stopped(chase->following);
}

/* Nobody is asked whose bytes come. */
static bool look(struct chase *chase, int64_t *bytes)
{
	int64_t before = *bytes;

	*bytes = atomic_load(&chase->bytes);
	if (*bytes > before || !acquire(chase->following, &chase->answer))
		return true;
	chase->acquired = chase->answer.standing != LEASE_THEIRS;
	return !chase->acquired;
}

/* Until the next look; false once the transfer is over. */
static bool await(struct chase *chase, int64_t until_ms)
{
	LOCKED(&chase->mutex);

	while (!chase->over && !is_stopped(chase->following) && clock_monotonic_ms() < until_ms)
		(void)lock_wait_until(&chase->mutex, &chase->ended, clock_monotonic_ms() + STOP_LOOK_MS);
	return !chase->over;
}

static void *watch(void *argument)
{
	struct chase *chase = argument;
	struct following *following = chase->following;
	int64_t bytes = atomic_load(&chase->bytes);

	while (await(chase, clock_monotonic_ms() + ttl_ms(following) / LOOKS_A_TTL)) {
		if (!is_stopped(following) && look(chase, &bytes))
			continue;
		atomic_store(&chase->stop, true);
		client_wake(following->tools->client);
		break;
	}
	return NULL;
}

static void end_watch(struct chase *chase)
{
	LOCKED(&chase->mutex);

	chase->over = true;
	(void)pthread_cond_signal(&chase->ended);
}

/* One that was ended from here has not failed, nor has he who is silent while he waits for his upstream, or
 * tells what that has said. */
static enum err_code failure_of(
	const struct chase *chase, enum transfer_outcome outcome, const struct err *why)
{
	if (chase->is_refused)
		return ERR_NONE;
	if (outcome == TRANSFER_DONE)
		return chase->begun ? ERR_NONE : ERR_UPSTREAM_FAILED;
	return why->code == ERR_NONE || atomic_load(&chase->stop) ? ERR_NONE : why->code;
}

static enum transfer_outcome transfer(struct chase *chase, const char *url)
{
	const struct following *following = chase->following;
	const struct receiver receiver = {take_head, take_body, chase, NULL};
	const struct transfer_request request = {.url = url,
		.range_first = intake_bytes(following->intake),
		.proxy = "none",
		.ca_file = following->tools->peers.ca_file,
		.cdn_loop = following->cdn_loop,
		.accept_encoding = "identity"};
	struct err why = {0};
	enum transfer_outcome outcome =
		client_transfer(following->tools->client, &request, &receiver, &chase->stop, &why);

	chase->failure = failure_of(chase, outcome, &why);
	return outcome;
}

/* Without the one who looks, a holder that is silent is noticed by the transfer's own time-out. */
static enum transfer_outcome transfer_watched(struct chase *chase, const char *url)
{
	const struct thread_plan plan = {
		.name = "follow", .run = watch, .context = chase, .stack_bytes = THREAD_STACK_BYTES};
	enum transfer_outcome outcome;
	struct err ignored;
	pthread_t thread;
	bool watched;

	chase->over = false;
	chase->err = (struct err){0};
	watched = thread_start(&thread, &plan, &ignored);

	outcome = transfer(chase, url);
	end_watch(chase);
	if (watched)
		thread_join(thread);
	return outcome;
}

/* What is here of another node's is gone on with; other bytes are not. */
static bool prepare(struct following *following)
{
	struct err ignored;

	if (intake_is_from(following->intake, INTAKE_NODES)) {
		intake_begin_answer(following->intake);
		return true;
	}
	return intake_prepare(following->intake, INTAKE_NODES, &ignored);
}

/* A fill that began anew here has fewer bytes than before. */
static void note_chase(struct chase *chase, const struct lease_holder *holder, int64_t before)
{
	int64_t bytes = atomic_load(&chase->bytes) - before;

	metric_add(METRIC_LEASES_FOLLOWING, -1);
	metric_add(METRIC_PEER_BYTES, bytes > 0 ? bytes : 0);
	peer_notes_add(
		chase->following->tools->peers.notes, holder->node, bytes > 0 ? bytes : 0, chase->failure);
}

/* Whether the other node was heard of: its answer may be long in coming. */
static bool chase_holder(struct following *following, const struct lease_holder *holder)
{
	struct chase chase = {.following = following, .bytes = intake_bytes(following->intake)};
	int64_t before = atomic_load(&chase.bytes);
	enum transfer_outcome outcome;

	if (!prepare(following))
		return false;
	hold_from(following, holder);
	fill_progress_attempt(following->progress, "another node");
	metric_add(METRIC_LEASES_FOLLOWED, 1);
	metric_add(METRIC_LEASES_FOLLOWING, 1);
	lock_init(&chase.mutex, &lock_place);
	(void)pthread_cond_init(&chase.ended, NULL);
	do {
		outcome = transfer_watched(&chase, holder->url);
	} while (!chase.begun && !chase.acquired && intake_await_room(following->intake, &chase.err));
	(void)pthread_cond_destroy(&chase.ended);
	lock_finish(&chase.mutex);
	note_chase(&chase, holder, before);
	if (chase.is_refused && !is_told(&holder->work))
		(void)strcpy(following->empty_handed, holder->nonce);
	if (chase.acquired) {
		note_work(following, &chase.answer);
		take(following, &chase.answer);
	}
	/* What there is no room for here is the fill's to settle. */
	if (chase.err.code == ERR_NO_SPACE)
		following->alone_at_ms = clock_monotonic_ms();
	return chase.err.code != ERR_NO_SPACE && (chase.begun || outcome == TRANSFER_SILENT);
}

/* ---- who fetches it ---- */

/* A link was cut: which upstream gave what is here, so that it can give the rest; none where that is not
 * known for sure. */
static void go_on_with(struct following *following)
{
	const struct fill_settings *settings = &following->tools->settings;
	const struct lease_work *work = &following->held.work;
	struct object object = {.length = work->total_bytes};

	if (!has_bytes(following) || following->held.is_mixed)
		return;
	(void)snprintf(object.etag, sizeof object.etag, "%s", work->etag);
	(void)snprintf(object.last_modified, sizeof object.last_modified, "%s", work->last_modified);
	for (size_t i = 0; i < settings->upstream_count; i++) {
		if (strcmp(settings->upstreams[i].name, work->upstream) == 0)
			intake_vouch(following->intake, i, &object);
	}
}

static void pause_between(struct following *following)
{
	int64_t pause_ms = PAUSE_FIRST_MS << (following->tries < 5 ? following->tries : 5);
	int64_t until_ms = clock_monotonic_ms() + (pause_ms < PAUSE_MAX_MS ? pause_ms : PAUSE_MAX_MS);

	following->tries++;
	while (!is_stopped(following) && clock_monotonic_ms() < until_ms)
		clock_sleep_ms(PAUSE_FIRST_MS);
}

/* Waits for who cannot be reached, and yet says that he is at it; true where that has lasted, or he fetches
 * something else than what is here. */
static bool follow(struct following *following, const struct lease_holder *holder)
{
	int64_t before = intake_bytes(following->intake);
	enum fitness fitness = judge_holder(following, holder);
	bool heard = fitness == FITS && chase_holder(following, holder);

	if (following->lease)
		return false;
	if (fitness == FITS_NOT)
		return true;
	if (heard || following->alone_at_ms == 0)
		following->alone_at_ms = clock_monotonic_ms() + ALONE_AFTER_TTLS * ttl_ms(following);
	if (intake_bytes(following->intake) > before)
		following->tries = 0;
	else
		pause_between(following);
	return clock_monotonic_ms() >= following->alone_at_ms;
}

/* Who was told by one that there is nothing does not wait for the next to find that out as well: to ask once
 * more than is needed costs less than to ask one after the other. */
static bool is_next_to_ask(const struct following *following, const struct lease_holder *holder)
{
	return *following->empty_handed && strcmp(following->empty_handed, holder->nonce) != 0 &&
	       !is_told(&holder->work);
}

/* Whoever had it before may have come to his end since it was looked what the others have. */
static bool decide(struct following *following)
{
	struct lease_answer answer;

	if (following->lease || !acquire(following, &answer))
		return true;
	note_work(following, &answer);
	if (answer.standing != LEASE_THEIRS) {
		take(following, &answer);
		return answer.standing == LEASE_NEW || !following->lease;
	}
	if (is_next_to_ask(following, &answer.holder))
		return true;
	if (!follow(following, &answer.holder))
		return false;
	log_event(LOG_LEVEL_WARN,
		"what another node fetches is fetched here too: it cannot be reached, or has another object",
		"name", name_path(following->name).text, "node", answer.holder.node, NULL);
	return true;
}

bool following_leads(struct following *following)
{
	if (!vault_is_shared(following->tools->vault))
		return true;
	if (!decide(following))
		return false;
	go_on_with(following);
	return true;
}

void following_report(struct following *following, const char *upstream, const struct object *object)
{
	struct lease_work *work = &following->work;

	if (!following->lease)
		return;
	(void)snprintf(work->upstream, sizeof work->upstream, "%s", upstream);
	(void)snprintf(work->etag, sizeof work->etag, "%s", object->etag);
	(void)snprintf(work->last_modified, sizeof work->last_modified, "%s", object->last_modified);
	work->total_bytes = object->length;
	work->bytes = intake_bytes(following->intake);
	vault_report(following->tools->vault, following->lease, work);
}

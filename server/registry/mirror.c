/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/mirror.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/crypto_thread.h"
#include "common/invariant.h"
#include "common/lock.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/thread.h"
#include "server/metrics.h"
#include "server/ranks.h"
#include "server/registry/queue.h"
#include "server/registry/running_fill.h"
#include "server/registry/running_fills.h"
#include "server/registry/schedule.h"
#include "server/registry/shares.h"

static const struct lock_place lock_place = {"mirror", RANK_MIRROR};

enum { THREAD_STACK_BYTES = 512 << 10 };

/* The part of the places that each client leaves to the others. */
enum { CLIENTS_PLACES = 8 };

struct mirror {
	struct lock mutex; /* guards everything below up to the blank line */
	pthread_cond_t changed;
	int64_t fill_count; /* of those whose threads are not over */
	struct running_fills fills;

	struct fill_tools tools;
	struct schedule *schedule; /* begins those that wait */
	int64_t max_fills;
	struct admission *admission;
	struct latest *latest;
	struct namesakes *namesakes;
	struct questions *sizes; /* of what is not here */
};

struct latest *mirror_latest(struct mirror *mirror)
{
	return mirror->latest;
}

struct namesakes *mirror_namesakes(struct mirror *mirror)
{
	return mirror->namesakes;
}

void mirror_set_offline(struct mirror *mirror, bool offline)
{
	admission_set_offline(mirror->admission, offline);
}

bool mirror_is_offline(const struct mirror *mirror)
{
	return admission_is_offline(mirror->admission);
}

/* ---- running fills ---- */

static void take_from_list(struct running_fill *fill)
{
	LOCKED(&fill->mirror->mutex);

	running_fills_remove(&fill->mirror->fills, fill);
}

static void count_ended(struct mirror *mirror)
{
	LOCKED(&mirror->mutex);

	INVARIANT(mirror->fill_count > 0);
	mirror->fill_count--;
	(void)pthread_cond_broadcast(&mirror->changed);
}

/* Out of the list first: from then on nobody can join, and whoever asks finds what the fill has left in the
 * catalog. */
static void end_running(struct running_fill *fill)
{
	struct mirror *mirror = fill->mirror;

	take_from_list(fill);
	if (fill->turn.is_taken)
		breakers_leave(mirror->tools.breakers, &fill->turn);
	queue_leave(mirror->tools.queue, &fill->ticket);
	running_fill_destroy(fill);
	metric_add(METRIC_FILLS_RUNNING, -1);
	crypto_thread_end();
	count_ended(mirror);
}

static void *run_fill(void *argument)
{
	struct running_fill *fill = argument;

	running_fill_run(fill, &fill->mirror->tools);
	end_running(fill);
	return NULL;
}

static bool start_thread(struct running_fill *fill, struct err *err)
{
	const struct thread_plan plan = {.name = "fill",
		.run = run_fill,
		.context = fill,
		.detached = true,
		.stack_bytes = THREAD_STACK_BYTES};

	return thread_start(NULL, &plan, err);
}

/* A client waits for it, which is more urgent than what was only ordered in advance. */
static void want(struct running_fill *fill)
{
	atomic_store(&fill->progress.wanted, true);
	queue_want(fill->mirror->tools.queue, &fill->ticket);
	schedule_kick(fill->mirror->schedule);
}

static bool start_fill(struct mirror *mirror, const struct name *name, const struct asker *asker, bool wanted,
	struct running_fill **out, struct err *err)
{
	struct running_fill *fill;

	lock_expect(&mirror->mutex);
	/* Without a schedule nobody would begin it, nor notice when its clients' patience ends. */
	if (!running_fills_has_row(&mirror->fills, asker->client, mirror->fill_count, wanted, err) ||
		!schedule_start(mirror->schedule, err))
		return false;
	fill = running_fill_create(mirror, name, admission_loop_header(mirror->admission, asker->cdn_loop));
	running_fills_add(&mirror->fills, fill, asker->client);
	queue_join_aside(mirror->tools.queue, &fill->ticket);
	if (wanted)
		want(fill);
	mirror->fill_count++;
	metric_add(METRIC_FILLS_RUNNING, 1);
	schedule_kick(mirror->schedule);
	*out = fill;
	return true;
}

/* ---- beginning those that wait ---- */

/* What is over before it has begun; *until_ms is when the next one may be. */
static struct running_fill *find_over(struct mirror *mirror, int64_t *until_ms, struct err *why)
{
	struct queue *queue = mirror->tools.queue;

	LIST_EACH (struct running_fill, fill, link, &mirror->fills.list) {
		int64_t patience_ms = fill->waits ? queue_patience_ms(queue, &fill->ticket) : INT64_MAX;

		if (fill->waits && atomic_load(&fill->progress.stop) &&
			!fill_progress_refuse_stopped(&fill->progress, why))
			return fill;
		if (patience_ms <= clock_monotonic_ms() && !queue_refuse(queue, why))
			return fill;
		*until_ms = patience_ms < *until_ms ? patience_ms : *until_ms;
	}
	return NULL;
}

/* The upstream that it will ask first; false where none can be asked, which it is to find out. */
static bool find_upstream(const struct mirror *mirror, const struct running_fill *fill, size_t *out)
{
	const struct fill_settings *settings = &mirror->tools.settings;

	for (*out = 0; *out < settings->upstream_count; ++*out) {
		if (upstream_may_have(&settings->upstreams[*out], &fill->name) &&
			!breakers_is_cooling(mirror->tools.breakers, *out))
			return true;
	}
	return false;
}

static bool has_way(const struct mirror *mirror, const struct running_fill *fill)
{
	size_t upstream;

	return !find_upstream(mirror, fill, &upstream) || breakers_has_turn(mirror->tools.breakers, upstream);
}

/* Whose client has less than it may have. A site of few places is for whoever asks. */
static bool may_begin(const struct mirror *mirror, const struct running_fill *fill)
{
	return (int64_t)fill->share->placed < mirror->max_fills - mirror->max_fills / CLIENTS_PLACES &&
	       has_way(mirror, fill);
}

/* Gives it its place and its turn. False: somebody else was faster. */
static bool admit_waiting(const struct mirror *mirror, struct running_fill *fill)
{
	size_t upstream;
	struct err err;

	if (!queue_try(mirror->tools.queue, &fill->ticket))
		return false;
	if (!find_upstream(mirror, fill, &upstream) ||
		breakers_try(mirror->tools.breakers, upstream, &fill->turn, &err) || err.code != ERR_BUSY)
		return true;
	queue_untry(mirror->tools.queue, &fill->ticket);
	return false;
}

/* The list has the newest first. What waits for an upstream is not in the way of others. */
static struct running_fill *find_next(const struct mirror *mirror)
{
	bool has_place[] = {
		queue_has_place(mirror->tools.queue, false), queue_has_place(mirror->tools.queue, true)};
	struct running_fill *next = NULL;

	if (!has_place[true])
		return NULL;
	LIST_EACH (struct running_fill, fill, link, &mirror->fills.list) {
		if (fill->waits && has_place[atomic_load(&fill->progress.wanted)] &&
			(!next || running_fill_goes_before(fill, next)) && may_begin(mirror, fill))
			next = fill;
	}
	return next && admit_waiting(mirror, next) ? next : NULL;
}

static struct running_fill *choose(struct mirror *mirror, int64_t *until_ms, struct err *why)
{
	LOCKED(&mirror->mutex);
	struct running_fill *fill = find_over(mirror, until_ms, why);

	if (!fill)
		fill = find_next(mirror);
	if (fill)
		running_fills_begin(&mirror->fills, fill);
	return fill;
}

static bool begin_next(void *context, int64_t *until_ms)
{
	struct mirror *mirror = context;
	struct err why = {0};
	struct running_fill *fill = choose(mirror, until_ms, &why);

	if (!fill || (why.code == ERR_NONE && start_thread(fill, &why)))
		return fill;
	running_fill_turn_away(fill, &mirror->tools, &why);
	end_running(fill);
	return true;
}

static void look_again(void *context)
{
	schedule_kick(((struct mirror *)context)->schedule);
}

static uint64_t read_over(struct mirror *mirror, const struct name *name)
{
	LOCKED(&mirror->mutex);

	return running_fills_count_over(&mirror->fills, name);
}

bool mirror_look(struct mirror *mirror, const struct name *name, struct snapshot *out, struct err *err)
{
	out->fills_over = read_over(mirror, name);
	return catalog_look(mirror->tools.catalog, name, clock_now_s(), &out->known, err);
}

bool mirror_check_source(
	const struct mirror *mirror, const struct name *name, enum version_source source, struct err *err)
{
	return admission_check_source(mirror->admission, name, source, err);
}

bool mirror_check_known(const struct mirror *mirror, const struct known *known, struct err *err)
{
	const struct artifact *artifact = &known->artifact;

	return (!artifact->recorded || mirror_check_source(mirror, &artifact->name, artifact->source, err)) &&
	       (admission_check_known(known, err) ||
		       (err->code == ERR_NOT_FOUND && vault_is_shared(mirror->tools.vault)));
}

/* What no upstream may be asked for, other nodes may have: the fill finds out, and asks again whether it may.
 * But for what came round in a loop. */
static bool may_ask_others(const struct mirror *mirror, const struct err *refusal)
{
	return vault_is_shared(mirror->tools.vault) && refusal->code != ERR_LOOP_DETECTED &&
	       refusal->code != ERR_BAD_REQUEST;
}

static bool check_admission(
	const struct mirror *mirror, const struct known *known, const char *cdn_loop, struct err *err)
{
	return admission_check(mirror->admission, known, cdn_loop, err) || may_ask_others(mirror, err);
}

/* Who follows this node is not to have it ask upstreams, nor to wait for what follows him. */
static bool check_leading(const struct running_fill *running, const struct asker *asker, struct err *err)
{
	return !asker->follows || (running && atomic_load(&running->progress.leads)) ||
	       err_set(err, ERR_BUSY, "this node does not fetch it for others any more");
}

/* What a request gets, and where it is PROSPECT_REFUSED, why. running: its fill, or NULL. */
static enum prospect judge(const struct mirror *mirror, const struct known *known,
	const struct running_fill *running, const struct asker *asker, struct err *err)
{
	if (!mirror_check_known(mirror, known, err))
		return PROSPECT_REFUSED;
	if (known_is_here(known))
		return PROSPECT_HERE;
	if (!check_leading(running, asker, err))
		return PROSPECT_REFUSED;
	if (!running)
		return check_admission(mirror, known, asker->cdn_loop, err) ? PROSPECT_FETCH
									    : PROSPECT_REFUSED;
	/* Were a loop's request to join, the fill would wait for the upstream and that for the fill. Where it
	 * passes through, its first bytes may be gone. */
	return admission_check_loop(mirror->admission, asker->cdn_loop, err) &&
			       !spool_is_pass_through(running->spool, err)
		       ? PROSPECT_COLLAPSES
		       : PROSPECT_REFUSED;
}

/* False: it is about to fail for what others have sent with their requests, and not to be joined. */
static bool follow_trail(const struct mirror *mirror, struct running_fill *fill, const struct asker *asker)
{
	AUTO_FREE char *ids = admission_loop_header(mirror->admission, asker->cdn_loop);

	return trail_join(&fill->trail, ids);
}

/* Judges who would join a fill; *running is NULL where there is none that he may. */
static enum prospect find_and_judge(struct mirror *mirror, const struct known *known,
	const struct asker *asker, struct running_fill **running, struct err *err)
{
	enum prospect prospect;

	lock_expect(&mirror->mutex);
	*running = running_fills_find(&mirror->fills, &known->artifact.name);
	prospect = judge(mirror, known, *running, asker, err);
	if (prospect != PROSPECT_COLLAPSES || follow_trail(mirror, *running, asker))
		return prospect;
	*running = NULL;
	return judge(mirror, known, NULL, asker, err);
}

/* Under the mutex. *out is NULL where the snapshot no longer tells the truth. */
static bool find_or_start(struct mirror *mirror, const struct snapshot *snapshot, const struct asker *asker,
	bool wanted, struct running_fill **out, bool *collapsed, struct err *err)
{
	const struct name *name = &snapshot->known.artifact.name;
	struct running_fill *running;
	enum prospect prospect = find_and_judge(mirror, &snapshot->known, asker, &running, err);

	*out = NULL;
	*collapsed = prospect == PROSPECT_COLLAPSES;
	if (*collapsed) {
		running_fills_lend(&mirror->fills, running, asker->client);
		*out = running;
	}
	if (*collapsed && wanted)
		want(running);
	if (*collapsed || prospect == PROSPECT_HERE ||
		(!running && running_fills_count_over(&mirror->fills, name) != snapshot->fills_over))
		return true;
	if (prospect == PROSPECT_FETCH)
		return start_fill(mirror, name, asker, wanted, out, err);
	admission_count_refusal(err);
	return false;
}

bool mirror_join(struct mirror *mirror, const struct snapshot *snapshot, const struct asker *asker,
	struct spool **out, bool *collapsed, struct err *err)
{
	LOCKED(&mirror->mutex);
	struct running_fill *fill;

	if (!find_or_start(mirror, snapshot, asker, true, &fill, collapsed, err))
		return false;
	*out = fill ? spool_acquire(fill->spool) : NULL;
	return true;
}

bool mirror_start(struct mirror *mirror, const struct snapshot *snapshot, const struct asker *asker,
	int64_t *id, struct err *err)
{
	LOCKED(&mirror->mutex);
	struct running_fill *fill;
	bool collapsed;

	if (!find_or_start(mirror, snapshot, asker, false, &fill, &collapsed, err))
		return false;
	*id = fill ? fill->id : 0;
	return true;
}

/* What a fill has been told, or its spool. One that waits for its turn keeps nobody who may ask upstream. */
static void ask_fill(const struct mirror *mirror, const struct known *known, struct running_fill *fill,
	const struct asker *asker, struct glance *out)
{
	struct fill_figures figures = fill_progress_read(&fill->progress, clock_monotonic_ms());
	struct err ignored;

	lock_expect(&mirror->mutex);
	if (fill->waits && !asker->follows && check_admission(mirror, known, asker->cdn_loop, &ignored))
		return;
	out->is_collapsed = true;
	out->is_told = figures.is_told;
	out->size_bytes = figures.total_bytes;
	out->spool = figures.is_told ? NULL : spool_acquire(fill->spool);
}

/* Without asking anybody. */
static bool glance(struct mirror *mirror, const struct snapshot *snapshot, const struct asker *asker,
	struct glance *out, struct err *err)
{
	LOCKED(&mirror->mutex);
	const struct known *known = &snapshot->known;
	struct running_fill *running;
	enum prospect prospect = find_and_judge(mirror, known, asker, &running, err);

	if (prospect == PROSPECT_REFUSED) {
		admission_count_refusal(err);
		return false;
	}
	if (known->artifact.recorded) {
		out->is_told = true;
		out->size_bytes = known->artifact.size_bytes;
	} else if (prospect == PROSPECT_COLLAPSES)
		ask_fill(mirror, known, running, asker, out);
	else
		out->is_stale = running_fills_count_over(&mirror->fills, &known->artifact.name) !=
				snapshot->fills_over;
	return true;
}

bool mirror_glance(struct mirror *mirror, const struct snapshot *snapshot, const struct asker *asker,
	struct glance *out, struct err *err)
{
	int64_t none;

	*out = (struct glance){.size_bytes = -1};
	return glance(mirror, snapshot, asker, out, err) &&
	       (out->is_told || out->spool || out->is_stale ||
		       questions_ask(mirror->sizes, &snapshot->known.artifact.name, asker, &none,
			       &out->question, err));
}

/* ---- creating and ending ---- */

struct mirror *mirror_create(const struct fill_tools *tools, const struct mirror_policy *policy)
{
	static const struct question_kind kind = {
		.thread_name = "size",
		.what = "the size of modules",
		.steps = &fill_size_steps,
	};
	struct mirror *mirror = mem_zero(1, sizeof *mirror);
	const struct fill_settings *settings = &tools->settings;
	const struct admission_rules rules = {policy->offline, policy->allow, policy->deny, policy->naming,
		settings->upstreams, settings->upstream_count, settings->negative_ttl_s};

	lock_init(&mirror->mutex, &lock_place);
	(void)pthread_cond_init(&mirror->changed, NULL);
	running_fills_init(&mirror->fills, policy->max_fills);
	mirror->tools = *tools;
	mirror->tools.breakers =
		breakers_create(tools->settings.upstreams, tools->settings.upstream_count, tools->catalog);
	mirror->max_fills = policy->max_fills;
	mirror->tools.queue = queue_create(policy->max_fills, settings->queue_timeout_s);
	mirror->schedule = schedule_create(begin_next, mirror);
	queue_set_freed(mirror->tools.queue, look_again, mirror);
	breakers_set_freed(mirror->tools.breakers, look_again, mirror);
	breakers_share(
		mirror->tools.breakers, breakers_share_of(policy->max_fills, settings->upstream_count));
	mirror->admission = admission_create(&rules);
	mirror->tools.admission = mirror->admission;
	mirror->latest = latest_create(&mirror->tools, mirror->admission);
	mirror->namesakes = namesakes_create(&mirror->tools, mirror->admission, &policy->naming);
	mirror->sizes = questions_create(&kind, &mirror->tools, mirror->admission, tools->client,
		settings->upstreams, settings->upstream_count);
	return mirror;
}

/* Whoever waits looks at its stop flag. */
static void wake_all(struct mirror *mirror)
{
	queue_wake(mirror->tools.queue);
	breakers_wake(mirror->tools.breakers);
	client_wake(mirror->tools.client);
	schedule_kick(mirror->schedule);
}

static void stop_all(struct mirror *mirror)
{
	LOCKED(&mirror->mutex);

	LIST_EACH (struct running_fill, fill, link, &mirror->fills.list)
		atomic_store(&fill->progress.stop, true);
}

static void await_all_ended(struct mirror *mirror)
{
	LOCKED(&mirror->mutex);

	while (mirror->fill_count > 0)
		lock_wait(&mirror->mutex, &mirror->changed);
}

void mirror_destroy(struct mirror *mirror)
{
	if (!mirror)
		return;
	stop_all(mirror);
	wake_all(mirror);
	await_all_ended(mirror);
	questions_destroy(mirror->sizes);
	namesakes_destroy(mirror->namesakes);
	latest_destroy(mirror->latest);
	schedule_destroy(mirror->schedule);
	breakers_destroy(mirror->tools.breakers);
	admission_destroy(mirror->admission);
	queue_destroy(mirror->tools.queue);
	(void)pthread_cond_destroy(&mirror->changed);
	lock_finish(&mirror->mutex);
	running_fills_finish(&mirror->fills);
	free(mirror);
}

/* ---- seen from outside ---- */

void mirror_list(struct mirror *mirror, struct fill_list *out)
{
	LOCKED(&mirror->mutex);

	out->items = mem_zero((size_t)mirror->fill_count + ENDED_FILLS_MAX, sizeof *out->items);
	running_fills_list(&mirror->fills, out);
}

/* Cancelled before stopped: who sees that it stops knows why. */
static bool mark_cancelled(struct mirror *mirror, int64_t id)
{
	LOCKED(&mirror->mutex);
	struct running_fill *fill = running_fills_find_id(&mirror->fills, id);

	if (!fill)
		return false;
	atomic_store(&fill->progress.cancelled, true);
	atomic_store(&fill->progress.stop, true);
	return true;
}

bool mirror_cancel(struct mirror *mirror, int64_t id, struct err *err)
{
	if (!mark_cancelled(mirror, id))
		return err_set(err, ERR_NOT_FOUND, "no fill %" PRId64 " is running", id);
	wake_all(mirror);
	return true;
}

int64_t mirror_cooling_until_s(struct mirror *mirror, size_t upstream)
{
	return breakers_cooling_until_s(mirror->tools.breakers, upstream);
}

static void consider_running(struct mirror *mirror, struct outlook *outlook)
{
	static const struct asker nobody = {0};
	struct running_fill *running = running_fills_find(&mirror->fills, &outlook->known.artifact.name);

	lock_expect(&mirror->mutex);
	outlook->prospect = judge(mirror, &outlook->known, running, &nobody, &outlook->refusal);
	outlook->has_fill = running;
	if (running)
		outlook->fill = running_fill_status(running);
}

bool mirror_consider(struct mirror *mirror, const struct name *name, struct outlook *out, struct err *err)
{
	struct snapshot snapshot;

	if (!mirror_look(mirror, name, &snapshot, err))
		return false;
	*out = (struct outlook){
		.known = snapshot.known, .view = admission_view(mirror->admission, &snapshot.known)};
	LOCKED(&mirror->mutex);
	consider_running(mirror, out);
	return true;
}

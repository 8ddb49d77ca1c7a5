/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/mirror.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/clock.h"
#include "common/lock.h"
#include "common/log.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/thread.h"
#include "server/metrics.h"
#include "server/ranks.h"
#include "server/registry/queue.h"
#include "server/registry/schedule.h"
#include "server/registry/shares.h"

static const struct lock_place lock_place = {"mirror", RANK_MIRROR};

/* How many fills there may be for each that runs before further ones are refused; fewer for those that no
 * client waits for. */
enum { QUEUE_FACTOR = 16, QUEUE_FACTOR_AHEAD = 12, THREAD_STACK_BYTES = 512 << 10 };

/* Fills that have ended are counted by name, where names of one hash are one. */
enum { NAMES_APART = 1024 };

/* The part of the places that each upstream leaves to the others; that of the places, and of the rows, that
 * each client does. */
enum { OTHERS_SHARE = 4, CLIENTS_PLACES = 8, CLIENTS_ROWS = 4 };

/* A fill that runs, or is a row in a list until it has a place and a connection: it has no thread, no
 * descriptor and no draft before. */
struct running {
	struct running *next;
	struct mirror *mirror;
	int64_t id;
	struct name name;
	struct spool *spool;
	struct fill_row row; /* what is noted of the spool's first bytes, */
	bool goes_on;        /* … where they are an earlier process's */
	char *cdn_loop;
	struct share *share; /* of who asked for it; guarded by the mirror's mutex */
	int64_t started_at;
	struct fill_progress progress;
	bool waits; /* it has not begun */
	struct ticket ticket;
	struct turn turn; /* what it begins with */
};

struct mirror {
	struct lock mutex; /* guards everything below up to the blank line */
	pthread_cond_t changed;
	struct running *fills;
	int64_t fill_count;
	int64_t last_id;
	struct ended_fills *ended;
	struct shares shares; /* placed: those that have begun */
	uint64_t turns;       /* fills that have begun */
	uint64_t ended_of[NAMES_APART];

	struct fill_tools tools;
	struct schedule *schedule; /* begins those that wait */
	int64_t max_fills;
	struct admission *admission;
	struct latest *latest;
	struct questions *sizes; /* of what is not here */
};

struct latest *mirror_latest(struct mirror *mirror)
{
	return mirror->latest;
}

void mirror_set_offline(struct mirror *mirror, bool offline)
{
	admission_set_offline(mirror->admission, offline);
}

/* Requests are counted. */
static void count_refusal(const struct err *err)
{
	if ((err->code == ERR_NOT_FOUND || err->code == ERR_UPSTREAM_FAILED) && err->retry_after_s > 0)
		metric_add(METRIC_ABSENT_HITS, 1);
}

/* ---- running fills ---- */

static void free_running(struct running *fill)
{
	if (!fill)
		return;
	spool_release(fill->spool);
	free(fill->cdn_loop);
	fill_progress_finish(&fill->progress);
	free(fill);
}

static struct running *find_running(const struct mirror *mirror, const struct name *name)
{
	for (struct running *fill = mirror->fills; fill; fill = fill->next) {
		if (!atomic_load(&fill->progress.refused) && name_equals(&fill->name, name))
			return fill;
	}
	return NULL;
}

/* Under the mutex. Those that are about to end count already: nobody can join them, and what they came to is
 * in the catalog. */
static uint64_t count_over(const struct mirror *mirror, const struct name *name)
{
	uint64_t over = mirror->ended_of[name_hash(name) % NAMES_APART];

	for (const struct running *fill = mirror->fills; fill; fill = fill->next)
		over += atomic_load(&fill->progress.refused) && name_equals(&fill->name, name);
	return over;
}

static struct fill_status status_of(struct running *fill)
{
	return (struct fill_status){
		.id = fill->id,
		.name = fill->name,
		.figures = fill_progress_read(&fill->progress, clock_monotonic_ms()),
		.waiters = spool_readers(fill->spool),
		.started_at = fill->started_at,
		.refused = atomic_load(&fill->progress.refused),
	};
}

/* Under the mutex. */
static void remember_ended(struct mirror *mirror, struct running *fill)
{
	struct fill_status status = status_of(fill);
	struct spool_progress end = spool_wait_end(fill->spool);

	status.figures.state = end.state == SPOOL_KEPT ? FILL_KEPT : FILL_FAILED;
	status.ended_at = clock_now_s();
	if (end.state != SPOOL_KEPT)
		status.err = end.err;
	ended_fills_add(mirror->ended, &status);
}

static void take_from_list(struct mirror *mirror, struct running *fill)
{
	struct running **link = &mirror->fills;
	LOCKED(&mirror->mutex);

	while (*link != fill)
		link = &(*link)->next;
	*link = fill->next;
	mirror->ended_of[name_hash(&fill->name) % NAMES_APART]++;
	fill->share->placed -= !fill->waits;
	shares_give_back(&mirror->shares, TAKE(fill->share));
	remember_ended(mirror, fill);
}

static void count_ended(struct mirror *mirror)
{
	LOCKED(&mirror->mutex);

	mirror->fill_count--;
	(void)pthread_cond_broadcast(&mirror->changed);
}

/* Out of the list first: from then on nobody can join, and whoever asks finds what the fill has left in the
 * catalog. */
static void end_running(struct running *fill)
{
	struct mirror *mirror = fill->mirror;

	take_from_list(mirror, fill);
	if (fill->turn.is_taken)
		breakers_leave(mirror->tools.breakers, &fill->turn);
	queue_leave(mirror->tools.queue, &fill->ticket);
	free_running(fill);
	metric_add(METRIC_FILLS_RUNNING, -1);
	count_ended(mirror);
}

/* A draft that an earlier process left waits for the next fill, and so does its checkpoint. */
static void put_back_draft(struct running *fill)
{
	if (!fill->goes_on)
		return;
	spool_leave_draft(fill->spool);
	checkpoints_put_back(fill->mirror->tools.checkpoints, &fill->name);
}

static void turn_away(struct running *fill, const struct err *why)
{
	metric_add(METRIC_FILLS_FAILED, 1);
	log_event(LOG_LEVEL_WARN, "fill turned away", "name", name_path(&fill->name).text, "format",
		formats[fill->name.format].name, "why", why->text, NULL);
	put_back_draft(fill);
	atomic_store(&fill->progress.refused, true);
	spool_refuse(fill->spool, why);
}

/* With an earlier process's draft of the artifact, or a new one. */
static bool open_spool(struct running *fill, struct err *err)
{
	const struct fill_tools *tools = &fill->mirror->tools;

	if (!checkpoints_take_up(
		    tools->checkpoints, &fill->name, fill->spool, &fill->goes_on, &fill->row, err))
		return false;
	return fill->goes_on || blobs_open_new(tools->blobs, fill->spool, err);
}

static void *run_fill(void *argument)
{
	struct running *fill = argument;
	struct mirror *mirror = fill->mirror;
	struct err err;

	if (open_spool(fill, &err))
		fill_run(&mirror->tools, &(struct fill_order){.name = &fill->name,
						 .spool = fill->spool,
						 .row = fill->goes_on ? &fill->row : NULL,
						 .cdn_loop = fill->cdn_loop,
						 .progress = &fill->progress,
						 .ticket = &fill->ticket,
						 .granted = &fill->turn});
	else
		turn_away(fill, &err);
	end_running(fill);
	return NULL;
}

static bool start_thread(struct running *fill, struct err *err)
{
	const struct thread_plan plan = {.name = "fill",
		.run = run_fill,
		.context = fill,
		.detached = true,
		.stack_bytes = THREAD_STACK_BYTES};

	return thread_start(NULL, &plan, err);
}

static struct running *new_running(struct mirror *mirror, const struct name *name, const struct asker *asker)
{
	struct running *fill = mem_zero(1, sizeof *fill);

	fill->mirror = mirror;
	fill->id = ++mirror->last_id;
	fill->name = *name;
	fill->spool = spool_create_unopened();
	fill->waits = true;
	fill->started_at = clock_now_s();
	fill_progress_init(&fill->progress);
	fill->cdn_loop = admission_loop_header(mirror->admission, asker->cdn_loop);
	fill->share = shares_take(&mirror->shares, asker->client);
	return fill;
}

/* A client waits for it, which is more urgent than what was only ordered in advance. */
static void want(struct running *fill)
{
	atomic_store(&fill->progress.wanted, true);
	queue_want(fill->mirror->tools.queue, &fill->ticket);
	schedule_kick(fill->mirror->schedule);
}

/* Nobody's fills take all rows. Under the mutex. */
static bool check_row(const struct mirror *mirror, const struct asker *asker, bool wanted, struct err *err)
{
	const struct share *share = shares_find(&mirror->shares, asker->client);
	int64_t most = (wanted ? QUEUE_FACTOR : QUEUE_FACTOR_AHEAD) * mirror->max_fills;

	if (mirror->fill_count >= most)
		return err_set(err, ERR_BUSY,
			"%" PRId64 " fills are running or waiting; try again in a moment",
			mirror->fill_count);
	if (share && (int64_t)share->members >= most - most / CLIENTS_ROWS)
		return err_set(err, ERR_BUSY,
			"you have %zu fills running or waiting, and the rest are for others; try again when "
			"some have ended",
			share->members);
	return true;
}

/* Under the mutex. */
static bool start_fill(struct mirror *mirror, const struct name *name, const struct asker *asker, bool wanted,
	struct running **out, struct err *err)
{
	struct running *fill;

	/* Without a schedule nobody would begin it, nor notice when its clients' patience ends. */
	if (!check_row(mirror, asker, wanted, err) || !schedule_start(mirror->schedule, err))
		return false;
	fill = new_running(mirror, name, asker);
	queue_join_aside(mirror->tools.queue, &fill->ticket);
	if (wanted)
		want(fill);
	fill->next = mirror->fills;
	mirror->fills = fill;
	mirror->fill_count++;
	metric_add(METRIC_FILLS_RUNNING, 1);
	schedule_kick(mirror->schedule);
	*out = fill;
	return true;
}

/* ---- beginning those that wait ---- */

/* What is over before it has begun; *until_ms is when the next one may be. */
static struct running *find_over(struct mirror *mirror, int64_t *until_ms, struct err *why)
{
	struct queue *queue = mirror->tools.queue;

	for (struct running *fill = mirror->fills; fill; fill = fill->next) {
		int64_t patience_ms = fill->waits ? queue_patience_ms(queue, &fill->ticket) : INT64_MAX;

		if (fill->waits && atomic_load(&fill->progress.stop)) {
			(void)err_set(why, ERR_BUSY, "the fill was %s",
				atomic_load(&fill->progress.cancelled) ? "cancelled" : "stopped");
			return fill;
		}
		if (patience_ms <= clock_monotonic_ms() && !queue_refuse(queue, why))
			return fill;
		*until_ms = patience_ms < *until_ms ? patience_ms : *until_ms;
	}
	return NULL;
}

/* The upstream that it will ask first; false where none can be asked, which it is to find out. */
static bool find_upstream(const struct mirror *mirror, const struct running *fill, size_t *out)
{
	const struct fill_settings *settings = &mirror->tools.settings;

	for (*out = 0; *out < settings->upstream_count; ++*out) {
		if (upstream_may_have(&settings->upstreams[*out], &fill->name) &&
			!breakers_is_cooling(mirror->tools.breakers, *out))
			return true;
	}
	return false;
}

static bool has_way(const struct mirror *mirror, const struct running *fill)
{
	size_t upstream;

	return !find_upstream(mirror, fill, &upstream) || breakers_has_turn(mirror->tools.breakers, upstream);
}

/* Whose client has less than it may have. A site of few places is for whoever asks. */
static bool may_begin(const struct mirror *mirror, const struct running *fill)
{
	return (int64_t)fill->share->placed < mirror->max_fills - mirror->max_fills / CLIENTS_PLACES &&
	       has_way(mirror, fill);
}

/* Which of two goes first: what clients wait for, then whose client has least, or has waited longest for a
 * turn, then what came first. */
static bool goes_before(const struct running *fill, const struct running *later)
{
	const struct share *share = fill->share;
	const struct share *theirs = later->share;
	bool wanted = atomic_load(&fill->progress.wanted);

	if (wanted != atomic_load(&later->progress.wanted))
		return wanted;
	return share->placed != theirs->placed ? share->placed < theirs->placed : share->turn <= theirs->turn;
}

/* Gives it its place and its turn. False: somebody else was faster. */
static bool admit_waiting(const struct mirror *mirror, struct running *fill)
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
static struct running *find_next(const struct mirror *mirror)
{
	bool has_place[] = {
		queue_has_place(mirror->tools.queue, false), queue_has_place(mirror->tools.queue, true)};
	struct running *next = NULL;

	for (struct running *fill = mirror->fills; fill && has_place[1]; fill = fill->next) {
		if (fill->waits && has_place[atomic_load(&fill->progress.wanted)] &&
			(!next || goes_before(fill, next)) && may_begin(mirror, fill))
			next = fill;
	}
	return next && admit_waiting(mirror, next) ? next : NULL;
}

static struct running *choose(struct mirror *mirror, int64_t *until_ms, struct err *why)
{
	LOCKED(&mirror->mutex);
	struct running *fill = find_over(mirror, until_ms, why);

	if (!fill)
		fill = find_next(mirror);
	if (fill) {
		fill->waits = false;
		fill->share->placed++;
		fill->share->turn = ++mirror->turns;
	}
	return fill;
}

static bool begin_next(void *context, int64_t *until_ms)
{
	struct err why = {0};
	struct running *fill = choose(context, until_ms, &why);

	if (!fill || (why.code == ERR_NONE && start_thread(fill, &why)))
		return fill;
	turn_away(fill, &why);
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

	return count_over(mirror, name);
}

bool mirror_look(struct mirror *mirror, const struct name *name, struct snapshot *out, struct err *err)
{
	out->fills_over = read_over(mirror, name);
	return catalog_look(mirror->tools.catalog, name, clock_now_s(), &out->known, err);
}

/* What a request gets, and where it is PROSPECT_REFUSED, why. running: its fill, or NULL. */
static enum prospect judge(const struct mirror *mirror, const struct known *known,
	const struct running *running, const char *cdn_loop, struct err *err)
{
	if (!admission_check_known(known, err))
		return PROSPECT_REFUSED;
	if (known_is_here(known))
		return PROSPECT_HERE;
	if (!running)
		return admission_check(mirror->admission, known, cdn_loop, err) ? PROSPECT_FETCH
										: PROSPECT_REFUSED;
	/* Were a loop's request to join, the fill would wait for the upstream and that for the fill. Where it
	 * passes through, its first bytes may be gone. */
	return admission_check_loop(mirror->admission, cdn_loop, err) &&
			       !spool_is_pass_through(running->spool, err)
		       ? PROSPECT_COLLAPSES
		       : PROSPECT_REFUSED;
}

/* Nobody waits longer because somebody else, who has much already, has asked before. Under the mutex. */
static void lend_share(struct mirror *mirror, struct running *fill, const char *client)
{
	struct share *share = shares_take(&mirror->shares, client);

	if (!fill->waits || share->placed >= fill->share->placed) {
		shares_give_back(&mirror->shares, share);
		return;
	}
	shares_give_back(&mirror->shares, fill->share);
	fill->share = share;
}

/* Under the mutex. *out is NULL where the snapshot no longer tells the truth. */
static bool find_or_start(struct mirror *mirror, const struct snapshot *snapshot, const struct asker *asker,
	bool wanted, struct running **out, bool *collapsed, struct err *err)
{
	const struct name *name = &snapshot->known.artifact.name;
	struct running *running = find_running(mirror, name);
	enum prospect prospect = judge(mirror, &snapshot->known, running, asker->cdn_loop, err);

	*out = NULL;
	*collapsed = prospect == PROSPECT_COLLAPSES;
	if (*collapsed) {
		lend_share(mirror, running, asker->client);
		*out = running;
	}
	if (*collapsed && wanted)
		want(running);
	if (*collapsed || prospect == PROSPECT_HERE ||
		(!running && count_over(mirror, name) != snapshot->fills_over))
		return true;
	if (prospect == PROSPECT_FETCH)
		return start_fill(mirror, name, asker, wanted, out, err);
	count_refusal(err);
	return false;
}

bool mirror_join(struct mirror *mirror, const struct snapshot *snapshot, const struct asker *asker,
	struct spool **out, bool *collapsed, struct err *err)
{
	LOCKED(&mirror->mutex);
	struct running *fill;

	if (!find_or_start(mirror, snapshot, asker, true, &fill, collapsed, err))
		return false;
	*out = fill ? spool_acquire(fill->spool) : NULL;
	return true;
}

bool mirror_start(struct mirror *mirror, const struct snapshot *snapshot, const struct asker *asker,
	int64_t *id, struct err *err)
{
	LOCKED(&mirror->mutex);
	struct running *fill;
	bool collapsed;

	if (!find_or_start(mirror, snapshot, asker, false, &fill, &collapsed, err))
		return false;
	*id = fill ? fill->id : 0;
	return true;
}

bool mirror_ask_size(struct mirror *mirror, const struct known *known, const struct asker *asker,
	struct question **out, struct err *err)
{
	int64_t none;

	if (admission_check(mirror->admission, known, asker->cdn_loop, err))
		return questions_ask(mirror->sizes, &known->artifact.name, asker, &none, out, err);
	count_refusal(err);
	return false;
}

/* ---- creating and ending ---- */

/* One of several upstreams cannot take all places. */
static int64_t share_of(int64_t places, size_t upstream_count)
{
	if (upstream_count < 2)
		return 0;
	return places > 1 ? places - (places + OTHERS_SHARE - 1) / OTHERS_SHARE : places;
}

struct mirror *mirror_create(const struct fill_tools *tools, const struct mirror_policy *policy)
{
	static const struct question_kind kind = {
		.thread_name = "size",
		.what = "the size of modules",
		.steps = &fill_size_steps,
	};
	struct mirror *mirror = mem_zero(1, sizeof *mirror);
	const struct fill_settings *settings = &tools->settings;
	const struct admission_rules rules = {policy->offline, policy->allow, policy->deny,
		settings->upstreams, settings->upstream_count, settings->negative_ttl_s};

	lock_init(&mirror->mutex, &lock_place);
	(void)pthread_cond_init(&mirror->changed, NULL);
	mirror->ended = ended_fills_create();
	mirror->tools = *tools;
	mirror->tools.breakers =
		breakers_create(tools->settings.upstreams, tools->settings.upstream_count, tools->catalog);
	mirror->max_fills = policy->max_fills;
	mirror->tools.queue = queue_create(policy->max_fills, settings->queue_timeout_s);
	mirror->schedule = schedule_create(begin_next, mirror);
	queue_set_freed(mirror->tools.queue, look_again, mirror);
	breakers_set_freed(mirror->tools.breakers, look_again, mirror);
	breakers_share(mirror->tools.breakers, share_of(policy->max_fills, settings->upstream_count));
	mirror->admission = admission_create(&rules);
	mirror->latest = latest_create(&mirror->tools, mirror->admission);
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

	for (struct running *fill = mirror->fills; fill; fill = fill->next)
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
	latest_destroy(mirror->latest);
	schedule_destroy(mirror->schedule);
	breakers_destroy(mirror->tools.breakers);
	admission_destroy(mirror->admission);
	queue_destroy(mirror->tools.queue);
	(void)pthread_cond_destroy(&mirror->changed);
	lock_finish(&mirror->mutex);
	ended_fills_destroy(mirror->ended);
	free(mirror);
}

/* ---- seen from outside ---- */

/* Under the mutex. The list of fills has the newest first. */
static void list_running(struct mirror *mirror, struct fill_list *list)
{
	size_t at = 0;

	for (const struct running *fill = mirror->fills; fill; fill = fill->next)
		at++;
	list->running = at;
	list->count = at;
	for (struct running *fill = mirror->fills; fill; fill = fill->next)
		list->items[--at] = status_of(fill);
}

void mirror_list(struct mirror *mirror, struct fill_list *out)
{
	LOCKED(&mirror->mutex);

	out->items = mem_zero((size_t)mirror->fill_count + ENDED_FILLS_MAX, sizeof *out->items);
	list_running(mirror, out);
	ended_fills_list(mirror->ended, out);
}

/* Cancelled before stopped: who sees that it stops knows why. */
static bool mark_cancelled(struct mirror *mirror, int64_t id)
{
	struct running *fill;
	LOCKED(&mirror->mutex);

	for (fill = mirror->fills; fill && fill->id != id;)
		fill = fill->next;
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

/* Under the mutex. */
static void consider_running(struct mirror *mirror, struct outlook *outlook)
{
	struct running *running = find_running(mirror, &outlook->known.artifact.name);

	outlook->prospect = judge(mirror, &outlook->known, running, NULL, &outlook->refusal);
	outlook->has_fill = running;
	if (running)
		outlook->fill = status_of(running);
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

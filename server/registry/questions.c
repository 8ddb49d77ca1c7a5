/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/questions.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/crypto_thread.h"
#include "common/invariant.h"
#include "common/lock.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/thread.h"
#include "server/metrics.h"
#include "server/ranks.h"
#include "server/registry/shares.h"

static const struct lock_place lock_place = {"questions", RANK_QUESTIONS};

enum { THREAD_STACK_BYTES = 512 << 10, NOWHERE = -1 };

struct question {
	struct questions *questions;
	struct name name;
	bool forwarded; /* the request came through another server */
	char *cdn_loop; /* what is sent along */
	struct fill_progress fill_progress;
	struct asking asking;
	void *progress; /* NULL: it has not begun; its thread's, while it has one */

	struct list_link link; /* in the list; from here on guarded by the questions' mutex */
	size_t references;
	struct share *share; /* whose it is; NULL when it is over */
	ssize_t upstream;    /* whose place it has, or waits for */
	bool placed;         /* it has a thread; else it waits its turn, or is over */
	bool over;
	struct waiter *waiters;
	bool answered; /* else err tells why not */
	int64_t answer;
	struct err err;
};

struct questions {
	struct lock mutex; /* guards everything below up to the blank line, and parts of each question */
	pthread_cond_t changed;
	struct list list; /* that are not over, in the order in which they came */
	struct shares shares;
	size_t placed;
	size_t *placed_at; /* each upstream */
	size_t threads;
	bool ending;

	const struct question_kind *kind;
	void *context;
	const struct admission *admission;
	struct client *client;
	size_t *shares_at; /* how many places each upstream has */
	size_t client_share;
};

static size_t at_least_one(size_t count, size_t least)
{
	least = least > 0 ? least : 1;
	return count > least ? count : least;
}

static size_t share_of(const struct upstream *upstream)
{
	size_t most = upstream->max_connections <= 0 || upstream->max_connections > QUESTIONS_AT_ONCE
			      ? QUESTIONS_AT_ONCE
			      : (size_t)upstream->max_connections;

	return at_least_one(most - most / 4, 1);
}

struct questions *questions_create(const struct question_kind *kind, void *context,
	const struct admission *admission, struct client *client, const struct upstream *upstreams,
	size_t upstream_count)
{
	struct questions *questions = mem_zero(1, sizeof *questions);

	lock_init(&questions->mutex, &lock_place);
	(void)pthread_cond_init(&questions->changed, NULL);
	list_init(&questions->list);
	shares_init(&questions->shares);
	questions->placed_at = mem_zero(upstream_count + 1, sizeof *questions->placed_at);
	questions->kind = kind;
	questions->context = context;
	questions->admission = admission;
	questions->client = client;
	questions->shares_at = mem_zero(upstream_count + 1, sizeof *questions->shares_at);
	for (size_t i = 0; i < upstream_count; i++) {
		size_t share = share_of(&upstreams[i]);

		questions->shares_at[i] = share;
		questions->client_share = at_least_one(share / 3, questions->client_share);
	}
	return questions;
}

/* ---- one question ---- */

static struct question *new_question(
	struct questions *questions, const struct name *name, const struct asker *asker)
{
	struct question *question = mem_zero(1, sizeof *question);

	question->questions = questions;
	question->name = *name;
	question->forwarded = asker->cdn_loop != NULL;
	question->cdn_loop = admission_loop_header(questions->admission, asker->cdn_loop);
	fill_progress_init(&question->fill_progress);
	atomic_store(&question->fill_progress.wanted, true);
	question->asking = (struct asking){&question->name, question->cdn_loop, &question->fill_progress};
	question->references = 2;
	question->upstream = NOWHERE;
	return question;
}

static void free_question(struct question *question)
{
	if (question->progress)
		question->questions->kind->steps->finish(question->progress);
	free(question->cdn_loop);
	fill_progress_finish(&question->fill_progress);
	free(question);
}

/* ---- places ---- */

static bool has_place(const struct questions *questions, const struct question *question)
{
	lock_expect(&questions->mutex);
	return questions->placed < QUESTIONS_AT_ONCE && question->share->placed < questions->client_share &&
	       (question->upstream == NOWHERE ||
		       questions->placed_at[question->upstream] < questions->shares_at[question->upstream]);
}

static void count_place(struct question *question, int change)
{
	struct questions *questions = question->questions;

	lock_expect(&questions->mutex);
	INVARIANT(question->placed == (change < 0));
	questions->placed += (size_t)change;
	question->share->placed += (size_t)change;
	if (question->upstream != NOWHERE)
		questions->placed_at[question->upstream] += (size_t)change;
	question->placed = change > 0;
	metric_add(METRIC_QUESTIONS_WAITING, -change);
}

static void link_in(struct question *question)
{
	lock_expect(&question->questions->mutex);
	list_append(&question->questions->list, &question->link);
	metric_add(METRIC_QUESTIONS_WAITING, 1);
}

/* It has no place. */
static void link_out(struct question *question)
{
	lock_expect(&question->questions->mutex);
	INVARIANT(list_holds(&question->link) && !question->placed);
	list_remove(&question->link);
	shares_give_back(TAKE(question->share));
	metric_add(METRIC_QUESTIONS_WAITING, -1);
}

/* Whose turn it is: of those who have least, who came first. */
static struct question *find_next(const struct questions *questions)
{
	struct question *found = NULL;

	lock_expect(&questions->mutex);
	if (questions->ending)
		return NULL;
	LIST_EACH (struct question, question, link, &questions->list) {
		if (!question->placed && has_place(questions, question) &&
			(!found || question->share->placed < found->share->placed))
			found = question;
	}
	return found;
}

static void *run(void *argument);

/* The thread waits for the mutex before it tells of anything. Where none can be started, those that run look
 * for what waits when they have ended theirs. */
static bool place(struct question *question, struct err *err)
{
	struct questions *questions = question->questions;
	const struct thread_plan plan = {.name = questions->kind->thread_name,
		.run = run,
		.context = question,
		.detached = true,
		.stack_bytes = THREAD_STACK_BYTES};

	lock_expect(&questions->mutex);
	if (!thread_start(NULL, &plan, err))
		return false;
	count_place(question, 1);
	questions->threads++;
	return true;
}

static void place_all(struct questions *questions)
{
	struct question *next;
	struct err err;

	while ((next = find_next(questions)) && place(next, &err))
		continue;
}

/* Out of the list, and the answer told, in one. Whoever waits is to be woken, outside of the mutex. */
static struct waiter *end(struct question *question, bool answered, int64_t answer, const struct err *err)
{
	if (question->placed)
		count_place(question, -1);
	link_out(question);
	question->over = true;
	question->answered = answered;
	question->answer = answer;
	question->err = *err;
	return TAKE(question->waiters);
}

/* ---- on a question's thread ---- */

/* Goes on with this upstream. False: the question waits for its share of it, and is any thread's. */
static bool enter(struct question *question, size_t upstream)
{
	struct questions *questions = question->questions;
	LOCKED(&questions->mutex);
	bool has = questions->ending || questions->placed_at[upstream] < questions->shares_at[upstream];

	count_place(question, -1);
	question->upstream = (ssize_t)upstream;
	if (has)
		count_place(question, 1);
	place_all(questions);
	return has;
}

/* True: it is over. */
static bool ask(struct question *question, bool *answered, int64_t *answer, struct err *err)
{
	const struct question_steps *steps = question->questions->kind->steps;
	bool resumed = question->progress;
	size_t upstream = (size_t)question->upstream;

	*answered = false;
	if (!resumed) {
		question->progress = steps->begin(question->questions->context, &question->asking);
		if (steps->look && !steps->look(question->progress, answered, answer, err))
			return true;
	}
	while (!*answered && !atomic_load(&question->fill_progress.stop) &&
		(resumed || steps->next(question->progress, &upstream))) {
		if (!resumed && !enter(question, upstream))
			return false;
		resumed = false;
		*answered = steps->ask(question->progress, upstream, answer);
	}
	if (!*answered)
		steps->conclude(question->progress, err);
	return true;
}

static struct waiter *tell(struct question *question, bool answered, int64_t answer, const struct err *err)
{
	LOCKED(&question->questions->mutex);

	return end(question, answered, answer, err);
}

static void work(struct question *question)
{
	int64_t answer = 0;
	struct err err = {0};
	bool answered;

	if (!ask(question, &answered, &answer, &err))
		return;
	waiter_wake_all(tell(question, answered, answer, &err));
	question_release(question);
}

/* The question whose turn it is; NULL where the thread ends, after which it must touch nothing. */
static struct question *take_next(struct questions *questions)
{
	LOCKED(&questions->mutex);
	struct question *next = find_next(questions);

	if (next) {
		count_place(next, 1);
		place_all(questions);
		return next;
	}
	INVARIANT(questions->threads > 0);
	crypto_thread_end();
	questions->threads--;
	(void)pthread_cond_broadcast(&questions->changed);
	return NULL;
}

static void *run(void *argument)
{
	struct question *question = argument;
	struct questions *questions = question->questions;

	do
		work(question);
	while ((question = take_next(questions)));
	return NULL;
}

/* ---- asking ---- */

static struct question *find_asked(struct questions *questions, const struct name *name)
{
	lock_expect(&questions->mutex);
	LIST_EACH (struct question, question, link, &questions->list) {
		if (!question->forwarded && name_equals(&question->name, name))
			return question;
	}
	return NULL;
}

static bool refuse_more(const struct questions *questions, struct err *err)
{
	(void)err_set(err, ERR_BUSY,
		"upstreams are being asked for %s, and you wait for %d of their answers already; wait for "
		"some, then try again",
		questions->kind->what, QUESTIONS_A_CLIENT);
	err->retry_after_s = 1;
	return false;
}

/* A question that finds no thread although none runs that would look after it is none. */
static bool begin(struct questions *questions, const struct name *name, const struct asker *asker,
	struct question **out, struct err *err)
{
	const struct share *share = shares_find(&questions->shares, asker->client);
	struct question *question;

	lock_expect(&questions->mutex);
	if (questions->ending)
		return err_set(err, ERR_BUSY, "the server is closing");
	if (share && share->members >= QUESTIONS_A_CLIENT)
		return refuse_more(questions, err);
	question = new_question(questions, name, asker);
	question->share = shares_take(&questions->shares, asker->client);
	link_in(question);
	if (has_place(questions, question) && !place(question, err) && questions->threads == 0) {
		link_out(question);
		free_question(question);
		return false;
	}
	*out = question;
	return true;
}

/* Nobody waits longer because somebody else, whose share is used up, has asked before. */
static void lend_share(struct questions *questions, struct question *question, const char *client)
{
	struct share *share = shares_take(&questions->shares, client);

	lock_expect(&questions->mutex);
	if (question->placed || share->placed >= question->share->placed ||
		share->members > QUESTIONS_A_CLIENT) {
		shares_give_back(share);
		return;
	}
	shares_give_back(question->share);
	question->share = share;
	place_all(questions);
}

static bool join(struct question *question, const char *client, struct question **out)
{
	lock_expect(&question->questions->mutex);
	lend_share(question->questions, question, client);
	question->references++;
	*out = question;
	return true;
}

bool questions_ask(struct questions *questions, const struct name *name, const struct asker *asker,
	int64_t *out_answer, struct question **out, struct err *err)
{
	const struct question_kind *kind = questions->kind;
	LOCKED(&questions->mutex);
	struct question *question;

	*out = NULL;
	if (kind->recall && kind->recall(questions->context, name, out_answer))
		return true;
	question = asker->cdn_loop ? NULL : find_asked(questions, name);
	if (question)
		return join(question, asker->client, out);
	return (!kind->may_ask || kind->may_ask(questions->context, name, asker->cdn_loop, err)) &&
	       begin(questions, name, asker, out, err);
}

/* ---- waiting for the answer ---- */

bool question_await(struct question *question, struct waiter *waiter)
{
	LOCKED(&question->questions->mutex);

	if (question->over)
		return false;
	waiter_join(&question->waiters, waiter);
	return true;
}

bool question_leave(struct question *question, struct waiter *waiter)
{
	LOCKED(&question->questions->mutex);

	return waiter_leave(&question->waiters, waiter);
}

bool question_result(struct question *question, int64_t *out_answer, struct err *err)
{
	LOCKED(&question->questions->mutex);

	if (question->answered)
		*out_answer = question->answer;
	else
		*err = question->err;
	return question->answered;
}

const struct name *question_name(const struct question *question)
{
	return &question->name;
}

/* The last reference but the list's is that of the last who wanted to know. */
static bool is_last_reference(struct question *question)
{
	LOCKED(&question->questions->mutex);
	bool unasked = !question->placed && !question->over;

	if (--question->references == 1 && unasked) {
		link_out(question);
		question->references = 0;
	}
	return question->references == 0;
}

void question_release(struct question *question)
{
	if (question && is_last_reference(question))
		free_question(question);
}

/* ---- the end of all ---- */

static void stop_all(struct questions *questions)
{
	LOCKED(&questions->mutex);

	questions->ending = true;
	LIST_EACH (struct question, question, link, &questions->list)
		atomic_store(&question->fill_progress.stop, true);
}

/* One that waits its turn is over; NULL: there is none. */
static struct question *end_waiting(struct questions *questions, struct waiter **waiters)
{
	LOCKED(&questions->mutex);
	struct err err;

	(void)err_set(&err, ERR_BUSY, "the question was stopped");
	LIST_EACH (struct question, question, link, &questions->list) {
		if (!question->placed) {
			*waiters = end(question, false, 0, &err);
			return question;
		}
	}
	return NULL;
}

static void end_all_waiting(struct questions *questions)
{
	struct waiter *waiters;
	struct question *question;

	while ((question = end_waiting(questions, &waiters))) {
		waiter_wake_all(waiters);
		question_release(question);
	}
}

static void await_all_ended(struct questions *questions)
{
	LOCKED(&questions->mutex);

	while (questions->threads > 0)
		lock_wait(&questions->mutex, &questions->changed);
}

void questions_destroy(struct questions *questions)
{
	if (!questions)
		return;
	stop_all(questions);
	client_wake(questions->client);
	await_all_ended(questions);
	end_all_waiting(questions);
	(void)pthread_cond_destroy(&questions->changed);
	lock_finish(&questions->mutex);
	free(questions->placed_at);
	free(questions->shares_at);
	free(questions);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/questions.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common/lock.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/thread.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"questions", RANK_QUESTIONS};

enum { QUESTIONS_MAX = 64, THREAD_STACK_BYTES = 512 << 10 };

struct question {
	struct question *next; /* of those that are being asked */
	struct questions *questions;
	struct name name;
	bool forwarded; /* the request came through another server */
	char *cdn_loop; /* what is sent along */
	struct fill_watch watch;

	size_t references; /* from here on guarded by the questions' mutex */
	bool over;
	struct waiter *waiters;
	bool answered; /* else err tells why not */
	int64_t answer;
	struct err err;
};

struct questions {
	struct lock mutex; /* guards everything below up to the blank line, and parts of each question */
	pthread_cond_t changed;
	struct question *asked;
	size_t asked_count;
	bool ending;

	const struct question_kind *kind;
	void *context;
	const struct admission *admission;
	struct client *client;
};

struct questions *questions_create(const struct question_kind *kind, void *context,
	const struct admission *admission, struct client *client)
{
	struct questions *questions = mem_zero(1, sizeof *questions);

	lock_init(&questions->mutex, &lock_place);
	(void)pthread_cond_init(&questions->changed, NULL);
	questions->kind = kind;
	questions->context = context;
	questions->admission = admission;
	questions->client = client;
	return questions;
}

static void stop_all(struct questions *questions)
{
	LOCKED(&questions->mutex);

	questions->ending = true;
	for (struct question *question = questions->asked; question; question = question->next)
		atomic_store(&question->watch.stop, true);
}

static void await_all_ended(struct questions *questions)
{
	LOCKED(&questions->mutex);

	while (questions->asked_count > 0)
		lock_wait(&questions->mutex, &questions->changed);
}

void questions_destroy(struct questions *questions)
{
	if (!questions)
		return;
	stop_all(questions);
	client_wake(questions->client);
	await_all_ended(questions);
	(void)pthread_cond_destroy(&questions->changed);
	lock_finish(&questions->mutex);
	free(questions);
}

/* ---- one question ---- */

static struct question *new_question(
	struct questions *questions, const struct name *name, const char *cdn_loop)
{
	struct question *question = mem_zero(1, sizeof *question);

	question->questions = questions;
	question->name = *name;
	question->forwarded = cdn_loop != NULL;
	question->cdn_loop = admission_loop_header(questions->admission, cdn_loop);
	fill_watch_init(&question->watch);
	atomic_store(&question->watch.wanted, true);
	question->references = 2;
	return question;
}

static void free_question(struct question *question)
{
	free(question->cdn_loop);
	fill_watch_finish(&question->watch);
	free(question);
}

static bool is_last_reference(struct question *question)
{
	LOCKED(&question->questions->mutex);

	return --question->references == 0;
}

void question_release(struct question *question)
{
	if (question && is_last_reference(question))
		free_question(question);
}

/* Out of the list, and the answer told, in one. */
static struct waiter *end(struct question *question, bool answered, int64_t answer, const struct err *err)
{
	struct questions *questions = question->questions;
	struct question **link = &questions->asked;
	LOCKED(&questions->mutex);

	while (*link != question)
		link = &(*link)->next;
	*link = question->next;
	question->over = true;
	question->answered = answered;
	question->answer = answer;
	question->err = *err;
	return TAKE(question->waiters);
}

static void count_ended(struct questions *questions)
{
	LOCKED(&questions->mutex);

	questions->asked_count--;
	(void)pthread_cond_broadcast(&questions->changed);
}

static void *run(void *argument)
{
	struct question *question = argument;
	struct questions *questions = question->questions;
	const struct asking asking = {&question->name, question->cdn_loop, &question->watch};
	int64_t answer = 0;
	struct err err = {0};
	bool answered = questions->kind->ask(questions->context, &asking, &answer, &err);

	waiter_wake_all(end(question, answered, answer, &err));
	question_release(question);
	count_ended(questions);
	return NULL;
}

static bool start_thread(struct question *question, struct err *err)
{
	const struct thread_plan plan = {.name = question->questions->kind->thread_name,
		.run = run,
		.context = question,
		.detached = true,
		.stack_bytes = THREAD_STACK_BYTES};

	return thread_start(NULL, &plan, err);
}

/* ---- asking ---- */

/* Under the mutex. */
static struct question *find_asked(struct questions *questions, const struct name *name)
{
	for (struct question *question = questions->asked; question; question = question->next) {
		if (!question->forwarded && name_equals(&question->name, name))
			return question;
	}
	return NULL;
}

/* Under the mutex. */
static bool begin(struct questions *questions, const struct name *name, const char *cdn_loop,
	struct question **out, struct err *err)
{
	struct question *question;

	if (questions->ending || questions->asked_count >= QUESTIONS_MAX)
		return err_set(err, ERR_BUSY, "%s", questions->kind->crowded);
	question = new_question(questions, name, cdn_loop);
	/* It waits for the mutex before it ends. */
	if (!start_thread(question, err)) {
		free_question(question);
		return false;
	}
	question->next = questions->asked;
	questions->asked = question;
	questions->asked_count++;
	*out = question;
	return true;
}

/* Under the mutex. */
static bool join(struct question *question, struct question **out)
{
	question->references++;
	*out = question;
	return true;
}

bool questions_ask(struct questions *questions, const struct name *name, const char *cdn_loop,
	int64_t *out_answer, struct question **out, struct err *err)
{
	const struct question_kind *kind = questions->kind;
	LOCKED(&questions->mutex);
	struct question *question;

	*out = NULL;
	if (kind->recall && kind->recall(questions->context, name, out_answer))
		return true;
	question = cdn_loop ? NULL : find_asked(questions, name);
	if (question)
		return join(question, out);
	return kind->may_ask(questions->context, name, cdn_loop, err) &&
	       begin(questions, name, cdn_loop, out, err);
}

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

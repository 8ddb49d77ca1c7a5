/* SPDX-License-Identifier: Apache-2.0 */
#include "common/thread.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"

#ifdef LARDER_CHECKS
enum { CHECKS = true };
#else
enum { CHECKS = false };
#endif

enum { NAME_MAX_BYTES = 15, NICENESS_MAX = 19 };

/* What a started thread reads once. */
struct start {
	struct thread_plan plan;
	char name[NAME_MAX_BYTES + 1];
};

static _Thread_local enum thread_role own_role;
static _Thread_local bool is_named;

bool thread_checks(void)
{
	return CHECKS;
}

enum thread_role thread_role(void)
{
	return own_role;
}

static void call_it(const char *name)
{
	char text[NAME_MAX_BYTES + 1];

	(void)snprintf(text, sizeof text, "%s", name);
	(void)pthread_setname_np(pthread_self(), text);
	is_named = true;
}

/* A sandbox may forbid it. That is told once: it costs small requests their place before long work. */
static void be_nice(const char *name, int niceness)
{
	static atomic_flag told = ATOMIC_FLAG_INIT;

	if (niceness == 0 || setpriority(PRIO_PROCESS, (id_t)gettid(), niceness) == 0)
		return;
	if (!atomic_flag_test_and_set(&told))
		log_event(LOG_LEVEL_WARN,
			"the system refuses niceness: long work will slow down short requests", "thread",
			name, "why", strerror(errno), NULL);
}

/* Where that is forbidden, the lowest priority is next to it. */
static void be_idle(const char *name)
{
	const struct sched_param none = {0};

	if (pthread_setschedparam(pthread_self(), SCHED_IDLE, &none) != 0)
		be_nice(name, NICENESS_MAX);
}

static void *begin(void *argument)
{
	const struct start start = *(struct start *)argument;

	free(argument);
	call_it(start.name);
	own_role = start.plan.role;
	be_nice(start.name, start.plan.niceness);
	if (start.plan.idle)
		be_idle(start.name);
	return start.plan.run(start.plan.context);
}

static int create(pthread_t *out, const struct thread_plan *plan, struct start *start)
{
	pthread_attr_t attributes;
	pthread_t unused;
	int failure;

	(void)pthread_attr_init(&attributes);
	if (plan->detached)
		(void)pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	if (plan->stack_bytes)
		(void)pthread_attr_setstacksize(&attributes, plan->stack_bytes);
	failure = pthread_create(plan->detached ? &unused : out, &attributes, begin, start);
	(void)pthread_attr_destroy(&attributes);
	return failure;
}

bool thread_start(pthread_t *out, const struct thread_plan *plan, struct err *err)
{
	struct start *start = mem_zero(1, sizeof *start);
	int failure;

	start->plan = *plan;
	(void)snprintf(start->name, sizeof start->name, "%s", plan->name);
	failure = create(out, plan, start);
	if (failure == 0)
		return true;
	free(start);
	return err_errno(err, failure, "start the thread \"%s\"", plan->name);
}

void thread_join(pthread_t thread)
{
	may_block("a join");
	(void)pthread_join(thread, NULL);
}

void thread_adopt(const char *name, enum thread_role role)
{
	if (is_named)
		return;
	call_it(name);
	own_role = role;
}

void may_block(const char *what)
{
	char name[NAME_MAX_BYTES + 1] = "?";

	if (!CHECKS || own_role != THREAD_LOOP)
		return;
	(void)pthread_getname_np(pthread_self(), name, sizeof name);
	(void)fprintf(stderr, "larder: the loop thread \"%s\" must not wait for %s\n", name, what);
	abort();
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/thread.h"

#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "common/log.h"
#include "common/mem.h"

#ifdef LARDER_CHECKS
enum { CHECKS = true };
#else
enum { CHECKS = false };
#endif

enum { NAME_MAX_BYTES = 15, NICENESS_MAX = 19, LOOP_SLICE_NS = 100000 };

/* What a started thread reads once. */
struct start {
	struct thread_plan plan;
	char name[NAME_MAX_BYTES + 1];
};

static _Thread_local bool is_excused;
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

/* What sched_setattr(2) takes. Not every C library has a name for it. */
struct scheduling {
	uint32_t size;
	uint32_t policy;
	uint64_t flags;
	int32_t niceness;
	uint32_t priority;
	uint64_t slice_ns; /* 0: the system's own; only Linux 6.12 and later heed it */
	uint64_t deadline_ns;
	uint64_t period_ns;
};

static bool schedule(uint32_t policy, int niceness, uint64_t slice_ns)
{
	struct scheduling wanted = {
		.size = sizeof wanted, .policy = policy, .niceness = niceness, .slice_ns = slice_ns};

	return syscall(SYS_sched_setattr, 0, &wanted, 0) == 0;
}

/* A sandbox may forbid it. That is told once: it costs small requests their place before long work. */
static void tell_refusal(const char *name)
{
	static atomic_flag told = ATOMIC_FLAG_INIT;

	if (!atomic_flag_test_and_set(&told))
		log_event(LOG_LEVEL_WARN,
			"the system refuses niceness: long work will slow down short requests", "thread",
			name, "why", strerror(errno), NULL);
}

/* Long work never comes before what runs already, and a loop that wakes up comes before what has a longer
 * slice: niceness alone leaves it waiting for the end of that slice. */
static void take_place(const char *name, enum thread_role role, int niceness, bool idle)
{
	int own = getpriority(PRIO_PROCESS, (id_t)gettid());

	niceness = niceness > own ? niceness : own;
	if (idle && schedule(SCHED_IDLE, own, 0))
		return;
	if (idle)
		niceness = NICENESS_MAX;
	if (niceness > own && !schedule(SCHED_BATCH, niceness, 0) &&
		setpriority(PRIO_PROCESS, (id_t)gettid(), niceness) != 0)
		tell_refusal(name);
	else if (niceness == own && role == THREAD_LOOP)
		(void)schedule(SCHED_OTHER, own, LOOP_SLICE_NS);
}

static void *begin(void *argument)
{
	const struct start start = *(struct start *)argument;

	free(argument);
	call_it(start.name);
	own_role = start.plan.role;
	take_place(start.name, start.plan.role, start.plan.niceness, start.plan.idle);
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
	(void)err_errno(err, failure, "start the thread \"%s\"", plan->name);
	/* The system gives no more of them just now. */
	if (failure == EAGAIN)
		err->code = ERR_BUSY;
	return false;
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
	take_place(name, role, 0, false);
}

void thread_excuse(bool excused)
{
	is_excused = excused;
}

void may_block(const char *what)
{
	char name[NAME_MAX_BYTES + 1] = "?";

	if (!CHECKS || own_role != THREAD_LOOP || is_excused)
		return;
	(void)pthread_getname_np(pthread_self(), name, sizeof name);
	(void)fprintf(stderr, "larder: the loop thread \"%s\" must not wait for %s\n", name, what);
	abort();
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The rules of threads and locks, and that breaking one aborts where the build checks them. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "common/clock.h"
#include "common/lock.h"
#include "common/thread.h"

static const struct lock_place upper = {"upper", 1}, lower = {"lower", 2}, slow = {"slow", 3, .slow = true};

struct house {
	struct lock upper;
	struct lock lower;
	struct lock slow;
	pthread_cond_t condition;
	void (*act)(struct house *house);
	enum thread_role seen;
	char name[16];
	int niceness;
};

static void init(struct house *house)
{
	lock_init(&house->upper, &upper);
	lock_init(&house->lower, &lower);
	lock_init(&house->slow, &slow);
	(void)pthread_cond_init(&house->condition, NULL);
}

static void *run(void *context)
{
	struct house *house = context;

	house->act(house);
	return NULL;
}

static void act_on(struct house *house, enum thread_role role)
{
	const struct thread_plan plan = {.name = "test", .role = role, .run = run, .context = house};
	struct err err;
	pthread_t thread;

	assert_true(thread_start(&thread, &plan, &err));
	thread_join(thread);
}

static void take_down(struct house *house)
{
	LOCKED(&house->upper);
	{
		LOCKED(&house->lower);
	}
}

static void take_up(struct house *house)
{
	LOCKED(&house->lower);
	{
		LOCKED(&house->upper);
	}
}

static void take_twice(struct house *house)
{
	lock_acquire(&house->lower);
	lock_acquire(&house->lower);
}

static void give_what_is_not_held(struct house *house)
{
	lock_release(&house->lower);
}

static void take_slow(struct house *house)
{
	LOCKED(&house->slow);
}

/* What only who holds the upper one may do. */
static void act_in_upper(struct house *house)
{
	lock_expect(&house->upper);
}

static void act_with_upper(struct house *house)
{
	LOCKED(&house->upper);
	{
		LOCKED(&house->lower);
		act_in_upper(house);
	}
}

static void act_with_lower(struct house *house)
{
	LOCKED(&house->lower);
	act_in_upper(house);
}

static void act_behind_upper(struct house *house)
{
	take_down(house);
	act_in_upper(house);
}

static void wait_a_little(struct house *house)
{
	LOCKED(&house->upper);
	assert_false(lock_wait_until(&house->upper, &house->condition, clock_monotonic_ms() + 1));
}

static void join_nobody(struct house *house)
{
	(void)house;
	may_block("a test");
}

static void call_out(struct house *house)
{
	(void)house;
	may_call_out("a test");
}

static void call_out_locked(struct house *house)
{
	LOCKED(&house->lower);
	call_out(house);
}

static void look(struct house *house)
{
	house->seen = thread_role();
	(void)pthread_getname_np(pthread_self(), house->name, sizeof house->name);
	house->niceness = getpriority(PRIO_PROCESS, (id_t)gettid());
}

static const struct {
	const char *what;
	void (*act)(struct house *house);
	enum thread_role role;
	bool allowed;
} cases[] = {
	{"down in a loop", take_down, THREAD_LOOP, true},
	{"down anywhere", take_down, THREAD_ANY, true},
	{"up", take_up, THREAD_ANY, false},
	{"twice", take_twice, THREAD_ANY, false},
	{"give another's", give_what_is_not_held, THREAD_ANY, false},
	{"act with the lock", act_with_upper, THREAD_LOOP, true},
	{"act without any lock", act_in_upper, THREAD_ANY, false},
	{"act with another lock", act_with_lower, THREAD_ANY, false},
	{"act when the lock was given back", act_behind_upper, THREAD_ANY, false},
	{"slow anywhere", take_slow, THREAD_ANY, true},
	{"slow on a disk thread", take_slow, THREAD_DISK, true},
	{"slow in a loop", take_slow, THREAD_LOOP, false},
	{"wait anywhere", wait_a_little, THREAD_ANY, true},
	{"wait in a loop", wait_a_little, THREAD_LOOP, false},
	{"block anywhere", join_nobody, THREAD_ANY, true},
	{"block in a loop", join_nobody, THREAD_LOOP, false},
	{"call out anywhere", call_out, THREAD_ANY, true},
	{"call out with a lock", call_out_locked, THREAD_ANY, false},
	{"call out on a disk thread", call_out, THREAD_DISK, false},
	{"call out in a loop", call_out, THREAD_LOOP, false},
};

/* In a process of its own, which a breach is to end. */
static int status_of(void (*act)(struct house *house), enum thread_role role)
{
	struct house house = {.act = act};
	int status = 0;
	pid_t child = fork();

	if (child == 0) {
		init(&house);
		act_on(&house, role);
		_exit(0);
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	return status;
}

static void breaches_abort(void **state)
{
	(void)state;
	if (!thread_checks())
		skip();
	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		int status = status_of(cases[i].act, cases[i].role);

		print_message("%s: status %d\n", cases[i].what, status);
		if (cases[i].allowed)
			assert_int_equal(status, 0);
		else
			assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT);
	}
}

struct place_on_core {
	int policy;
	int niceness;
	uint64_t slice_ns;
};

/* As sched_setattr(2) has it. */
static void *look_at_place(void *context)
{
	struct place_on_core *place = context;
	uint64_t words[6] = {0};

	place->policy = sched_getscheduler(0);
	place->niceness = getpriority(PRIO_PROCESS, (id_t)gettid());
	if (syscall(SYS_sched_getattr, 0, words, sizeof words, 0) == 0)
		place->slice_ns = words[3];
	return NULL;
}

static struct place_on_core place_of(struct thread_plan plan)
{
	struct place_on_core place = {0};
	struct err err = {0};
	pthread_t thread;

	plan.name = "test";
	plan.run = look_at_place;
	plan.context = &place;
	assert_true(thread_start(&thread, &plan, &err));
	thread_join(thread);
	return place;
}

/* The slice is told by kernels that heed it only (6.12). */
static void long_work_gives_way(void **state)
{
	int own = getpriority(PRIO_PROCESS, 0);
	struct place_on_core plain = place_of((struct thread_plan){.role = THREAD_DISK});
	struct place_on_core loop = place_of((struct thread_plan){.role = THREAD_LOOP});
	struct place_on_core nice = place_of((struct thread_plan){.role = THREAD_DISK, .niceness = 15});
	struct place_on_core cold = place_of((struct thread_plan){.role = THREAD_LOOP, .niceness = 15});
	struct place_on_core idle = place_of((struct thread_plan){.idle = true});

	assert_int_equal(plain.niceness, own);
	assert_int_equal(loop.niceness, own);
	assert_int_equal(loop.policy, SCHED_OTHER);
	assert_true(loop.slice_ns == plain.slice_ns || loop.slice_ns == 100000);
	assert_int_equal(nice.policy, SCHED_BATCH);
	assert_int_equal(cold.policy, SCHED_BATCH);
	assert_int_equal(nice.niceness, own > 15 ? own : 15);
	assert_int_equal(nice.slice_ns, plain.slice_ns);
	assert_int_equal(idle.policy, SCHED_IDLE);
}

static void threads_have_names_and_roles(void **state)
{
	static const enum thread_role roles[] = {THREAD_ANY, THREAD_DISK, THREAD_LOOP};
	struct house house = {.act = look};

	(void)state;
	init(&house);
	for (size_t i = 0; i < sizeof roles / sizeof *roles; i++) {
		act_on(&house, roles[i]);
		assert_int_equal(house.seen, roles[i]);
		assert_string_equal(house.name, "test");
	}
	assert_int_equal(thread_role(), THREAD_ANY);
}

static void names_are_cut_and_niceness_counts(void **state)
{
	struct house house = {.act = look};
	const struct thread_plan plan = {.name = "a name that is too long for Linux",
		.niceness = 5,
		.run = run,
		.context = &house,
		.stack_bytes = 256 << 10};
	int own = getpriority(PRIO_PROCESS, 0);
	struct err err;
	pthread_t thread;

	(void)state;
	assert_true(thread_start(&thread, &plan, &err));
	thread_join(thread);
	assert_string_equal(house.name, "a name that is ");
	assert_int_equal(house.niceness, own > 5 ? own : 5);
}

/* A deadline that is over is no wait, and none depends on the wall clock. */
static void waits_end(void **state)
{
	struct house house;
	int64_t now_ms = clock_monotonic_ms();

	(void)state;
	init(&house);
	lock_acquire(&house.upper);
	assert_false(lock_wait_until(&house.upper, &house.condition, now_ms - 1000));
	assert_false(lock_wait_until(&house.upper, &house.condition, now_ms + 30));
	assert_true(clock_monotonic_ms() >= now_ms + 30);
	lock_release(&house.upper);
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(breaches_abort),
		cmocka_unit_test(threads_have_names_and_roles),
		cmocka_unit_test(long_work_gives_way),
		cmocka_unit_test(names_are_cut_and_niceness_counts),
		cmocka_unit_test(waits_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}

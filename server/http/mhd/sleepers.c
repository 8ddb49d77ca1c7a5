/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/mhd/sleepers.h"

#include <microhttpd.h>
#include <stdatomic.h>
#include <time.h>

#include "common/clock.h"
#include "common/lock.h"
#include "common/own.h"
#include "server/http/mhd/guest.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"sleepers", RANK_SLEEPERS};

enum { SWEEP_MS = 20, LOOK_MS = 500 };

void sleepers_init(struct sleepers *sleepers)
{
	*sleepers = (struct sleepers){.quiet_socket = guest_quiet_socket()};
	lock_init(&sleepers->mutex, &lock_place);
	(void)pthread_cond_init(&sleepers->all_up, NULL);
	(void)pthread_cond_init(&sleepers->watch, NULL);
}

void sleepers_finish(struct sleepers *sleepers)
{
	(void)pthread_cond_destroy(&sleepers->watch);
	own_close(&sleepers->quiet_socket);
	(void)pthread_cond_destroy(&sleepers->all_up);
	lock_finish(&sleepers->mutex);
}

static void enter(struct sleeper *sleeper)
{
	struct sleepers *house = sleeper->house;

	sleeper->previous = NULL;
	sleeper->next = house->first;
	if (house->first)
		house->first->previous = sleeper;
	house->first = sleeper;
}

static void get_up(struct sleeper *sleeper)
{
	struct sleepers *house = sleeper->house;

	*(sleeper->previous ? &sleeper->previous->next : &house->first) = sleeper->next;
	if (sleeper->next)
		sleeper->next->previous = sleeper->previous;
	sleeper->state = SLEEP_AWAKE;
	if (!house->first)
		(void)pthread_cond_signal(&house->all_up);
}

static void resume(struct sleeper *sleeper)
{
	if (sleeper->unanswered)
		atomic_store(
			&sleeper->hidden, guest_hide_end(sleeper->connection, sleeper->house->quiet_socket));
	sleeper->unanswered = false;
	MHD_resume_connection(sleeper->connection);
}

void sleeper_is_up(struct sleeper *sleeper)
{
	if (atomic_load(&sleeper->hidden) >= 0)
		guest_show_end(sleeper->connection, atomic_exchange(&sleeper->hidden, -1));
}

bool sleeper_prepare(struct sleeper *sleeper, bool (*leave)(struct sleeper *sleeper))
{
	LOCKED(&sleeper->house->mutex);
	if (sleeper->house->closing)
		return false;
	sleeper->leave = leave;
	sleeper->is_deserted = NULL;
	sleeper->state = SLEEP_DROWSY;
	enter(sleeper);
	return true;
}

void sleeper_cancel(struct sleeper *sleeper)
{
	LOCKED(&sleeper->house->mutex);
	get_up(sleeper);
}

bool sleeper_sleep(struct sleeper *sleeper)
{
	LOCKED(&sleeper->house->mutex);
	if (sleeper->state == SLEEP_WOKEN) {
		get_up(sleeper);
		return false;
	}
	sleeper->state = SLEEP_ASLEEP;
	MHD_suspend_connection(sleeper->connection);
	return true;
}

void sleeper_wake(struct sleeper *sleeper)
{
	struct sleepers *house = sleeper->house;
	LOCKED(&house->mutex);

	if (sleeper->state == SLEEP_DROWSY) {
		sleeper->state = SLEEP_WOKEN;
		return;
	}
	/* Under the mutex: sleepers_close must not see an empty house before the connection is resumed. */
	get_up(sleeper);
	resume(sleeper);
}

void sleeper_set_leave(struct sleeper *sleeper, bool (*leave)(struct sleeper *sleeper))
{
	LOCKED(&sleeper->house->mutex);
	sleeper->leave = leave;
	sleeper->is_deserted = NULL;
}

void sleeper_look_after(struct sleeper *sleeper, bool (*leave)(struct sleeper *sleeper),
	bool (*is_deserted)(const struct sleeper *sleeper))
{
	LOCKED(&sleeper->house->mutex);
	sleeper->leave = leave;
	sleeper->is_deserted = is_deserted;
	(void)pthread_cond_signal(&sleeper->house->watch);
}

int sleeper_socket(const struct sleeper *sleeper)
{
	return MHD_get_connection_info(sleeper->connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
}

static bool has_somebody_to_watch(const struct sleepers *sleepers)
{
	for (const struct sleeper *sleeper = sleepers->first; sleeper; sleeper = sleeper->next) {
		if (sleeper->is_deserted)
			return true;
	}
	return false;
}

static bool await_somebody(struct sleepers *sleepers)
{
	int64_t until_ms;

	while (!sleepers->blind && !has_somebody_to_watch(sleepers))
		lock_wait(&sleepers->mutex, &sleepers->watch);
	until_ms = clock_monotonic_ms() + LOOK_MS;
	while (!sleepers->blind && lock_wait_until(&sleepers->mutex, &sleepers->watch, until_ms))
		continue;
	return !sleepers->blind;
}

static void wake_those_who_can_leave(struct sleepers *sleepers, bool all)
{
	struct sleeper *next;

	for (struct sleeper *sleeper = sleepers->first; sleeper; sleeper = next) {
		next = sleeper->next;
		if (sleeper->state == SLEEP_ASLEEP && sleeper->leave &&
			(all || (sleeper->is_deserted && sleeper->is_deserted(sleeper))) &&
			sleeper->leave(sleeper)) {
			get_up(sleeper);
			resume(sleeper);
		}
	}
}

bool sleepers_look_after(struct sleepers *sleepers)
{
	LOCKED(&sleepers->mutex);

	if (!await_somebody(sleepers))
		return false;
	wake_those_who_can_leave(sleepers, false);
	return true;
}

void sleepers_stop_looking(struct sleepers *sleepers)
{
	LOCKED(&sleepers->mutex);
	sleepers->blind = true;
	(void)pthread_cond_signal(&sleepers->watch);
}

void sleepers_close(struct sleepers *sleepers)
{
	LOCKED(&sleepers->mutex);
	sleepers->closing = true;
	/* Swept again and again, since one may be on its way into a wait while another is swept. */
	while (sleepers->first) {
		wake_those_who_can_leave(sleepers, true);
		if (sleepers->first)
			(void)lock_wait_until(
				&sleepers->mutex, &sleepers->all_up, clock_monotonic_ms() + SWEEP_MS);
	}
}

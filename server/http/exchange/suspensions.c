/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/exchange/suspensions.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>

#include "common/clock.h"
#include "common/invariant.h"
#include "common/lock.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"suspensions", RANK_SUSPENSIONS};

enum { SWEEP_MS = 20, LOOK_MS = 500 };

void suspensions_init(struct suspensions *suspensions)
{
	*suspensions = (struct suspensions){0};
	list_init(&suspensions->list);
	lock_init(&suspensions->mutex, &lock_place);
	(void)pthread_cond_init(&suspensions->all_up, NULL);
	(void)pthread_cond_init(&suspensions->watch, NULL);
}

void suspensions_finish(struct suspensions *suspensions)
{
	(void)pthread_cond_destroy(&suspensions->watch);
	(void)pthread_cond_destroy(&suspensions->all_up);
	lock_finish(&suspensions->mutex);
}

static void get_up(struct suspension *suspension)
{
	struct suspensions *owner = suspension->owner;

	INVARIANT(list_holds(&suspension->link));
	list_remove(&suspension->link);
	suspension->state = SUSPENSION_NONE;
	if (list_is_empty(&owner->list))
		(void)pthread_cond_signal(&owner->all_up);
}

bool suspension_prepare(struct suspension *suspension, bool (*leave)(struct suspension *suspension))
{
	LOCKED(&suspension->owner->mutex);
	if (suspension->owner->closing)
		return false;
	suspension->leave = leave;
	suspension->is_deserted = NULL;
	suspension->sign_at_ms = 0;
	suspension->state = SUSPENSION_PREPARED;
	list_prepend(&suspension->owner->list, &suspension->link);
	return true;
}

void suspension_cancel(struct suspension *suspension)
{
	LOCKED(&suspension->owner->mutex);
	get_up(suspension);
}

bool suspension_begin(struct suspension *suspension)
{
	LOCKED(&suspension->owner->mutex);
	if (suspension->state == SUSPENSION_RESUMED) {
		get_up(suspension);
		return false;
	}
	suspension->state = SUSPENSION_ON;
	suspension->ops->suspend(suspension);
	return true;
}

void suspension_resume(struct suspension *suspension)
{
	struct suspensions *owner = suspension->owner;
	LOCKED(&owner->mutex);

	if (suspension->state == SUSPENSION_PREPARED) {
		suspension->state = SUSPENSION_RESUMED;
		return;
	}
	/* Under the mutex: suspensions_close must not see an empty owner before the connection is resumed. */
	get_up(suspension);
	suspension->ops->resume(suspension);
}

void suspension_set_leave(struct suspension *suspension, bool (*leave)(struct suspension *suspension))
{
	LOCKED(&suspension->owner->mutex);
	suspension->leave = leave;
	suspension->is_deserted = NULL;
}

void suspension_watch_client(struct suspension *suspension, bool (*leave)(struct suspension *suspension),
	bool (*is_deserted)(const struct suspension *suspension))
{
	LOCKED(&suspension->owner->mutex);
	suspension->leave = leave;
	suspension->is_deserted = is_deserted;
	(void)pthread_cond_signal(&suspension->owner->watch);
}

void suspension_show_life(struct suspension *suspension)
{
	LOCKED(&suspension->owner->mutex);
	if (suspension->sign_at_ms > 0)
		return;
	suspension->sign_at_ms = clock_monotonic_ms() + SUSPENSION_SIGN_MS;
	(void)pthread_cond_signal(&suspension->owner->watch);
}

int suspension_socket(const struct suspension *suspension)
{
	return suspension->ops->socket(suspension);
}

static bool has_somebody_to_watch(const struct suspensions *suspensions)
{
	LIST_EACH (const struct suspension, suspension, link, &suspensions->list) {
		if (suspension->is_deserted || suspension->sign_at_ms > 0)
			return true;
	}
	return false;
}

static bool await_somebody(struct suspensions *suspensions)
{
	int64_t until_ms;

	while (!suspensions->blind && !has_somebody_to_watch(suspensions))
		lock_wait(&suspensions->mutex, &suspensions->watch);
	until_ms = clock_monotonic_ms() + LOOK_MS;
	while (!suspensions->blind && lock_wait_until(&suspensions->mutex, &suspensions->watch, until_ms))
		continue;
	return !suspensions->blind;
}

static void wake_those_who_can_leave(struct suspensions *suspensions, bool all)
{
	LIST_EACH (struct suspension, suspension, link, &suspensions->list) {
		if (suspension->state == SUSPENSION_ON && suspension->leave &&
			(all || (suspension->is_deserted && suspension->is_deserted(suspension))) &&
			suspension->leave(suspension)) {
			get_up(suspension);
			suspension->ops->resume(suspension);
		}
	}
}

/* Where something waits to be sent still, a part of it might go out, which would spoil what follows. */
static void send_sign(int socket)
{
	static const char interim[] = "HTTP/1.1 100 Continue\r\n\r\n";
	int unsent;

	if (ioctl(socket, SIOCOUTQ, &unsent) == 0 && unsent == 0)
		(void)send(socket, interim, sizeof interim - 1, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void show_life(struct suspensions *suspensions)
{
	int64_t now_ms = clock_monotonic_ms();

	LIST_EACH (struct suspension, suspension, link, &suspensions->list) {
		if (suspension->state != SUSPENSION_ON || suspension->sign_at_ms == 0 ||
			suspension->sign_at_ms > now_ms)
			continue;
		send_sign(suspension_socket(suspension));
		suspension->sign_at_ms = now_ms + SUSPENSION_SIGN_MS;
	}
}

bool suspensions_check_clients(struct suspensions *suspensions)
{
	LOCKED(&suspensions->mutex);

	if (!await_somebody(suspensions))
		return false;
	wake_those_who_can_leave(suspensions, false);
	show_life(suspensions);
	return true;
}

void suspensions_stop_checking(struct suspensions *suspensions)
{
	LOCKED(&suspensions->mutex);
	suspensions->blind = true;
	(void)pthread_cond_signal(&suspensions->watch);
}

void suspensions_close(struct suspensions *suspensions)
{
	LOCKED(&suspensions->mutex);
	suspensions->closing = true;
	/* Swept again and again, since one may be on its way into a wait while another is swept. */
	while (!list_is_empty(&suspensions->list)) {
		wake_those_who_can_leave(suspensions, true);
		if (!list_is_empty(&suspensions->list))
			(void)lock_wait_until(
				&suspensions->mutex, &suspensions->all_up, clock_monotonic_ms() + SWEEP_MS);
	}
}

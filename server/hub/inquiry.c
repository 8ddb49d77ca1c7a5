/* SPDX-License-Identifier: Apache-2.0 */
#include "server/hub/inquiry.h"

#include <stdlib.h>

#include "common/mem.h"
#include "server/http/reply.h"

struct wait {
	struct inquiry inquiry;
	char *member; /* what the inquiry's points to */
};

static void destroy_wait(void *object)
{
	struct wait *wait = object;

	question_release(wait->inquiry.question);
	free(wait->member);
	free(wait);
}

static bool is_answered(void *object, struct waiter *waiter)
{
	struct wait *wait = object;

	return !question_await(wait->inquiry.question, waiter);
}

static bool leave_wait(void *object, struct waiter *waiter)
{
	struct wait *wait = object;

	return question_leave(wait->inquiry.question, waiter);
}

static void resume(void *object, const struct request *request, struct reply *reply)
{
	struct wait *wait = object;

	wait->inquiry.tell(&wait->inquiry, request, reply);
	destroy_wait(wait);
}

/* Who has gone gives his place in the line to others. */
static const struct later_ops later = {.ready = is_answered,
	.leave = leave_wait,
	.resume = resume,
	.destroy = destroy_wait,
	.watched = true};

void inquiry_reply(struct reply *reply, const struct inquiry *inquiry)
{
	struct wait *wait = mem_zero(1, sizeof *wait);

	wait->inquiry = *inquiry;
	wait->member = inquiry->member ? mem_dup(inquiry->member) : NULL;
	wait->inquiry.member = wait->member;
	reply_later(reply, &later, wait);
}

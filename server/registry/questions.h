/* SPDX-License-Identifier: Apache-2.0
 *
 * What upstreams are asked without fetching anything: each question once however many want to know, on a
 * thread of its own, so many at once and no more; whoever waits for the answer is woken. */
#ifndef SERVER_REGISTRY_QUESTIONS_H
#define SERVER_REGISTRY_QUESTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/waiter.h"
#include "server/module/name.h"
#include "server/registry/admission.h"
#include "server/registry/watch.h"
#include "server/upstream/client.h"

struct question;
struct questions;

/* A question as it is put. */
struct asking {
	const struct name *name;
	const char *cdn_loop;     /* what is sent along */
	struct fill_watch *watch; /* its stop ends it soon */
};

/* What is asked. The first two are called under the lock of the questions; a question is over after its
 * answer is remembered, so that nobody finds neither. */
struct question_kind {
	const char *thread_name;
	const char *crowded; /* the refusal where too many are asked */
	/* NULL: nothing is remembered. */
	bool (*recall)(void *context, const struct name *name, int64_t *out_answer);
	bool (*may_ask)(void *context, const struct name *name, const char *cdn_loop, struct err *err);
	/* On the question's own thread. Remembers what is to be remembered. */
	bool (*ask)(void *context, const struct asking *asking, int64_t *out_answer, struct err *err);
};

/* All must outlive it; the client does the asking. destroy ends all questions and waits for them; takes NULL.
 */
struct questions *questions_create(const struct question_kind *kind, void *context,
	const struct admission *admission, struct client *client);
void questions_destroy(struct questions *questions);

/* What is remembered; else *out is the question that is being asked of this name, or that is asked now. A
 * request that came through another server (its CDN-Loop header is not NULL) joins none: that server's
 * question may be what ours waits for. The caller owns *out, NULL with an answer. Fails as may_ask does, and
 * with ERR_BUSY where too many are being asked. */
bool questions_ask(struct questions *questions, const struct name *name, const char *cdn_loop,
	int64_t *out_answer, struct question **out, struct err *err);

/* True: the waiter has been joined and is woken with the answer. False: the answer is there. */
bool question_await(struct question *question, struct waiter *waiter);
bool question_leave(struct question *question, struct waiter *waiter);

/* The answer, once it is there, or what asking failed with. */
bool question_result(struct question *question, int64_t *out_answer, struct err *err);

const struct name *question_name(const struct question *question);

/* Takes NULL. */
void question_release(struct question *question);

#endif

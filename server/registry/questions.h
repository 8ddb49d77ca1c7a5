/* SPDX-License-Identifier: Apache-2.0
 *
 * What upstreams are asked without fetching anything: each question once however many want to know, so many
 * at once and no more, each on a thread of its own. Every client and every upstream has a share of the
 * places; what finds none waits its turn as a row in a list. Whoever waits for the answer is woken. */
#ifndef SERVER_REGISTRY_QUESTIONS_H
#define SERVER_REGISTRY_QUESTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "common/waiter.h"
#include "server/module/name.h"
#include "server/registry/admission.h"
#include "server/registry/fill_progress.h"
#include "server/upstream/client.h"

struct question;
struct questions;

enum {
	QUESTIONS_AT_ONCE = 64,
	QUESTIONS_A_CLIENT = 64 /* those that wait their turn among them */
};

/* Who asks. */
struct asker {
	const char *client;   /* a word by which his share is known (a token's name, an address) */
	const char *cdn_loop; /* the request's header, or NULL */
	bool follows;         /* another node, which was told that this one fetches it for all */
};

/* A question as it is put. */
struct asking {
	const struct name *name;
	const char *cdn_loop;           /* what is sent along */
	struct fill_progress *progress; /* its stop ends it soon */
};

/* How it is asked, one upstream after the other: all on a thread of the question's own, but finish. */
struct question_steps {
	/* What is learnt on the way; the asking outlives it. */
	void *(*begin)(void *context, const struct asking *asking);
	/* What can be found out before any upstream is asked: false where that is all, with the answer or
	 * *err. NULL: nothing can. */
	bool (*look)(void *progress, bool *answered, int64_t *out_answer, struct err *err);
	/* The upstream to ask next, by its place among the settings'; false: there is none. */
	bool (*next)(void *progress, size_t *upstream);
	/* True: that was the answer. Remembers what is to be remembered. */
	bool (*ask)(void *progress, size_t upstream, int64_t *out_answer);
	/* None has answered: fills *err with what it came to. */
	void (*conclude)(void *progress, struct err *err);
	/* On any thread. */
	void (*finish)(void *progress);
};

/* What is asked. The first two are called under the lock of the questions; a question is over after its
 * answer is remembered, so that nobody finds neither. */
struct question_kind {
	const char *thread_name;
	const char *what; /* is asked for: "the size of modules" */
	/* NULL: nothing is remembered. */
	bool (*recall)(void *context, const struct name *name, int64_t *out_answer);
	/* NULL: whoever asks has found out. */
	bool (*may_ask)(void *context, const struct name *name, const char *cdn_loop, struct err *err);
	const struct question_steps *steps;
};

/* All must outlive it; the client does the asking. An upstream is asked three quarters of what it takes at
 * once, and of all at most so many, which leaves room to fills and to other upstreams; a client has a third
 * of what the largest of them is asked. destroy ends all questions and waits for them; takes NULL. */
struct questions *questions_create(const struct question_kind *kind, void *context,
	const struct admission *admission, struct client *client, const struct upstream *upstreams,
	size_t upstream_count);
void questions_destroy(struct questions *questions);
AUTO_CLEANER(own_questions, struct questions *, questions_destroy)
#define AUTO_QUESTIONS AUTO(own_questions)

/* What is remembered; else *out is the question that is being asked of this name, or that is asked now. A
 * request that came through another server (its CDN-Loop header is not NULL) joins none: that server's
 * question may be what ours waits for. Of several that join one that waits its turn, who has the most left of
 * his share lends it. The caller owns *out, NULL with an answer. Fails as may_ask does, and with ERR_BUSY
 * where this client waits for QUESTIONS_A_CLIENT answers already. */
bool questions_ask(struct questions *questions, const struct name *name, const struct asker *asker,
	int64_t *out_answer, struct question **out, struct err *err);

/* True: the waiter has been joined and is woken with the answer. False: the answer is there. */
bool question_await(struct question *question, struct waiter *waiter);
bool question_leave(struct question *question, struct waiter *waiter);

/* The answer, once it is there, or what asking failed with. */
bool question_result(struct question *question, int64_t *out_answer, struct err *err);

const struct name *question_name(const struct question *question);

/* Takes NULL. Whose turn has not come when nobody wants to know any more is not asked. */
void question_release(struct question *question);
AUTO_CLEANER(own_question, struct question *, question_release)
#define AUTO_QUESTION AUTO(own_question)

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Which version upstream calls the latest of a handle: asked without fetching anything, once however many
 * want to know, and remembered for a while. */
#ifndef SERVER_REGISTRY_LATEST_H
#define SERVER_REGISTRY_LATEST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/waiter.h"
#include "server/registry/fill.h"

struct admission;
struct latest;
struct question;

/* The tools are copied; what they point to, and the admission, must outlive it. destroy ends all questions
 * and waits for them; takes NULL. */
struct latest *latest_create(const struct fill_tools *tools, struct admission *admission);
void latest_destroy(struct latest *latest);

/* The answer that is remembered for a handle and format; 0: none. */
int64_t latest_recall(struct latest *latest, const struct name *name);

/* Whether upstreams may be asked about it now. The name has no version; cdn_loop is the request's header or
 * NULL. All that admission_check fails with, and ERR_NOT_FOUND where none of them can be asked without a
 * version. */
bool latest_may_ask(struct latest *latest, const struct name *name, const char *cdn_loop, struct err *err);

/* What is remembered; else *out is the question that is being asked of this handle and format, or that is
 * asked now, on a thread of its own. A request that came through another server joins none: that server's
 * question may be what ours waits for. The caller owns *out, NULL with a version. Fails as latest_may_ask
 * does, and with ERR_BUSY where too many are being asked. */
bool latest_ask(struct latest *latest, const struct name *name, const char *cdn_loop, int64_t *out_version,
	struct question **out, struct err *err);

/* True: the waiter has been joined and is woken with the answer. False: the answer is there. */
bool question_await(struct question *question, struct waiter *waiter);
bool question_leave(struct question *question, struct waiter *waiter);

/* The answer, once it is there: ERR_NOT_FOUND (no upstream knows the handle; remembered as an absence) and
 * what requests to upstreams fail with. */
bool question_result(struct question *question, int64_t *out_version, struct err *err);

const struct name *question_name(const struct question *question);

/* Takes NULL. */
void question_release(struct question *question);

/* The version in an address that ends with "<handle>/<version>", whatever host and folder come before; 0:
 * there is none. The query is not looked at, nor a suffix such as ".tar.gz". */
int64_t latest_version_in(const char *url, const char *handle);

#endif

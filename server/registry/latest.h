/* SPDX-License-Identifier: Apache-2.0
 *
 * Which version upstream calls the latest of a handle: asked without fetching anything, once however many
 * want to know, and remembered for a while. */
#ifndef SERVER_REGISTRY_LATEST_H
#define SERVER_REGISTRY_LATEST_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/own.h"
#include "server/registry/fill.h"
#include "server/registry/questions.h"
#include "server/registry/verdict.h"

struct admission;
struct latest;

/* The tools are copied; what they point to, and the admission, must outlive it. destroy ends all questions
 * and waits for them; takes NULL. */
struct latest *latest_create(const struct fill_tools *tools, struct admission *admission);
void latest_destroy(struct latest *latest);
AUTO_CLEANER(own_latest, struct latest *, latest_destroy)
#define AUTO_LATEST AUTO(own_latest)

/* The answer that is remembered for a handle and format; 0: none. */
int64_t latest_recall(struct latest *latest, const struct name *name);

/* Whether upstreams may be asked about it now. The name has no version; cdn_loop is the request's header or
 * NULL. All that admission_check fails with, and ERR_NOT_FOUND where none of them can be asked without a
 * version. */
bool latest_may_ask(struct latest *latest, const struct name *name, const char *cdn_loop, struct err *err);

/* What is remembered, or the question that is asked of this handle and format: see questions_ask. It is
 * answered with a version, or fails with ERR_NOT_FOUND (no upstream knows the handle) and what
 * requests to upstreams fail with. What all of them have said for good, to GET, is remembered as of files. */
bool latest_ask(struct latest *latest, const struct name *name, const struct asker *asker,
	int64_t *out_version, struct question **out, struct err *err);

/* How one upstream is asked. */
struct latest_terms {
	int64_t until_ms; /* the fetch's; 0: as long as it takes */
	bool trusts_head; /* what it answers to HEAD is so: GET has said the same before */
};

/* Asks one upstream, on a question's thread. *out_version is 0 where it does not say. */
enum verdict latest_ask_upstream(const struct fill_tools *tools, const struct asking *asking, size_t upstream,
	const struct latest_terms *terms, int64_t *out_version, struct err *err);

/* The version in an address that ends with "<handle>/<version>", whatever host and folder come before; 0:
 * there is none. The query is not looked at, nor a suffix such as ".tar.gz". */
int64_t latest_version_in(const char *url, const char *handle);

#endif

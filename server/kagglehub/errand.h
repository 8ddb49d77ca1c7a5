/* SPDX-License-Identifier: Apache-2.0
 *
 * What a call asks for, sought under each format that may stand for its framework: what is here, else what a
 * mirror fetches, which is waited for. */
#ifndef SERVER_KAGGLEHUB_ERRAND_H
#define SERVER_KAGGLEHUB_ERRAND_H

#include <stdbool.h>
#include <stdint.h>

#include "server/http/reply.h"
#include "server/http/request.h"
#include "server/kagglehub/model_ref.h"
#include "server/store/catalog/catalog_artifacts.h"

struct services;

/* What it is for. */
struct errand_kind {
	bool needs_listing; /* its files must be known; else it may be on its way */
	bool needs_version; /* none is given, the newest is looked for: only the name's version is told */
	/* Answers with what was found; artifact->recorded is false for what is on its way. */
	void (*tell)(struct services *services, const struct model_ref *ref, const struct request *request,
		const struct artifact *artifact, struct reply *reply);
};

/* Takes over what the ref holds. A GET that has to wait for long is answered with a redirect to itself, so
 * that a client which ends a silent connection has an answer in time. A HEAD of a
 * version has nothing fetched: what is not recorded is not there. */
void errand_run(struct services *services, const struct errand_kind *kind, struct model_ref *ref,
	const struct request *request, struct reply *reply);

#endif

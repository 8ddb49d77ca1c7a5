/* SPDX-License-Identifier: Apache-2.0
 *
 * One fill from first to last: asks what other nodes have and fetch, tries the upstreams that may have the
 * artifact, takes up broken transfers, has the bytes inspected, judged and kept, and ends the spool. Whoever
 * runs it owns the thread; whoever reads the spool need not know. */
#ifndef SERVER_REGISTRY_FILL_H
#define SERVER_REGISTRY_FILL_H

#include "common/err.h"
#include "server/module/name.h"
#include "server/registry/fill_progress.h"
#include "server/registry/fill_tools.h"
#include "server/registry/questions.h"
#include "server/registry/queue.h"

/* Fills the spool, on the calling thread. It ends as kept, or refused with ERR_NOT_FOUND (every upstream said
 * so; remembered for negative_ttl_s), ERR_UPSTREAM_UNREACHABLE, ERR_UPSTREAM_FAILED, ERR_QUARANTINED,
 * ERR_NO_SPACE or, stopped, ERR_BUSY. Where the disk runs full in the middle and upstream can prove to have
 * the rest, whoever follows gets the bytes by pass-through: it ends as passed then, and nothing is kept. A
 * fill that was stopped, but not cancelled, leaves its draft for the next one, if it is worth it. */
void fill_run(const struct fill_tools *tools, const struct fill_order *order);

/* Asks the upstreams by HEAD for the artifact's size (-1: not told, or not sure), with the same errors. What
 * it fails with is not remembered. The context is the tools, which must outlive the question. */
extern const struct question_steps fill_size_steps;

#endif

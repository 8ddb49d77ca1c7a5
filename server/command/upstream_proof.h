/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether the upstreams of a configuration can be reached from here: each is asked for the root of its
 * server, through its proxy, without a credential. */
#ifndef SERVER_COMMAND_UPSTREAM_PROOF_H
#define SERVER_COMMAND_UPSTREAM_PROOF_H

#include "server/command/finding.h"
#include "server/config.h"

/* Asks all side by side, for mirror.connect_timeout_s at most, and tells of each in the configuration's
 * order. A server whose certificate ends soon or whose clock is another's gets a warning. */
void upstream_proof_run(const struct config *config,
	void (*tell)(void *context, const char *upstream, struct finding *finding), void *context);

#endif

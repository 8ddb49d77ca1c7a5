/* SPDX-License-Identifier: Apache-2.0
 *
 * What transfers take of the machine and the environment, where the configuration does not say otherwise. */
#ifndef SERVER_COMMAND_WAY_PROOF_H
#define SERVER_COMMAND_WAY_PROOF_H

#include "server/command/finding.h"

/* Whether libcurl's file of authorities is there, and holds certificates. */
void way_proof_authorities(struct finding *finding);

/* Whether the proxies that the environment names are addresses. They are not shown: they may have a password.
 */
void way_proof_proxies(struct finding *finding);

#endif

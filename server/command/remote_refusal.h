/* SPDX-License-Identifier: Apache-2.0
 *
 * What a registry refuses with, in the words of the command line. */
#ifndef SERVER_COMMAND_REMOTE_REFUSAL_H
#define SERVER_COMMAND_REMOTE_REFUSAL_H

#include <jansson.h>

#include "common/err.h"

/* Answers false, with the problem as a sentence, its code and what to do, fit for a terminal: ERR_BUSY where
 * a try later may do, ERR_NOT_FOUND, ERR_GONE, ERR_BAD_REQUEST, ERR_UPSTREAM_UNREACHABLE
 * where a proxy does not reach it, else ERR_UPSTREAM_FAILED. */
bool remote_refusal_tell(long status, const json_t *problem, struct err *err);

#endif

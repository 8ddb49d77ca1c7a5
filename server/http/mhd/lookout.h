/* SPDX-License-Identifier: Apache-2.0
 *
 * Looks after suspended connections, which libmicrohttpd does not: whose client is gone need not wait on. */
#ifndef SERVER_HTTP_MHD_LOOKOUT_H
#define SERVER_HTTP_MHD_LOOKOUT_H

#include <stdbool.h>

#include "common/err.h"
#include "server/http/mhd/sleepers.h"

struct lookout;

/* A thread that looks twice a second while there is anybody to look after. close takes NULL. */
bool lookout_open(struct sleepers *sleepers, struct lookout **out, struct err *err);
void lookout_close(struct lookout *lookout);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * The phrases of statuses, as libmicrohttpd has them. It knows nothing of the rooms around it. */
#ifndef SERVER_HTTP_MHD_STATUS_PHRASE_H
#define SERVER_HTTP_MHD_STATUS_PHRASE_H

/* The phrase that goes with a status. */
const char *status_phrase(int status);

#endif

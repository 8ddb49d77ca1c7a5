/* SPDX-License-Identifier: Apache-2.0
 *
 * Handlers for what hub clients and publishers say. */
#ifndef SERVER_HUB_HUB_H
#define SERVER_HUB_HUB_H

#include "server/http/route.h"
#include "server/hub/hub_url.h"

/* GET and HEAD of an artifact: download.c. */
void hub_download(
	void *services, struct request *request, const struct hub_url *hub_url, struct reply *reply);

/* GET and HEAD of an artifact without its version: where the latest one is: redirect.c. */
void hub_redirect(
	void *services, struct request *request, const struct hub_url *hub_url, struct reply *reply);

/* GET and HEAD of one file of an archive of any format: member.c. */
void hub_member(void *services, struct request *request, const struct hub_url *hub_url, struct reply *reply);

/* POST /api/v1/fills: starts fills that nobody waits for: prefetch.c. */
void hub_prefetch(void *services, struct request *request, struct reply *reply);

/* GET /api/v1/explain: what would be answered and why, without asking an upstream: explain.c. */
void hub_explain(void *services, struct request *request, struct reply *reply);

/* PUT of an artifact or its documentation, PUT or POST of a TF.js model as a form: publish.c. */
extern const struct upload_ops hub_upload;
void hub_publish(void *services, struct request *request, struct reply *reply);

/* DELETE of a version: publish.c. */
void hub_withdraw(void *services, struct request *request, struct reply *reply);

#endif

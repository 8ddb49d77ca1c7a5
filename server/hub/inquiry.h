/* SPDX-License-Identifier: Apache-2.0
 *
 * A reply that depends on what an upstream is being asked: it is filled once the answer is there, and no
 * worker is held until then. */
#ifndef SERVER_HUB_INQUIRY_H
#define SERVER_HUB_INQUIRY_H

#include <stdint.h>

#include "server/hub/hub_url.h"
#include "server/registry/questions.h"
#include "server/registry/services.h"

struct reply;
struct request;

struct inquiry {
	const struct services *services;
	struct name name;
	enum wanted wanted;
	const char *member; /* NULL: none */
	struct question *question;
	/* Fills a fresh reply. */
	void (*tell)(const struct inquiry *inquiry, const struct request *request, struct reply *reply);
};

/* Takes over the question, copies the member. */
void inquiry_reply(struct reply *reply, const struct inquiry *inquiry);

#endif

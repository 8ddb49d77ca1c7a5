/* SPDX-License-Identifier: Apache-2.0
 *
 * Whether an upstream has a handle that is to be published here for the first time: clients that ask for the
 * one would get the other. Asked before a byte of the upload, without fetching anything, once however many
 * publish under it, and remembered for a while. */
#ifndef SERVER_REGISTRY_NAMESAKES_H
#define SERVER_REGISTRY_NAMESAKES_H

#include <stdbool.h>

#include "common/err.h"
#include "common/own.h"
#include "server/registry/naming.h"
#include "server/registry/questions.h"

struct admission;
struct fill_tools;
struct namesakes;

/* For how long such a question may take, however many are asked. */
enum { NAMESAKES_PATIENCE_S = 5 };

/* The tools are copied; what they point to, the admission and what the rules point to must outlive it.
 * destroy ends all questions and waits for them; takes NULL. */
struct namesakes *namesakes_create(
	const struct fill_tools *tools, struct admission *admission, const struct naming_rules *rules);
void namesakes_destroy(struct namesakes *namesakes);
AUTO_CLEANER(own_namesakes, struct namesakes *, namesakes_destroy)
#define AUTO_NAMESAKES AUTO(own_namesakes)

/* Whether the name may be published. *out is the question that upstreams are being asked, the caller's own:
 * await it, then namesakes_answered; NULL where nobody need be asked. Fails as naming_check does, and with
 * ERR_BLOCKED_BY_POLICY where an upstream said lately that it has the handle, ERR_BUSY. Offline nobody is
 * asked. */
bool namesakes_ask(struct namesakes *namesakes, const struct name *name, const struct asker *asker,
	struct question **out, struct err *err);

/* *unasked: none has said that it has it, and not all could be asked. Fails as namesakes_ask and
 * naming_check_unasked do. */
bool namesakes_answered(
	struct namesakes *namesakes, struct question *question, bool *unasked, struct err *err);

/* What a publication under a handle would meet, without asking. */
enum namesakes_outlook {
	NAMESAKES_FREE,    /* it may be published */
	NAMESAKES_ASKS,    /* upstreams would be asked first */
	NAMESAKES_REFUSED, /* *why */
};
struct namesakes_view {
	enum namesakes_outlook outlook;
	const char *rule; /* the key that decides; NULL: none */
	struct err why;
};
bool namesakes_look(
	struct namesakes *namesakes, const struct name *name, struct namesakes_view *out, struct err *err);

#endif

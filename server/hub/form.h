/* SPDX-License-Identifier: Apache-2.0
 *
 * A TF.js model as model.save() sends it: a form with the parts model.json and model.weights.bin. */
#ifndef SERVER_HUB_FORM_H
#define SERVER_HUB_FORM_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "server/http/request.h"
#include "server/registry/publisher.h"
#include "server/store/catalog/catalog_keep.h"

struct services;
struct form;

/* Whether the request's body is a form. */
bool form_is_sent(const struct request *request);

/* For such a request. The name is that of a tfjs artifact. Fails as publisher_begin does, and with
 * ERR_BAD_REQUEST. */
bool form_begin(const struct services *services, const struct request *request, const struct name *name,
	const struct declaration *declaration, struct form **out, struct err *err);

/* As upload_has_room and upload_make_room. */
bool form_has_room(const struct form *form, size_t length);
void form_make_room(struct form *form, size_t length);

/* The next bytes of the body. False: the rest is not wanted; form_finish tells why. */
bool form_write(struct form *form, const void *bytes, size_t length);

/* The body has ended: as upload_await, upload_leave. May take as long as receiving it did. */
bool form_await(struct form *form, struct waiter *waiter);
bool form_leave(struct form *form, struct waiter *waiter);

/* The body has ended: as upload_finish, and ERR_BAD_REQUEST for what is no form of such a model. */
bool form_finish(struct form *form, enum kept *out, struct examination **examination, struct err *err);

/* The client went away: nothing is kept. */
void form_abort(struct form *form);

#endif

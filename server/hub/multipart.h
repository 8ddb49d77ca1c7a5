/* SPDX-License-Identifier: Apache-2.0
 *
 * Reads a form (multipart/form-data, RFC 7578) while it arrives, and tells which of its bytes belong to which
 * part. Holds no more of it than a part's head; which parts there may be is its user's business. */
#ifndef SERVER_HUB_MULTIPART_H
#define SERVER_HUB_MULTIPART_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"
#include "common/own.h"

enum { MULTIPART_NAME_MAX = 255 };

/* Who takes the parts. Answering false, with *err, ends the reading. */
struct multipart_receiver {
	/* A part begins, whose name is valid during the call: as it was sent, of at most MULTIPART_NAME_MAX
	 * bytes. */
	bool (*part)(void *context, const char *name, struct err *err);
	/* The next bytes of the part that was begun last. */
	bool (*data)(void *context, const void *bytes, size_t length, struct err *err);
	void *context;
};

struct multipart;

/* Whether this value of Content-Type announces a form. */
bool multipart_is_form(const char *content_type);

/* For a body of such a type. ERR_BAD_REQUEST where it names no boundary, or none that is allowed. */
bool multipart_create(const char *content_type, const struct multipart_receiver *receiver,
	struct multipart **out, struct err *err);
/* Takes NULL. */
void multipart_destroy(struct multipart *multipart);
AUTO_CLEANER(own_multipart, struct multipart *, multipart_destroy)
#define AUTO_MULTIPART AUTO(own_multipart)

/* The next bytes of the body, in pieces of any size. ERR_BAD_REQUEST for what is no form, or what the
 * receiver says; after that it can only be destroyed. */
bool multipart_write(struct multipart *multipart, const void *bytes, size_t length, struct err *err);

/* The body has ended: ERR_BAD_REQUEST where the form has not. */
bool multipart_finish(const struct multipart *multipart, struct err *err);

#endif

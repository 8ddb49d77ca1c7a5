/* SPDX-License-Identifier: Apache-2.0
 *
 * What the headers of an upload say of its body. */
#ifndef SERVER_HUB_UPLOAD_HEAD_H
#define SERVER_HUB_UPLOAD_HEAD_H

#include <stdbool.h>

#include "common/err.h"

struct declaration;
struct request;

/* Whatever curl sends with --data and --data-binary. */
#define UPLOAD_HEAD_FORM_TYPE "application/x-www-form-urlencoded"

/* Whether a Content-Type, with parameters or without, is this media type. */
bool upload_head_is_type(const char *content_type, const char *type);

/* ERR_BAD_REQUEST where the body is to be a part of something. */
bool upload_head_is_whole(const struct request *request, struct err *err);

/* Reads length and digests. is_form: a TF.js model, of any Content-Type. ERR_BAD_REQUEST, and
 * ERR_UNSUPPORTED_MEDIA for a body that is in a coding or is none that may be published. */
bool upload_head_read(
	const struct request *request, bool is_form, struct declaration *declaration, struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * What the bodies of an import are poured into: the head of a bundle, and artifacts one by one. */
#ifndef SERVER_API_IMPORT_UPLOAD_H
#define SERVER_API_IMPORT_UPLOAD_H

#include "server/http/route.h"

extern const struct upload_ops import_head_upload;
extern const struct upload_ops import_blob_upload;

#endif

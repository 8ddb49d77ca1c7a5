/* SPDX-License-Identifier: Apache-2.0
 *
 * Protobuf's text format, read as a stream into a message:
 * https://protobuf.dev/reference/protobuf/textformat-spec/ */
#ifndef SERVER_MODULE_SAVEDMODEL_TEXTPROTO_H
#define SERVER_MODULE_SAVEDMODEL_TEXTPROTO_H

#include <stdbool.h>

#include "common/err.h"
#include "common/stream.h"
#include "server/module/savedmodel/message.h"

enum { TEXTPROTO_DEPTH_MAX = 100 };

/* Fills a message from text, to the stream's end. Fields that its type does not name are skipped; one that is
 * given twice is merged as in the wire format. ERR_INVALID_MODULE says what is wrong and in which line, or
 * that there are more than SAVED_MODEL_TEXT_BYTES_MAX bytes. */
bool textproto_read(struct pool *pool, struct message *message, struct stream *stream, struct err *err);

#endif

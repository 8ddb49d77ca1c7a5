/* SPDX-License-Identifier: Apache-2.0
 *
 * The head of a GGUF file: its tensors' names, dtypes and shapes, behind metadata that is passed over.
 * https://github.com/ggml-org/ggml/blob/master/docs/gguf.md */
#ifndef SERVER_MODULE_FORMATS_GGUF_H
#define SERVER_MODULE_FORMATS_GGUF_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/stream.h"
#include "server/module/formats/modellist.h"

/* Lists the tensors as the signature's outputs, their dimensions as the file has them: the fastest first.
 * ERR_INVALID_MODULE where it is malformed or of another version than 2 and 3; the stream's errors pass
 * through. */
bool gguf_read(struct stream *content, int64_t size, struct modellist *listing, struct signature *signature,
	struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * What files of an archive say of their tensors at their beginning: safetensors, GGUF and ONNX, told by their
 * names. One signature a file, in one meta graph; a file that holds tensors gives them as outputs. Read while
 * the bytes pass, in bounded memory, whatever they claim. */
#ifndef SERVER_MODULE_FORMATS_FILEHEADS_H
#define SERVER_MODULE_FORMATS_FILEHEADS_H

#include <stdbool.h>
#include <stdint.h>

#include "common/err.h"
#include "common/stream.h"
#include "server/module/formats/modellist.h"

/* Zeroed, it is empty. */
struct fileheads {
	struct modellist listing;
	bool begun;
};
void fileheads_finish(struct fileheads *heads);

/* Reads as much of a file as it takes; one of another kind stays unread. ERR_INVALID_MODULE says what is
 * wrong with it, and nothing of it is listed then; the stream's errors pass through. */
bool fileheads_read(
	struct fileheads *heads, const char *path, int64_t size, struct stream *content, struct err *err);

/* What was listed, which is the caller's then; NULL where there was nothing. */
struct saved_model *fileheads_take(struct fileheads *heads);

#endif

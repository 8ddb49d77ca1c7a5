/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes, as a file *.gguf of an archive. */
#include <stddef.h>
#include <stdint.h>

#include "common/own.h"
#include "server/module/formats/fileheads.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO(fileheads_finish) struct fileheads heads = {0};
	struct memory_stream memory;
	struct err err;

	if (fileheads_read(&heads, "m.gguf", (int64_t)size, memory_stream_init(&memory, data, size), &err))
		saved_model_destroy(fileheads_take(&heads));
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes, as a tar.gz and as the tar inside one, in every format: examined under small limits. */
#include <stddef.h>
#include <stdint.h>

#include "server/module/examination.h"
#include "tests/unit/tar_writer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void examine(const void *data, size_t size, enum format format)
{
	const struct archive_limits limits = {
		.max_unpacked_bytes = 1 << 20, .max_members = 1000, .max_ratio = 100};
	struct memory_stream memory;
	struct examination *examination = NULL;
	struct err err;

	if (!examination_run(memory_stream_init(&memory, data, size), format, &limits, &examination, &err))
		abort(); /* bytes in memory do not fail */
	examination_destroy(examination);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct buffer packed = {0};

	gzip_bytes(data, size, &packed);
	for (int format = 0; format < FORMAT_COUNT; format++) {
		examine(data, size, (enum format)format);
		examine(packed.data, packed.length, (enum format)format);
	}
	buffer_finish(&packed);
	return 0;
}

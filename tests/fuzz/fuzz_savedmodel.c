/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes, as saved_model.pb and as saved_model.pbtxt. */
#include <stddef.h>
#include <stdint.h>

#include "server/module/savedmodel/savedmodel.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void feed(bool (*read)(struct stream *stream, const struct saved_model_watch *watch,
			 struct saved_model **out, struct err *err),
	const uint8_t *data, size_t size)
{
	struct memory_stream memory;
	struct saved_model *model = NULL;
	struct safety_findings findings = {0};
	const struct saved_model_watch watch = {&findings, "saved_model.pb"};
	struct err err;

	if (read(memory_stream_init(&memory, data, size), &watch, &model, &err))
		saved_model_destroy(model);
	safety_findings_finish(&findings);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	feed(saved_model_read, data, size);
	feed(saved_model_read_text, data, size);
	return 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/safety/watch.h"

#include "common/container.h"
#include "common/own.h"

static void end_scan(struct watch *watch)
{
	scan_end(watch->scan);
	scan_destroy(TAKE(watch->scan));
}

static bool next_piece(struct stream *stream, const uint8_t **data, size_t *length, struct err *err)
{
	struct watch *watch = CONTAINER_OF(stream, struct watch, stream);

	if (!stream_next(watch->source, data, length, err))
		return false;
	if (watch->scan && (*length == 0 || !scan_feed(watch->scan, *data, *length)))
		end_scan(watch);
	return true;
}

struct stream *watch_init(struct watch *watch, struct safety_findings *findings, const char *path,
	bool is_sparse, struct stream *source)
{
	*watch = (struct watch){.stream = {.next = next_piece},
		.source = source,
		.scan = is_sparse ? NULL : scan_create(findings, path)};
	/* Its holes would cost more than its bytes. */
	if (is_sparse)
		safety_findings_add(
			findings, SAFETY_FILE_ARCHIVE, path, "a sparse file, which is not looked into");
	return &watch->stream;
}

void watch_finish(struct watch *watch)
{
	scan_destroy(TAKE(watch->scan));
}

bool watch_end(struct watch *watch, struct err *err)
{
	const uint8_t *data;
	size_t length;

	while (watch->scan) {
		if (!stream_next(&watch->stream, &data, &length, err))
			return false;
	}
	return true;
}

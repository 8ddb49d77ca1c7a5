/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as the contents of a bundle and as a version's record: they are read, and can be written and read
 * again, or it is told what is wrong. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "server/bundle/contents.h"
#include "server/bundle/version_record.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_words(const struct err *err)
{
	if (err->code == ERR_NONE || !err->text[0])
		abort();
}

static void write_line(const struct contents_line *line, struct buffer *out)
{
	if (line->kind == CONTENTS_VERSION)
		contents_write_version(&line->version, out);
	else
		contents_write_page(line->kind, line->page.name, line->page.markdown, out);
}

/* What was read can be written, and read again. */
static void check_line(const struct contents_line *line, const struct bundle_header *header)
{
	AUTO_BUFFER struct buffer text = {0};
	struct memory_stream memory;
	struct contents_reader reader;
	struct contents_line again;
	struct err err;
	bool more;

	contents_write_header(header, &text);
	write_line(line, &text);
	if (!contents_open(&reader, memory_stream_init(&memory, text.data, text.length), &err) ||
		!contents_next(&reader, &again, &more, &err) || !more || again.kind != line->kind)
		abort();
	contents_line_finish(&again);
	contents_close(&reader);
}

static void read_contents(const uint8_t *data, size_t size)
{
	struct memory_stream memory;
	struct contents_reader reader;
	struct err err = {0};
	bool more = true;
	bool done = contents_open(&reader, memory_stream_init(&memory, data, size), &err);

	while (done && more) {
		struct contents_line line;

		done = contents_next(&reader, &line, &more, &err);
		if (!done || !more)
			continue;
		check_line(&line, &reader.header);
		contents_line_finish(&line);
	}
	if (!done)
		check_words(&err);
	contents_close(&reader);
}

static void read_record(struct buffer *text)
{
	struct version_record record;
	struct err err = {0};

	if (!version_record_read(text, &record, &err)) {
		check_words(&err);
		return;
	}
	version_record_finish(&record);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_BUFFER struct buffer text = {0};

	buffer_add(&text, data, size);
	read_contents(data, size);
	read_record(&text);
	return 0;
}

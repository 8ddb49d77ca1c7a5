/* SPDX-License-Identifier: Apache-2.0
 *
 * Any bytes as a form, whole and byte by byte: both tell the same parts, and no more than was sent. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/own.h"
#include "server/hub/multipart.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool holds)
{
	if (!holds)
		abort();
}

static bool note_part(void *context, const char *name, struct err *err)
{
	(void)err;
	check(strlen(name) <= MULTIPART_NAME_MAX);
	buffer_printf(context, "[%s]", name);
	return true;
}

static bool note_data(void *context, const void *bytes, size_t length, struct err *err)
{
	(void)err;
	check(length > 0);
	buffer_add(context, bytes, length);
	return true;
}

static bool read_form(const uint8_t *data, size_t size, size_t piece, struct buffer *told)
{
	const struct multipart_receiver receiver = {note_part, note_data, told};
	AUTO(own_multipart) struct multipart *multipart = NULL;
	struct err err;

	check(multipart_create("multipart/form-data; boundary=b", &receiver, &multipart, &err));
	for (size_t at = 0; at < size; at += piece) {
		if (!multipart_write(multipart, data + at, size - at < piece ? size - at : piece, &err))
			return false;
	}
	return multipart_finish(multipart, &err);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	AUTO_BUFFER struct buffer whole = {0};
	AUTO_BUFFER struct buffer pieces = {0};
	bool done = read_form(data, size, size ? size : 1, &whole);

	check(read_form(data, size, 1, &pieces) == done);
	check(!done || whole.length == pieces.length);
	check(!done || whole.length == 0 || memcmp(whole.data, pieces.data, whole.length) == 0);
	check(whole.length <= size);
	return 0;
}

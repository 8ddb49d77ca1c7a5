/* SPDX-License-Identifier: Apache-2.0
 *
 * Answers of a bucket's store that are XML, read in bounded memory and depth. */
#ifndef SERVER_UPSTREAM_S3_S3_XML_H
#define SERVER_UPSTREAM_S3_S3_XML_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

/* Called at the end of each element, inner ones first, with the text in it since the last tag. False ends it.
 */
struct s3_xml_reader {
	bool (*element)(void *context, const char *name, const char *text);
	void *context;
};

/* Reads a document. ERR_UPSTREAM_FAILED where it is none, has a document type, is deeper than 16 elements, or
 * has a text of more than 4 KiB. */
bool s3_xml_read(const char *bytes, size_t length, const struct s3_xml_reader *reader, struct err *err);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upstream/s3/s3_xml.h"

#include <expat.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"

enum { DEPTH_MAX = 16, TEXT_BYTES_MAX = 4 << 10 };

struct reading {
	const struct s3_xml_reader *reader;
	XML_Parser parser;
	int depth;
	const char *fault;
	size_t length;
	char text[TEXT_BYTES_MAX + 1];
};

static void end_reading(struct reading *reading, const char *fault)
{
	reading->fault = fault;
	(void)XML_StopParser(reading->parser, XML_FALSE);
}

static void XMLCALL on_start(void *context, const XML_Char *name, const XML_Char **attributes)
{
	struct reading *reading = context;

	(void)name;
	(void)attributes;
	reading->length = 0;
	if (++reading->depth > DEPTH_MAX)
		end_reading(reading, "it is too deep");
}

static void XMLCALL on_text(void *context, const XML_Char *text, int length)
{
	struct reading *reading = context;

	if ((size_t)length > TEXT_BYTES_MAX - reading->length) {
		end_reading(reading, "a text in it is too long");
		return;
	}
	memcpy(reading->text + reading->length, text, (size_t)length);
	reading->length += (size_t)length;
}

static void XMLCALL on_end(void *context, const XML_Char *name)
{
	struct reading *reading = context;

	reading->text[reading->length] = '\0';
	reading->depth--;
	if (!reading->fault && !reading->reader->element(reading->reader->context, name, reading->text))
		end_reading(reading, "it says what it may not");
	reading->length = 0;
}

/* No store has one, and they can be made to grow. */
static void XMLCALL on_doctype(void *context, const XML_Char *name, const XML_Char *system_id,
	const XML_Char *public_id, int has_internal_subset)
{
	(void)name;
	(void)system_id;
	(void)public_id;
	(void)has_internal_subset;
	end_reading(context, "it has a document type");
}

AUTO_CLEANER(own_parser, XML_Parser, XML_ParserFree)

bool s3_xml_read(const char *bytes, size_t length, const struct s3_xml_reader *reader, struct err *err)
{
	AUTO(own_parser) XML_Parser parser = XML_ParserCreate(NULL);
	AUTO_FREE struct reading *reading = mem_zero(1, sizeof *reading);

	if (!parser)
		return err_set(err, ERR_BUSY, "there is no memory to read an answer");
	reading->reader = reader;
	reading->parser = parser;
	XML_SetUserData(parser, reading);
	XML_SetElementHandler(parser, on_start, on_end);
	XML_SetCharacterDataHandler(parser, on_text);
	XML_SetStartDoctypeDeclHandler(parser, on_doctype);
	if (XML_Parse(parser, bytes, (int)length, XML_TRUE) != XML_STATUS_OK)
		return err_set(err, ERR_UPSTREAM_FAILED, "the store's answer is not the XML of S3: %s",
			reading->fault ? reading->fault : XML_ErrorString(XML_GetErrorCode(parser)));
	return true;
}

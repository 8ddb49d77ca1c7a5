/* SPDX-License-Identifier: Apache-2.0 */
#include "server/hub/upload_head.h"

#include <string.h>
#include <strings.h>

#include "server/http/request.h"
#include "server/registry/publisher.h"
#include "server/upstream/testimony.h"

/* Media types under which clients send gzip and bare files; curl adds the form's to --data-binary. */
static const char *const upload_types[] = {"application/gzip", "application/x-gzip",
	"application/octet-stream", "binary/octet-stream", "application/x-tar", "application/x-gtar",
	"application/x-compressed", "application/x-compressed-tar", "application/tar+gzip",
	"application/x-tgz", UPLOAD_HEAD_FORM_TYPE};

bool upload_head_is_type(const char *content_type, const char *type)
{
	size_t length = strlen(type);

	return strncasecmp(content_type, type, length) == 0 && strchr("; \t", content_type[length]);
}

/* RFC 9110, 14.4. */
bool upload_head_is_whole(const struct request *request, struct err *err)
{
	return !request_header(request, "Content-Range") ||
	       err_set(err, ERR_BAD_REQUEST,
		       "Content-Range: an upload is whole here, and is not gone on with; send all of it, "
		       "without "
		       "that header");
}

static bool check_coding(const struct request *request, struct err *err)
{
	const char *coding = request_header(request, "Content-Encoding");

	return !coding || strcasecmp(coding, "identity") == 0 ||
	       err_set(err, ERR_UNSUPPORTED_MEDIA,
		       "send the artifact itself, without a Content-Encoding: a tar.gz is no coding of a "
		       "tar here");
}

static bool check_type(const struct request *request, struct err *err)
{
	const char *type = request_header(request, "Content-Type");

	for (size_t i = 0; type && i < sizeof upload_types / sizeof *upload_types; i++) {
		if (upload_head_is_type(type, upload_types[i]))
			return true;
	}
	return !type || err_set(err, ERR_UNSUPPORTED_MEDIA,
				"send a module as application/gzip or application/octet-stream, "
				"documentation as text/markdown, a TF.js model that is saved from code as "
				"multipart/form-data");
}

/* What clients say of the body, all of it optional; and how, for who says it wrongly. */
static const struct {
	const char *name;
	const char *form;
} digest_headers[] = {
	{"Content-Digest", "sha-256=:<base64>: (RFC 9530)"},
	{"Repr-Digest", "sha-256=:<base64>: (RFC 9530)"},
	{"Digest", "sha-256=<base64> (RFC 3230)"},
	{"Content-MD5", "an MD5 in base64 (RFC 1864)"},
	{"X-Checksum-Sha256", "64 hexadecimal digits"},
	{"X-Checksum-Sha512", "128 hexadecimal digits"},
	{"X-Checksum-Sha1", "40 hexadecimal digits"},
	{"X-Checksum-Md5", "32 hexadecimal digits"},
	{"x-goog-hash", "md5=<base64>, crc32c=<base64>, or both"},
	{"x-amz-checksum-sha256", "a SHA-256 in base64"},
	{"x-amz-checksum-sha1", "a SHA-1 in base64"},
	{"x-amz-checksum-crc32c", "a CRC-32C in base64"},
	{"x-amz-checksum-crc32", "a CRC-32 in base64"},
	{"x-amz-checksum-crc64nvme", "a CRC-64/NVME in base64"},
	{"x-amz-checksum-sha512", "a SHA-512 in base64"},
	{"x-amz-checksum-md5", "an MD5 in base64"},
	{"x-ms-blob-content-md5", "an MD5 in base64"},
	{"x-ms-content-crc64", "a CRC-64/NVME in base64, its lowest byte first"},
	{"x-oss-hash-crc64ecma", "a CRC-64/XZ as a number"},
	{"X-Bz-Content-Sha1", "40 hexadecimal digits"},
	{"OC-Checksum", "SHA1:<hexadecimal digits>, MD5:<hexadecimal digits>, or both"},
};

/* The first of several and the last: more lines of one header nobody sends. */
static void read_digest_header(const struct request *request, const char *name, struct testimony *told)
{
	const char *first = request_header(request, name);
	const char *last = request_last_header(request, name);

	if (first)
		testimony_read(told, name, strlen(name), first);
	if (last && last != first)
		testimony_read(told, name, strlen(name), last);
}

static bool read_declaration(const struct request *request, struct declaration *out, struct err *err)
{
	struct declaration declaration = {.length = request->content_length};
	struct testimony *told = &declaration.told;

	for (size_t i = 0; i < sizeof digest_headers / sizeof *digest_headers; i++) {
		read_digest_header(request, digest_headers[i].name, told);
		if (told->malformed)
			return err_set(err, ERR_BAD_REQUEST, "%s must be %s: send it so, or leave it out",
				digest_headers[i].name, digest_headers[i].form);
	}
	for (size_t i = 0; i < told->count && !declaration.has_sha256; i++) {
		declaration.has_sha256 = told->items[i].sum == SUM_SHA256;
		if (declaration.has_sha256)
			declaration.sha256 = digest_from_bytes(told->items[i].value);
	}
	*out = declaration;
	return true;
}

bool upload_head_read(
	const struct request *request, bool is_form, struct declaration *declaration, struct err *err)
{
	return check_coding(request, err) && read_declaration(request, declaration, err) &&
	       (is_form || check_type(request, err));
}

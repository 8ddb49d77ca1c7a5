/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upstream/testimony.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/digest.h"
#include "common/number.h"

enum { TEXT_MAX = 1024 };

/* Of what a header speaks. */
enum subject {
	SUBJECT_OBJECT, /* what the hub or the store has, however it comes; on its way there, too */
	SUBJECT_STORED, /* the same, but in the coding in which it is stored */
	SUBJECT_WHOLE,  /* the representation, of which the body may be a part */
	SUBJECT_BODY    /* the bytes of this body */
};

struct statement_form {
	const char *header;
	enum subject subject;
	void (*read)(struct testimony *testimony, const struct statement_form *form, char *value);
	enum sum sum; /* for those that tell one only */
};

static void add(struct testimony *testimony, const struct statement *statement)
{
	for (size_t i = 0; i < testimony->count; i++) {
		if (testimony->items[i].sum == statement->sum &&
			memcmp(testimony->items[i].value, statement->value, sum_size(statement->sum)) == 0)
			return;
	}
	if (testimony->count < STATEMENTS_MAX)
		testimony->items[testimony->count++] = *statement;
}

/* ---- values ---- */

static bool decode_hex(const char *text, size_t length, uint8_t *out, size_t size)
{
	if (length != 2 * size)
		return false;
	for (size_t i = 0; i < size; i++) {
		int high = number_of_hex_digit(text[2 * i]);
		int low = number_of_hex_digit(text[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		out[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static void add_hex(struct testimony *testimony, const struct statement_form *form, enum sum sum,
	const char *text, size_t length)
{
	struct statement statement = {.form = form, .sum = sum};

	if (decode_hex(text, length, statement.value, sum_size(sum)))
		add(testimony, &statement);
	else
		testimony->malformed = true;
}

/* Base64, or what some servers write in its place: hexadecimal digits. No length is that of both. */
static void add_digest(
	struct testimony *testimony, const struct statement_form *form, enum sum sum, const char *text)
{
	struct statement statement = {.form = form, .sum = sum};

	if (base64_decode(text, statement.value, sum_size(sum)))
		add(testimony, &statement);
	else
		add_hex(testimony, form, sum, text, strlen(text));
}

static void read_base64(struct testimony *testimony, const struct statement_form *form, char *value)
{
	add_digest(testimony, form, form->sum, value);
}

/* As Backblaze writes it where nobody has held it against the bytes: it is the client's word. */
static void read_bare_hex(struct testimony *testimony, const struct statement_form *form, char *value)
{
	static const char unverified[] = "unverified:";

	if (strcmp(value, "none") == 0)
		return;
	if (strncmp(value, unverified, strlen(unverified)) == 0)
		value += strlen(unverified);
	add_hex(testimony, form, form->sum, value, strlen(value));
}

/* Alibaba writes it as a number, in ten digits to the bit. */
static void read_decimal(struct testimony *testimony, const struct statement_form *form, char *value)
{
	struct statement statement = {.form = form, .sum = form->sum};
	char *end = value;
	unsigned long long number;

	errno = 0;
	number = strtoull(value, &end, 10);
	if (*value < '0' || *value > '9' || *end || errno) {
		testimony->malformed = true;
		return;
	}
	sum_of_length(number, statement.value);
	add(testimony, &statement);
}

/* Azure writes it with the lowest byte first. */
static void read_backwards(struct testimony *testimony, const struct statement_form *form, char *value)
{
	struct statement statement = {.form = form, .sum = form->sum};
	size_t size = sum_size(form->sum);
	uint8_t bytes[SUM_BYTES_MAX];

	if (!base64_decode(value, bytes, size)) {
		testimony->malformed = true;
		return;
	}
	for (size_t i = 0; i < size; i++)
		statement.value[i] = bytes[size - 1 - i];
	add(testimony, &statement);
}

static void read_hex(struct testimony *testimony, const struct statement_form *form, char *value)
{
	add_hex(testimony, form, form->sum, value, strlen(value));
}

/* With quotation marks, as entity tags have, or without. Of a small file it is Git's digest, which is another
 * one and shorter. */
static void read_linked(struct testimony *testimony, const struct statement_form *form, char *value)
{
	size_t length = strlen(value);
	bool quoted = length > 2 && value[0] == '"' && value[length - 1] == '"';

	add_hex(testimony, form, form->sum, value + quoted, length - 2 * (size_t)quoted);
}

/* "sha256:" and 64 digits, as OCI registries and Larder write them; "{SHA1{" … "}}" is Nexus's ETag. */
static void add_labelled(
	struct testimony *testimony, const struct statement_form *form, const char *text, size_t length)
{
	static const struct label {
		const char *before;
		const char *behind;
		enum sum sum;
	} labels[] = {{"sha256:", "", SUM_SHA256}, {"sha512:", "", SUM_SHA512}, {"{SHA1{", "}}", SUM_SHA1}};

	for (size_t i = 0; i < sizeof labels / sizeof *labels; i++) {
		size_t before = strlen(labels[i].before);
		size_t behind = strlen(labels[i].behind);

		if (length > before + behind && memcmp(text, labels[i].before, before) == 0 &&
			memcmp(text + length - behind, labels[i].behind, behind) == 0)
			add_hex(testimony, form, labels[i].sum, text + before, length - before - behind);
	}
}

static void read_labelled(struct testimony *testimony, const struct statement_form *form, char *value)
{
	add_labelled(testimony, form, value, strlen(value));
}

/* A weak one says nothing of bytes. */
static void read_etag(struct testimony *testimony, const struct statement_form *form, char *value)
{
	size_t length = strlen(value);

	if (length > 2 && value[0] == '"' && value[length - 1] == '"')
		add_labelled(testimony, form, value + 1, length - 2);
}

static void read_length(struct testimony *testimony, const struct statement_form *form, char *value)
{
	struct statement statement = {.form = form, .sum = SUM_LENGTH};
	int64_t length;

	if (!number_parse(value, &length))
		return;
	sum_of_length((uint64_t)length, statement.value);
	add(testimony, &statement);
}

static bool find_algorithm(const char *name, enum sum *out)
{
	static const struct algorithm {
		const char *name;
		enum sum sum;
	} algorithms[] = {{"sha-256", SUM_SHA256}, {"sha256", SUM_SHA256}, {"sha-512", SUM_SHA512},
		{"sha512", SUM_SHA512}, {"sha-384", SUM_SHA384}, {"sha384", SUM_SHA384}, {"sha", SUM_SHA1},
		{"sha-1", SUM_SHA1}, {"sha1", SUM_SHA1}, {"md5", SUM_MD5}, {"crc32c", SUM_CRC32C}};

	for (size_t i = 0; i < sizeof algorithms / sizeof *algorithms; i++) {
		if (strcasecmp(algorithms[i].name, name) == 0) {
			*out = algorithms[i].sum;
			return true;
		}
	}
	return false;
}

static char *trim(char *text)
{
	char *end;

	text += strspn(text, " \t");
	end = text + strlen(text);
	while (end > text && strchr(" \t", end[-1]))
		*--end = '\0';
	return text;
}

/* "sha-256=AbC=" (RFC 3230, Google), or with the value between colons and parameters behind it (RFC 9530). */
static void read_member(struct testimony *testimony, const struct statement_form *form, char *member)
{
	enum sum sum;
	size_t name = strcspn(member, "=");
	char *value = trim(member + name + (member[name] == '='));
	size_t length;

	member[name] = '\0';
	if (!find_algorithm(trim(member), &sum))
		return;
	value[strcspn(value, ";")] = '\0';
	value = trim(value);
	length = strlen(value);
	if (length > 2 && value[0] == ':' && value[length - 1] == ':') {
		value[length - 1] = '\0';
		value++;
	}
	add_digest(testimony, form, sum, value);
}

static void read_list(struct testimony *testimony, const struct statement_form *form, char *value)
{
	char *rest = NULL;

	for (char *member = strtok_r(value, ",", &rest); member; member = strtok_r(NULL, ",", &rest))
		read_member(testimony, form, member);
}

/* "SHA1:… MD5:… ADLER32:…", in hexadecimal digits. */
static void read_pairs(struct testimony *testimony, const struct statement_form *form, char *value)
{
	char *rest = NULL;

	for (char *pair = strtok_r(value, ", \t", &rest); pair; pair = strtok_r(NULL, ", \t", &rest)) {
		char *colon = strchr(pair, ':');
		enum sum sum;

		if (!colon)
			continue;
		*colon = '\0';
		if (find_algorithm(pair, &sum))
			add_hex(testimony, form, sum, colon + 1, strlen(colon + 1));
	}
}

/* ---- headers ---- */

static const struct statement_form forms[] = {
	{"Digest", SUBJECT_WHOLE, read_list, SUM_COUNT},        /* RFC 3230 */
	{"Repr-Digest", SUBJECT_WHOLE, read_list, SUM_COUNT},   /* RFC 9530 */
	{"Content-Digest", SUBJECT_BODY, read_list, SUM_COUNT}, /* RFC 9530 */
	{"Content-MD5", SUBJECT_BODY, read_base64, SUM_MD5},    /* RFC 1864; Azure, S3-likes */
	{"ETag", SUBJECT_WHOLE, read_etag, SUM_COUNT},          /* another Larder, OCI registries, Nexus */
	{"x-goog-hash", SUBJECT_STORED, read_list, SUM_COUNT},  /* GCS, Kaggle behind its redirects */
	{"x-goog-stored-content-length", SUBJECT_STORED, read_length, SUM_LENGTH},
	/* S3; of an object that came in parts it is of their sums, with "-N" behind it, and no base64. */
	{"x-amz-checksum-sha256", SUBJECT_WHOLE, read_base64, SUM_SHA256},
	{"x-amz-checksum-sha512", SUBJECT_WHOLE, read_base64, SUM_SHA512},
	{"x-amz-checksum-sha1", SUBJECT_WHOLE, read_base64, SUM_SHA1},
	{"x-amz-checksum-md5", SUBJECT_WHOLE, read_base64, SUM_MD5},
	{"x-amz-checksum-crc64nvme", SUBJECT_WHOLE, read_base64, SUM_CRC64NVME},
	{"x-amz-checksum-crc32c", SUBJECT_WHOLE, read_base64, SUM_CRC32C},
	{"x-amz-checksum-crc32", SUBJECT_WHOLE, read_base64, SUM_CRC32},
	{"x-ms-blob-content-md5", SUBJECT_WHOLE, read_base64,
		SUM_MD5}, /* Azure, beside a part's Content-MD5 */
	{"x-ms-content-crc64", SUBJECT_BODY, read_backwards, SUM_CRC64NVME},
	{"x-oss-hash-crc64ecma", SUBJECT_WHOLE, read_decimal, SUM_CRC64XZ}, /* Alibaba */
	{"X-Bz-Content-Sha1", SUBJECT_OBJECT, read_bare_hex, SUM_SHA1},     /* Backblaze */
	{"OC-Checksum", SUBJECT_OBJECT, read_pairs, SUM_COUNT}, /* ownCloud, Nextcloud: "MD5:…" */
	/* Artifactory, Nexus. */
	{"X-Checksum-Sha256", SUBJECT_OBJECT, read_hex, SUM_SHA256},
	{"X-Checksum-Sha512", SUBJECT_OBJECT, read_hex, SUM_SHA512},
	{"X-Checksum-Sha1", SUBJECT_OBJECT, read_hex, SUM_SHA1},
	{"X-Checksum-Md5", SUBJECT_OBJECT, read_hex, SUM_MD5},
	{"X-Checksum", SUBJECT_OBJECT, read_hex, SUM_SHA1},
	{"Docker-Content-Digest", SUBJECT_OBJECT, read_labelled, SUM_COUNT},
	/* Hugging Face, at the redirect to where the file lies. */
	{"X-Linked-Etag", SUBJECT_OBJECT, read_linked, SUM_SHA256},
	{"X-Linked-Size", SUBJECT_OBJECT, read_length, SUM_LENGTH},
};

void testimony_read(struct testimony *testimony, const char *name, size_t name_length, const char *value)
{
	char text[TEXT_MAX];

	if (strlen(value) >= sizeof text) {
		testimony->malformed = true;
		return;
	}
	for (size_t i = 0; i < sizeof forms / sizeof *forms; i++) {
		if (strlen(forms[i].header) != name_length ||
			strncasecmp(forms[i].header, name, name_length) != 0)
			continue;
		(void)strcpy(text, value);
		forms[i].read(testimony, &forms[i], text);
	}
}

/* ---- which of them count ---- */

/* On a redirect, what the standard headers tell is of its own body, if it has one; where it has none, what
 * is the sum of nothing is that. */
static bool is_of_nothing(const struct statement *statement)
{
	uint8_t nothing[SUM_COUNT][SUM_BYTES_MAX];
	struct sums *sums = sums_create(1u << statement->sum);

	sums_result(sums, nothing);
	sums_destroy(sums);
	return memcmp(nothing[statement->sum], statement->value, sum_size(statement->sum)) == 0;
}

static bool is_stored_as_it_came(const struct testimony_head *head)
{
	const char *stored = head->stored_encoding;

	return stored[0] == '\0' || strcasecmp(stored, "identity") == 0
		       ? head->coding[0] == '\0' || stored[0] == '\0' ||
				 strcasecmp(head->coding, "identity") == 0
		       : strcasecmp(stored, head->coding) == 0;
}

static bool counts(const struct statement *statement, const struct testimony_head *head)
{
	switch (statement->form->subject) {
	case SUBJECT_OBJECT:
		return !head->redirect || !is_of_nothing(statement);
	case SUBJECT_STORED:
		return !head->redirect && is_stored_as_it_came(head);
	case SUBJECT_BODY:
		return !head->redirect && !head->part;
	default:
		return !head->redirect || (head->empty && strcmp(statement->form->header, "ETag") != 0 &&
						  !is_of_nothing(statement));
	}
}

void testimony_settle(
	const struct testimony *testimony, const struct testimony_head *head, struct testimony *all)
{
	for (size_t i = 0; i < testimony->count; i++) {
		if (counts(&testimony->items[i], head))
			add(all, &testimony->items[i]);
	}
}

void testimony_add(struct testimony *testimony, const struct testimony *more)
{
	for (size_t i = 0; i < more->count; i++)
		add(testimony, &more->items[i]);
}

unsigned testimony_wanted(const struct testimony *testimony)
{
	unsigned wanted = 0;

	for (size_t i = 0; i < testimony->count; i++)
		wanted |= 1u << testimony->items[i].sum;
	return wanted;
}

const char *statement_header(const struct statement *statement)
{
	return statement->form->header;
}

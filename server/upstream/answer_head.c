/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upstream/answer_head.h"

#include <ctype.h>
#include <stdint.h>
#include <string.h>
#include <strings.h>

#include "common/clock.h"
#include "common/number.h"

/* A day is as good as never, and callers can reckon with it. */
enum { VALUE_MAX = 1024, RETRY_AFTER_MAX_S = 86400 };

static void take_length(struct answer_head *head, const char *value)
{
	int64_t length;

	head->answer.length = number_parse(value, &length) ? length : -1;
}

static void take_transfer_encoding(struct answer_head *head, const char *value)
{
	head->chunked = true;
	head->has_last_chunk = head->has_last_chunk || strcasestr(value, "chunked");
}

static void take_stored_encoding(struct answer_head *head, const char *value)
{
	if (strlen(value) < sizeof head->stored_encoding)
		(void)strcpy(head->stored_encoding, value);
}

static void take_retry_after(struct answer_head *head, const char *value)
{
	int64_t number;

	if (!number_parse(value, &number))
		number = clock_parse_http(value, &number) ? number - clock_now_s() : 0;
	if (number > 0)
		head->answer.retry_after_s = number < RETRY_AFTER_MAX_S ? number : RETRY_AFTER_MAX_S;
}

/* Cuts the text at the separator and reads what is before it; NULL where that is no number. */
static char *read_up_to(char *text, char separator, int64_t *out)
{
	char *end = strchr(text, separator);

	if (!end)
		return NULL;
	*end = '\0';
	return number_parse(text, out) ? end + 1 : NULL;
}

/* "bytes 5-9/10", "bytes 5-9/" with "*" for a total that is not known, or "bytes *" "/10" of a 416. */
static void take_content_range(struct answer_head *head, const char *value)
{
	char text[VALUE_MAX];
	char *rest = text + strlen("bytes ");
	int64_t first = -1;
	int64_t last = -1;
	int64_t total = -1;

	if (strncasecmp(value, "bytes ", strlen("bytes ")) != 0)
		return;
	(void)strcpy(text, value);
	if (strncmp(rest, "*/", 2) == 0)
		rest += 2;
	else if (!(rest = read_up_to(rest, '-', &first)) || !(rest = read_up_to(rest, '/', &last)) ||
		 last < first)
		return;
	if (strcmp(rest, "*") != 0 && (!number_parse(rest, &total) || total <= last))
		return;
	head->answer.range_first = first;
	head->answer.range_last = last;
	head->answer.range_total = total;
}

#define COPIED(member) NULL, offsetof(struct answer, member), sizeof((struct answer *)0)->member

static const struct field {
	const char *name;
	void (*take)(struct answer_head *head, const char *value); /* NULL: copied to the offset */
	size_t offset;
	size_t size;
} fields[] = {
	{"Content-Length", take_length, 0, 0},
	{"Transfer-Encoding", take_transfer_encoding, 0, 0},
	{"Retry-After", take_retry_after, 0, 0},
	{"Content-Range", take_content_range, 0, 0},
	{"x-goog-stored-content-encoding", take_stored_encoding, 0, 0},
	{"Content-Type", COPIED(content_type)},
	{"Content-Encoding", COPIED(content_encoding)},
	{"ETag", COPIED(etag)},
	{"Last-Modified", COPIED(last_modified)},
	{"Cache-Status", COPIED(cache_status)},
};

static const struct field *find_field(const char *line, size_t name_length)
{
	for (size_t i = 0; i < sizeof fields / sizeof *fields; i++) {
		if (strlen(fields[i].name) == name_length &&
			strncasecmp(fields[i].name, line, name_length) == 0)
			return &fields[i];
	}
	return NULL;
}

/* A value that does not fit is no value: half an ETag or half a date would be another one. */
static bool copy_value(char *out, size_t size, const char *value, size_t length)
{
	if (length >= size)
		return false;
	for (size_t i = 0; i < length; i++) {
		if (iscntrl((unsigned char)value[i]))
			return false;
	}
	memcpy(out, value, length);
	out[length] = '\0';
	return true;
}

static void take_value(struct answer_head *head, const struct field *field, const char *value, size_t length)
{
	char text[VALUE_MAX];

	if (!field->take)
		(void)copy_value((char *)&head->answer + field->offset, field->size, value, length);
	else if (copy_value(text, sizeof text, value, length))
		field->take(head, text);
}

/* A statement that is cut off or has control characters is none. */
static void take_testimony(
	struct answer_head *head, const char *name, size_t name_length, const char *value, size_t length)
{
	char text[VALUE_MAX];

	if (copy_value(text, sizeof text, value, length))
		testimony_read(&head->testimony, name, name_length, text);
}

static void take_field(struct answer_head *head, const char *line, size_t length)
{
	const char *end = line + length;
	const char *colon = memchr(line, ':', length);
	const char *value = colon ? colon + 1 : end;
	size_t name_length = colon ? (size_t)(colon - line) : 0;
	const struct field *field = find_field(line, name_length);

	while (value < end && isspace((unsigned char)*value))
		value++;
	while (end > value && isspace((unsigned char)end[-1]))
		end--;
	if (field)
		take_value(head, field, value, (size_t)(end - value));
	if (name_length == strlen("Location") && strncasecmp(line, "Location", name_length) == 0)
		(void)copy_value(head->location, sizeof head->location, value, (size_t)(end - value));
	take_testimony(head, line, name_length, value, (size_t)(end - value));
	/* As libcurl does, which follows a Location of any length and content but an empty one. */
	if (name_length == strlen("Location") && strncasecmp(line, "Location", name_length) == 0 &&
		end > value)
		head->has_location = true;
}

bool answer_is_whole_range(const struct answer *answer)
{
	return answer->range_first == 0 && answer->range_total > 0 &&
	       answer->range_last == answer->range_total - 1;
}

static void begin(struct answer_head *head, const char *line, size_t length)
{
	const char *blank = memchr(line, ' ', length);
	size_t bytes = head->bytes;
	struct testimony settled = head->settled;

	*head = (struct answer_head){.bytes = bytes, .settled = settled};
	head->answer.length = -1;
	head->answer.range_first = -1;
	head->answer.range_last = -1;
	head->answer.range_total = -1;
	head->is_http1 = length > 6 && line[5] == '1';
	for (const char *c = blank ? blank + 1 : line; c < line + length && isdigit((unsigned char)*c); c++) {
		if (head->answer.status < 1000)
			head->answer.status = 10 * head->answer.status + (*c - '0');
	}
}

static void settle_testimony(struct answer_head *head, bool redirect)
{
	struct answer *answer = &head->answer;
	const struct testimony_head about = {
		.redirect = redirect,
		.empty = answer->length == 0,
		.part = answer->status == 206 && !answer_is_whole_range(answer),
		.coding = answer->content_encoding,
		.stored_encoding = head->stored_encoding,
	};

	testimony_settle(&head->testimony, &about, &head->settled);
	answer->testimony = head->settled;
}

static enum head_progress end(struct answer_head *head)
{
	struct answer *answer = &head->answer;
	bool redirect = answer->status >= 300 && answer->status < 400 && head->has_location;

	if (answer->status < 200)
		return HEAD_INTERIM;
	if (head->chunked)
		answer->length = -1;
	answer->until_close = head->is_http1 && answer->length < 0 && !head->has_last_chunk;
	if (answer->status != 206)
		answer->range_first = -1;
	if (answer->status != 206 && answer->status != 416)
		answer->range_total = -1;
	settle_testimony(head, redirect);
	return redirect ? HEAD_REDIRECT : HEAD_FINAL;
}

enum head_progress answer_head_add(struct answer_head *head, const char *line, size_t length)
{
	head->bytes += length;
	if (head->bytes > HEAD_BYTES_MAX)
		return HEAD_TOO_LARGE;
	if (length == 0 || *line == '\r' || *line == '\n')
		return end(head);
	if (length > 5 && memcmp(line, "HTTP/", 5) == 0)
		begin(head, line, length);
	else
		take_field(head, line, length);
	return HEAD_MORE;
}

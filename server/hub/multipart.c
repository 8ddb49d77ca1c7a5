/* SPDX-License-Identifier: Apache-2.0 */
#include "server/hub/multipart.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/mem.h"

/* What stands before the first boundary is nobody's: little is borne, since a form whose boundary is not what
 * its Content-Type says would go by as a whole. */
enum { BOUNDARY_MAX = 70, HEAD_MAX = 4096, PREAMBLE_MAX = 4096, WINDOW_BYTES = 64 << 10 };

enum step { STEP_ON, STEP_WAIT, STEP_FAIL };

enum state { STATE_PREAMBLE, STATE_DELIMITED, STATE_HEAD, STATE_DATA, STATE_EPILOGUE, STATES };

struct multipart {
	struct multipart_receiver receiver;
	enum state state;
	size_t preamble;
	char delimiter[4 + BOUNDARY_MAX + 1]; /* "\r\n--boundary" */
	size_t delimiter_length;
	size_t at;   /* the window's first byte that is not read yet */
	size_t held; /* its end */
	char window[WINDOW_BYTES];
};

static const char form_type[] = "multipart/form-data";

bool multipart_is_form(const char *content_type)
{
	size_t length = sizeof form_type - 1;

	return strncasecmp(content_type, form_type, length) == 0 && strchr("; \t", content_type[length]);
}

/* ---- parameters of a header ---- */

/* Copies a parameter's value, quoted or not, and steps over it; false where it is broken or does not fit. */
static bool read_value(const char **text, char *out, size_t size)
{
	bool quoted = **text == '"';
	size_t length = 0;
	const char *at = *text + quoted;

	for (; *at && (quoted ? *at != '"' : !strchr("; \t", *at)); at++) {
		at += quoted && *at == '\\' && at[1];
		if (length + 1 >= size)
			return false;
		out[length++] = *at;
	}
	out[length] = '\0';
	*text = at + (quoted && *at == '"');
	return !quoted || *at == '"';
}

/* Finds a parameter behind a header's value ("form-data; name=\"a;b\"; filename=c"). */
static bool find_parameter(const char *text, const char *wanted, char *out, size_t size)
{
	char value[1024];

	for (text += strcspn(text, ";"); *text == ';'; text += strspn(text, " \t")) {
		size_t name;
		bool found;

		text += strspn(text, "; \t");
		name = strcspn(text, "=; \t");
		found = strlen(wanted) == name && strncasecmp(text, wanted, name) == 0;
		text += name;
		if (*text != '=')
			continue;
		text++;
		if (!read_value(&text, found ? out : value, found ? size : sizeof value))
			return false;
		if (found)
			return true;
	}
	return false;
}

/* RFC 2046, 5.1.1 */
static bool is_boundary(const char *text)
{
	static const char characters[] =
		"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ'()+_,-./:=? ";
	size_t length = strlen(text);

	return length > 0 && strspn(text, characters) == length && text[length - 1] != ' ';
}

bool multipart_create(const char *content_type, const struct multipart_receiver *receiver,
	struct multipart **out, struct err *err)
{
	char boundary[BOUNDARY_MAX + 1];
	struct multipart *multipart;

	if (!find_parameter(content_type, "boundary", boundary, sizeof boundary) || !is_boundary(boundary))
		return err_set(err, ERR_BAD_REQUEST,
			"the form's Content-Type must name its boundary, of 1 to %d characters; leave the "
			"header to "
			"what sends the form",
			BOUNDARY_MAX);
	multipart = mem_zero(1, sizeof *multipart);
	multipart->receiver = *receiver;
	multipart->delimiter_length =
		(size_t)snprintf(multipart->delimiter, sizeof multipart->delimiter, "\r\n--%s", boundary);
	/* The first boundary needs no line before it. */
	memcpy(multipart->window, "\r\n", 2);
	multipart->held = 2;
	*out = multipart;
	return true;
}

void multipart_destroy(struct multipart *multipart)
{
	free(multipart);
}

/* ---- steps: what stands at the window's beginning ---- */

static size_t left_of(const struct multipart *multipart)
{
	return multipart->held - multipart->at;
}

/* How many bytes stand before the next delimiter. Where there is none, all are told but those that it could
 * begin with. */
static size_t find_delimiter(const struct multipart *multipart, bool *found)
{
	const char *text = multipart->window + multipart->at;
	size_t left = left_of(multipart);
	size_t kept = multipart->delimiter_length - 1;
	const char *delimiter = memmem(text, left, multipart->delimiter, multipart->delimiter_length);

	*found = delimiter;
	if (delimiter)
		return (size_t)(delimiter - text);
	return left > kept ? left - kept : 0;
}

/* Steps over so many bytes, and the delimiter where it stands behind them. */
static enum step advance(struct multipart *multipart, size_t bytes, bool found)
{
	multipart->at += bytes + (found ? multipart->delimiter_length : 0);
	if (!found)
		return STEP_WAIT;
	multipart->state = STATE_DELIMITED;
	return STEP_ON;
}

static enum step step_preamble(struct multipart *multipart, struct err *err)
{
	bool found;
	size_t bytes = find_delimiter(multipart, &found);

	multipart->preamble += bytes;
	if (multipart->preamble <= PREAMBLE_MAX)
		return advance(multipart, bytes, found);
	(void)err_set(err, ERR_BAD_REQUEST,
		"the body does not begin with the boundary that its Content-Type names");
	return STEP_FAIL;
}

/* Behind a boundary stand the end of its line, or two hyphens and the end of the form. */
static enum step step_delimited(struct multipart *multipart, struct err *err)
{
	const char *text = multipart->window + multipart->at;
	size_t left = left_of(multipart);
	size_t blanks = 0;

	while (blanks < left && blanks < HEAD_MAX && strchr(" \t", text[blanks]) && text[blanks])
		blanks++;
	if (left - blanks < 2 && blanks < HEAD_MAX)
		return STEP_WAIT;
	if (blanks == 0 && memcmp(text, "--", 2) == 0) {
		multipart->state = STATE_EPILOGUE;
		return STEP_ON;
	}
	if (blanks == HEAD_MAX || memcmp(text + blanks, "\r\n", 2) != 0) {
		(void)err_set(err, ERR_BAD_REQUEST,
			"the form's boundary is followed by something else in its line");
		return STEP_FAIL;
	}
	multipart->at += blanks + 2;
	multipart->state = STATE_HEAD;
	return STEP_ON;
}

/* Codings belong to mail; what they would stand for is not what was sent. */
static bool judge_coding(const char *value, struct err *err)
{
	static const char *const plain[] = {"binary", "8bit", "7bit"};

	for (size_t i = 0; i < sizeof plain / sizeof *plain; i++) {
		if (strcasecmp(value, plain[i]) == 0)
			return true;
	}
	return err_set(err, ERR_BAD_REQUEST,
		"a part of the form has Content-Transfer-Encoding: %.40s; send it as it is", value);
}

/* One line of a part's head, without its end. */
static bool read_line(char *line, char name[MULTIPART_NAME_MAX + 1], bool *named, struct err *err)
{
	char *value = strchr(line, ':');

	if (!value || value == line)
		return err_set(
			err, ERR_BAD_REQUEST, "a part of the form has a line in its head that is no header");
	*value++ = '\0';
	value += strspn(value, " \t");
	if (strcasecmp(line, "Content-Transfer-Encoding") == 0)
		return judge_coding(value, err);
	if (strcasecmp(line, "Content-Disposition") != 0)
		return true;
	if (*named || strncasecmp(value, "form-data", strlen("form-data")) != 0 ||
		!find_parameter(value, "name", name, MULTIPART_NAME_MAX + 1))
		return err_set(err, ERR_BAD_REQUEST,
			"a part of the form has no Content-Disposition with one name of at most %d bytes",
			MULTIPART_NAME_MAX);
	*named = true;
	return true;
}

/* head ends with an empty line. */
static bool read_head(char *head, char name[MULTIPART_NAME_MAX + 1], struct err *err)
{
	bool named = false;

	for (char *line = head, *end; (end = strstr(line, "\r\n")) && end != line; line = end + 2) {
		*end = '\0';
		if (!read_line(line, name, &named, err))
			return false;
	}
	return named || err_set(err, ERR_BAD_REQUEST, "a part of the form has no Content-Disposition");
}

/* Where the head at the window's beginning ends; 0 where that has not come yet. */
static size_t find_head_end(const char *text, size_t length)
{
	static const char end[] = "\r\n\r\n";
	const char *found = memmem(text, length, end, sizeof end - 1);

	if (length >= 2 && memcmp(text, end, 2) == 0)
		return 2;
	return found ? (size_t)(found - text) + sizeof end - 1 : 0;
}

static enum step step_head(struct multipart *multipart, struct err *err)
{
	const char *text = multipart->window + multipart->at;
	size_t left = left_of(multipart) < HEAD_MAX ? left_of(multipart) : HEAD_MAX;
	size_t length = find_head_end(text, left);
	char name[MULTIPART_NAME_MAX + 1];
	char head[HEAD_MAX + 1];

	if (length == 0 && left < HEAD_MAX)
		return STEP_WAIT;
	memcpy(head, text, length);
	head[length] = '\0';
	if (length == 0 || strlen(head) != length) {
		(void)err_set(err, ERR_BAD_REQUEST,
			"a part of the form has a head of more than %d bytes, or with NUL", HEAD_MAX);
		return STEP_FAIL;
	}
	if (!read_head(head, name, err) || !multipart->receiver.part(multipart->receiver.context, name, err))
		return STEP_FAIL;
	multipart->at += length;
	multipart->state = STATE_DATA;
	return STEP_ON;
}

static enum step step_data(struct multipart *multipart, struct err *err)
{
	const char *text = multipart->window + multipart->at;
	bool found;
	size_t bytes = find_delimiter(multipart, &found);

	if (bytes > 0 && !multipart->receiver.data(multipart->receiver.context, text, bytes, err))
		return STEP_FAIL;
	return advance(multipart, bytes, found);
}

/* Whatever comes is nobody's. */
static enum step step_epilogue(struct multipart *multipart, struct err *err)
{
	(void)err;
	multipart->at = multipart->held;
	return STEP_WAIT;
}

static enum step (*const steps[STATES])(struct multipart *multipart, struct err *err) = {
	[STATE_PREAMBLE] = step_preamble,
	[STATE_DELIMITED] = step_delimited,
	[STATE_HEAD] = step_head,
	[STATE_DATA] = step_data,
	[STATE_EPILOGUE] = step_epilogue,
};

bool multipart_write(struct multipart *multipart, const void *bytes, size_t length, struct err *err)
{
	const char *next = bytes;

	while (length > 0) {
		size_t room = sizeof multipart->window - multipart->held;
		size_t piece = length < room ? length : room;
		enum step step;

		memcpy(multipart->window + multipart->held, next, piece);
		multipart->held += piece;
		next += piece;
		length -= piece;
		do
			step = steps[multipart->state](multipart, err);
		while (step == STEP_ON);
		if (step == STEP_FAIL)
			return false;
		multipart->held -= multipart->at;
		memmove(multipart->window, multipart->window + multipart->at, multipart->held);
		multipart->at = 0;
	}
	return true;
}

bool multipart_finish(const struct multipart *multipart, struct err *err)
{
	return multipart->state == STATE_EPILOGUE ||
	       err_set(err, ERR_BAD_REQUEST, "the form is cut off: its last boundary is missing");
}

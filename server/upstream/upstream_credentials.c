/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upstream/upstream_credentials.h"

#include <ctype.h>
#include <jansson.h>
#include <string.h>
#include <strings.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/file.h"
#include "common/mem.h"

/* What is shorter is found in any text; more so of what is a part. */
enum { SECRET_MIN = 4, PIECE_MIN = 8 };

static void forget(char *text)
{
	if (text)
		explicit_bzero(text, strlen(text));
	free(text);
}

AUTO_CLEANER(own_secret, char *, forget)

void credentials_forget(struct credentials *credentials)
{
	for (size_t i = 0; i < credentials->count; i++) {
		forget(credentials->items[i].line);
		forget(credentials->items[i].secret);
	}
	credentials->count = 0;
}

static void add(struct credentials *out, char *line, const char *secret)
{
	out->items[out->count].line = line;
	out->items[out->count++].secret = mem_dup(secret);
}

static void add_basic(struct credentials *out, const char *pair)
{
	AUTO(own_secret) char *coded = base64_text(pair, strlen(pair));

	add(out, mem_printf("Authorization: Basic %s", coded), strchr(pair, ':') + 1);
}

/* ---- files ---- */

static bool fault(const char *key, const char *what, struct err *err)
{
	return err_set(err, ERR_UPSTREAM_FAILED, "its %s %s", key, what);
}

static bool fault_in_line(const char *key, size_t line, const char *what, struct err *err)
{
	return err_set(err, ERR_UPSTREAM_FAILED, "its %s, line %zu: %s", key, line, what);
}

static bool read_file(const char *path, const char *key, char **out, struct err *err)
{
	AUTO_BUFFER struct buffer text = {0};
	struct err why;
	bool whole;

	if (!file_read_all(path, CREDENTIAL_BYTES_MAX, &text, &why))
		return fault(key, why.code == ERR_TOO_LARGE ? "is too large" : "cannot be read", err);
	while (text.length > 0 && strchr(" \t\r\n", text.data[text.length - 1]))
		text.data[--text.length] = '\0';
	whole = text.length > 0 && strlen(buffer_string(&text)) == text.length;
	*out = buffer_take(&text);
	return whole || fault(key, **out ? "has a NUL" : "is empty", err);
}

/* A line end in a value would be a header of somebody else's making. */
static bool is_one_line(const char *text)
{
	for (; *text; text++) {
		if (iscntrl((unsigned char)*text) && *text != '\t')
			return false;
	}
	return true;
}

/* The one line that a file has. */
static bool read_line(const char *path, const char *key, char **out, struct err *err)
{
	return read_file(path, key, out, err) &&
	       (is_one_line(*out) || fault(key, "has more than one line, or a control character", err));
}

static bool read_bearer(const struct upstream *upstream, struct credentials *out, struct err *err)
{
	AUTO(own_secret) char *token = NULL;

	if (!read_line(upstream->bearer_token_file, "bearer_token_file", &token, err))
		return false;
	add(out, mem_printf("Authorization: Bearer %s", token), token);
	return true;
}

static bool read_basic(const struct upstream *upstream, struct credentials *out, struct err *err)
{
	AUTO(own_secret) char *pair = NULL;

	if (!read_line(upstream->basic_file, "basic_file", &pair, err))
		return false;
	if (!strchr(pair, ':'))
		return fault_in_line("basic_file", 1, "it has no colon; it reads user:password", err);
	add_basic(out, pair);
	return true;
}

/* kaggle.json: {"username": "…", "key": "…"} */
static bool add_account(struct credentials *out, const char *text, struct err *err)
{
	json_auto_t *account = json_loads(text, 0, NULL);
	const char *user = json_string_value(json_object_get(account, "username"));
	const char *key = json_string_value(json_object_get(account, "key"));
	AUTO(own_secret) char *pair = NULL;

	if (!user || !key || strchr(user, ':'))
		return fault("credentials_file",
			"is not as kaggle.json is: {\"username\": \"…\", \"key\": \"…\"}; it can also be a "
			"token alone",
			err);
	pair = mem_printf("%s:%s", user, key);
	add_basic(out, pair);
	return true;
}

static bool read_account(const struct upstream *upstream, struct credentials *out, struct err *err)
{
	AUTO(own_secret) char *text = NULL;

	if (!read_file(upstream->credentials_file, "credentials_file", &text, err))
		return false;
	if (*text == '{')
		return add_account(out, text, err);
	if (!is_one_line(text))
		return fault("credentials_file", "has more than one line, or a control character", err);
	add(out, mem_printf("Authorization: Bearer %s", text), text);
	return true;
}

/* ---- header_file ---- */

static const char token_letters[] =
	"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";

/* What a request of ours says by itself, and what rules its connection. */
static bool is_ours(const char *name, size_t length)
{
	static const char *const names[] = {"Accept-Encoding", "CDN-Loop", "Connection", "Content-Length",
		"Expect", "Host", "If-Range", "Keep-Alive", "Proxy-Authorization", "Proxy-Connection",
		"Range", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "User-Agent"};

	for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
		if (strlen(names[i]) == length && strncasecmp(names[i], name, length) == 0)
			return true;
	}
	return false;
}

static bool is_authorization(const char *line)
{
	return strncasecmp(line, "Authorization:", strlen("Authorization:")) == 0;
}

static const char *fault_of_header(const char *line, const struct credentials *out)
{
	size_t name = strspn(line, token_letters);

	if (name == 0 || line[name] != ':')
		return "it is no header; each line reads Name: value";
	if (!is_one_line(line))
		return "it has a control character";
	if (line[name + 1 + strspn(line + name + 1, " \t")] == '\0')
		return "it has no value";
	if (is_ours(line, name))
		return "this header is not yours to set";
	if (out->count > 0 && is_authorization(line) && is_authorization(out->items[0].line))
		return "there is an Authorization already";
	return out->count == CREDENTIALS_MAX ? "there are more than 16 headers" : NULL;
}

static bool read_headers(const struct upstream *upstream, struct credentials *out, struct err *err)
{
	AUTO(own_secret) char *text = NULL;
	char *rest;
	size_t number = 0;

	if (!read_file(upstream->header_file, "header_file", &text, err))
		return false;
	rest = text;
	for (char *line; (line = strsep(&rest, "\n"));) {
		size_t length = strlen(line);
		const char *wrong;

		number++;
		while (length > 0 && strchr(" \t\r", line[length - 1]))
			line[--length] = '\0';
		if (length == 0 || *line == '#')
			continue;
		wrong = fault_of_header(line, out);
		if (wrong)
			return fault_in_line("header_file", number, wrong, err);
		add(out, mem_dup(line), strchr(line, ':') + 1 + strspn(strchr(line, ':') + 1, " \t"));
	}
	return true;
}

bool credentials_read(const struct upstream *upstream, struct credentials *out, struct err *err)
{
	*out = (struct credentials){.count = 0};
	if (!!upstream->bearer_token_file + !!upstream->basic_file + !!upstream->credentials_file > 1)
		return err_set(err, ERR_UPSTREAM_FAILED,
			"it can have one of bearer_token_file, basic_file and credentials_file");
	if ((!upstream->bearer_token_file || read_bearer(upstream, out, err)) &&
		(!upstream->basic_file || read_basic(upstream, out, err)) &&
		(!upstream->credentials_file || read_account(upstream, out, err)) &&
		(!upstream->header_file || read_headers(upstream, out, err)))
		return true;
	credentials_forget(out);
	return false;
}

/* ---- what others say ---- */

/* Quotes and blanks may have been changed on the way, and one parameter of many be told alone. */
static bool repeats_piece(const char *text, const char *secret)
{
	static const char separators[] = " \t\"',;=";

	for (const char *c = secret + strspn(secret, separators); *c; c += strspn(c, separators)) {
		size_t length = strcspn(c, separators);

		if (length >= PIECE_MIN && memmem(text, strlen(text), c, length))
			return true;
		c += length;
	}
	return false;
}

static bool repeats(const char *text, const char *secret)
{
	return (strlen(secret) >= SECRET_MIN && strstr(text, secret)) || repeats_piece(text, secret);
}

bool credentials_are_told_by(const struct credentials *credentials, const char *text)
{
	for (size_t i = 0; i < credentials->count; i++) {
		const char *word = strrchr(credentials->items[i].line, ' ');

		if (repeats(text, credentials->items[i].secret) || (word && repeats(text, word + 1)))
			return true;
	}
	return false;
}

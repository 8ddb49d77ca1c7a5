/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/safety/leaks.h"

#include <ctype.h>
#include <stdbool.h>
#include <string.h>

/* As much of a window stays as the longest of them may have before its end shows. */
enum { OVERLAP_BYTES = 256 };

enum letters { UPPER_DIGITS, WORD, WORD_DASH };

struct token {
	const char *prefix;
	size_t more; /* characters that follow at least */
	enum letters letters;
	bool is_exact; /* no more of them follow */
	const char *what;
};

static const struct token tokens[] = {
	{"AKIA", 16, UPPER_DIGITS, true, "an access key of AWS"},
	{"ASIA", 16, UPPER_DIGITS, true, "a temporary access key of AWS"},
	{"AIza", 35, WORD_DASH, true, "an API key of Google"},
	{"ghp_", 36, WORD, false, "a token of GitHub"},
	{"gho_", 36, WORD, false, "a token of GitHub"},
	{"ghs_", 36, WORD, false, "a token of GitHub"},
	{"ghu_", 36, WORD, false, "a token of GitHub"},
	{"ghr_", 36, WORD, false, "a token of GitHub"},
	{"github_pat_", 60, WORD, false, "a token of GitHub"},
	{"glpat-", 20, WORD_DASH, false, "a token of GitLab"},
	{"hf_", 34, WORD, true, "a token of Hugging Face"},
	{"npm_", 36, WORD, true, "a token of npm"},
	{"pypi-AgEIcHlwaS5vcmc", 50, WORD_DASH, false, "a token of PyPI"},
	{"sk-ant-", 40, WORD_DASH, false, "an API key of Anthropic"},
	{"sk-proj-", 40, WORD_DASH, false, "an API key of OpenAI"},
	{"sk_live_", 24, WORD, false, "a secret key of Stripe"},
	{"xoxb-", 40, WORD_DASH, false, "a token of Slack"},
	{"xoxp-", 40, WORD_DASH, false, "a token of Slack"},
};

static bool is_one_of(char byte, enum letters letters)
{
	unsigned char c = (unsigned char)byte;

	if (letters == UPPER_DIGITS)
		return isupper(c) || isdigit(c);
	return isalnum(c) || c == '_' || (letters == WORD_DASH && c == '-');
}

/* What documents show as an example is none. */
static bool is_example(const char *at, size_t length)
{
	return memmem(at, length, "EXAMPLE", 7) || memmem(at, length, "example", 7);
}

static bool is_token(const struct token *token, const char *at, const char *begin, const char *end)
{
	const char *tail = at + strlen(token->prefix);
	size_t count = 0;

	if (at > begin && is_one_of(at[-1], WORD_DASH))
		return false;
	while (tail + count < end && count < OVERLAP_BYTES && is_one_of(tail[count], token->letters))
		count++;
	return (token->is_exact ? count == token->more : count >= token->more) &&
	       !is_example(at, (size_t)(tail - at) + count);
}

static void look_for_token(const struct token *token, const struct leaks *leaks,
	struct safety_findings *findings, const char *where)
{
	const char *end = leaks->window + leaks->length;
	const char *at = leaks->window;

	while ((at = memmem(at, (size_t)(end - at), token->prefix, strlen(token->prefix)))) {
		if (is_token(token, at, leaks->window, end)) {
			safety_findings_add(findings, SAFETY_SECRET_TOKEN, where, "%s", token->what);
			return;
		}
		at++;
	}
}

/* "-----BEGIN RSA PRIVATE KEY-----", and something of it. */
static void look_for_key(const struct leaks *leaks, struct safety_findings *findings, const char *where)
{
	static const char begin[] = "-----BEGIN ";
	static const char kind[] = "PRIVATE KEY";
	enum { KIND_WITHIN = 40, BODY_LEAST = 40 };
	const char *end = leaks->window + leaks->length;
	const char *at = leaks->window;

	while ((at = memmem(at, (size_t)(end - at), begin, strlen(begin)))) {
		size_t left = (size_t)(end - at);
		const char *found = memmem(at, left < KIND_WITHIN ? left : KIND_WITHIN, kind, strlen(kind));

		if (found && end - found >= BODY_LEAST && !is_example(found, BODY_LEAST)) {
			safety_findings_add(findings, SAFETY_SECRET_KEY, where, "a private key in PEM");
			return;
		}
		at++;
	}
}

static void look(const struct leaks *leaks, struct safety_findings *findings, const char *where)
{
	for (size_t i = 0; i < sizeof tokens / sizeof *tokens; i++)
		look_for_token(&tokens[i], leaks, findings, where);
	look_for_key(leaks, findings, where);
}

void leaks_feed(struct leaks *leaks, struct safety_findings *findings, const char *where, const uint8_t *data,
	size_t length)
{
	while (length > 0) {
		size_t room = LEAKS_WINDOW_BYTES - leaks->length;
		size_t more = length < room ? length : room;

		memcpy(leaks->window + leaks->length, data, more);
		leaks->length += more;
		data += more;
		length -= more;
		if (leaks->length < LEAKS_WINDOW_BYTES)
			return;
		look(leaks, findings, where);
		memmove(leaks->window, leaks->window + leaks->length - OVERLAP_BYTES, OVERLAP_BYTES);
		leaks->length = OVERLAP_BYTES;
	}
}

void leaks_end(struct leaks *leaks, struct safety_findings *findings, const char *where)
{
	look(leaks, findings, where);
	leaks->length = 0;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/secrets.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/own.h"

static const char token_prefix[] = "/-/t/";
static const char hidden[] = "…";

/* Decodes what can be decoded, so that no spelling of a token's path escapes. */
static void decode_leniently(char *text)
{
	char *out = text;

	for (const char *in = text; *in; in++) {
		unsigned byte;
		int used = 0;

		if (*in == '%' && isxdigit((unsigned char)in[1]) && isxdigit((unsigned char)in[2]) &&
			sscanf(in, "%%%2x%n", &byte, &used) == 1 && used == 3 && byte != 0) {
			*out++ = (char)byte;
			in += 2;
		} else {
			*out++ = *in;
		}
	}
	*out = '\0';
}

/* "lrd_<hex digits>"; of an address with its own right: "cap_<time>_<hex digits>". 0 if it is none. */
static size_t token_length(const char *text)
{
	static const size_t start = sizeof "lrd_" - 1, digits_least = 8;
	size_t length = start, digits;

	if (strncmp(text, "cap_", start) == 0) {
		length += strspn(text + length, "0123456789");
		if (text[length++] != '_')
			return 0;
	} else if (strncmp(text, "lrd_", start) != 0) {
		return 0;
	}
	digits = strspn(text + length, "0123456789abcdefABCDEF");
	return digits >= digits_least ? length + digits : 0;
}

/* How many bytes from here on are a secret: what stands behind /-/t/, or looks like a token of ours, since a
 * slip in the path ("/-/t//lrd_…") must not bring one into the log. *shown is how many of them may be read
 * all the same. */
static size_t secret_length(const char *text, size_t *shown)
{
	*shown = strlen(token_prefix);
	if (strncmp(text, token_prefix, *shown) == 0)
		return *shown + strcspn(text + *shown, "/?");
	*shown = strlen("lrd_");
	return token_length(text);
}

/* Again and again, since what somebody has escaped twice is a token still. */
char *secrets_decode(const char *text)
{
	char *decoded = mem_dup(text);

	for (int times = 0; times < 3; times++)
		decode_leniently(decoded);
	return decoded;
}

char *secrets_hide_tokens(const char *text, bool *hides_any)
{
	AUTO_FREE char *decoded = secrets_decode(text);
	AUTO_BUFFER struct buffer out = {0};
	bool any = false;
	size_t shown;

	for (const char *rest = decoded; *rest;) {
		size_t length = secret_length(rest, &shown);

		buffer_add(&out, rest, length ? shown : 1);
		if (length)
			buffer_add_string(&out, hidden);
		any |= length > 0;
		rest += length ? length : 1;
	}
	if (hides_any)
		*hides_any = any;
	return buffer_take(&out);
}

/* Takes what stands before the "@" of each authority, and all from the first of these characters on. */
static char *bare(const char *url, const char *ends, bool *hides_any)
{
	static const char mark[] = "://";
	AUTO_FREE char *text = mem_dup_n(url, strcspn(url, ends));
	AUTO_BUFFER struct buffer out = {0};
	const char *rest = text;

	for (const char *found; (found = strstr(rest, mark)); rest = found) {
		size_t length;
		const char *at;

		found += strlen(mark);
		length = strcspn(found, "/?#");
		at = memrchr(found, '@', length);
		buffer_add(&out, rest, (size_t)(found - rest));
		*hides_any |= at != NULL;
		found = at ? at + 1 : found;
	}
	buffer_add_string(&out, rest);
	return buffer_take(&out);
}

char *secrets_hide(const char *url, bool with_query)
{
	const char *ends = with_query ? "#" : "?#";
	bool ignored = false, has_user = false, has_token;
	/* As it stands first: decoded, a password's slash would end the authority. */
	AUTO_FREE char *plain = bare(url, ends, &ignored);
	AUTO_FREE char *decoded = secrets_hide_tokens(plain, &has_token);
	AUTO_FREE char *shown = bare(decoded, ends, &has_user);

	return has_token || has_user ? TAKE(shown) : TAKE(plain);
}

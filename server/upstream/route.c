/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upstream/route.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "common/buffer.h"
#include "common/globs.h"
#include "common/uri.h"

static void add_path(struct buffer *out, const struct name *name)
{
	uri_encode(out, name_path(name).text, "/");
}

static void add_handle(struct buffer *out, const struct name *name)
{
	uri_encode(out, name->handle, "/");
}

static void add_version(struct buffer *out, const struct name *name)
{
	buffer_printf(out, "%" PRId64, name->version);
}

static void add_format(struct buffer *out, const struct name *name)
{
	uri_encode(out, formats[name->format].name, "");
}

static void add_query(struct buffer *out, const struct name *name)
{
	uri_encode(out, formats[name->format].query_key, "");
	buffer_add_string(out, "=");
	uri_encode(out, formats[name->format].query_value, "");
}

static const struct word {
	const char *text;
	void (*add)(struct buffer *out, const struct name *name);
} words[] = {
	{"{path}", add_path},
	{"{handle}", add_handle},
	{"{version}", add_version},
	{"{format}", add_format},
	{"{query}", add_query},
};

static const struct word *find_word(const char *text)
{
	for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
		if (strncmp(text, words[i].text, strlen(words[i].text)) == 0)
			return &words[i];
	}
	return NULL;
}

/* The part after the scheme, or NULL where it is neither http nor https. */
static const char *after_scheme(const char *url)
{
	static const char *const schemes[] = {"https://", "http://"};

	for (size_t i = 0; i < sizeof schemes / sizeof *schemes; i++) {
		if (strncasecmp(url, schemes[i], strlen(schemes[i])) == 0)
			return url + strlen(schemes[i]);
	}
	return NULL;
}

/* A host is named, and no word of the template has a say in it. */
static bool has_host(const char *rest)
{
	size_t length = strcspn(rest, "/?#");
	const char *at = memrchr(rest, '@', length);
	const char *host = at ? at + 1 : rest;

	return host < rest + length && *host != ':' && !memchr(rest, '{', length);
}

static bool check_words(const char *url, struct err *err)
{
	for (const char *c = url; *c; c++) {
		const struct word *word = *c == '{' ? find_word(c) : NULL;

		if (iscntrl((unsigned char)*c) || *c == ' ')
			return err_set(err, ERR_BAD_REQUEST,
				"An upstream's url has no blanks or control characters.");
		if (strchr("{}", *c) && !word)
			return err_set(err, ERR_BAD_REQUEST,
				"\"%.40s\" in an upstream's url is none of {path}, {handle}, {version}, "
				"{format} and {query}.",
				c);
		if (word)
			c += strlen(word->text) - 1;
	}
	return true;
}

bool upstream_check_template(const char *url, struct err *err)
{
	const char *rest = after_scheme(url);

	if (!rest)
		return err_set(err, ERR_BAD_REQUEST, "An upstream's url begins with http:// or https://.");
	if (!has_host(rest))
		return err_set(err, ERR_BAD_REQUEST,
			"An upstream's url names a host that is the same for all modules.");
	if (!check_words(url, err))
		return false;
	if (!strstr(url, "{path}") && !(strstr(url, "{handle}") && strstr(url, "{version}")))
		return err_set(err, ERR_BAD_REQUEST,
			"An upstream's url names {path}, or {handle} and {version}: else all modules would "
			"be one.");
	return true;
}

static bool list_has(const char *list, const char *item)
{
	static const char separators[] = ", \t";

	for (list += strspn(list, separators); *list; list += strspn(list, separators)) {
		size_t length = strcspn(list, separators);

		if (length == strlen(item) && strncmp(list, item, length) == 0)
			return true;
		list += length;
	}
	return false;
}

bool upstream_may_have(const struct upstream *upstream, const struct name *name)
{
	bool tells_formats = strstr(upstream->url, "{query}") || strstr(upstream->url, "{format}");
	enum format only = FORMAT_TF_HUB;

	if (upstream->match && !globs_match(upstream->match, name->handle))
		return false;
	if (upstream->formats && !list_has(upstream->formats, formats[name->format].name))
		return false;
	if (!tells_formats && upstream->formats)
		(void)format_parse(upstream->formats, &only);
	return tells_formats || name->format == only;
}

char *upstream_url(const struct upstream *upstream, const struct name *name)
{
	struct buffer url = {0};

	for (const char *c = upstream->url; *c; c++) {
		const struct word *word = *c == '{' ? find_word(c) : NULL;

		if (word) {
			word->add(&url, name);
			c += strlen(word->text) - 1;
		} else {
			buffer_add(&url, c, 1);
		}
	}
	return buffer_take(&url);
}

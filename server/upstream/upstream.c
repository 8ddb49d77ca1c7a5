/* SPDX-License-Identifier: Apache-2.0 */
#include "server/upstream/upstream.h"

#include <ctype.h>
#include <inttypes.h>
#include <string.h>
#include <strings.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/secrets.h"
#include "common/uri.h"
#include "server/module/handle_globs.h"
#include "server/upstream/kaggle.h"
#include "server/upstream/kaggle_places.h"
#include "server/upstream/proxy_address.h"

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

/* Of what looks like a word, and no more: behind it there may be a secret. */
static int word_length(const char *brace)
{
	size_t letters = strspn(brace + 1, "abcdefghijklmnopqrstuvwxyz_-");

	return letters > 40 ? 41 : (int)(letters + 1 + (brace[letters + 1] == '}'));
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
				"\"%.*s\" in an upstream's url is none of {path}, {handle}, {version}, "
				"{format} and {query}.",
				word_length(c), c);
		if (word)
			c += strlen(word->text) - 1;
	}
	return true;
}

bool upstream_check_url(const char *url, struct err *err)
{
	const char *rest = after_scheme(url);

	if (!rest)
		return err_set(err, ERR_BAD_REQUEST, "An upstream's url begins with http:// or https://.");
	if (!has_host(rest))
		return err_set(err, ERR_BAD_REQUEST,
			"An upstream's url names a host that is the same for all modules.");
	return check_words(url, err);
}

static bool check_template(const char *url, struct err *err)
{
	if (!strstr(url, "{path}") && !(strstr(url, "{handle}") && strstr(url, "{version}")))
		return err_set(err, ERR_BAD_REQUEST,
			"An upstream's url names {path}, or {handle} and {version}: else all modules would "
			"be one.");
	return true;
}

bool upstream_check_proxy(const char *proxy, struct err *err)
{
	const char *rest = after_scheme(proxy);

	if (*proxy == '\0' || strcmp(proxy, "none") == 0)
		return true;
	/* It may have a password: nothing of it is told. */
	if (!rest || !has_host(rest) || strpbrk(rest, " \t{}?#") || strcspn(rest, "/") + 1 < strlen(rest) ||
		!proxy_address_is_usable(proxy))
		return err_set(err, ERR_BAD_REQUEST,
			"A proxy is http:// or https://, a host and a port, such as "
			"http://proxy.example:3128, "
			"or none.");
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

/* What its template can tell apart. */
static bool hub_may_have(const struct upstream *upstream, const struct name *name)
{
	bool tells_formats = strstr(upstream->url, "{query}") || strstr(upstream->url, "{format}");
	enum format only = FORMAT_TF_HUB;

	if (!tells_formats && upstream->formats)
		(void)format_parse(upstream->formats, &only);
	return tells_formats || name->format == only;
}

/* What is glued to the version, such as ".tar.gz", makes no sense behind a handle. */
static bool hub_tells_latest(const struct upstream *upstream)
{
	const char *path = strstr(upstream->url, "{path}");

	return path && !strstr(upstream->url, "{version}") && strchr("?#", path[strlen("{path}")]);
}

static void expand(struct buffer *url, const char *template, size_t length, const struct name *name)
{
	for (const char *c = template; c < template + length; c++) {
		const struct word *word = *c == '{' ? find_word(c) : NULL;

		if (word) {
			word->add(url, name);
			c += strlen(word->text) - 1;
		} else {
			buffer_add(url, c, 1);
		}
	}
}

static char *hub_url(const struct upstream *upstream, const struct name *name)
{
	struct buffer url = {0};

	expand(&url, upstream->url, strlen(upstream->url), name);
	return buffer_take(&url);
}

static const char query_word[] = "{query}";

/* A file's path goes behind the version, and its format into the query. */
static bool hub_has_files(const struct upstream *upstream)
{
	static const char *const ends[] = {"{path}?", "{version}?"};
	const char *query = strchr(upstream->url, '?');

	if (!query || !strstr(query, query_word) || strstr(query, "{path}") || strstr(query, "{handle}") ||
		strstr(query, "{version}"))
		return false;
	for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
		size_t length = strlen(ends[i]);

		if (query + 1 >= upstream->url + length && strncmp(query + 1 - length, ends[i], length) == 0)
			return true;
	}
	return false;
}

char *upstream_file_url(const struct upstream *upstream, const struct name *name, const char *file)
{
	const char *query = strchr(upstream->url, '?');
	const char *word = strstr(query, query_word);
	struct buffer url = {0};

	expand(&url, upstream->url, (size_t)(query - upstream->url), name);
	buffer_add_string(&url, "/");
	uri_encode(&url, file, "/");
	expand(&url, query, (size_t)(word - query), name);
	buffer_printf(&url, "%s=file", formats[name->format].query_key);
	expand(&url, word + strlen(query_word), strlen(word + strlen(query_word)), name);
	return buffer_take(&url);
}

char *upstream_attestations_url(const struct upstream *upstream, const struct name *name)
{
	const char *path = upstream->kind == UPSTREAM_HUB ? strstr(upstream->url, "{path}") : NULL;
	const char *query = strchr(upstream->url, '?');
	struct buffer url = {0};

	if (!path || (query && query < path))
		return NULL;
	expand(&url, upstream->url, (size_t)(path - upstream->url), name);
	buffer_add_string(&url, "api/v1/attestations/");
	add_path(&url, name);
	return buffer_take(&url);
}

/* ---- kinds ---- */

/* The name that an upstream knows it by. */
static const struct name *known_as(
	const struct upstream *upstream, const struct name *name, struct name *memory)
{
	return kaggle_places_find(upstream->places, name, memory) ? memory : name;
}

static bool kaggle_may(const struct upstream *upstream, const struct name *name)
{
	(void)upstream;
	return kaggle_may_have(name);
}

static char *kaggle_place(const struct upstream *upstream, const struct name *name)
{
	return kaggle_url(upstream->url, name);
}

static bool check_api(const char *url, struct err *err)
{
	if (strpbrk(url, "{?#") || url[strlen(url) - 1] == '/')
		return err_set(err, ERR_BAD_REQUEST,
			"The url of such an upstream is its API's, without a slash at its end, such "
			"as " KAGGLE_URL ".");
	return true;
}

static const struct kind {
	const char *url; /* by default; NULL: there is none */
	bool (*check)(const char *url, struct err *err);
	bool (*may_have)(const struct upstream *upstream, const struct name *name);
	char *(*place)(const struct upstream *upstream, const struct name *name);
	bool (*tells_latest)(const struct upstream *upstream); /* by redirects */
	bool (*has_files)(const struct upstream *upstream);
	/* The rest is an API's; NULL for a hub. */
	int64_t (*latest_in)(const char *body, size_t length);
	char *(*listing_url)(const char *base, const struct name *name);
	bool (*listed_url)(
		const char *base, const struct name *name, const char *list, size_t length, char **out);
	void (*explain)(const struct name *name, int status, struct err *err);
	bool signs;
} kinds[] = {
	[UPSTREAM_HUB] = {NULL, check_template, hub_may_have, hub_url, hub_tells_latest, hub_has_files, NULL,
		NULL, NULL, NULL, false},
	[UPSTREAM_KAGGLE] = {KAGGLE_URL, check_api, kaggle_may, kaggle_place, NULL, NULL, kaggle_latest_in,
		kaggle_listing_url, kaggle_listed_url, kaggle_explain, true},
};

static const struct kind *kind_of(const struct upstream *upstream)
{
	return &kinds[upstream->kind];
}

void upstream_settle(struct upstream *upstream)
{
	if (!upstream->url && kind_of(upstream)->url)
		upstream->url = mem_dup(kind_of(upstream)->url);
}

bool upstream_check(const struct upstream *upstream, struct err *err)
{
	return kind_of(upstream)->check(upstream->url, err);
}

bool upstream_may_have(const struct upstream *upstream, const struct name *name)
{
	struct name memory;
	const struct name *there = known_as(upstream, name, &memory);

	if (upstream->match && !handle_globs_match(upstream->match, there->handle))
		return false;
	if (upstream->formats && !list_has(upstream->formats, formats[name->format].name))
		return false;
	return kind_of(upstream)->may_have(upstream, there);
}

bool upstream_check_place(const struct upstream *upstream, const struct name *name, struct err *err)
{
	struct name place;
	const char *rule = kaggle_places_forbidden(upstream->places, name, &place);

	return !rule || err_set(err, ERR_BLOCKED_BY_POLICY,
				"%.200s would be fetched as %.200s, which %s does not let in", name->handle,
				place.handle, rule);
}

char *upstream_url(const struct upstream *upstream, const struct name *name)
{
	struct name memory;

	return kind_of(upstream)->place(upstream, known_as(upstream, name, &memory));
}

bool upstream_has_files(const struct upstream *upstream)
{
	return kind_of(upstream)->has_files && kind_of(upstream)->has_files(upstream);
}

bool upstream_tells_latest(const struct upstream *upstream)
{
	return upstream_tells_latest_in_body(upstream) || kind_of(upstream)->tells_latest(upstream);
}

bool upstream_tells_latest_in_body(const struct upstream *upstream)
{
	return kind_of(upstream)->latest_in;
}

int64_t upstream_latest_in(const struct upstream *upstream, const char *body, size_t length)
{
	return kind_of(upstream)->latest_in(body, length);
}

char *upstream_listing_url(const struct upstream *upstream, const struct name *name)
{
	const struct kind *kind = kind_of(upstream);
	struct name memory;

	return kind->listing_url ? kind->listing_url(upstream->url, known_as(upstream, name, &memory)) : NULL;
}

bool upstream_listed_url(
	const struct upstream *upstream, const struct name *name, const char *list, size_t length, char **out)
{
	struct name memory;

	return kind_of(upstream)->listed_url(
		upstream->url, known_as(upstream, name, &memory), list, length, out);
}

bool upstream_signs(const struct upstream *upstream)
{
	return kind_of(upstream)->signs;
}

void upstream_explain(const struct upstream *upstream, const struct name *name, int status, struct err *err)
{
	struct name memory;

	if (kind_of(upstream)->explain)
		kind_of(upstream)->explain(known_as(upstream, name, &memory), status, err);
}

/* ---- credentials ---- */

/* A query that is not the format's alone may be one. */
char *upstream_public_url(const struct upstream *upstream, const struct name *name)
{
	AUTO_FREE char *url = upstream_url(upstream, name);
	const char *query = strchr(upstream->url, '?');

	return secrets_hide(url, query && strcmp(query, "?{query}") == 0);
}

/* A parameter that is shorter is no secret, and would be found anywhere. */
enum { SECRET_MIN = 4 };

/* As it stands in the template, or decoded. */
static bool repeats(const char *text, const char *secret, size_t length)
{
	AUTO_FREE char *copy = mem_dup_n(secret, length);

	return length > 0 && (strstr(text, copy) || (uri_decode(copy, false) && strstr(text, copy)));
}

static bool repeats_user(const char *rest, const char *text)
{
	const char *at = memrchr(rest, '@', strcspn(rest, "/?#"));
	const char *colon = at ? memchr(rest, ':', (size_t)(at - rest)) : NULL;
	const char *password = colon ? colon + 1 : rest;

	/* The second is how it is sent. */
	return at && (repeats(text, password, (size_t)(at - password)) || strcasestr(text, "Basic "));
}

static bool repeats_token(const char *rest, const char *text)
{
	static const char marker[] = "/-/t/";
	AUTO_FREE char *decoded = secrets_decode(rest);
	const char *token = decoded;

	while ((token = strstr(token, marker))) {
		token += strlen(marker);
		if (repeats(text, token, strcspn(token, "/?#")))
			return true;
	}
	return false;
}

static bool is_format_key(const char *key, size_t length)
{
	for (size_t i = 0; i < FORMAT_COUNT; i++) {
		if (strlen(formats[i].query_key) == length && memcmp(formats[i].query_key, key, length) == 0)
			return true;
	}
	return false;
}

static bool repeats_parameter(const char *rest, const char *text)
{
	const char *parameter = rest + strcspn(rest, "?");

	while (*parameter) {
		size_t length = strcspn(++parameter, "&");
		const char *equals = memchr(parameter, '=', length);
		const char *end = parameter + length;

		if (equals && end - equals > SECRET_MIN && !memchr(equals, '{', (size_t)(end - equals)) &&
			!is_format_key(parameter, (size_t)(equals - parameter)) &&
			repeats(text, equals + 1, (size_t)(end - equals - 1)))
			return true;
		parameter = end;
	}
	return false;
}

bool upstream_is_betrayed_by(const struct upstream *upstream, const char *text)
{
	const char *rest = after_scheme(upstream->url);

	return repeats_user(rest, text) || repeats_token(rest, text) || repeats_parameter(rest, text);
}

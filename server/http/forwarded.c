/* SPDX-License-Identifier: Apache-2.0 */
#include "server/http/forwarded.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <string.h>
#include <strings.h>

#include "common/network.h"

/* More hops nobody has, and each is held against all networks. */
enum { HOPS_MAX = 32 };

struct span {
	const char *text;
	size_t length;
};

static struct span trim(const char *text, size_t length)
{
	while (length > 0 && (*text == ' ' || *text == '\t')) {
		text++;
		length--;
	}
	while (length > 0 && (text[length - 1] == ' ' || text[length - 1] == '\t'))
		length--;
	return (struct span){text, length};
}

/* As far as a semicolon that is not quoted. */
static const char *find_end(const char *text, const char *end)
{
	bool quoted = false;

	for (; text < end && (quoted || *text != ';'); text++) {
		if (*text == '"')
			quoted = !quoted;
		else if (quoted && *text == '\\' && text + 1 < end)
			text++;
	}
	return text;
}

/* Whether it is the second of a pair in a quoted text. */
static bool is_escaped(const char *begin, const char *at)
{
	size_t backslashes = 0;

	while (at > begin && at[-1] == '\\') {
		backslashes++;
		at--;
	}
	return backslashes % 2 == 1;
}

/* The last element of the list, from its end on, so that a quote which a stranger has left open takes nothing
 * with it that comes after. Only Forwarded has quotes. NULL: the one at the end has no beginning. */
static const char *find_last(const char *begin, const char *end, enum forwarded_kind kind)
{
	bool quoted = false;

	for (; end > begin && (quoted || end[-1] != ','); end--) {
		if (kind == FORWARDED_RFC7239 && end[-1] == '"')
			quoted = !quoted || is_escaped(begin, end - 1);
	}
	return quoted ? NULL : end;
}

static bool copy(struct span from, char *out, size_t size)
{
	if (from.length == 0 || from.length >= size)
		return false;
	for (size_t i = 0; i < from.length; i++) {
		if ((unsigned char)from.text[i] <= ' ' || from.text[i] == 0x7f)
			return false;
	}
	memcpy(out, from.text, from.length);
	out[from.length] = '\0';
	return true;
}

static bool is_address(int family, const char *text)
{
	struct in6_addr address;

	return inet_pton(family, text, &address) == 1;
}

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]:80". Whatever else it is ("unknown", a hop's own
 * name) is no address. */
static bool read_node(struct span node, char *out, size_t size)
{
	char text[64];
	char *colon;

	if (!copy(node, text, sizeof text))
		return false;
	colon = strchr(text, ':');
	if (*text == '[') {
		text[strcspn(text, "]")] = '\0';
		memmove(text, text + 1, strlen(text));
	} else if (colon && colon == strrchr(text, ':')) {
		*colon = '\0';
	}
	return (is_address(AF_INET, text) || is_address(AF_INET6, text)) &&
	       copy((struct span){text, strlen(text)}, out, size);
}

/* ---- Forwarded ---- */

/* Takes the quotes off in place: out has room for the whole. */
static struct span unquote(struct span value, char *room, size_t size)
{
	size_t length = 0;

	if (value.length < 2 || *value.text != '"')
		return value;
	for (size_t i = 1; i + 1 < value.length && length < size; i++) {
		if (value.text[i] == '\\' && i + 2 < value.length)
			i++;
		room[length++] = value.text[i];
	}
	return (struct span){room, length};
}

struct element {
	char node[64];
	char scheme[8];
	char host[264];
};

static void read_pair(struct span pair, struct element *out)
{
	const struct {
		const char *name;
		char *value;
		size_t size;
	} known[] = {{"for", out->node, sizeof out->node}, {"proto", out->scheme, sizeof out->scheme},
		{"host", out->host, sizeof out->host}};
	const char *equals = memchr(pair.text, '=', pair.length);
	size_t name_length = equals ? (size_t)(equals - pair.text) : 0;
	char room[300];

	for (size_t i = 0; equals && i < sizeof known / sizeof *known; i++) {
		struct span value = {equals + 1, pair.length - name_length - 1};

		if (strlen(known[i].name) == name_length &&
			strncasecmp(known[i].name, pair.text, name_length) == 0)
			(void)copy(unquote(value, room, sizeof room), known[i].value, known[i].size);
	}
}

static void read_element(struct span text, struct element *out)
{
	const char *end = text.text + text.length;

	*out = (struct element){.node = ""};
	for (const char *at = text.text; at < end;) {
		const char *semicolon = find_end(at, end);

		read_pair(trim(at, (size_t)(semicolon - at)), out);
		at = semicolon + 1;
	}
}

/* ---- both ---- */

static void read_hop(struct span text, enum forwarded_kind kind, struct forwarded *out)
{
	struct element element;

	*out = (struct forwarded){.client = ""};
	if (kind == FORWARDED_X) {
		(void)read_node(text, out->client, sizeof out->client);
		return;
	}
	read_element(text, &element);
	(void)read_node((struct span){element.node, strlen(element.node)}, out->client, sizeof out->client);
	forwarded_add_x(element.scheme, element.host, out);
}

void forwarded_read(
	const char *value, enum forwarded_kind kind, const char *trusted_proxies, struct forwarded *out)
{
	const char *end = value ? value + strlen(value) : NULL;

	*out = (struct forwarded){.client = ""};
	for (int hop = 0; value && hop < HOPS_MAX; hop++) {
		const char *begin = find_last(value, end, kind);

		*out = (struct forwarded){.client = ""};
		if (!begin)
			return;
		read_hop(trim(begin, (size_t)(end - begin)), kind, out);
		if (begin == value || !network_list_has(trusted_proxies, out->client))
			return;
		end = begin - 1;
	}
}

static struct span last_of(const char *list)
{
	const char *comma = strrchr(list, ',');
	const char *last = comma ? comma + 1 : list;

	return trim(last, strlen(last));
}

void forwarded_add_x(const char *scheme, const char *host, struct forwarded *out)
{
	struct span told = scheme ? last_of(scheme) : (struct span){"", 0};

	if (told.length == strlen("https") && strncasecmp(told.text, "https", told.length) == 0)
		(void)strcpy(out->scheme, "https");
	else if (told.length == strlen("http") && strncasecmp(told.text, "http", told.length) == 0)
		(void)strcpy(out->scheme, "http");
	if (host)
		(void)copy(last_of(host), out->host, sizeof out->host);
}

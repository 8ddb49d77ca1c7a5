/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/documents/doccode.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/uri.h"

/* An address of ours may be many times as long as the one that it replaces. */
enum { LED_BYTES_MAX = 8 << 20 };

static const char code_begin[] = "<code";
static const char code_end[] = "</code>";
static const char block_begin[] = "<pre>";
static const char block_end[] = "</pre>";

struct finishing {
	const struct document_home *home;
	int64_t blocks;
	struct buffer out;
};

/* ---- addresses in code: escaped text, in which markup and quotes are entities ---- */

struct address {
	const char *scheme; /* where it begins */
	const char *host;   /* behind :// */
	const char *path;   /* behind the host */
	const char *end;
};

static bool begins_with(const char *at, const char *end, const char *word)
{
	size_t length = strlen(word);

	return (size_t)(end - at) >= length && strncmp(at, word, length) == 0;
}

/* Up to where an address can go on: an ampersand is part of one, other signs that are entities are not. */
static const char *find_address_end(const char *at, const char *end)
{
	static const char *const signs[] = {"&quot;", "&lt;", "&gt;"};

	for (; at < end && !strchr(" \t\r\n'`\\,;|()[]<", *at); at++) {
		for (size_t i = 0; *at == '&' && i < sizeof signs / sizeof *signs; i++) {
			if (begins_with(at, end, signs[i]))
				return at;
		}
	}
	return at;
}

static bool is_scheme_sign(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       (c && strchr("+-.", c));
}

/* The next whole address, whatever its scheme: one that stands inside of another is no address of its own. */
static bool next_address(const char *at, const char *end, struct address *out)
{
	const char *colon = memmem(at, (size_t)(end - at), "://", 3);
	const char *scheme = colon;

	if (!colon)
		return false;
	while (scheme > at && is_scheme_sign(scheme[-1]))
		scheme--;
	*out = (struct address){scheme, colon + 3, colon + 3, find_address_end(colon + 3, end)};
	while (out->path < out->end && !strchr(":/?#@&", *out->path))
		out->path++;
	return true;
}

static bool is_http(const struct address *address)
{
	return strncasecmp(address->scheme, "http://", 7) == 0 ||
	       strncasecmp(address->scheme, "https://", 8) == 0;
}

/* Two segments, as modules have; or none yet, where code puts the rest together. */
static bool has_module_path(const struct address *address)
{
	const char *segment = address->path + 1;
	const char *at = segment;

	if (address->path == address->end || *address->path != '/')
		return false;
	while (at < address->end && !strchr("/?#", *at))
		at++;
	return segment == address->end || (at > segment && at < address->end && *at == '/');
}

static bool is_of_home(const struct address *address, const struct document_home *home)
{
	AUTO_FREE char *path = NULL;

	if (!is_http(address) || !has_module_path(address))
		return false;
	path = mem_dup_n(address->path, (size_t)(address->end - address->path));
	return uri_host_is_listed(home->hosts, address->host, (size_t)(address->path - address->host), path);
}

static bool next_of_home(
	const struct document_home *home, const char *at, const char *end, struct address *out)
{
	for (; next_address(at, end, out); at = out->end) {
		if (is_of_home(out, home))
			return true;
	}
	return false;
}

/* ---- elements ---- */

static void add_escaped(struct buffer *out, const char *text)
{
	static const struct {
		char sign;
		const char *entity;
	} rows[] = {{'&', "&amp;"}, {'<', "&lt;"}, {'>', "&gt;"}, {'"', "&quot;"}};

	for (; *text; text++) {
		size_t row = 0;

		while (row < sizeof rows / sizeof *rows && rows[row].sign != *text)
			row++;
		if (row < sizeof rows / sizeof *rows)
			buffer_add_string(out, rows[row].entity);
		else
			buffer_add(out, text, 1);
	}
}

static bool leads(const struct finishing *finishing, const char *at, const char *end, struct address *first)
{
	const struct document_home *home = finishing->home;

	return home->hosts && home->url && finishing->out.length < LED_BYTES_MAX &&
	       next_of_home(home, at, end, first);
}

/* The element from its opening tag up to its closing one. */
static void add_code(struct finishing *finishing, const char *at, const char *end)
{
	struct buffer *out = &finishing->out;
	struct address address;

	if (leads(finishing, at, end, &address)) {
		buffer_add_string(out, DOCCODE_LED);
		at += strlen(code_begin);
	}
	while (leads(finishing, at, end, &address)) {
		buffer_add(out, at, (size_t)(address.scheme - at));
		add_escaped(out, finishing->home->url);
		buffer_add(out, address.path, (size_t)(address.end - address.path));
		at = address.end;
	}
	buffer_add(out, at, (size_t)(end - at));
}

/* A block's whole markup; returns where it ends. */
static const char *add_block(struct finishing *finishing, const char *code, const char *end)
{
	const char *behind = end + strlen(code_end) + strlen(block_end);

	buffer_printf(&finishing->out,
		"<div class=\"code\"><pre tabindex=\"0\" aria-label=\"Code %" PRId64 "\">",
		++finishing->blocks);
	add_code(finishing, code, end);
	buffer_add(&finishing->out, end, (size_t)(behind - end));
	buffer_add_string(&finishing->out, "</div>");
	return behind;
}

static bool is_block(const char *html, const char *code)
{
	size_t length = strlen(block_begin);

	return (size_t)(code - html) >= length && strncmp(code - length, block_begin, length) == 0;
}

/* As html_table.h has them. */
static char *box_tables(char *html)
{
	static const char begin[] = "<table>", end[] = "</table>";
	AUTO_FREE char *made = html;
	AUTO_BUFFER struct buffer out = {0};
	const char *at = html, *table, *behind;
	int64_t count = 0;

	if (!strstr(html, begin))
		return TAKE(made);
	while ((table = strstr(at, begin)) && (behind = strstr(table, end))) {
		behind += strlen(end);
		buffer_add(&out, at, (size_t)(table - at));
		buffer_printf(&out,
			"<div class=\"scroll\" tabindex=\"0\" role=\"group\" aria-label=\"Table %" PRId64
			"\">",
			++count);
		buffer_add(&out, table, (size_t)(behind - table));
		buffer_add_string(&out, "</div>");
		at = behind;
	}
	buffer_add_string(&out, at);
	return buffer_take(&out);
}

static char *finish_code(char *html, const struct document_home *home, bool is_section)
{
	AUTO_FREE char *made = html;
	struct finishing finishing = {.home = home};
	const char *at = html, *code, *end;

	if (!strstr(html, code_begin))
		return TAKE(made);
	while ((code = strstr(at, code_begin)) && (end = strstr(code, code_end))) {
		bool boxed = is_section && is_block(at, code);
		const char *before = boxed ? code - strlen(block_begin) : code;

		buffer_add(&finishing.out, at, (size_t)(before - at));
		if (boxed) {
			at = add_block(&finishing, code, end);
		} else {
			add_code(&finishing, code, end);
			at = end;
		}
	}
	buffer_add_string(&finishing.out, at);
	return buffer_take(&finishing.out);
}

char *doccode_finish(char *html, const struct document_home *home, bool is_section)
{
	char *finished = finish_code(html, home, is_section);

	return is_section ? box_tables(finished) : finished;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/documents/hubdoc.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/own.h"

/* ---- the format, as tables ---- */

static const struct {
	const char *word;
	enum format format;   /* FORMAT_COUNT: none */
	const char *url_part; /* of deployments */
} kinds[HUBDOC_KIND_COUNT] = {
	[HUBDOC_MODULE] = {"Module", FORMAT_TF_HUB, NULL},
	[HUBDOC_PLACEHOLDER] = {"Placeholder", FORMAT_COUNT, NULL},
	[HUBDOC_LITE] = {"Lite", FORMAT_TFLITE, "lite-model/"},
	[HUBDOC_TFJS] = {"Tfjs", FORMAT_TFJS, "tfjs-model/"},
	[HUBDOC_CORAL] = {"Coral", FORMAT_CORAL, "coral-model/"},
	[HUBDOC_PUBLISHER] = {"Publisher", FORMAT_COUNT, NULL},
	[HUBDOC_COLLECTION] = {"Collection", FORMAT_COUNT, NULL},
};

enum {
	MODULE = 1 << HUBDOC_MODULE,
	PLACEHOLDER = 1 << HUBDOC_PLACEHOLDER,
	COLLECTION = 1 << HUBDOC_COLLECTION,
	TFJS = 1 << HUBDOC_TFJS
};
enum { MODELS = MODULE | PLACEHOLDER, DEPLOYED = 1 << HUBDOC_LITE | TFJS | 1 << HUBDOC_CORAL };

/* Which kinds may have a key, which must. */
static const struct {
	const char *key;
	const char *tag;
	unsigned allowed;
	unsigned required;
	bool repeats;
	size_t bytes_max; /* of a value */
} keys[] = {
	{"asset-path", "asset_path", MODULE | DEPLOYED, MODULE | DEPLOYED, false, HUBDOC_VALUE_MAX},
	{"parent-model", "parent_model", DEPLOYED, DEPLOYED, false, HUBDOC_VALUE_MAX},
	{"task", "task", MODELS | COLLECTION, MODELS | COLLECTION, true, HUBDOC_LABEL_MAX},
	{"fine-tunable", "fine_tunable", MODELS, MODULE, false, HUBDOC_LABEL_MAX},
	{"format", "model_format", MODULE, MODULE, false, HUBDOC_LABEL_MAX},
	{"dataset", "dataset", MODELS | COLLECTION, 0, true, HUBDOC_LABEL_MAX},
	{"language", "language", MODELS | COLLECTION, 0, true, HUBDOC_LABEL_MAX},
	{"network-architecture", "architecture", MODELS | COLLECTION, 0, true, HUBDOC_LABEL_MAX},
	{"license", "license", MODELS, 0, false, HUBDOC_LABEL_MAX},
	{"colab", "colab", MODULE | DEPLOYED, 0, false, HUBDOC_VALUE_MAX},
	{"demo", "demo", TFJS, 0, false, HUBDOC_VALUE_MAX},
	{"interactive-visualizer", "visualizer", MODELS | DEPLOYED, 0, false, HUBDOC_VALUE_MAX},
};
enum { KEY_COUNT = sizeof keys / sizeof *keys };

const char *hubdoc_kind_name(enum hubdoc_kind kind)
{
	return kinds[kind].word;
}

/* ---- lines ---- */

struct reader {
	const char *text;
	const char *at; /* where the next line begins */
	char *line;     /* the current one, without blanks at its ends */
	size_t number;
	bool ended; /* line is still the last one */
	struct hubdoc *doc;
};

static void finish_reader(struct reader *reader)
{
	free(reader->line);
}

static char *trimmed(const char *text, size_t length)
{
	while (length > 0 && isspace((unsigned char)text[length - 1]))
		length--;
	while (length > 0 && isspace((unsigned char)*text)) {
		text++;
		length--;
	}
	return mem_dup_n(text, length);
}

static bool next_line(struct reader *reader)
{
	size_t length = strcspn(reader->at, "\n");

	reader->ended = !*reader->at;
	if (reader->ended)
		return false;
	free(reader->line);
	reader->line = trimmed(reader->at, length);
	reader->at += length + (reader->at[length] == '\n');
	reader->number++;
	return true;
}

static bool begins(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* ---- the heading ---- */

/* An entity that keeps names from being broken over lines stands in some. */
static void drop_joiners(char *text)
{
	static const char joiner[] = "&zwnj;";

	for (char *found = strstr(text, joiner); found; found = strstr(found, joiner))
		memmove(found, found + strlen(joiner), strlen(found + strlen(joiner)) + 1);
}

/* The kind that "# Kind name" begins with; *name points behind it. */
static bool find_kind(char *line, enum hubdoc_kind *out, char **name)
{
	if (!begins(line, "# "))
		return false;
	for (enum hubdoc_kind kind = 0; kind < HUBDOC_KIND_COUNT; kind++) {
		size_t length = strlen(kinds[kind].word);

		if (strncmp(line + 2, kinds[kind].word, length) == 0 && line[2 + length] == ' ') {
			*out = kind;
			*name = line + 2 + length + strspn(line + 2 + length, " ");
			return true;
		}
	}
	return false;
}

/* A heading that only happens to begin like one is no fault: names have no blanks and, but for publishers, a
 * slash. */
static bool read_heading(struct reader *reader)
{
	struct hubdoc *doc = reader->doc;
	const char *member;
	struct err ignored;
	char *name;

	if (!next_line(reader))
		return false;
	drop_joiners(reader->line);
	if (!find_kind(reader->line, &doc->kind, &name))
		return false;
	doc->has_format = kinds[doc->kind].format != FORMAT_COUNT;
	doc->name.format = doc->has_format ? kinds[doc->kind].format : FORMAT_TF_HUB;
	if (doc->kind == HUBDOC_PUBLISHER)
		return !strchr(name, '/') && name_parse_path(name, &doc->name, &member, &ignored);
	return name_parse_versioned(name, &doc->name, &ignored);
}

/* ---- the description ---- */

static bool read_description(struct reader *reader, struct err *err)
{
	AUTO_BUFFER struct buffer text = {0};
	bool more = next_line(reader);

	if (more && !*reader->line)
		more = next_line(reader);
	while (more && *reader->line && !begins(reader->line, "<!--")) {
		buffer_add_string(&text, text.length > 0 ? " " : "");
		buffer_add_string(&text, reader->line);
		more = next_line(reader);
	}
	if (text.length == 0 || text.length > HUBDOC_VALUE_MAX)
		return err_set(err, ERR_BAD_REQUEST,
			"a short description, of at most %d bytes, must follow the heading",
			HUBDOC_VALUE_MAX);
	reader->doc->description = buffer_take(&text);
	return true;
}

/* ---- comments ---- */

static bool is_key(const char *key, size_t length, size_t row)
{
	return strlen(keys[row].key) == length && memcmp(keys[row].key, key, length) == 0;
}

static bool has_tag(const struct hubdoc *doc, const char *kind, const char *value)
{
	for (size_t i = 0; i < doc->tag_count; i++) {
		if (strcmp(doc->tags[i].kind, kind) == 0 &&
			(!value || strcmp(doc->tags[i].value, value) == 0))
			return true;
	}
	return false;
}

static bool refuse_key(const struct hubdoc *doc, const char *key, size_t length, struct err *err)
{
	AUTO_BUFFER struct buffer names = {0};

	for (size_t row = 0; row < KEY_COUNT; row++) {
		if (keys[row].allowed & 1u << doc->kind)
			buffer_printf(&names, "%s%s", names.length > 0 ? ", " : "", keys[row].key);
	}
	if (names.length == 0)
		return err_set(err, ERR_BAD_REQUEST, "\"%.*s\" is no key: a %s has none",
			(int)(length > 60 ? 60 : length), key, kinds[doc->kind].word);
	return err_set(err, ERR_BAD_REQUEST, "\"%.*s\" is no key: a %s has %s",
		(int)(length > 60 ? 60 : length), key, kinds[doc->kind].word, names.data);
}

static bool add_tag(struct hubdoc *doc, size_t row, const char *value, size_t length, struct err *err)
{
	AUTO_FREE char *text = trimmed(value, length);

	if (!(keys[row].allowed & 1u << doc->kind))
		return refuse_key(doc, keys[row].key, strlen(keys[row].key), err);
	if (!*text || strlen(text) > keys[row].bytes_max)
		return err_set(err, ERR_BAD_REQUEST, "\"%s\" must have a value of at most %zu bytes",
			keys[row].key, keys[row].bytes_max);
	if (has_tag(doc, keys[row].tag, text))
		return true;
	if (!keys[row].repeats && has_tag(doc, keys[row].tag, NULL))
		return err_set(err, ERR_BAD_REQUEST, "\"%s\" stands here a second time", keys[row].key);
	if (strcmp(keys[row].tag, "fine_tunable") == 0 && strcmp(text, "true") != 0 &&
		strcmp(text, "false") != 0)
		return err_set(err, ERR_BAD_REQUEST, "\"fine-tunable\" must be true or false");
	if (doc->tag_count == HUBDOC_TAGS_MAX)
		return err_set(err, ERR_BAD_REQUEST, "there are more than %d tags", HUBDOC_TAGS_MAX);
	doc->tags[doc->tag_count++] = (struct hubdoc_tag){keys[row].tag, TAKE(text)};
	return true;
}

/* "<!-- key: value -->"; the first colon ends the key, since values may be URLs. */
static bool read_comment(struct reader *reader, struct err *err)
{
	const char *key = reader->line + strlen("<!--");
	size_t length = strlen(key), key_length;
	const char *colon = strchr(key, ':');

	key += strspn(key, " \t");
	if (length < 3 || strcmp(reader->line + strlen(reader->line) - 3, "-->") != 0 || !colon ||
		colon < key)
		return err_set(err, ERR_BAD_REQUEST, "a comment here must be <!-- key: value -->");
	key_length = (size_t)(colon - key);
	while (key_length > 0 && isspace((unsigned char)key[key_length - 1]))
		key_length--;
	for (size_t row = 0; row < KEY_COUNT; row++) {
		if (is_key(key, key_length, row))
			return add_tag(reader->doc, row, colon + 1,
				(size_t)(reader->line + strlen(reader->line) - 3 - (colon + 1)), err);
	}
	return refuse_key(reader->doc, key, key_length, err);
}

/* "[![Icon URL]](https://…)" */
static bool read_icon(struct reader *reader, struct err *err)
{
	const char *url = strchr(reader->line, '(');
	size_t length = url ? strcspn(url + 1, ")") : 0;

	if (!url || url[1 + length] != ')' || (!begins(url + 1, "https://") && !begins(url + 1, "http://")) ||
		length > HUBDOC_VALUE_MAX)
		return err_set(err, ERR_BAD_REQUEST, "an icon must be [![Icon URL]](https://...)");
	free(reader->doc->icon_url);
	reader->doc->icon_url = mem_dup_n(url + 1, length);
	return true;
}

static bool read_block_line(struct reader *reader, struct err *err)
{
	if (!*reader->line)
		return true;
	if (begins(reader->line, "<!--"))
		return read_comment(reader, err);
	if (begins(reader->line, "[![Icon URL]]"))
		return read_icon(reader, err);
	return err_set(err, ERR_BAD_REQUEST, "only <!-- key: value --> may stand before the first heading");
}

/* The current line is the first one behind the description; the last one read begins the free part. */
static bool read_block(struct reader *reader, struct err *err)
{
	const char *begin = reader->at;

	while (!reader->ended && !begins(reader->line, "#")) {
		if (!read_block_line(reader, err))
			return false;
		begin = reader->at;
		(void)next_line(reader);
	}
	reader->doc->body_at = (size_t)(begin - reader->text);
	return true;
}

bool hubdoc_check_complete(const struct hubdoc *doc, struct err *err)
{
	for (size_t row = 0; row < KEY_COUNT; row++) {
		if (keys[row].required & 1u << doc->kind && !has_tag(doc, keys[row].tag, NULL))
			return err_set(err, ERR_BAD_REQUEST, "a %s must have \"%s\": <!-- %s: ... -->",
				kinds[doc->kind].word, keys[row].key, keys[row].key);
	}
	return true;
}

/* ---- all of it ---- */

bool hubdoc_read(const char *markdown, struct hubdoc **out, bool *is_one, size_t *line, struct err *err)
{
	AUTO_HUBDOC struct hubdoc *doc = mem_zero(1, sizeof *doc);
	AUTO(finish_reader) struct reader reader = {.text = markdown, .at = markdown, .doc = doc};

	*line = 0;
	*is_one = read_heading(&reader);
	if (!*is_one)
		return true;
	if (!read_description(&reader, err) || !read_block(&reader, err)) {
		*line = reader.number;
		return false;
	}
	*out = TAKE(doc);
	return true;
}

const char *hubdoc_body(const char *markdown)
{
	AUTO_HUBDOC struct hubdoc *head = NULL;
	struct err ignored;
	bool is_one;
	size_t line;

	if (!hubdoc_read(markdown, &head, &is_one, &line, &ignored) || !is_one)
		return markdown;
	return markdown + head->body_at;
}

void hubdoc_destroy(struct hubdoc *doc)
{
	if (!doc)
		return;
	for (size_t i = 0; i < doc->tag_count; i++)
		free(doc->tags[i].value);
	free(doc->description);
	free(doc->icon_url);
	free(doc);
}

bool hubdoc_url_name(const struct hubdoc *doc, struct name *out, struct err *err)
{
	const char *part = kinds[doc->kind].url_part;
	struct publisher_name publisher = name_publisher(doc->name.handle);
	struct name name = doc->name;
	int length;

	if (part) {
		length = snprintf(name.handle, sizeof name.handle, "%s/%s%s", publisher.text, part,
			doc->name.handle + strlen(publisher.text) + 1);
		if (length < 0 || (size_t)length >= sizeof name.handle)
			return err_set(err, ERR_BAD_REQUEST, "the name is too long");
	}
	*out = name;
	return true;
}

/* ---- links ---- */

static bool read_link(const char *path, size_t length, struct name *out)
{
	AUTO_FREE char *copy = mem_dup_n(path, length);
	struct name_reading readings[NAME_READINGS_MAX];
	const char *member;
	size_t count;

	while (length > 0 && strchr("/.", copy[length - 1]))
		copy[--length] = '\0';
	/* Links lead to models, not to their files: what ends in no version is all name. */
	count = name_list_readings(copy, readings);
	if (count == 0 || readings[0].version > 0)
		return false;
	name_take_reading(out, copy, &readings[count > 1 && !readings[1].member], &member);
	return !strstr(out->handle, "/collection");
}

bool hubdoc_next_link(const char **text, struct name *out)
{
	static const char site[] = "://tfhub.dev/";
	static const char characters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-/";

	for (const char *found = strstr(*text, site); found; found = strstr(found, site)) {
		size_t length;

		found += strlen(site);
		length = strspn(found, characters);
		*text = found + length;
		out->format = FORMAT_TF_HUB;
		if (length <= NAME_PATH_MAX && read_link(found, length, out))
			return true;
	}
	return false;
}

/* A heading of the hub's format makes promises on what follows; it must also name what it stands on. */
bool hubdoc_read_of(const struct name *name, const char *markdown, struct hubdoc **out, struct err *err)
{
	AUTO_HUBDOC struct hubdoc *head = NULL;
	struct name url;
	bool is_one;
	size_t line;

	*out = NULL;
	if (!hubdoc_read(markdown, &head, &is_one, &line, err))
		return err_prefix(err, "line %zu of the documentation: ", line);
	if (!is_one)
		return true;
	if (!hubdoc_url_name(head, &url, err))
		return false;
	if (head->kind >= HUBDOC_PUBLISHER || head->name.version != name->version ||
		(strcmp(head->name.handle, name->handle) != 0 && strcmp(url.handle, name->handle) != 0))
		return err_set(err, ERR_BAD_REQUEST,
			"the documentation is of %.90s, as its first line says, and not of %.90s",
			name_path(&head->name).text, name_path(name).text);
	*out = TAKE(head);
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/api/asked_name.h"

#include <ctype.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/config.h"
#include "server/http/request.h"
#include "server/store/catalog/catalog_paths.h"

/* The buckets in which hub.hosts keep modules, and what files are called there. */
static const char *const buckets[] = {"tfhub-modules/", "tfhub-lite-models/", "tfhub-tfjs-modules/"};
static const char *const suffixes[] = {".tar.gz", ".tgz", ".tflite"};

static bool begins_with(const char *text, const char *with)
{
	return strncmp(text, with, strlen(with)) == 0;
}

/* Without the blanks around it and what follows a "#"; NULL where there is none, or several words. */
static char *single_word(const char *text)
{
	const char *begin = text + strspn(text, " \t\r\n");
	size_t length = strcspn(begin, " \t\r\n#");
	const char *behind = begin + length;

	if (*behind != '#' && behind[strspn(behind, " \t\r\n")])
		return NULL;
	return length > 0 && memchr(begin, '/', length) ? mem_dup_n(begin, length) : NULL;
}

/* What the request line of such an address would have. */
static char *target_of(const struct ask *ask, const char *word)
{
	const char *hosts = ask->services->config->hub.hosts;
	size_t host = strcspn(word, "/");

	if (begins_with(word, ask->base_url) && word[strlen(ask->base_url)] == '/')
		return mem_dup(word + strlen(ask->base_url));
	if (*word == '/' || strncasecmp(word, "http://", 7) == 0 || strncasecmp(word, "https://", 8) == 0)
		return mem_dup(word);
	if (memchr(word, '.', host) && uri_host_is_listed(hosts, word, host, word + host))
		return mem_printf("https://%s", word);
	return mem_printf("/%s", word);
}

/* Takes the bucket and the suffix off; the path points into the text. */
static const char *plain_path(char *text)
{
	const char *path = text + (*text == '/');
	size_t length = strlen(text);

	for (size_t i = 0; i < sizeof buckets / sizeof *buckets; i++)
		path += begins_with(path, buckets[i]) ? strlen(buckets[i]) : 0;
	for (size_t i = 0; i < sizeof suffixes / sizeof *suffixes; i++) {
		size_t suffix = strlen(suffixes[i]);

		if (length > suffix && strcmp(text + length - suffix, suffixes[i]) == 0) {
			text[length - suffix] = '\0';
			break;
		}
	}
	return path;
}

bool asked_name_read(const struct ask *ask, const char *text, struct name *out)
{
	AUTO(request_finish) struct request request = {0};
	AUTO_FREE char *word = text ? single_word(text) : NULL;
	AUTO_FREE char *target = word ? target_of(ask, word) : NULL;
	struct name name = {0};
	const char *path, *member;
	struct err err;

	if (!target || strlen(target) > REQUEST_TARGET_MAX ||
		!request_set_target(&request, target, ask->services->config->hub.hosts, &err))
		return false;
	path = plain_path(request.path);
	if (!strchr(path, '/') ||
		!catalog_read_path(ask->services->catalog, path, PATH_ANY, &name, &member, &err) ||
		!strchr(name.handle, '/'))
		return false;
	*out = name;
	return true;
}

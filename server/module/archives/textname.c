/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/archives/textname.h"

#include <stddef.h>
#include <string.h>
#include <strings.h>

static bool ends_in_one_of(const char *member, const char *const *suffixes, size_t count)
{
	const char *slash = strrchr(member, '/');
	const char *name = slash ? slash + 1 : member;
	const char *dot = strrchr(name, '.');
	const char *end = dot ? dot : name;

	for (size_t i = 0; i < count; i++) {
		if (strcasecmp(end, suffixes[i]) == 0)
			return true;
	}
	return false;
}

bool textname_is_text(const char *path)
{
	static const char *const suffixes[] = {".txt", ".md", ".json", ".jsonl", ".csv", ".tsv", ".yaml",
		".yml", ".toml", ".ini", ".cfg", ".conf", ".pbtxt", ".prototxt", ".py", ".sh", ".rst", ".log",
		".xml", ".html", ".jinja", ".vocab", ".labels", ".merges", ".sha256", ".md5", "readme",
		"license", "licence", "notice", "vocab", "labels", "changelog", "authors", "merges"};

	return ends_in_one_of(path, suffixes, sizeof suffixes / sizeof *suffixes);
}

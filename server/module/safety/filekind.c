/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/safety/filekind.h"

#include <string.h>
#include <strings.h>

struct beginning {
	size_t offset;
	size_t length;
	const char *bytes;
	const char *what;
};

static const struct beginning programs[] = {
	{0, 4,
		"\x7f"
		"ELF",
		"ELF"},
	{0, 4, "\xfe\xed\xfa\xce", "Mach-O"},
	{0, 4, "\xfe\xed\xfa\xcf", "Mach-O"},
	{0, 4, "\xce\xfa\xed\xfe", "Mach-O"},
	{0, 4, "\xcf\xfa\xed\xfe", "Mach-O"},
	{0, 4, "\xca\xfe\xba\xbe", "Mach-O of several machines, or Java"},
	{0, 4, "dex\n", "a program of Android"},
};

static const struct beginning archives[] = {
	{0, 2, "\x1f\x8b", "gzip"},
	{0, 3, "BZh", "bzip2"},
	{0, 6,
		"\xfd"
		"7zXZ\0",
		"xz"},
	{0, 6, "7z\xbc\xaf\x27\x1c", "7z"},
	{0, 4, "\x28\xb5\x2f\xfd", "Zstandard"},
	{0, 6, "Rar!\x1a\x07", "RAR"},
	{257, 5, "ustar", "tar"},
};

bool filekind_has_suffix(const char *name, const char *suffixes)
{
	const char *slash = strrchr(name, '/');
	const char *dot = strrchr(slash ? slash : name, '.');

	for (const char *at = suffixes + strspn(suffixes, " "); dot && *at; at += strspn(at, " ")) {
		size_t length = strcspn(at, " ");

		if (strlen(dot) == length && strncasecmp(dot, at, length) == 0)
			return true;
		at += length;
	}
	return false;
}

static const char *find_in(const struct beginning *rows, size_t count, const uint8_t *head, size_t length)
{
	for (size_t i = 0; i < count; i++) {
		if (length >= rows[i].offset + rows[i].length &&
			memcmp(head + rows[i].offset, rows[i].bytes, rows[i].length) == 0)
			return rows[i].what;
	}
	return NULL;
}

bool filekind_is_zip(const uint8_t *head, size_t length)
{
	return length >= 4 && memcmp(head, "PK\3\4", 4) == 0;
}

bool filekind_is_text(const uint8_t *head, size_t length)
{
	for (size_t i = 0; i < length; i++) {
		if (head[i] == '\0' || (head[i] < ' ' && !strchr("\t\n\r\f\033", head[i])))
			return false;
	}
	return length > 0;
}

/* "MZ", and "PE" where that says: a text may begin with the one. */
static bool is_windows(const uint8_t *head, size_t length)
{
	size_t at;

	if (length < 64 || head[0] != 'M' || head[1] != 'Z')
		return false;
	at = head[60] | (size_t)head[61] << 8 | (size_t)head[62] << 16;
	return at + 4 <= length ? memcmp(head + at, "PE\0\0", 4) == 0 : !filekind_is_text(head, 64);
}

static void judge_program(
	struct safety_findings *findings, const char *where, const uint8_t *head, size_t length)
{
	const char *program = find_in(programs, sizeof programs / sizeof *programs, head, length);

	if (!program && is_windows(head, length))
		program = "PE, of Windows";
	if (program)
		safety_findings_add(findings, SAFETY_FILE_EXECUTABLE, where, "%s", program);
}

/* Zips that are some tool's own format are looked into as that. */
static void judge_archive(struct safety_findings *findings, const char *where, const char *name,
	const uint8_t *head, size_t length)
{
	const char *archive = find_in(archives, sizeof archives / sizeof *archives, head, length);

	if (filekind_is_zip(head, length) &&
		!filekind_has_suffix(name, ".npz .pt .pth .bin .ckpt .keras .tflite .task .nemo"))
		archive = "zip";
	if (archive)
		safety_findings_add(findings, SAFETY_FILE_ARCHIVE, where, "%s", archive);
}

void filekind_judge(struct safety_findings *findings, const char *where, const char *name,
	const uint8_t *head, size_t length)
{
	judge_program(findings, where, head, length);
	judge_archive(findings, where, name, head, length);
	if (filekind_has_suffix(name, ".cpb"))
		safety_findings_add(findings, SAFETY_OP_HIDDEN_GRAPH, where,
			"a graph in pieces, which is not looked into");
	if (length > 2 && head[0] == '#' && head[1] == '!')
		safety_findings_add(findings, SAFETY_FILE_SCRIPT, where, "begins with #!");
	else if (filekind_has_suffix(name, ".sh .bash .bat .cmd .ps1 .vbs .js .mjs .cjs .rb .pl .lua"))
		safety_findings_add(findings, SAFETY_FILE_SCRIPT, where, "by its name");
	if (filekind_has_suffix(name, ".py .pyc .pyo .pyw .pyx"))
		safety_findings_add(findings, SAFETY_FILE_PYTHON, where, "by its name");
	if (filekind_has_suffix(name, ".ipynb"))
		safety_findings_add(findings, SAFETY_FILE_NOTEBOOK, where, "by its name");
}

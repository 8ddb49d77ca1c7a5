/* SPDX-License-Identifier: Apache-2.0 */
#include "server/attest/file_manifest.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/attest/statement.h"
#include "server/bundle/strictjson.h"

void file_manifest_finish(struct file_manifest *manifest)
{
	for (size_t i = 0; i < manifest->count; i++)
		free(manifest->files[i].path);
	free(manifest->files);
}

void file_manifest_add(struct file_manifest *manifest, const char *path, const struct digest *sha256)
{
	MEM_GROW(manifest->files, manifest->count, manifest->capacity);
	manifest->files[manifest->count++] = (struct manifest_file){mem_dup(path), *sha256};
}

/* As paths compare whose segments are compared one by one: "/" stands before all else. */
static int compare_paths(const char *a, const char *b)
{
	for (; *a && *a == *b; a++, b++)
		continue;
	if (*a == *b)
		return 0;
	if (!*a || !*b)
		return *a ? 1 : -1;
	if (*a == '/' || *b == '/')
		return *a == '/' ? -1 : 1;
	return (unsigned char)*a < (unsigned char)*b ? -1 : 1;
}

static int compare_files(const void *a, const void *b)
{
	return compare_paths(
		((const struct manifest_file *)a)->path, ((const struct manifest_file *)b)->path);
}

void file_manifest_sort(struct file_manifest *manifest)
{
	if (manifest->count > 0)
		qsort(manifest->files, manifest->count, sizeof *manifest->files, compare_files);
}

/* ---- writing ---- */

struct digest file_manifest_root(const struct file_manifest *manifest)
{
	AUTO_HASHER struct hasher *hasher = hasher_create();

	for (size_t i = 0; i < manifest->count; i++)
		hasher_add(hasher, manifest->files[i].sha256.bytes, sizeof manifest->files[i].sha256.bytes);
	return hasher_result(hasher);
}

static json_t *resources(const struct file_manifest *manifest)
{
	json_t *array = json_array();

	for (size_t i = 0; i < manifest->count; i++)
		(void)json_array_append_new(
			array, json_pack("{s:s, s:s, s:s}", "name", manifest->files[i].path, "algorithm",
				       "sha256", "digest", manifest->files[i].sha256.hex));
	return array;
}

void file_manifest_write(const struct file_manifest *manifest, const char *title, struct buffer *out)
{
	struct digest root = file_manifest_root(manifest);
	json_auto_t *statement = json_pack("{s:s, s:[{s:s, s:{s:s}}], s:s, s:{s:{s:s, s:s, s:b, s:[]}, s:o}}",
		"_type", STATEMENT_TYPE, "subject", "name", title, "digest", "sha256", root.hex,
		"predicateType", PREDICATE_FILES, "predicate", "serialization", "method", "files",
		"hash_type", "sha256", "allow_symlinks", 0, "ignore_paths", "resources", resources(manifest));
	AUTO_FREE char *text = json_dumps(statement, JSON_COMPACT);

	buffer_add_string(out, text);
}

void file_manifest_wrap(const struct signing_key *key, const struct buffer *envelope, struct buffer *out)
{
	buffer_printf(out,
		"{\"mediaType\":\"" MEDIA_SIGSTORE
		"\",\"verificationMaterial\":{\"publicKey\":{\"hint\":\"%s\"},\"tlogEntries\":[]},"
		"\"dsseEnvelope\":%s}",
		signing_key_hint(key).hex, buffer_string(envelope));
}

/* ---- reading ---- */

static bool is_safe_segment(const char *segment, size_t length)
{
	return length > 0 && !(length == 1 && *segment == '.') &&
	       !(length == 2 && segment[0] == '.' && segment[1] == '.');
}

/* As files of a module are called: relative, without a way out. */
static bool is_safe_path(const char *path)
{
	for (;;) {
		size_t length = strcspn(path, "/");

		if (!is_safe_segment(path, length))
			return false;
		if (!path[length])
			return true;
		path += length + 1;
	}
}

static bool read_file(const json_t *resource, struct file_manifest *out)
{
	const char *path = strictjson_text(resource, "name");
	const char *algorithm = strictjson_text(resource, "algorithm");
	const char *hex = strictjson_text(resource, "digest");
	struct digest digest;

	if (!path || !is_safe_path(path) || !algorithm || strcmp(algorithm, "sha256") != 0 || !hex ||
		strlen(hex) != 64 || !digest_parse(hex, &digest))
		return false;
	file_manifest_add(out, path, &digest);
	return true;
}

static bool is_by_files(const json_t *serialization)
{
	const char *method = strictjson_text(serialization, "method");
	const char *hash = strictjson_text(serialization, "hash_type");

	return method && strcmp(method, "files") == 0 && hash && strcmp(hash, "sha256") == 0;
}

/* In the order in which they are stated. */
static bool has_root(const json_t *statement, const struct file_manifest *manifest)
{
	const json_t *subjects = json_object_get(statement, "subject");
	const char *stated =
		strictjson_text(json_object_get(json_array_get(subjects, 0), "digest"), "sha256");
	struct digest root = file_manifest_root(manifest);

	return json_array_size(subjects) == 1 && stated && strcmp(stated, root.hex) == 0;
}

static bool has_repeated(const struct file_manifest *manifest)
{
	for (size_t i = 1; i < manifest->count; i++) {
		if (strcmp(manifest->files[i - 1].path, manifest->files[i].path) == 0)
			return true;
	}
	return false;
}

static bool refuse(struct err *err, const char *why)
{
	return err_set(err, ERR_BAD_REQUEST, "it is no list of files as model signing writes it: %s", why);
}

bool file_manifest_read(const json_t *statement, struct file_manifest *out, struct err *err)
{
	const json_t *predicate = json_object_get(statement, "predicate");
	const json_t *resources = json_object_get(predicate, "resources");
	AUTO_FILE_MANIFEST struct file_manifest manifest = {0};

	if (!is_by_files(json_object_get(predicate, "serialization")))
		return refuse(err, "it must be by whole files (\"method\": \"files\") and SHA-256");
	for (size_t i = 0; i < json_array_size(resources); i++) {
		if (!read_file(json_array_get(resources, i), &manifest))
			return refuse(err,
				"each of its resources must have the name of a file in the module, "
				"\"algorithm\": \"sha256\" and a digest of 64 hexadecimal digits");
	}
	if (!has_root(statement, &manifest))
		return refuse(err, "its only subject's digest must be that of its files' digests");
	file_manifest_sort(&manifest);
	if (has_repeated(&manifest))
		return refuse(err, "a file is in it twice");
	*out = manifest;
	manifest = (struct file_manifest){0};
	return true;
}

bool file_manifest_compare(
	const struct file_manifest *stated, const struct file_manifest *there, struct err *err)
{
	for (size_t i = 0; i < stated->count && i < there->count; i++) {
		int order = compare_paths(stated->files[i].path, there->files[i].path);

		if (order != 0)
			return err_set(err, ERR_BAD_REQUEST, "%.200s is %s",
				order < 0 ? stated->files[i].path : there->files[i].path,
				order < 0 ? "signed, and not in the module"
					  : "in the module, and not signed");
		if (!digest_equal(&stated->files[i].sha256, &there->files[i].sha256))
			return err_set(err, ERR_BAD_REQUEST,
				"%.200s has other bytes than those that are signed", stated->files[i].path);
	}
	if (stated->count == there->count)
		return true;
	return stated->count > there->count
		       ? err_set(err, ERR_BAD_REQUEST, "%.200s is signed, and not in the module",
				 stated->files[there->count].path)
		       : err_set(err, ERR_BAD_REQUEST, "%.200s is in the module, and not signed",
				 there->files[stated->count].path);
}

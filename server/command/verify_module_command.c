/* SPDX-License-Identifier: Apache-2.0
 *
 * verify-module: whether a module's file is what somebody has signed. Needs no server. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/attest/attestation.h"
#include "server/attest/statement.h"
#include "server/bundle/strictjson.h"
#include "server/command/archive_files.h"
#include "server/command/command.h"
#include "server/command/listing.h"
#include "server/command/part_file.h"
#include "server/command/text_table.h"

enum { ANSWER_BYTES_MAX = 4 << 20, ANSWER_VALUES_MAX = 4096 };

struct verify_options {
	struct option_texts keys;
	struct option_texts attestations;
	const char *name;
	bool json;
};

/* What is verified, by what. */
struct verifying {
	const struct verify_options *options;
	int fd;
	struct digest digest;
	struct name name; /* that it must be signed as; version 0: whatever it is called */
	struct signing_key **keys;
	size_t key_count;
	bool has_read_files; /* of the archive: */
	struct file_manifest files;
	json_t *list;    /* of what was found, as JSON */
	size_t verified; /* how many say what they should */
	struct given *given;
	size_t given_count;
	size_t given_capacity;
};

/* One that was given. */
struct given {
	struct attestation *attestation; /* NULL: it cannot be read, since: */
	struct err why;
};

static void finish(struct verifying *verifying)
{
	for (size_t i = 0; i < verifying->key_count; i++)
		signing_key_destroy(verifying->keys[i]);
	free(verifying->keys);
	file_manifest_finish(&verifying->files);
	for (size_t i = 0; i < verifying->given_count; i++)
		attestation_destroy(verifying->given[i].attestation);
	free(verifying->given);
	json_decref(verifying->list);
	if (verifying->fd >= 0)
		(void)close(verifying->fd);
}

/* ---- one attestation ---- */

static const struct signing_key *find_key(const struct verifying *verifying, const struct dsse *dsse)
{
	for (size_t i = 0; i < verifying->key_count; i++) {
		if (dsse_is_signed_by(dsse, verifying->keys[i]))
			return verifying->keys[i];
	}
	return NULL;
}

/* A list of files has no name in it: that of the module is what the same key says of these files. */
static bool is_called_so(const struct verifying *verifying, const struct attestation *files,
	const struct signing_key *key, struct err *err)
{
	const struct digest root = file_manifest_root(&files->files);
	struct digest subject;
	struct err fault;

	for (size_t i = 0; i < verifying->given_count; i++) {
		const struct attestation *other = verifying->given[i].attestation;

		if (other && !other->is_files && attestation_has_byproduct(other, &root) &&
			attestation_find_subject(other, &verifying->name, &subject, &fault) &&
			dsse_is_signed_by(&other->dsse, key))
			return true;
	}
	return err_set(err, ERR_BAD_REQUEST,
		"it says nothing of the name, and no statement about %s by the same key names these files",
		name_path(&verifying->name).text);
}

static bool has_files(struct verifying *verifying, const struct attestation *attestation, struct err *err)
{
	bool complete = true;

	if (!verifying->has_read_files &&
		!archive_files_read(verifying->fd, &verifying->files, &complete, err))
		return false;
	verifying->has_read_files = true;
	return complete ? file_manifest_compare(&attestation->files, &verifying->files, err)
			: err_set(err, ERR_TOO_LARGE, "it has more files than can be compared");
}

static bool is_about(struct verifying *verifying, const struct attestation *attestation,
	const struct signing_key *key, struct err *err)
{
	const char *called = "";

	if (attestation->is_files)
		return has_files(verifying, attestation, err) &&
		       (verifying->name.version == 0 || is_called_so(verifying, attestation, key, err));
	if (!attestation_has_digest(attestation, &verifying->digest, &called))
		return err_set(err, ERR_BAD_REQUEST, "it is about other bytes");
	return verifying->name.version == 0 ||
	       attestation_is_about(attestation, &verifying->name, &verifying->digest) ||
	       err_set(err, ERR_BAD_REQUEST, "it is about these bytes as %.200s, not as %s", called,
		       name_path(&verifying->name).text);
}

static bool check(struct verifying *verifying, const struct attestation *attestation,
	const struct signing_key **out_key, struct err *err)
{
	AUTO_BUFFER struct buffer signers = {0};

	*out_key = find_key(verifying, &attestation->dsse);
	if (*out_key)
		return is_about(verifying, attestation, *out_key, err);
	dsse_list_signers(&attestation->dsse, &signers);
	return err_set(err, ERR_FORBIDDEN, "it is not signed by %s: its signatures name %s",
		verifying->key_count == 1 ? "this key" : "any of these keys",
		signers.length > 0 ? buffer_string(&signers) : "no key");
}

static void note(struct verifying *verifying, const char *predicate_type, const struct signing_key *key,
	const char *why)
{
	AUTO_FREE char *id = key ? mem_dup(signing_key_id(key).hex) : NULL;

	(void)json_array_append_new(
		verifying->list, json_pack("{s:s?, s:s?, s:b, s:s?}", "predicate_type", predicate_type,
					 "key_id", id, "verified", why == NULL, "why", why));
	verifying->verified += why == NULL;
}

static void judge(struct verifying *verifying, const struct given *given)
{
	const struct signing_key *key = NULL;
	struct err err = given->why;
	bool holds = given->attestation && check(verifying, given->attestation, &key, &err);

	if (!holds)
		text_table_blank_controls(err.text);
	note(verifying, given->attestation ? given->attestation->predicate_type : NULL, key,
		holds ? NULL : err.text);
}

/* ---- files of attestations ---- */

static void add_json(struct verifying *verifying, const json_t *value)
{
	AUTO_FREE char *text = json_dumps(value, JSON_COMPACT);
	struct given given = {0};

	if (!text)
		return;
	if (!attestation_read(text, strlen(text), &given.attestation, &given.why))
		given.attestation = NULL;
	MEM_GROW(verifying->given, verifying->given_count, verifying->given_capacity);
	verifying->given[verifying->given_count++] = given;
}

/* One by itself, or all that a registry has answered. */
static bool read_file(struct verifying *verifying, const char *path, struct err *err)
{
	AUTO_BUFFER struct buffer text = {0};
	json_auto_t *value = NULL;
	const json_t *list, *item;
	size_t i;

	if (!file_read_all(path, ANSWER_BYTES_MAX, &text, err))
		return false;
	if (!strictjson_parse(text.data ? text.data : "", text.length, ANSWER_VALUES_MAX, &value, err))
		return err_prefix(err, "%s: ", path);
	list = json_object_get(value, "attestations");
	if (!list)
		add_json(verifying, value);
	json_array_foreach(list, i, item)
	{
		add_json(verifying, json_object_get(item, "envelope"));
	}
	return true;
}

static bool read_files(struct verifying *verifying, const char *path, struct err *err)
{
	const struct option_texts *files = &verifying->options->attestations;
	AUTO_FREE char *beside = mem_printf("%s.attestations.json", path);

	if (files->count == 0)
		return read_file(verifying, beside, err) ||
		       err_prefix(err, "name the attestations by --attestation: ");
	for (size_t i = 0; i < files->count; i++) {
		if (!read_file(verifying, files->values[i], err))
			return false;
	}
	return true;
}

/* ---- the command ---- */

static bool read_keys(struct verifying *verifying, struct err *err)
{
	const struct option_texts *paths = &verifying->options->keys;

	verifying->keys = mem_zero(paths->count, sizeof *verifying->keys);
	for (size_t i = 0; i < paths->count; i++) {
		if (!signing_key_read_verifier(paths->values[i], &verifying->keys[i], err))
			return false;
		verifying->key_count++;
	}
	return true;
}

static bool open_module(struct verifying *verifying, const char *path, struct err *err)
{
	AUTO_HASHER struct hasher *hasher = hasher_create();
	int64_t length;

	verifying->fd = open(path, O_RDONLY | O_CLOEXEC);
	if (verifying->fd < 0)
		return err_errno(err, errno, "open %s", path);
	if (!part_file_hash(verifying->fd, hasher, &length, err))
		return err_prefix(err, "%s: ", path);
	verifying->digest = hasher_result(hasher);
	return true;
}

static void print(const struct verifying *verifying, const char *path)
{
	const json_t *item;
	size_t i;

	json_array_foreach(verifying->list, i, item)
	{
		const char *type = json_string_value(json_object_get(item, "predicate_type"));
		const char *why = json_string_value(json_object_get(item, "why"));
		const char *id = json_string_value(json_object_get(item, "key_id"));

		if (why)
			(void)fprintf(stderr, "not verified: %s: %s\n", type ? type : path, why);
		else
			(void)printf("verified: %s, by key sha256:%s\n", type, id);
	}
}

static void print_json(const struct verifying *verifying, const char *path)
{
	json_auto_t *report =
		json_pack("{s:s, s:s+, s:b, s:O}", "file", path, "digest", "sha256:", verifying->digest.hex,
			"verified", (int)(verifying->verified > 0), "attestations", verifying->list);

	listing_print_json(report);
}

static bool verify(struct verifying *verifying, const char *path, struct err *err)
{
	if (!read_keys(verifying, err) || !open_module(verifying, path, err) ||
		!read_files(verifying, path, err))
		return false;
	for (size_t i = 0; i < verifying->given_count; i++)
		judge(verifying, &verifying->given[i]);
	if (verifying->options->json)
		print_json(verifying, path);
	else
		print(verifying, path);
	return verifying->verified > 0 ||
	       err_set(err, ERR_FORBIDDEN, "%s (sha256:%s) is not what the key's owner has signed", path,
		       verifying->digest.hex);
}

static int run(void *values, int count, char **words)
{
	const struct verify_options *options = values;
	AUTO(finish) struct verifying verifying = {.options = options, .fd = -1, .list = json_array()};
	struct err err;

	if (count != 1 || options->keys.count == 0)
		return command_misuse("verify-module", "verify-module takes one file and --key KEY");
	if (options->name && !name_parse_versioned(options->name, &verifying.name, &err))
		return command_misuse("verify-module", "%s", err.text);
	return verify(&verifying, words[0], &err) ? COMMAND_DONE : command_fail(&err);
}

static const struct option_row rows[] = {
	{"key", 0, "KEY", TEXTS_INTO(struct verify_options, keys),
		"a public key that counts, in PEM; may be given several times"},
	{"attestation", 0, "FILE", TEXTS_INTO(struct verify_options, attestations),
		"attestations: an envelope, a model.sig, or what /api/v1/attestations answers; may be "
		"given several "
		"times (default: FILE.attestations.json beside FILE)"},
	{"name", 0, "PATH", TEXT_INTO(struct verify_options, name),
		"as what it must have been signed, such as acme/half-plus-two/1; a list of its files counts "
		"where the same key has signed a statement with this name about them"},
	{"json", 0, NULL, FLAG_INTO(struct verify_options, json), "print what was found as JSON"},
	{0},
};

const struct command command_verify_module = {
	.name = "verify-module",
	.summary = "check a file against what somebody has signed",
	.forms = {"FILE"},
	.remarks = "Tells whether FILE, an archive or a .tflite, has been signed by the owner of a key: as a "
		   "whole, or "
		   "file by file. Asks no server. At least one attestation must hold; those that do not are "
		   "told on "
		   "stderr.",
	.groups = {{rows, 0}},
	.options_size = sizeof(struct verify_options),
	.run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/attestant.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/attest/attestation.h"
#include "server/attest/file_manifest.h"
#include "server/attest/provenance.h"
#include "server/attest/statement.h"
#include "server/bundle/dsse.h"
#include "server/command/archive_files.h"
#include "server/command/cells.h"
#include "server/command/part_file.h"

/* One that is to be sent. */
struct made {
	const char *predicate_type;
	const char *media_type;
	const char *file_name;
	struct buffer text;
	bool is_there;    /* the registry had one of the same kind, of this artifact, by this key */
	bool is_believed; /* and knows that it is */
};

enum { MADE_PROVENANCE, MADE_FILES, MADE_MAX };

struct attestant {
	struct name name;
	struct signing_key *key;
	struct digest digest; /* of the artifact */
	struct made made[MADE_MAX];
	size_t count;
};

const struct option_row signing_option_rows[] = {
	{"sign", 0, "KEY", TEXT_INTO(struct signing_options, key),
		"sign it with this private key (`larder keygen` makes one), and send who published what, and "
		"the "
		"digests of its files, before it"},
	{"builder", 0, "URI", TEXT_INTO(struct signing_options, builder),
		"with --sign: who built it, such as the URL of a job"},
	{"source", 0, "URI", TEXT_INTO(struct signing_options, source),
		"with --sign: from what it was built, such as git+https://git.example/x@COMMIT"},
	{"time", 0, "TIME", TEXT_INTO(struct signing_options, time),
		"with --sign: when it was built, such as 2026-11-29T12:00:00Z (default: $SOURCE_DATE_EPOCH, "
		"or now)"},
	{"attestations", 0, "DIR", TEXT_INTO(struct signing_options, folder),
		"with --sign: write what was signed into this folder, too: provenance.dsse.json, model.sig"},
	{0},
};

static bool check_uri(const char *option, const char *text, struct err *err)
{
	return !text || provenance_is_uri(text) ||
	       err_set(err, ERR_BAD_REQUEST,
		       "--%s takes a URI, such as https://ci.example/jobs/7, not \"%s\"", option, text);
}

static bool read_time(const struct signing_options *options, int64_t *out, struct err *err)
{
	const char *epoch = getenv("SOURCE_DATE_EPOCH");

	*out = clock_now_s();
	if (options->time)
		return clock_parse_rfc3339(options->time, out) ||
		       err_set(err, ERR_BAD_REQUEST,
			       "--time takes a time such as 2026-11-29T12:00:00Z, not \"%s\"", options->time);
	return !epoch || !*epoch || number_parse(epoch, out) ||
	       err_set(err, ERR_BAD_REQUEST, "SOURCE_DATE_EPOCH must be seconds since 1970, not \"%s\"",
		       epoch);
}

bool signing_options_check(const struct signing_options *options, struct err *err)
{
	int64_t time;

	if (!options->key)
		return (!options->builder && !options->source && !options->time && !options->folder) ||
		       err_set(err, ERR_BAD_REQUEST,
			       "--builder, --source, --time and --attestations are signed: they need --sign "
			       "KEY");
	return check_uri("builder", options->builder, err) && check_uri("source", options->source, err) &&
	       read_time(options, &time, err);
}

/* ---- making ---- */

void attestant_destroy(struct attestant *attestant)
{
	if (!attestant)
		return;
	for (size_t i = 0; i < attestant->count; i++)
		buffer_finish(&attestant->made[i].text);
	signing_key_destroy(attestant->key);
	free(attestant);
}

static bool read_key(const char *path, struct signing_key **out, struct err *err)
{
	int mode;

	if (!signing_key_read_signer(path, out, err))
		return false;
	if (signing_key_is_exposed(path, &mode))
		(void)fprintf(stderr,
			"larder: others than its owner may read or change the key %s (mode %04o), and "
			"whoever can "
			"signs as you: \"chmod 600\" it\n",
			path, (unsigned)mode);
	return true;
}

static struct made *add(struct attestant *attestant, const char *predicate_type, const char *media_type,
	const char *file_name)
{
	struct made *made = &attestant->made[attestant->count++];

	*made = (struct made){predicate_type, media_type, file_name, {0}, false, false};
	return made;
}

static void make_files(struct attestant *attestant, const struct file_manifest *files)
{
	struct made *made = add(attestant, PREDICATE_FILES, MEDIA_SIGSTORE, "model.sig");
	AUTO_BUFFER struct buffer statement = {0};
	AUTO_BUFFER struct buffer envelope = {0};

	file_manifest_write(files, name_path(&attestant->name).text, &statement);
	dsse_write(attestant->key, MEDIA_STATEMENT, &statement, &envelope);
	file_manifest_wrap(attestant->key, &envelope, &made->text);
}

static void make_provenance(struct attestant *attestant, const struct signing_options *options,
	int64_t time_s, const struct digest *files)
{
	struct made *made = add(attestant, PREDICATE_PROVENANCE, MEDIA_DSSE, "provenance.dsse.json");
	const struct provenance provenance = {
		&attestant->name, attestant->digest, options->builder, options->source, time_s, files};
	AUTO_BUFFER struct buffer statement = {0};

	provenance_write(&provenance, &statement);
	dsse_write(attestant->key, MEDIA_STATEMENT, &statement, &made->text);
}

/* A list that no registry takes is left out, and said to be. */
static bool is_list_short(const struct file_manifest *files, bool complete)
{
	size_t bytes = 1000;

	for (size_t i = 0; i < files->count; i++)
		bytes += 140 + 2 * strlen(files->files[i].path);
	if (complete && files->count <= FILE_MANIFEST_FILES_MAX && bytes / 3 * 4 < ATTESTATION_BYTES_MAX)
		return true;
	(void)fprintf(stderr, "larder: it has too many files for a signed list of them: the archive as a "
			      "whole is signed\n");
	return false;
}

static bool make(struct attestant *attestant, const struct signing_options *options, int fd, struct err *err)
{
	AUTO_FILE_MANIFEST struct file_manifest files = {0};
	AUTO_HASHER struct hasher *hasher = hasher_create();
	struct digest root;
	int64_t time_s, length;
	bool with_files = formats[attestant->name.format].is_archive;
	bool complete = true;

	if (!read_key(options->key, &attestant->key, err) || !read_time(options, &time_s, err) ||
		!part_file_hash(fd, hasher, &length, err) ||
		(with_files && !archive_files_read(fd, &files, &complete, err)))
		return false;
	attestant->digest = hasher_result(hasher);
	with_files = with_files && is_list_short(&files, complete);
	root = file_manifest_root(&files);
	make_provenance(attestant, options, time_s, with_files ? &root : NULL);
	if (with_files)
		make_files(attestant, &files);
	return true;
}

static bool write_file(const char *folder, const struct made *made, struct err *err)
{
	AUTO_FREE char *path = mem_printf("%s/%s", folder, made->file_name);
	AUTO_FD int fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);

	return fd < 0 ? err_errno(err, errno, "create %s", path)
		      : file_write_at(fd, made->text.data, made->text.length, 0, err) ||
				err_prefix(err, "%s: ", path);
}

static bool write_files(const struct attestant *attestant, const char *folder, struct err *err)
{
	if (!folder)
		return true;
	if (mkdir(folder, 0777) < 0 && errno != EEXIST)
		return err_errno(err, errno, "create %s", folder);
	for (size_t i = 0; i < attestant->count; i++) {
		if (!write_file(folder, &attestant->made[i], err))
			return false;
	}
	return true;
}

bool attestant_create(const struct signing_options *options, const struct name *name, int fd,
	struct attestant **out, struct err *err)
{
	AUTO_ATTESTANT struct attestant *attestant = NULL;

	*out = NULL;
	if (!options->key)
		return true;
	attestant = mem_zero(1, sizeof *attestant);
	attestant->name = *name;
	if (!make(attestant, options, fd, err) || !write_files(attestant, options->folder, err))
		return false;
	*out = TAKE(attestant);
	return true;
}

/* ---- sending ---- */

/* Whose an attestation is its signature tells, not the key's name in it, which anybody may write. */
static bool is_same(
	const struct attestant *attestant, const struct made *made, const json_t *there, const char *text)
{
	AUTO_ATTESTATION struct attestation *attestation = NULL;
	AUTO_FREE char *digest = mem_printf("sha256:%s", attestant->digest.hex);
	struct err why;

	return strcmp(cell_text(there, "predicate_type"), made->predicate_type) == 0 &&
	       strcmp(cell_text(there, "artifact"), digest) == 0 &&
	       attestation_read(text, strlen(text), &attestation, &why) &&
	       dsse_is_signed_by(&attestation->dsse, attestant->key);
}

/* One that the registry does not know as this key's, whose key it may not have trusted yet, is sent again as
 * it is: the registry looks anew then, and has no more of them. */
static void compare(const struct attestant *attestant, struct made *made, const json_t *there)
{
	const json_t *bundle = json_object_get(there, "bundle");
	AUTO_FREE char *text = json_dumps(
		json_is_object(bundle) ? bundle : json_object_get(there, "envelope"), JSON_COMPACT);
	const struct digest id = signing_key_id(attestant->key);
	AUTO_FREE char *digest = NULL;

	if (!text || made->is_believed || !is_same(attestant, made, there, text))
		return;
	made->is_believed = strcmp(cell_text(there, "key_id"), id.hex) == 0;
	digest = mem_printf("sha256:%s", digest_of(text, strlen(text)).hex);
	if (made->is_believed || strcmp(cell_text(there, "digest"), digest) == 0)
		made->is_there = true;
	if (!made->is_believed && made->is_there) {
		buffer_finish(&made->text);
		buffer_add_string(&made->text, text);
	}
}

/* What is published once more was attested before: a job that runs each night is not to fill the registry
 * with attestations. */
static void look(struct attestant *attestant, struct remote *remote)
{
	AUTO_FREE char *target = mem_printf("/api/v1/attestations/%s", name_path(&attestant->name).text);
	json_auto_t *answer = NULL;
	const json_t *list, *there;
	struct err why;
	size_t i;

	if (!remote_get(remote, target, &answer, &why))
		return;
	list = json_object_get(answer, "attestations");
	json_array_foreach(list, i, there)
	{
		for (size_t j = 0; j < attestant->count; j++)
			compare(attestant, &attestant->made[j], there);
	}
}

static bool read_text(
	void *context, int64_t offset, void *bytes, size_t length, size_t *out_read, struct err *err)
{
	const struct buffer *text = context;
	size_t left = text->length - (size_t)offset;

	(void)err;
	*out_read = left < length ? left : length;
	memcpy(bytes, text->data + offset, *out_read);
	return true;
}

/* A server that has no such route is older. */
static bool refuse(const struct remote *remote, const struct remote_reply *reply, struct err *err)
{
	static const char no_address[] = "the API has no ";
	const char *detail = cell_text(reply->json, "detail");

	if ((reply->status == 404 || reply->status == 405) &&
		(!*detail || strncmp(detail, no_address, strlen(no_address)) == 0))
		return err_set(err, ERR_UPSTREAM_FAILED,
			"%s takes no attestations: it is older than this command, or no Larder. Update it, "
			"or publish "
			"without --sign. Nothing was published.",
			remote_server(remote));
	(void)remote_accepted(reply, err);
	return err_prefix(err, "nothing was published: ");
}

static bool send_one(
	const struct attestant *attestant, struct made *made, struct remote *remote, struct err *err)
{
	AUTO(remote_reply_finish) struct remote_reply reply = {0};
	AUTO_FREE char *target = mem_printf("/api/v1/attestations/%s", name_path(&attestant->name).text);
	const struct remote_upload upload = {.target = target,
		.media_type = made->media_type,
		.fd = -1,
		.read = read_text,
		.size_bytes = (int64_t)made->text.length,
		.context = &made->text};
	struct err why;

	return remote_send(remote, &upload, &reply, err) &&
	       (remote_accepted(&reply, &why) || refuse(remote, &reply, err));
}

bool attestant_send(struct attestant *attestant, struct remote *remote, struct err *err)
{
	if (!attestant)
		return true;
	look(attestant, remote);
	for (size_t i = 0; i < attestant->count; i++) {
		if (!attestant->made[i].is_believed && !send_one(attestant, &attestant->made[i], remote, err))
			return false;
	}
	return true;
}

/* ---- telling ---- */

void attestant_tell_json(const struct attestant *attestant, json_t *version)
{
	json_t *list = json_array();

	for (size_t i = 0; attestant && i < attestant->count; i++)
		(void)json_array_append_new(list,
			json_pack("{s:s, s:s, s:b}", "predicate_type", attestant->made[i].predicate_type,
				"key_id", signing_key_id(attestant->key).hex, "created",
				(int)!attestant->made[i].is_there));
	if (attestant)
		(void)json_object_set(version, "attested", list);
	json_decref(list);
}

void attestant_tell(const struct attestant *attestant)
{
	for (size_t i = 0; attestant && i < attestant->count; i++)
		(void)printf("%s by key sha256:%s: %s\n",
			attestant->made[i].is_there ? "signed before" : "signed",
			signing_key_id(attestant->key).hex, attestant->made[i].predicate_type);
}

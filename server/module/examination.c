/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/examination.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/module/archives/advice.h"
#include "server/module/archives/archive.h"
#include "server/module/archives/hashed.h"
#include "server/module/archives/magic.h"
#include "server/module/archives/membername.h"
#include "server/module/archives/membertype.h"
#include "server/module/archives/repeats.h"
#include "server/module/archives/smallfile.h"
#include "server/module/archives/tree.h"
#include "server/module/archives/whereabouts.h"
#include "server/module/formats/fileheads.h"
#include "server/module/formats/tfjs.h"
#include "server/module/formats/tfjslisting.h"
#include "server/module/formats/tflite.h"
#include "server/module/safety/watch.h"
#include "server/module/savedmodel/stray_graph.h"
#include "server/module/savedmodel/variables.h"
#include "server/module/violations.h"

/* Folders that only files speak of: each name could tell of thousands. Names that are alike are looked
 * through. */
enum { IMPLIED_FOLDERS_MAX = 10000, ALIKE_MAX = 100 };

/* Members are listed as far as their names go into this much; digests come on top. */
enum {
	LISTED_MEMBERS_BYTES_MAX = 512 << 10,
	LISTED_MEMBER_BYTES = offsetof(struct examined_member, has_sha256) + 16
};

/* What is kept of a root member until the whole archive was seen. */
struct root_file {
	bool seen;
	bool sound;
	struct err err;
};

/* One archive on its way through the judgement. Owned by the stack of judge_archive(). */
struct walk {
	struct examination *examination;
	const struct archive_limits *limits;
	struct archive *archive;
	struct tree *tree;
	struct stream *content;         /* of the current member */
	struct examined_member *listed; /* the current member, where it is listed for the first time */
	char *passing;        /* the path of the file whose CRC is known once it was passed, or NULL */
	bool repeats;         /* … and that was there before */
	struct digest digest; /* … of its content, where it is hashed */
	int64_t headers;      /* members of any kind */
	bool cut_short;       /* by a limit or by broken bytes: what is missing may lie behind */
	struct root_file saved_model;
	struct root_file saved_model_text;
	struct root_file tfhub_module;
	struct root_file model_json;
	struct root_file checkpoint_index;
	struct saved_model *text_model;
	struct manifest *manifest;
	struct buffer index;
	size_t listed_bytes; /* of the members so far */
	struct whereabouts whereabouts;
	struct fileheads heads;
};

static void finish_walk(struct walk *walk)
{
	saved_model_destroy(walk->text_model);
	manifest_destroy(walk->manifest);
	buffer_finish(&walk->index);
	whereabouts_finish(&walk->whereabouts);
	fileheads_finish(&walk->heads);
	free(walk->passing);
}

static const enum rule rule_of_fault[] = {
	[ARCHIVE_GZIP_BROKEN] = RULE_GZIP_BROKEN,
	[ARCHIVE_TAR_BROKEN] = RULE_TAR_BROKEN,
	[ARCHIVE_TOO_LARGE] = RULE_BOMB_SIZE,
	[ARCHIVE_RATIO] = RULE_BOMB_RATIO,
	[ARCHIVE_NAME_TOO_LONG] = RULE_NAME_TOO_LONG,
};

/* Ends the walk with a finding where the archive is at fault; false where its stream failed. */
static bool end_with_fault(struct walk *walk, const struct err *err)
{
	enum archive_fault fault = archive_fault(walk->archive);

	if (fault == ARCHIVE_SOUND || fault == ARCHIVE_SOURCE_FAILED)
		return false;
	violations_add(walk->examination, rule_of_fault[fault], "", "%s", err->text);
	walk->cut_short = true;
	return true;
}

/* Of a file that comes again the last one counts, as for clients. */
static void read_saved_model(struct walk *walk, struct root_file *file)
{
	const struct saved_model_watch watch = {&walk->examination->safety, "saved_model.pb"};

	saved_model_destroy(TAKE(walk->examination->saved_model));
	file->sound = saved_model_read(walk->content, &watch, &walk->examination->saved_model, &file->err);
}

static void read_saved_model_text(struct walk *walk, struct root_file *file)
{
	const struct saved_model_watch watch = {&walk->examination->safety, "saved_model.pbtxt"};

	saved_model_destroy(TAKE(walk->text_model));
	file->sound = saved_model_read_text(walk->content, &watch, &walk->text_model, &file->err);
}

/* Appends the content, up to limit bytes; false if it has more or the archive broke. */
static bool gather(struct walk *walk, size_t limit, struct buffer *out, struct err *err)
{
	const uint8_t *data;
	size_t length;

	do {
		if (!stream_next(walk->content, &data, &length, err))
			return false;
		if (length > limit - out->length)
			return err_set(err, ERR_INVALID_MODULE, "The file has more than %zu bytes.", limit);
		if (length > 0)
			buffer_add(out, data, length);
	} while (length > 0);
	return true;
}

static void read_tfhub_module(struct walk *walk, struct root_file *file)
{
	static const char format_v3[] = {0x08, 0x03};
	AUTO_BUFFER struct buffer content = {0};

	file->sound = gather(walk, sizeof format_v3, &content, &file->err) &&
		      content.length == sizeof format_v3 &&
		      memcmp(content.data, format_v3, sizeof format_v3) == 0;
}

static void read_model_json(struct walk *walk, struct root_file *file)
{
	manifest_destroy(TAKE(walk->manifest));
	file->sound = manifest_read(walk->content, &walk->manifest, &file->err);
}

static void read_checkpoint_index(struct walk *walk, struct root_file *file)
{
	buffer_finish(&walk->index);
	file->sound = gather(walk, VARIABLES_INDEX_BYTES_MAX, &walk->index, &file->err);
}

/* The files that are looked into. */
struct reader {
	enum format format;
	const char *path;
	size_t file; /* offset of its struct root_file */
	void (*read)(struct walk *walk, struct root_file *file);
};

static const struct reader readers[] = {
	{FORMAT_TF_HUB, "saved_model.pb", offsetof(struct walk, saved_model), read_saved_model},
	{FORMAT_TF_HUB, "saved_model.pbtxt", offsetof(struct walk, saved_model_text), read_saved_model_text},
	{FORMAT_TF_HUB, "tfhub_module.pb", offsetof(struct walk, tfhub_module), read_tfhub_module},
	{FORMAT_TF_HUB, CHECKPOINT_INDEX, offsetof(struct walk, checkpoint_index), read_checkpoint_index},
	{FORMAT_TFJS, "model.json", offsetof(struct walk, model_json), read_model_json},
};

static bool read_root_file(struct walk *walk, const char *path)
{
	bool is_read = false;

	for (size_t i = 0; i < sizeof readers / sizeof *readers; i++) {
		struct root_file *file = (struct root_file *)((char *)walk + readers[i].file);

		if (readers[i].format != walk->examination->format || strcmp(readers[i].path, path) != 0)
			continue;
		file->seen = is_read = true;
		readers[i].read(walk, file);
	}
	return is_read;
}

static void append_member(struct walk *walk, const char *path, const struct member *member)
{
	struct examination *examination = walk->examination;
	struct examined_member *listed;
	size_t bytes = LISTED_MEMBER_BYTES + strlen(path);

	if (examination->members_truncated || bytes > LISTED_MEMBERS_BYTES_MAX - walk->listed_bytes) {
		examination->members_truncated = true;
		return;
	}
	walk->listed_bytes += bytes;
	MEM_GROW(examination->members, examination->member_count, examination->member_capacity);
	walk->listed = listed = &examination->members[examination->member_count++];
	*listed = (struct examined_member){.path = mem_dup(path),
		.is_folder = member->kind == MEMBER_FOLDER,
		.size_bytes = member->size_bytes};
}

static void list_member(struct walk *walk, const char *path, const struct member *member)
{
	struct examination *examination = walk->examination;

	append_member(walk, path, member);
	if (member->kind != MEMBER_FILE)
		return;
	whereabouts_note(&walk->whereabouts, path);
	examination->file_count++;
	examination->unpacked_bytes += member->size_bytes;
}

static void check_case(struct walk *walk, const char *path)
{
	if (tree_has_folded(walk->tree, path))
		violations_add(walk->examination, RULE_NAME_CASE_COLLISION, path,
			"The name differs from another in the archive in case only, which some file systems "
			"take for the same; rename one.");
}

static void report_missing_folder(struct walk *walk, const char *path, size_t length)
{
	AUTO_FREE char *folder = mem_dup_n(path, length);

	violations_add(walk->examination, RULE_FOLDER_MISSING, folder,
		"The folder has no entry before its files, and hub clients make none; pack the whole "
		"folder: " ADVICE_PACK ".");
}

/* The nearest thing above that is in the tree must be a folder, and written in the same way. */
static void check_parent(struct walk *walk, const char *path)
{
	char parent[ARCHIVE_NAME_MAX + 1];
	const char *slash = strrchr(path, '/');
	AUTO_FREE char *shown = NULL;
	struct tree_entry entry;
	bool found = false;
	bool has_twin = false;

	while (slash && !found && !has_twin) {
		size_t length = (size_t)(slash - path);

		memcpy(parent, path, length);
		parent[length] = '\0';
		found = tree_find(walk->tree, parent, &entry);
		has_twin = !found && tree_has_folded(walk->tree, parent);
		slash = memrchr(path, '/', length);
	}
	shown = found || has_twin ? violations_name(parent) : NULL;
	if (found && !entry.is_folder)
		violations_add(walk->examination, RULE_NAME_UNDER_FILE, path,
			"\"%s\" is a file in this archive, so nothing can lie under it.", shown);
	else if (has_twin)
		violations_add(walk->examination, RULE_NAME_CASE_COLLISION, path,
			"Its folder \"%s\" differs from another in the archive in case only, which some file "
			"systems take for the same; rename one.",
			shown);
}

/* Large files that Git keeps elsewhere are packed as pointers by whoever has not fetched them. */
static void check_pointer(struct walk *walk, const char *path, const struct smallfile *small)
{
	if (magic_is_lfs_pointer(small->bytes, small->length))
		violations_add(walk->examination, RULE_LFS_POINTER, path,
			"This is the pointer that Git LFS keeps instead of the file; run `git lfs pull` in "
			"the checkout and pack again.");
}

/* Whatever a file claims to be, it is only listed. Of a sparse one most may be in no archive. */
static void read_head(struct walk *walk, const char *path, const struct member *member)
{
	struct err err;

	if (walk->examination->format == FORMAT_ARCHIVE && !walk->repeats && !member->is_sparse &&
		!fileheads_read(&walk->heads, path, member->size_bytes, walk->content, &err) &&
		archive_fault(walk->archive) == ARCHIVE_SOUND)
		violations_add(walk->examination, RULE_FILE_HEAD, path,
			"%s What is in it is not listed; whoever loads it may fail.", err.text);
}

static void read_file(
	struct walk *walk, const char *path, const struct member *member, struct stream *content)
{
	struct smallfile small;

	walk->content = content;
	if (member->size_bytes > 0 && member->size_bytes <= SMALLFILE_BYTES_MAX) {
		walk->content = smallfile_read(&small, content);
		if (!walk->content)
			return;
		check_pointer(walk, path, &small);
	}
	if (!read_root_file(walk, path))
		stray_graph_judge(walk->content, path, &walk->examination->safety);
	read_head(walk, path, member);
}

/* Of files of any kind the digest is what can be told. */
static void hash_file(
	struct walk *walk, const char *path, const struct member *member, struct stream *content)
{
	AUTO(hashed_finish) struct hashed hashed = {0};
	struct err again; /* archive_next fails with it too */

	read_file(walk, path, member, hashed_init(&hashed, content));
	if (!hashed_result(&hashed, &walk->digest, &again) || !walk->listed)
		return;
	walk->listed->has_sha256 = true;
	memcpy(walk->listed->sha256, walk->digest.bytes, sizeof walk->listed->sha256);
}

static void add(struct walk *walk, const char *path, const struct member *member)
{
	const struct tree_entry entry = {.is_folder = member->kind == MEMBER_FOLDER,
		.is_sparse = member->is_sparse,
		.size_bytes = member->size_bytes};
	size_t missing;

	check_case(walk, path);
	tree_put(walk->tree, path, &entry);
	missing = tree_imply(walk->tree, path);
	/* A folder's entry stands for those above it too: clients make the whole way. */
	if (missing > 0 && member->kind == MEMBER_FILE)
		report_missing_folder(walk, path, missing);
}

/* What is listed, and what comes again where that was. Most of a sparse file may be in no archive. */
static bool is_hashed(
	const struct walk *walk, const struct tree_entry *twin, const char *path, const struct member *member)
{
	return walk->examination->format == FORMAT_ARCHIVE && !member->is_sparse &&
	       (walk->listed || (twin && repeats_find_twin(walk->examination, twin, path)));
}

static void pass_file(
	struct walk *walk, const struct tree_entry *twin, const char *path, const struct member *member)
{
	AUTO(watch_finish) struct watch watch = {0};
	struct stream *content = watch_init(
		&watch, &walk->examination->safety, path, member->is_sparse, archive_content(walk->archive));
	struct err again; /* archive_next fails with it too */

	if (is_hashed(walk, twin, path, member))
		hash_file(walk, path, member, content);
	else
		read_file(walk, path, member, content);
	(void)watch_end(&watch, &again);
}

static void place(struct walk *walk, const char *path, const struct member *member)
{
	struct tree_entry entry;
	bool repeats = tree_find(walk->tree, path, &entry);

	if (repeats && !repeats_allow(walk->examination, &entry, path, member))
		return;
	walk->repeats = repeats;
	if (!repeats)
		check_parent(walk, path);
	if (!repeats || entry.is_implied)
		list_member(walk, path, member);
	if (!repeats)
		add(walk, path, member);
	if (repeats && entry.is_implied) {
		entry.is_implied = false;
		tree_put(walk->tree, path, &entry);
	}
	if (member->kind != MEMBER_FILE)
		return;
	walk->passing = mem_dup(path);
	pass_file(walk, repeats ? &entry : NULL, path, member);
}

/* Once the file before was passed. */
static void settle(struct walk *walk)
{
	AUTO_FREE char *path = TAKE(walk->passing);
	const struct passed_file file = {
		path, walk->repeats, walk->listed, archive_passed_crc(walk->archive), walk->digest};

	if (path)
		repeats_settle(walk->examination, walk->tree, &file);
}

static void judge_member(struct walk *walk, const struct member *member)
{
	char path[ARCHIVE_NAME_MAX + 1];
	bool sound = membername_judge(walk->examination, member->name);

	walk->listed = NULL;
	membername_normalise(member->name, path);
	if (member->kind == MEMBER_OTHER) {
		membertype_report(walk->examination, member);
		return;
	}
	if (member->is_sparse)
		violations_add(walk->examination, RULE_SPARSE_MEMBER, member->name,
			"The file is packed as a sparse one, which some clients do not know; pack without -S "
			"(bsdtar: with --no-read-sparse): " ADVICE_PACK ".");
	if (path[0] == '\0') {
		if (member->kind == MEMBER_FILE)
			violations_add(
				walk->examination, RULE_NAME_EMPTY, member->name, "A file has no name.");
		return;
	}
	if (sound)
		place(walk, path, member);
}

static bool check_count(struct walk *walk)
{
	int64_t max = walk->limits->max_members;

	walk->headers++;
	if (max > 0 && walk->headers > max)
		violations_add(walk->examination, RULE_TOO_MANY_MEMBERS, "",
			"The archive has more than %" PRId64 " members; pack fewer files.", max);
	else if (tree_implied(walk->tree) > IMPLIED_FOLDERS_MAX)
		violations_add(walk->examination, RULE_TOO_MANY_MEMBERS, "",
			"The files lie in more than %d folders that have no entry of their own: " ADVICE_PACK
			", which writes their entries.",
			IMPLIED_FOLDERS_MAX);
	else if (tree_alike(walk->tree) > ALIKE_MAX)
		violations_add(walk->examination, RULE_TOO_MANY_MEMBERS, "",
			"More than %d names differ in case only; rename them.", ALIKE_MAX);
	else
		return true;
	walk->cut_short = true;
	return false;
}

/* What clients take although others would not. */
static void judge_container(struct walk *walk)
{
	if (archive_has_gzip_extra(walk->archive))
		violations_add(walk->examination, RULE_GZIP_EXTRA, "",
			"The gzip header has extra fields, which Python's tarfile cannot read as a stream; "
			"make it "
			"anew with " ADVICE_REGZIP ".");
	if (archive_lacks_end(walk->archive))
		violations_add(walk->examination, RULE_TAR_END_MISSING, "",
			"The tar ends behind its last member, without the two blocks of zeros that should "
			"follow: "
			"whatever came behind would be missed; pack it again: " ADVICE_PACK ".");
}

static bool walk_members(struct walk *walk, struct err *err)
{
	struct member member;
	struct err failure;
	bool found = true;

	while (found) {
		if (!archive_next(walk->archive, &member, &found, &failure)) {
			if (end_with_fault(walk, &failure))
				return true;
			*err = failure;
			return false;
		}
		settle(walk);
		if (found && !check_count(walk))
			return true;
		if (found)
			judge_member(walk, &member);
	}
	judge_container(walk);
	return true;
}

static void judge_odd_name(struct examination *examination, const char *path)
{
	const struct saved_model *model = examination->saved_model;

	if (model->odd_name[0])
		violations_add(examination,
			model->odd_is_value ? RULE_PBTXT_UNKNOWN_VALUE : RULE_PBTXT_UNKNOWN_FIELD, path,
			"It has the %s \"%s\", which TensorFlow's text parser does not know there and "
			"refuses; save the model again, in binary form.",
			model->odd_is_value ? "value" : "field", model->odd_name);
}

static void judge_saved_model(struct walk *walk)
{
	static const char *const keys[2] = {"saved_model.pb", "saved_model.pbtxt"};
	bool text_counts = !walk->saved_model.seen && walk->saved_model_text.seen;
	const struct root_file *file = text_counts ? &walk->saved_model_text : &walk->saved_model;

	if (text_counts)
		walk->examination->saved_model = TAKE(walk->text_model);
	if (walk->examination->saved_model)
		walk->examination->saved_model->tf1_hub = walk->tfhub_module.seen;
	if (walk->cut_short)
		return;
	if (!file->seen)
		whereabouts_report(&walk->whereabouts, walk->examination);
	if (file->seen && !file->sound)
		violations_add(
			walk->examination, RULE_SAVED_MODEL_BROKEN, keys[text_counts], "%s", file->err.text);
	if (text_counts && file->sound)
		violations_add(walk->examination, RULE_PBTXT_ONLY, keys[1],
			"There is saved_model.pbtxt but no saved_model.pb; some clients read the binary form "
			"only.");
	if (text_counts && file->sound)
		judge_odd_name(walk->examination, keys[1]);
	variables_judge(walk->examination, walk->checkpoint_index.sound ? &walk->index : NULL);
	if (walk->tfhub_module.seen && !walk->tfhub_module.sound)
		violations_add(walk->examination, RULE_TFHUB_MODULE_FORMAT, "tfhub_module.pb",
			"tfhub_module.pb does not say format 3 (bytes 08 03), so hub clients refuse the "
			"module; export it again.");
}

static void judge_tfjs(struct walk *walk)
{
	if (walk->model_json.seen && walk->model_json.sound)
		walk->examination->saved_model = tfjs_listing_make(&walk->manifest->outline);
	if (walk->cut_short)
		return;
	if (walk->model_json.seen && walk->model_json.sound)
		tfjs_judge(walk->examination, walk->manifest, walk->tree);
	else if (walk->model_json.seen)
		violations_add(walk->examination, RULE_MODEL_JSON_BROKEN, "model.json", "%s",
			walk->model_json.err.text);
	else
		whereabouts_report(&walk->whereabouts, walk->examination);
}

/* Of what files of any kind hold nothing is asked. */
static void judge_any(struct walk *walk)
{
	walk->examination->saved_model = fileheads_take(&walk->heads);
}

static void (*const judges[FORMAT_COUNT])(struct walk *walk) = {
	[FORMAT_TF_HUB] = judge_saved_model,
	[FORMAT_TFJS] = judge_tfjs,
	[FORMAT_ARCHIVE] = judge_any,
};

static bool judge_archive(struct examination *examination, struct stream *stream,
	const struct archive_limits *limits, struct err *err)
{
	AUTO_ARCHIVE struct archive *archive = archive_create(stream, limits);
	AUTO_TREE struct tree *tree = tree_create();
	AUTO(finish_walk)
	struct walk walk = {.examination = examination, .limits = limits, .archive = archive, .tree = tree};

	if (!walk_members(&walk, err))
		return false;
	judges[examination->format](&walk);
	examination->has_proved_end = true;
	examination->is_listed = true;
	return true;
}

bool examination_run(struct stream *stream, enum format format, const struct archive_limits *limits,
	struct examination **out, struct err *err)
{
	AUTO_EXAMINATION struct examination *examination = mem_zero(1, sizeof *examination);

	examination->format = format;
	if (formats[format].is_archive ? !judge_archive(examination, stream, limits, err)
				       : !tflite_judge(examination, stream, limits->max_unpacked_bytes, err))
		return false;
	safety_findings_sort(&examination->safety);
	*out = TAKE(examination);
	return true;
}

size_t examination_count(const struct examination *examination, enum severity severity)
{
	size_t count = 0;

	for (size_t i = 0; i < examination->finding_count; i++)
		count += examination->findings[i].severity == severity;
	return count;
}

void examination_destroy(struct examination *examination)
{
	if (!examination)
		return;
	for (size_t i = 0; i < examination->member_count; i++)
		free(examination->members[i].path);
	for (size_t i = 0; i < examination->finding_count; i++) {
		free(examination->findings[i].path);
		free(examination->findings[i].message);
	}
	safety_findings_finish(&examination->safety);
	free(examination->members);
	free(examination->findings);
	saved_model_destroy(examination->saved_model);
	free(examination);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include <inttypes.h>
#include <stdio.h>

#include "server/api/answer.h"
#include "server/api/api.h"
#include "server/api/page.h"
#include "server/api/version.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_inspection.h"

static bool read_format(const struct ask *ask, bool *out_given, enum format *out, struct err *err)
{
	const char *format = query_find(ask->query, "format");

	*out_given = format != NULL;
	if (format && !format_parse(format, out))
		return err_set(err, ERR_BAD_REQUEST, "The format must be " FORMATS_IN_WORDS ".");
	return true;
}

/* Sets name->format to the one that is asked for, or to the first that there is. */
static bool choose_format(const struct ask *ask, struct name *name, struct artifact *out, struct err *err)
{
	struct artifact artifact = {0};
	bool given;

	if (!read_format(ask, &given, &name->format, err) ||
		!version_find_artifact(ask->services, name, &artifact, err))
		return false;
	while (!given && !artifact.recorded && name->format + 1 < FORMAT_COUNT) {
		name->format++;
		if (!version_find_artifact(ask->services, name, &artifact, err))
			return false;
	}
	*out = artifact;
	if (artifact.recorded)
		return true;
	return err_set(err, ERR_NOT_FOUND, "Version %s has no artifact%s%s here, and so no files.",
		name_path(name).text, given ? " of format " : "", given ? formats[name->format].name : "");
}

static json_t *files_json(const struct file_row *rows, size_t count)
{
	json_t *array = json_array();

	for (size_t i = 0; i < count; i++)
		json_array_append_new(array, json_pack("{s:o, s:I, s:s*}", "path", answer_text(rows[i].path),
						     "size_bytes", (json_int_t)rows[i].size_bytes, "sha256",
						     rows[i].has_sha256 ? rows[i].sha256.hex : NULL));
	return array;
}

/* An archive of very many files is listed in part, and tells the true count; a bare file has no list. Of what
 * only other nodes have had, nobody here knows any. */
static void tell_truncated(json_t *page, const struct artifact *artifact, int64_t listed)
{
	if (listed > 0 && listed < artifact->file_count)
		json_object_set_new(page, "total", json_integer(artifact->file_count));
	if ((listed > 0 && listed < artifact->file_count) || !artifact_is_examined(artifact))
		json_object_set_new(page, "truncated", json_true());
}

json_t *ask_files(const struct ask *ask, struct err *err)
{
	struct artifact artifact;
	struct file_row *rows;
	struct name name;
	struct page page;
	int64_t position, total;
	size_t count;
	char last[24];
	json_t *answer;

	if (!page_read_position(ask, &page, &position, err) || !version_named(ask, &name, err) ||
		!choose_format(ask, &name, &artifact, err) ||
		!catalog_list_files(
			ask->services->catalog, &name, position, page.limit, &rows, &count, &total, err))
		return NULL;
	(void)snprintf(last, sizeof last, "%" PRId64, position + (int64_t)count);
	answer = page_json(ask, "files", files_json(rows, count), total,
		count > 0 && total - position > (int64_t)count ? last : NULL);
	tell_truncated(answer, &artifact, total);
	file_rows_destroy(rows, count);
	return answer;
}

void api_files(void *services, struct request *request, struct reply *reply)
{
	answer_ask_with(services, request, reply, ask_files, "format limit cursor");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/archive_files.h"

#include "common/mem.h"
#include "common/own.h"
#include "common/stream.h"
#include "server/module/archives/guess.h"
#include "server/module/examination.h"

static void list(const struct examination *examination, struct file_manifest *out)
{
	for (size_t i = 0; i < examination->member_count; i++) {
		const struct examined_member *member = &examination->members[i];
		struct digest digest = digest_from_bytes(member->sha256);

		if (!member->is_folder)
			file_manifest_add(out, member->path, &digest);
	}
	file_manifest_sort(out);
}

/* Of archives that may hold anything each file is hashed. */
bool archive_files_read(int fd, struct file_manifest *out, bool *complete, struct err *err)
{
	AUTO_FREE struct file_stream *file = mem_zero(1, sizeof *file);
	AUTO_EXAMINATION struct examination *examination = NULL;

	if (!examination_run(file_stream_init(file, fd), FORMAT_ARCHIVE, &(struct archive_limits){0},
		    &examination, err))
		return false;
	if (examination_count(examination, SEVERITY_VIOLATION) > 0)
		return err_set(err, ERR_BAD_REQUEST, "it is no archive that can be read: %s",
			examination->findings[0].message);
	*complete = !examination->members_truncated;
	list(examination, out);
	return true;
}

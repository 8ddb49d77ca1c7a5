/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/documentation_file.h"

#include <errno.h>
#include <fcntl.h>

#include "common/buffer.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/utf8.h"
#include "server/module/documents/hubdoc.h"

static bool check(const char *path, const struct name *name, struct err *err)
{
	AUTO_BUFFER struct buffer markdown = {0};
	AUTO_HUBDOC struct hubdoc *head = NULL;

	if (!file_read_all(path, HUBDOC_BYTES_MAX, &markdown, err))
		return err->code != ERR_TOO_LARGE ||
		       err_set(err, ERR_TOO_LARGE, "%s: documentation has at most %d KiB.", path,
			       HUBDOC_BYTES_MAX >> 10);
	if (!utf8_is_text(buffer_string(&markdown), markdown.length))
		return err_set(err, ERR_BAD_REQUEST, "%s: it is no UTF-8 text.", path);
	return hubdoc_read_of(name, buffer_string(&markdown), &head, err) || err_prefix(err, "%s: ", path);
}

bool documentation_file_open(const char *path, const struct name *name, int *out_fd, struct err *err)
{
	AUTO_FD int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return err_errno(err, errno, "open %s", path);
	if (!check(path, name, err))
		return false;
	*out_fd = TAKE_FD(fd);
	return true;
}

bool documentation_file_send(
	struct remote *remote, const struct name *name, int fd, json_t **out, bool *created, struct err *err)
{
	AUTO(remote_reply_finish) struct remote_reply reply = {0};
	AUTO_FREE char *target = mem_printf("/%s", name_path(name).text);
	const struct remote_upload upload = {
		.target = target, .media_type = "text/markdown; charset=utf-8", .fd = fd};

	if (!remote_send(remote, &upload, &reply, err) || !remote_accepted(&reply, err))
		return false;
	if (!json_is_object(reply.json))
		return remote_refuse_stranger(remote, err);
	*created = reply.status == 201;
	*out = TAKE(reply.json);
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/data_folder.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/bundle/scratch.h"
#include "server/store/restore_mark.h"

/* "nobody (uid 65534)", and as sudo takes it. */
struct user {
	char text[96];
	char sudo[64];
};

static struct user describe_user(uid_t id)
{
	const struct passwd *entry = getpwuid(id);
	struct user user;

	if (entry) {
		(void)snprintf(user.text, sizeof user.text, "%.60s (uid %u)", entry->pw_name, (unsigned)id);
		(void)snprintf(user.sudo, sizeof user.sudo, "%.60s", entry->pw_name);
	} else {
		(void)snprintf(user.text, sizeof user.text, "uid %u", (unsigned)id);
		(void)snprintf(user.sudo, sizeof user.sudo, "'#%u'", (unsigned)id);
	}
	return user;
}

static bool refuse_access(const char *data_dir, struct err *err)
{
	struct user user;
	struct stat folder;

	if (stat(data_dir, &folder) != 0)
		return err_set(err, ERR_FORBIDDEN,
			"%.150s: Permission denied: run it as the user that the daemon runs as", data_dir);
	user = describe_user(folder.st_uid);
	return err_set(err, ERR_FORBIDDEN,
		"%.150s: Permission denied; it belongs to %s: run it as that user, such as \"sudo -u %s "
		"larder …\"",
		data_dir, user.text, user.sudo);
}

static bool refuse_owner(const char *data_dir, uid_t owner, struct err *err)
{
	struct user user = describe_user(owner);

	return err_set(err, ERR_FORBIDDEN,
		"%.150s belongs to %s, whose daemon could not read what is made there now: run it as that "
		"user, such as \"sudo -u %s larder …\"",
		data_dir, user.text, user.sudo);
}

/* Not our own number where the file system has its own idea of owners. */
static uid_t owner_of_what_is_made(const char *data_dir)
{
	AUTO_FD int fd = -1;
	struct stat made;
	struct err err;

	/* A full disk is no reason to refuse: gc must run there. */
	return scratch_open(data_dir, &fd, &err) && fstat(fd, &made) == 0 ? made.st_uid : geteuid();
}

static bool check_owner(const char *data_dir, const struct stat *existing, bool is_new, struct err *err)
{
	if (access(data_dir, W_OK | X_OK) != 0 && errno == EACCES)
		return refuse_access(data_dir, err);
	/* A folder without a store may be lent, by its group say; to root it is always open. */
	if ((is_new && geteuid() != 0) || owner_of_what_is_made(data_dir) == existing->st_uid)
		return true;
	return refuse_owner(data_dir, existing->st_uid, err);
}

bool data_folder_look(const char *data_dir, bool *is_new, struct err *err)
{
	AUTO_FREE char *database = mem_printf("%s/larder.db", data_dir);
	struct stat existing;

	*is_new = false;
	if (!restore_mark_check(data_dir, err))
		return false;
	if (stat(database, &existing) == 0)
		return check_owner(data_dir, &existing, false, err);
	*is_new = true;
	if (errno == ENOENT && stat(data_dir, &existing) == 0)
		return check_owner(data_dir, &existing, true, err);
	if (errno == EACCES)
		return refuse_access(data_dir, err);
	return errno == ENOENT || err_errno(err, errno, "open %.150s", data_dir);
}

bool data_folder_make(const char *data_dir, bool is_named, bool *is_new, struct err *err)
{
	if (!data_folder_look(data_dir, is_new, err))
		return false;
	if (*is_new && !is_named)
		return err_set(err, ERR_NOT_FOUND,
			"there is no store in %.100s: name its folder with --data, or its configuration with "
			"--config. \"larder serve\" makes a new one here, and --data %.100s does",
			data_dir, data_dir);
	return file_make_folders(data_dir, err);
}

bool data_folder_check(const char *data_dir, struct err *err)
{
	bool is_new;

	if (!data_folder_look(data_dir, &is_new, err))
		return false;
	return !is_new || err_set(err, ERR_NOT_FOUND,
				  "there is no store in %.150s: name its folder with --data, or its "
				  "configuration with --config",
				  data_dir);
}

struct data_folder_text data_folder_text(const char *data_dir)
{
	AUTO_FREE char *path = realpath(data_dir, NULL);
	struct data_folder_text out;

	(void)snprintf(out.text, sizeof out.text, "%.255s", path ? path : data_dir);
	return out;
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * argv → a command. */
#include "common/file.h"
#include "common/log.h"
#include "server/command/command_line.h"

static const struct command *const commands[] = {
	&command_serve,
	&command_token,
	&command_pack,
	&command_publish,
	&command_list,
	&command_show,
	&command_signatures,
	&command_diff,
	&command_withdraw,
	&command_approve,
	&command_reject,
	&command_rescan,
	&command_document,
	&command_pull,
	&command_prefetch,
	&command_lock,
	&command_verify,
	&command_verify_module,
	&command_audit,
	&command_wants,
	&command_explain,
	&command_status,
	&command_health,
	&command_fills,
	&command_pin,
	&command_unpin,
	&command_gc,
	&command_doctor,
	&command_backup,
	&command_restore,
	&command_store,
	&command_export,
	&command_keygen,
	&command_import,
	&command_import_docs,
	&command_help,
	&command_manual,
	&command_completion,
	&command_version,
	NULL,
};

int main(int argc, char **argv)
{
	struct err err;

	if (!file_open_standard(&err))
		return command_fail(&err);
	log_find_journal();
	return command_run(commands, argc, argv);
}

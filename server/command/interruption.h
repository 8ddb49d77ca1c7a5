/* SPDX-License-Identifier: Apache-2.0
 *
 * What a command of long work says when it is interrupted (Ctrl-C, a hang-up, an orderly kill): what stays,
 * and how it goes on. */
#ifndef SERVER_COMMAND_INTERRUPTION_H
#define SERVER_COMMAND_INTERRUPTION_H

enum interruption {
	INTERRUPTED_IMPORT,
	INTERRUPTED_STORE_IMPORT,
	INTERRUPTED_STORE_EXPORT,
	INTERRUPTED_PULL,      /* into a file or a folder */
	INTERRUPTED_PULL_AWAY, /* to standard output */
	INTERRUPTED_PUBLISH,
	INTERRUPTED_PREFETCH,
	INTERRUPTED_RESCAN,
	INTERRUPTED_VERIFY,
	INTERRUPTED_BACKUP,
	INTERRUPTED_RESTORE
};

/* From here on such a signal has this said on standard error, and ends the process at once with
 * COMMAND_FAILED; but not one that whoever has started it wants ignored (nohup, a shell's &). To be called
 * before threads are started. */
void interruption_watch(enum interruption which);

#endif

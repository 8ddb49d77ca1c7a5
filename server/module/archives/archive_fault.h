/* SPDX-License-Identifier: Apache-2.0
 *
 * What can be the matter with an archive that cannot be read on. */
#ifndef SERVER_MODULE_ARCHIVES_ARCHIVE_FAULT_H
#define SERVER_MODULE_ARCHIVES_ARCHIVE_FAULT_H

enum { ARCHIVE_NAME_MAX = 4096 };

/* Whose fault a failure was. */
enum archive_fault {
	ARCHIVE_SOUND,
	ARCHIVE_GZIP_BROKEN,
	ARCHIVE_TAR_BROKEN,
	ARCHIVE_TOO_LARGE,     /* limits: unpacked_bytes */
	ARCHIVE_RATIO,         /* limits: ratio */
	ARCHIVE_NAME_TOO_LONG, /* beyond ARCHIVE_NAME_MAX */
	ARCHIVE_SOURCE_FAILED  /* the stream's own error, passed through */
};

#endif

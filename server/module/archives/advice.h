/* SPDX-License-Identifier: Apache-2.0
 *
 * Commands that refusals name: each makes an archive that is taken, whatever was the matter. FOLDER holds the
 * module, FILE is what was refused. */
#ifndef SERVER_MODULE_ARCHIVES_ADVICE_H
#define SERVER_MODULE_ARCHIVES_ADVICE_H

/* Follows links: -h alone would write files that have two names as hard links. */
#define ADVICE_PACK "`tar -h --hard-dereference -C FOLDER -czf module.tar.gz .`"
#define ADVICE_UNGZIP "`gzip -dc FILE > module.tar.gz`"
#define ADVICE_REGZIP "`gzip -dc FILE | gzip > module.tar.gz`"

#endif

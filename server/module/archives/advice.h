/* SPDX-License-Identifier: Apache-2.0
 *
 * Commands that refusals name: each makes an archive that is taken, whatever was the matter, and writes over
 * nothing that it reads. FOLDER holds the module, FILE is what was refused. */
#ifndef SERVER_MODULE_ARCHIVES_ADVICE_H
#define SERVER_MODULE_ARCHIVES_ADVICE_H

/* Follow links: GNU tar's -h alone would write files that have two names as hard links. Other tars have no
 * such option. */
#define ADVICE_PACK_OF(folder) \
	"`larder pack --dereference " folder " -o mended.tar.gz` (or, with GNU tar: `tar -h " \
	"--hard-dereference -C " folder " -czf mended.tar.gz .`)"
#define ADVICE_PACK ADVICE_PACK_OF("FOLDER")
/* Packs a folder, whatever it holds, and sends it. */
#define ADVICE_PUBLISH "`larder publish --dereference FOLDER URL`"
#define ADVICE_UNGZIP ADVICE_UNPACK_WITH("gzip")
#define ADVICE_REGZIP ADVICE_GZIP_FROM("gzip")
/* For what another program unpacks; WITHIN: that lies in a gzip stream. */
#define ADVICE_UNPACK_WITH(program) "`" program " -dc < FILE > FILE.mended`"
#define ADVICE_GZIP_FROM(program) "`" program " -dc < FILE | gzip > FILE.mended`"
#define ADVICE_GZIP_FROM_WITHIN(program) "`gzip -dc < FILE | " program " -dc | gzip > FILE.mended`"
#define ADVICE_UNBASE64 "`base64 -d < FILE > FILE.mended`"
#define ADVICE_UNBASE64_WITHIN "`gzip -dc < FILE | base64 -d > FILE.mended`"
#define ADVICE_GZIP "`gzip < FILE > FILE.mended`"

/* A path as a shell's word; the caller frees it. NULL where it has any character that could mean something to
 * a shell or to who reads it: a stranger may have chosen it. */
char *advice_word(const char *path);

/* The command that packs this folder, or FOLDER where advice_word() has none or the name is long; the caller
 * frees it. */
char *advice_pack(const char *folder);

#endif

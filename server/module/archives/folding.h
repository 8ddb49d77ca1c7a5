/* SPDX-License-Identifier: Apache-2.0
 *
 * Names as a file system that ignores case sees them: Unicode's simple case folding (CaseFolding.txt, C and
 * S), from a table that the build makes of the distribution's Unicode data. No normalisation. */
#ifndef SERVER_MODULE_ARCHIVES_FOLDING_H
#define SERVER_MODULE_ARCHIVES_FOLDING_H

#include <stddef.h>
#include <stdint.h>

/* Every step-th code point from first to last folds to the one at this distance. In ascending order. */
struct fold_range {
	uint32_t first;
	uint32_t last;
	uint32_t step;
	int32_t distance;
};

extern const struct fold_range fold_ranges[];
extern const size_t fold_range_count;

/* Bytes that a text of this length has at most once it is folded, with its NUL. */
size_t folding_room(size_t length);

/* Writes the text, which any bytes may follow, folded and with a NUL; bytes that are not UTF-8 stay. Returns
 * the length. out has folding_room(length) bytes. */
size_t folding_fold(const char *text, size_t length, char *out);

#endif

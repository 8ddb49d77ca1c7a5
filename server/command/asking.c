/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/asking.h"

#include <assert.h>
#include <getopt.h>

enum { FIRST_FLAG = 256 }; /* above all letters */

bool asking_read(int argc, char **argv, const struct asking_flag *flags, struct asking *out)
{
	struct option known[ASKING_FLAGS_MAX + 5] = {REMOTE_LONG_OPTIONS, {"json", no_argument, NULL, 'j'}};
	int letter;

	for (int i = 0; flags && flags[i].name; i++) {
		assert(i < ASKING_FLAGS_MAX);
		known[4 + i] = (struct option){flags[i].name, no_argument, NULL, FIRST_FLAG + i};
	}
	while ((letter = getopt_long(argc, argv, "", known, NULL)) != -1) {
		if (letter == '?')
			return false;
		if (letter >= FIRST_FLAG)
			*flags[letter - FIRST_FLAG].set = true;
		else if (letter == 'j')
			out->json = true;
		else
			remote_take_option(&out->remote, letter, optarg);
	}
	return true;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/asking.h"

const struct option_row asking_option_rows[] = {
	{"json", 0, NULL, FLAG_INTO(struct asking, json), "print JSON"},
	{0},
};

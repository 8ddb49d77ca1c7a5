/* SPDX-License-Identifier: Apache-2.0
 *
 * The opcodes of Python's pickles, of protocols 0 to 5. */
#ifndef SERVER_MODULE_SAFETY_PICKLE_OPCODES_H
#define SERVER_MODULE_SAFETY_PICKLE_OPCODES_H

#include <stdbool.h>

/* What stands behind an opcode. */
enum pickle_argument {
	NO_ARGUMENT,
	LINE,
	TWO_LINES,
	BYTES_1,
	BYTES_2,
	BYTES_4,
	BYTES_8,
	COUNTED_1,
	COUNTED_4,
	COUNTED_8
};

/* What an opcode does to the stack, beside what is done for some by name. */
enum pickle_effect {
	PUSHES,
	KEEPS,
	POPS_1,
	POPS_2,
	POPS_1_PUSHES,
	POPS_2_PUSHES,
	POPS_3_PUSHES,
	TO_MARK,
	TO_MARK_PUSHES
};

struct pickle_opcode {
	bool exists;
	enum pickle_argument argument;
	enum pickle_effect effect;
};

extern const struct pickle_opcode pickle_opcodes[256];

#endif

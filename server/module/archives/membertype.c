/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/archives/membertype.h"

#include "server/module/archives/advice.h"
#include "server/module/violations.h"

/* What tar's types mean that no hub client unpacks, and how they are avoided. */
struct type_words {
	char type;
	const char *what;
	const char *advice;
};

static const struct type_words type_words[] = {
	{'1',
		"a hard link, as tar writes for a file that it has packed under another name, or is told of "
		"twice",
		"pack the files themselves: " ADVICE_PACK},
	{'2', "a symbolic link", "pack what it leads to: " ADVICE_PACK},
	{'3', "a character device", "leave it out"},
	{'4', "a block device", "leave it out"},
	{'6', "a named pipe", "leave it out"},
	{'D', "a folder's list as tar writes with -g (--listed-incremental) or -G",
		"pack without: " ADVICE_PACK},
	{'M', "the rest of a file of another volume", "pack in one volume, without -M: " ADVICE_PACK},
	{'V', "a volume's label", "pack without -V (--label): " ADVICE_PACK},
	{'X', "an extended header of Solaris", "pack with another tar: " ADVICE_PACK},
};

void membertype_report(struct examination *examination, const struct member *member)
{
	static const struct type_words other = {
		0, "something else", "leave it out, and pack so: " ADVICE_PACK};
	const struct type_words *words = &other;

	for (size_t i = 0; i < sizeof type_words / sizeof *type_words; i++) {
		if (type_words[i].type == member->type)
			words = &type_words[i];
	}
	violations_add(examination, RULE_MEMBER_TYPE, member->name,
		"Hub clients take only files and folders, and this is %s (tar's type \"%c\"); %s.",
		words->what, member->type ? member->type : '0', words->advice);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * completion: what a shell reads so that it completes Larder's command line. */
#include <stdio.h>
#include <string.h>

#include "server/command/command.h"
#include "server/command/completion.h"

static const struct {
	const char *name;
	void (*write)(FILE *out, const struct command *const *commands);
} shells[] = {
	{"bash", completion_write_bash}, {"zsh", completion_write_zsh}, {"fish", completion_write_fish}};

static int tell(const struct command *const *commands, void *options, int count, char **words)
{
	(void)options;
	for (size_t i = 0; count == 1 && i < sizeof shells / sizeof *shells; i++) {
		if (strcmp(words[0], shells[i].name) == 0) {
			shells[i].write(stdout, commands);
			return COMMAND_DONE;
		}
	}
	return command_misuse("completion", "completion takes a shell: bash, zsh or fish");
}

const struct command command_completion = {
	.name = "completion",
	.summary = "print what a shell needs to complete commands and options",
	.forms = {"bash", "zsh", "fish"},
	.remarks =
		"For this shell alone: source <(larder completion bash), or larder completion fish | source. "
		"For every one of yours: larder completion bash > "
		"~/.local/share/bash-completion/completions/larder; larder completion zsh > _larder in a "
		"folder of $fpath; larder completion fish > ~/.config/fish/completions/larder.fish. \"meson "
		"install\" puts them where all users have them.",
	.tell = tell,
};

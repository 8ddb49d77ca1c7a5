/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/interruption.h"

#include <signal.h>
#include <stddef.h>
#include <unistd.h>

#include "server/command/command.h"

/* Nothing needs to be put in order: what stays is whole, or known for a part. */
static void end(const char *words, size_t length)
{
	/* Below a bar that is drawn. */
	if (isatty(STDERR_FILENO))
		(void)!write(STDERR_FILENO, "\n", 1);
	(void)!write(STDERR_FILENO, words, length);
	_exit(COMMAND_FAILED);
}

/* A handler is told the signal's number only, so each has its own words. */
#define HANDLER(name, words) \
	static void name(int number) \
	{ \
		static const char text[] = "larder: interrupted: " words "\n"; \
		(void)number; \
		end(text, sizeof text - 1); \
	}

HANDLER(import_ended, "the same command goes on where it was; what was copied stays for a week")
HANDLER(store_import_ended, "what was sent is in the bucket; the same command sends the rest")
HANDLER(store_export_ended, "what was taken is in the folder; the same command takes the rest")
HANDLER(pull_ended, "what came stays beside its place, in a file that ends in .part; the same command goes "
		    "on there. What the "
		    "server fetches for it goes on, as \"larder fills\" shows")
HANDLER(pull_away_ended, "what was written to standard output is of no use; the same command begins anew")
HANDLER(publish_ended, "the server has all of the version or nothing of it; \"larder show\" tells which, "
		       "and the same command settles it and changes nothing that is there")
HANDLER(prefetch_ended, "what was ordered is fetched all the same, as \"larder fills\" shows; the same "
			"command orders the rest")
HANDLER(rescan_ended, "what was told of is judged; the same command goes on with the rest")
HANDLER(verify_ended, "what was told of is held back, or mended; the same command goes on where it was")
HANDLER(backup_ended,
	"the folder has the backup of before, if there was one; the same command goes on with the "
	"rest")
HANDLER(restore_ended,
	"nothing can use the folder until the same command has come to its end; it goes on with "
	"the rest")

static void (*const handlers[])(int number) = {
	[INTERRUPTED_IMPORT] = import_ended,
	[INTERRUPTED_STORE_IMPORT] = store_import_ended,
	[INTERRUPTED_STORE_EXPORT] = store_export_ended,
	[INTERRUPTED_PULL] = pull_ended,
	[INTERRUPTED_PULL_AWAY] = pull_away_ended,
	[INTERRUPTED_PUBLISH] = publish_ended,
	[INTERRUPTED_PREFETCH] = prefetch_ended,
	[INTERRUPTED_RESCAN] = rescan_ended,
	[INTERRUPTED_VERIFY] = verify_ended,
	[INTERRUPTED_BACKUP] = backup_ended,
	[INTERRUPTED_RESTORE] = restore_ended,
};

void interruption_watch(enum interruption which)
{
	static const int numbers[] = {SIGINT, SIGTERM, SIGHUP};
	const struct sigaction action = {.sa_handler = handlers[which], .sa_flags = (int)SA_RESETHAND};

	for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++) {
		struct sigaction before;

		if (sigaction(numbers[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
			(void)sigaction(numbers[i], &action, NULL);
	}
}

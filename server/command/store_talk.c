/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/store_talk.h"

#include <jansson.h>
#include <stdio.h>
#include <unistd.h>

#include "common/number.h"
#include "common/own.h"
#include "server/command/command.h"

static const char *const words[HANDOVER_FATE_COUNT] = {[HANDOVER_SENT] = "sent",
	[HANDOVER_NAMED] = "named",
	[HANDOVER_WITHDRAWN] = "withdrawn",
	[HANDOVER_THERE] = "there",
	[HANDOVER_LEFT] = "left",
	[HANDOVER_CONFLICT] = "conflict",
	[HANDOVER_FAILED] = "failed"};

static const char *word_of(const struct store_talk *talk, int fate)
{
	return talk->takes && fate == HANDOVER_SENT ? "taken" : words[fate];
}

void store_talk_begin(struct store_talk *talk)
{
	progress_bar_init(&talk->bar, talk->takes ? "export" : "import");
	if (talk->json)
		(void)fputs("{\"items\": [", stdout);
}

/* ---- items ---- */

static void print_json(const struct store_talk *talk, const struct handover_item *item)
{
	json_auto_t *value = json_pack("{s:s, s:s, s:s*, s:s*, s:I, s:s*}", "result",
		word_of(talk, item->fate), "path", name_path(item->name).text, "topic", item->topic, "format",
		item->is_version ? NULL : formats[item->name->format].name, "size_bytes",
		(json_int_t)item->size_bytes, "why", item->why);

	(void)fputs(talk->done_count > 1 ? ",\n" : "\n", stdout);
	(void)json_dumpf(value, stdout, JSON_COMPACT | JSON_ENSURE_ASCII);
}

/* What somebody has to look at goes where errors go; what was there already needs no line. */
static void print_line(const struct store_talk *talk, const struct handover_item *item)
{
	bool is_bad = item->fate >= HANDOVER_LEFT;
	const char *what = item->is_version ? item->topic : formats[item->name->format].name;

	if (!is_bad && (item->fate == HANDOVER_THERE || talk->bar.terminal))
		return;
	(void)fprintf(is_bad ? stderr : stdout, "%s\t%s%s%s%s%s%s\n", word_of(talk, item->fate),
		name_path(item->name).text, what ? " (" : "", what ? what : "", what ? ")" : "",
		item->why ? ": " : "", item->why ? item->why : "");
}

static void show(struct store_talk *talk)
{
	const struct progress_work work = {
		talk->done_bytes, talk->total_bytes, talk->done_count, talk->total_count, "artifacts"};

	if (!talk->json)
		progress_bar_work(&talk->bar, talk->bar.what, &work);
}

void store_talk_item(void *context, const struct handover_item *item)
{
	struct store_talk *talk = context;

	(item->topic ? talk->notes : talk->counts)[item->fate]++;
	talk->done_count++;
	talk->done_bytes += item->size_bytes;
	if (item->fate == HANDOVER_SENT)
		talk->sent_bytes += item->size_bytes;
	if (talk->json) {
		print_json(talk, item);
		return;
	}
	if (item->fate >= HANDOVER_LEFT)
		progress_bar_finish(&talk->bar);
	print_line(talk, item);
	show(talk);
}

/* ---- the end ---- */

static int64_t all_of(const struct store_talk *talk, enum handover_fate fate)
{
	return talk->counts[fate] + talk->notes[fate];
}

static void end_json(const struct store_talk *talk, const struct err *why)
{
	(void)fputs("],\n\"totals\": {", stdout);
	for (int i = 0; i < HANDOVER_FATE_COUNT; i++)
		(void)printf("\"%s\": %lld, ", word_of(talk, i),
			(long long)(i >= HANDOVER_LEFT ? all_of(talk, (enum handover_fate)i)
						       : talk->counts[i]));
	(void)printf("\"notes_%s\": %lld, \"notes_there\": %lld, ", word_of(talk, HANDOVER_SENT),
		(long long)talk->notes[HANDOVER_SENT], (long long)talk->notes[HANDOVER_THERE]);
	(void)printf("\"%s_bytes\": %lld}, \"dry_run\": %s, \"complete\": %s}\n",
		word_of(talk, HANDOVER_SENT), (long long)talk->sent_bytes, talk->dry_run ? "true" : "false",
		why ? "false" : "true");
}

static void end_lines(const struct store_talk *talk)
{
	(void)printf("%s%lld artifacts (%s), and names without their bytes: %lld; withdrawn: %lld; there "
		     "already: %lld; left: %lld; conflicts: %lld; failed: %lld; tokens, pins, documentation "
		     "and decisions: %lld, there already: %lld\n",
		talk->takes ? (talk->dry_run ? "would take " : "took ")
			    : (talk->dry_run ? "would send " : "sent "),
		(long long)talk->counts[HANDOVER_SENT], number_size(talk->sent_bytes).text,
		(long long)talk->counts[HANDOVER_NAMED], (long long)talk->counts[HANDOVER_WITHDRAWN],
		(long long)talk->counts[HANDOVER_THERE], (long long)talk->counts[HANDOVER_LEFT],
		(long long)all_of(talk, HANDOVER_CONFLICT), (long long)all_of(talk, HANDOVER_FAILED),
		(long long)talk->notes[HANDOVER_SENT], (long long)talk->notes[HANDOVER_THERE]);
}

int store_talk_end(struct store_talk *talk, const struct err *why)
{
	progress_bar_finish(&talk->bar);
	if (talk->json)
		end_json(talk, why);
	else
		end_lines(talk);
	if (why)
		return command_fail(why);
	return all_of(talk, HANDOVER_CONFLICT) + all_of(talk, HANDOVER_FAILED) == 0 ? COMMAND_DONE
										    : COMMAND_FAILED;
}

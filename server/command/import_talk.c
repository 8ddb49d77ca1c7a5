/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/import_talk.h"

#include <stdio.h>
#include <string.h>
#include <sys/statvfs.h>

#include "common/clock.h"
#include "common/mem.h"
#include "common/number.h"
#include "common/own.h"
#include "server/api/import_json.h"
#include "server/bundle/signature.h"
#include "server/command/command.h"
#include "server/command/text_table.h"

/* In JSON; the others are counted. */
enum { REMARKS_MAX = 1000 };

void import_talk_init(
	struct import_talk *talk, const struct import_options *options, const struct config *config)
{
	*talk = (struct import_talk){.options = options, .config = config, .remarks = json_array()};
	progress_bar_init(&talk->bar, config ? "importing" : "sending");
}

void import_talk_finish(struct import_talk *talk)
{
	json_decref(talk->remarks);
}

/* ---- while it runs ---- */

static json_t *findings_json(const struct examination *examination)
{
	json_t *list = json_array();

	for (size_t i = 0; examination && i < examination->finding_count; i++) {
		const struct finding *finding = &examination->findings[i];
		AUTO_FREE char *path = mem_dup(finding->path);
		AUTO_FREE char *message = mem_dup(finding->message);

		text_table_blank_controls(path);
		text_table_blank_controls(message);
		if (!finding->publishable)
			(void)json_array_append_new(list, json_pack("{s:s, s:s, s:s}", "rule", finding->rule,
								  "path", path, "message", message));
	}
	return list;
}

static void print_findings(const json_t *findings)
{
	const json_t *finding;
	size_t i;

	json_array_foreach(findings, i, finding)
	{
		const char *path = json_string_value(json_object_get(finding, "path"));

		(void)fprintf(stderr, "  %s%s%s: %s\n", json_string_value(json_object_get(finding, "rule")),
			*path ? ", " : "", path, json_string_value(json_object_get(finding, "message")));
	}
}

static void print_remark(
	const struct import_told *told, const char *name, const char *detail, const json_t *findings)
{
	(void)fprintf(stderr, "%s%s%s%s: %s\n", name, told->format ? " (" : "",
		told->format ? told->format : "", told->format ? ")" : "", detail);
	print_findings(findings);
}

void import_talk_remark(struct import_talk *talk, const struct import_told *told, json_t *findings)
{
	AUTO_FREE char *name = mem_dup(told->name);
	AUTO_FREE char *detail = mem_dup(told->detail);

	text_table_blank_controls(name);
	text_table_blank_controls(detail);
	if (!talk->options->json) {
		progress_bar_finish(&talk->bar);
		print_remark(told, name, detail, findings);
	} else if (json_array_size(talk->remarks) < REMARKS_MAX) {
		(void)json_array_append_new(
			talk->remarks, json_pack("{s:s, s:s?, s:s, s:s, s:O}", "name", name, "format",
					       told->format, "remark", import_remark_name(told->remark),
					       "detail", detail, "findings", findings));
	} else {
		talk->more++;
	}
}

void import_talk_tell(void *talk, const struct import_told *told)
{
	json_auto_t *findings = findings_json(told->examination);

	import_talk_remark(talk, told, findings);
}

void import_talk_show(void *context, const struct import_progress *progress)
{
	static const char *const words[] = {[IMPORT_PROVING] = "proving the pieces",
		[IMPORT_READING] = "reading what is in it",
		[IMPORT_COPYING] = "importing",
		[IMPORT_SHARING] = "sending it to the bucket",
		[IMPORT_RECORDING] = "recording",
		[IMPORT_SETTLING] = "withdrawing"};
	struct import_talk *talk = context;
	const struct progress_work work = {progress->done_bytes, progress->total_bytes,
		(int64_t)progress->count, progress->said, "versions and pages"};

	if (progress->phase == IMPORT_COPYING)
		progress_bar_work(&talk->bar, words[progress->phase], &work);
	else
		progress_bar_step(&talk->bar, words[progress->phase], progress->read, progress->said,
			progress->count, "versions and pages");
}

/* ---- the report ---- */

static void print_json(const struct import_talk *talk, const struct import_report *report,
	const struct signing_key *key, const struct err *err)
{
	json_auto_t *all = import_report_json(report, key ? signing_key_id(key).hex : NULL);

	(void)json_object_update_new(
		all, json_pack("{s:b, s:O, s:I, s:s?}", "dry_run", (int)talk->options->dry_run, "remarks",
			     talk->remarks, "more_remarks", (json_int_t)talk->more, "failure",
			     err ? err->text : NULL));
	(void)json_dumpf(all, stdout, JSON_INDENT(2));
	(void)putchar('\n');
}

static void print_head(const struct import_options *options, const struct import_report *report,
	const struct signing_key *key)
{
	AUTO_FREE char *name = mem_dup(report->header.name);

	text_table_blank_controls(name);
	(void)printf("%s %s%sof %s: %zu version%s\n", options->as ? "model" : "bundle", name,
		*name ? " " : "", clock_rfc3339(report->header.created_s).text, report->versions,
		report->versions == 1 ? "" : "s");
	if (key)
		(void)printf("signed by the owner of %s (%s)\n", options->key, signing_key_id(key).hex);
	else if (!options->as)
		(void)puts(report->is_signed ? "it is signed, and nobody has checked by whom: --verify KEY "
					       "does"
					     : "it is not signed");
}

static void print_documents(const char *of, const size_t counts[DOCS_OUTCOME_COUNT])
{
	if (counts[DOCS_NEW] + counts[DOCS_CHANGED] + counts[DOCS_LEFT] > 0)
		(void)printf("documentation of %s: %zu new, %zu changed, %zu left as it is\n", of,
			counts[DOCS_NEW], counts[DOCS_CHANGED], counts[DOCS_LEFT]);
}

static size_t count_pages(const struct import_report *report)
{
	return report->pages[DOCS_NEW] + report->pages[DOCS_CHANGED];
}

/* What is mirrored goes to make room: how much that would be is known once it is needed. */
static void print_room(const struct import_report *report, const struct config *config)
{
	struct statvfs disk;
	int64_t free_bytes;

	(void)printf("to copy: %s\n", number_size(report->wanted_bytes).text);
	if (statvfs(config->storage.data_dir, &disk) != 0)
		return;
	free_bytes = (int64_t)disk.f_bavail * (int64_t)disk.f_frsize;
	if (free_bytes - report->wanted_bytes < config->storage.keep_free_bytes)
		(void)printf("there is not enough room for that: %s are free in %s, and %s are to stay so "
			     "(storage.keep_free_bytes): make room there, or lower it, unless enough of what "
			     "is mirrored can go\n",
			number_size(free_bytes).text, config->storage.data_dir,
			number_size(config->storage.keep_free_bytes).text);
}

static void print_text(
	const struct import_talk *talk, const struct import_report *report, const struct signing_key *key)
{
	const struct import_options *options = talk->options;

	print_head(options, report, key);
	if (report->outcomes[IMPORT_SAME] == report->versions && count_pages(report) == 0) {
		(void)puts(report->signer_noted
				   ? "nothing changed, but for who has signed it: that is on record "
				     "from now on"
				   : "nothing changed");
		return;
	}
	(void)printf("%s%zu new, %zu changed, %zu unchanged, %zu refused, %zu faulty\n",
		report->recorded || (options->partial && !options->dry_run) ? "" : "would be: ",
		report->outcomes[IMPORT_NEW], report->outcomes[IMPORT_CHANGED], report->outcomes[IMPORT_SAME],
		report->outcomes[IMPORT_REFUSED], report->faulty);
	if (report->withdrawn > 0)
		(void)printf("withdrawn: %zu\n", report->withdrawn);
	print_documents("versions", report->documents);
	print_documents("publishers and collections", report->pages);
	if (options->dry_run && talk->config)
		print_room(report, talk->config);
	else if (options->dry_run)
		(void)printf("to send: %s\n", number_size(report->wanted_bytes).text);
	else
		(void)printf("copied: %zu files, %s\n", report->copied_blobs,
			number_size(report->copied_bytes).text);
}

int import_talk_report(struct import_talk *talk, const struct import_report *report,
	const struct signing_key *key, const struct err *err)
{
	progress_bar_finish(&talk->bar);
	if (talk->options->json)
		print_json(talk, report, key, err);
	else if (report->versions > 0 || report->recorded)
		print_text(talk, report, key);
	(void)fflush(stdout);
	return err ? command_fail(err) : COMMAND_DONE;
}

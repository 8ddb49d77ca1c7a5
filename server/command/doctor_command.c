/* SPDX-License-Identifier: Apache-2.0
 *
 * doctor: what is wrong with the place that a daemon works in, and what to do. */
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include "common/buffer.h"
#include "common/clock.h"
#include "common/mem.h"
#include "common/own.h"
#include "common/pem.h"
#include "server/command/command.h"
#include "server/command/data_folder.h"
#include "server/command/finding.h"
#include "server/command/folder_proof.h"
#include "server/command/listing.h"
#include "server/command/upstream_proof.h"
#include "server/command/way_proof.h"
#include "server/config_files.h"
#include "server/store/catalog/catalog_opening.h"

struct doctor_options {
	struct place_options place;
	bool json;
	bool no_network;
};

enum {
	OWN_DESCRIPTORS = 256,   /* what a daemon has open beside its connections */
	SPACE_FAULT = 64 << 20,  /* bytes that a database and a few drafts need */
	SPACE_WARNING = 1 << 30, /* less than one large module */
	INODES_FAULT = 1000,     /* files */
	INODES_WARNING = 20000,  /* files */
	SOON_S = 14 * 24 * 3600, /* for a certificate that nobody has renewed by then */
	CLOCK_SLACK_S = 300,     /* what may be between a file system's clock and ours */
};
static const int64_t earliest_s = 1735689600; /* 2025-01-01: an unset clock is before it */

static const char *const state_names[] = {"ok", "warning", "fault"};

/* What is looked at. */
struct patient {
	const struct config *config;
	const char *folder;
	bool has_folder; /* and it may be written to */
	bool has_store;
};

static void check_folder(struct patient *patient, struct finding *finding)
{
	bool is_new;
	struct err err;

	if (!data_folder_look(patient->folder, &is_new, &err)) {
		finding_set(finding, FINDING_FAULT, "run it, and the daemon, as the user whose folder it is",
			"%s", err.text);
		return;
	}
	patient->has_folder = access(patient->folder, W_OK | X_OK) == 0;
	patient->has_store = patient->has_folder && !is_new;
	if (patient->has_store)
		finding_set(
			finding, FINDING_OK, NULL, "%s has a store", data_folder_text(patient->folder).text);
	else
		finding_set(finding, FINDING_WARNING,
			"name its folder by --data, or its configuration by --config",
			"there is no store in %.200s yet; \"larder serve\" makes one", patient->folder);
}

static void check_file_system(struct patient *patient, struct finding *finding)
{
	struct folder_lacks lacks;
	struct err err;

	if (!folder_proof_run(patient->folder, &lacks, &err))
		finding_set(finding, FINDING_FAULT,
			"put the data folder on a local file system, such as ext4 or XFS", "%s", err.text);
	else if (lacks.text[0])
		finding_set(finding, FINDING_WARNING,
			"a local file system, such as ext4 or XFS, spares room and time", "there are no %s",
			lacks.text);
	else
		finding_set(finding, FINDING_OK, NULL,
			"fsync, rename, flock, sendfile, hard links and holes in files work");
}

/* The next fill makes room, of what others have too. */
static bool makes_room(const struct config *config)
{
	return config->upstream_count > 0 && !config->mirror.offline;
}

static void check_space(struct patient *patient, struct finding *finding)
{
	const int64_t keep = patient->config->storage.keep_free_bytes;
	static const char remedy[] = "make room, lower storage.max_bytes and run \"larder gc\"";
	struct statvfs system;
	int64_t available;

	if (statvfs(patient->folder, &system) < 0) {
		finding_set(finding, FINDING_FAULT, remedy, "the file system does not tell what is free");
		return;
	}
	available = (int64_t)(system.f_bavail * system.f_frsize);
	if (available < SPACE_FAULT || available < keep)
		finding_set(finding,
			available < SPACE_FAULT || !makes_room(patient->config) ? FINDING_FAULT
										: FINDING_WARNING,
			remedy, "%" PRId64 " bytes are free; storage.keep_free_bytes is %" PRId64, available,
			keep);
	else
		finding_set(finding, available - keep < SPACE_WARNING ? FINDING_WARNING : FINDING_OK,
			available - keep < SPACE_WARNING ? remedy : NULL,
			"%" PRId64 " bytes are free, %" PRId64 " of them to be kept free", available, keep);
}

static void check_inodes(struct patient *patient, struct finding *finding)
{
	static const char remedy[] = "remove small files from this file system, or make it with more inodes";
	struct statvfs system;

	if (statvfs(patient->folder, &system) < 0)
		finding_set(finding, FINDING_FAULT, remedy, "the file system does not tell what is free");
	else if (system.f_files == 0)
		finding_set(finding, FINDING_OK, NULL, "the file system has no limit on files");
	else if (system.f_favail < INODES_WARNING)
		finding_set(finding, system.f_favail < INODES_FAULT ? FINDING_FAULT : FINDING_WARNING, remedy,
			"%ju more files can be made", (uintmax_t)system.f_favail);
	else
		finding_set(
			finding, FINDING_OK, NULL, "%ju more files can be made", (uintmax_t)system.f_favail);
}

/* With TLS a connection is three: the client's and a pair. */
static void check_descriptors(struct patient *patient, struct finding *finding)
{
	const int64_t connections = patient->config->server.max_connections;
	const int64_t each = patient->config->server.tls_certificate ? 3 : 1;
	const int64_t needed = connections * each + OWN_DESCRIPTORS;
	struct rlimit limit = {0};
	bool suffices;

	(void)getrlimit(RLIMIT_NOFILE, &limit);
	suffices = limit.rlim_max == RLIM_INFINITY || limit.rlim_max >= (rlim_t)needed;
	finding_set(finding, suffices ? FINDING_OK : FINDING_WARNING,
		suffices ? NULL
			 : "raise LimitNOFILE= of the unit, or ulimit -n, or lower server.max_connections",
		"a process that is started from here may have %ju files open; server.max_connections = "
		"%" PRId64 " takes up to %" PRId64,
		(uintmax_t)limit.rlim_max, connections, needed);
}

static void check_clock(struct patient *patient, struct finding *finding)
{
	AUTO_FREE char *path = mem_printf("%s/larder.db", patient->folder);
	const int64_t now = clock_now_s();
	struct stat database;

	if (now < earliest_s)
		finding_set(finding, FINDING_FAULT, "set the clock, and have NTP keep it",
			"it is %s by the clock: certificates count as not valid yet",
			clock_rfc3339(now).text);
	else if (patient->has_store && stat(path, &database) == 0 && database.st_mtime > now + CLOCK_SLACK_S)
		finding_set(finding, FINDING_WARNING, "set the clock, and have NTP keep it",
			"it is %s by the clock, and the database was written later than that",
			clock_rfc3339(now).text);
	else
		finding_set(finding, FINDING_OK, NULL, "it is %s by the clock", clock_rfc3339(now).text);
}

static void check_database(struct patient *patient, struct finding *finding)
{
	struct err err;

	if (catalog_examine(patient->folder, &err))
		finding_set(finding, FINDING_OK, NULL, "its pages, indexes and foreign keys are sound");
	else
		finding_set(finding, FINDING_FAULT,
			"run the newest Larder that was on it; where it is damaged, stop the daemon and "
			"restore a "
			"backup (\"larder restore\")",
			"%s", err.text);
}

static void check_files(struct patient *patient, struct finding *finding)
{
	AUTO_BUFFER struct buffer faults = {0};
	struct err err;

	if (config_check_files(patient->config, &faults, &err))
		finding_set(finding, FINDING_OK, NULL,
			"certificates, keys and credentials that it names can be used");
	else
		finding_set(finding, FINDING_FAULT, "correct the file, its permissions, or its name", "%.*s",
			(int)strcspn(buffer_string(&faults), "\n"), buffer_string(&faults));
}

static void check_certificate(struct patient *patient, struct finding *finding)
{
	static const char remedy[] = "have it renewed, and reload the daemon";
	const char *certificate = patient->config->server.tls_certificate;
	const int64_t now = clock_now_s();
	struct err err;

	if (!certificate)
		finding_set(finding, FINDING_OK, NULL, "there is none: the daemon speaks plain HTTP");
	else if (!pem_check_dates(certificate, now, &err))
		finding_set(finding, FINDING_FAULT, remedy, "%s", err.text);
	else if (!pem_check_dates(certificate, now + SOON_S, &err))
		finding_set(finding, FINDING_WARNING, remedy, "it ends within two weeks: %s", certificate);
	else
		finding_set(finding, FINDING_OK, NULL, "it is good for two weeks and longer");
}

static void check_authorities(struct patient *patient, struct finding *finding)
{
	way_proof_authorities(finding);
}

static void check_proxies(struct patient *patient, struct finding *finding)
{
	way_proof_proxies(finding);
}

enum needs { NEEDS_NOTHING, NEEDS_FOLDER, NEEDS_STORE };

static const struct check {
	const char *name;
	enum needs needs;
	void (*look)(struct patient *patient, struct finding *finding);
} checks[] = {
	{"data-folder", NEEDS_NOTHING, check_folder}, /* first: the others ask what it has found */
	{"file-system", NEEDS_FOLDER, check_file_system},
	{"free-space", NEEDS_FOLDER, check_space},
	{"inodes", NEEDS_FOLDER, check_inodes},
	{"descriptors", NEEDS_NOTHING, check_descriptors},
	{"clock", NEEDS_NOTHING, check_clock},
	{"database", NEEDS_STORE, check_database},
	{"configured-files", NEEDS_NOTHING, check_files},
	{"certificate", NEEDS_NOTHING, check_certificate},
	{"authorities", NEEDS_NOTHING, check_authorities},
	{"proxy-environment", NEEDS_NOTHING, check_proxies},
};

static void look(const struct check *check, struct patient *patient, struct finding *finding)
{
	if ((check->needs >= NEEDS_FOLDER && !patient->has_folder) ||
		(check->needs == NEEDS_STORE && !patient->has_store))
		finding_set(finding, FINDING_WARNING, "see to the data folder first",
			"not looked at: it needs a data folder%s",
			check->needs == NEEDS_STORE ? " with a store" : " that can be written to");
	else
		check->look(patient, finding);
}

/* What has been found so far. */
struct report {
	bool as_json;
	json_t *list;
	enum finding_state worst;
};

static void tell(struct report *report, const char *check, struct finding *finding)
{
	text_table_blank_controls(finding->text);
	report->worst = finding->state > report->worst ? finding->state : report->worst;
	(void)json_array_append_new(report->list,
		json_pack("{s:s, s:s, s:s, s:s?}", "check", check, "state", state_names[finding->state],
			"finding", finding->text, "remedy", finding->remedy));
	if (report->as_json)
		return;
	(void)printf("%-8s %s: %s\n", state_names[finding->state], check, finding->text);
	if (finding->remedy)
		(void)printf("         -> %s\n", finding->remedy);
}

static void tell_upstream(void *context, const char *upstream, struct finding *finding)
{
	AUTO_FREE char *check = mem_printf("upstream %s", upstream);

	tell(context, check, finding);
}

static int examine(const struct config *config, const struct doctor_options *options)
{
	struct patient patient = {.config = config, .folder = config->storage.data_dir};
	struct report report = {.as_json = options->json, .list = json_array()};
	json_auto_t *whole = NULL;

	for (size_t i = 0; i < sizeof checks / sizeof *checks; i++) {
		struct finding finding = {0};

		look(&checks[i], &patient, &finding);
		tell(&report, checks[i].name, &finding);
	}
	if (!options->no_network && !config->mirror.offline)
		upstream_proof_run(config, tell_upstream, &report);
	whole = json_pack("{s:o, s:s}", "checks", report.list, "state", state_names[report.worst]);
	if (options->json)
		listing_print_json(whole);
	return report.worst == FINDING_FAULT ? COMMAND_FAILED : COMMAND_DONE;
}

static int run(void *values, int count, char **words)
{
	const struct doctor_options *options = values;
	AUTO_CONFIG struct config *config = NULL;
	struct err err;

	(void)words;
	if (count > 0)
		return command_misuse("doctor", "doctor takes no arguments");
	if (!command_load_config(&options->place, &config, &err))
		return command_fail(&err);
	return examine(config, options);
}

static const struct option_row rows[] = {
	{"json", 0, NULL, FLAG_INTO(struct doctor_options, json), "print JSON"},
	{"no-network", 0, NULL, FLAG_INTO(struct doctor_options, no_network), "ask no upstream"},
	{0},
};

const struct command command_doctor = {
	.name = "doctor",
	.summary = "find what is wrong with the place that a daemon works in",
	.forms = {""},
	.statuses = "1 where anything is a fault; warnings leave it at 0.",
	.remarks =
		"Looks at the data folder and whose it is, tries in a new folder inside of it what the store "
		"needs of a file system, and looks at free space, inodes, the limit on open files, the "
		"clock, "
		"all of the database, the certificates and files that the configuration names, and the "
		"environment's proxies. Then it "
		"asks each upstream for the root of its server, all at once and for mirror.connect_timeout_s "
		"at most, "
		"through its proxy and without its credentials. Says of each whether it is ok, a warning or "
		"a "
		"fault, what was found, and the remedy. It runs beside a daemon, and leaves all as it was.",
	.groups = {{rows, 0}, {place_option_rows, offsetof(struct doctor_options, place)}},
	.options_size = sizeof(struct doctor_options),
	.run = run,
};

/* SPDX-License-Identifier: Apache-2.0
 *
 * What was found in one artifact's bytes: its members, its model, and the rules that it breaks. */
#ifndef SERVER_MODULE_FINDINGS_H
#define SERVER_MODULE_FINDINGS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "server/module/name.h"
#include "server/module/safety/safety_findings.h"

struct saved_model;

enum { EXAMINATION_FINDINGS_MAX = 100 };

enum severity {
	SEVERITY_WARNING,  /* hampers some clients: refused when published, kept when mirrored */
	SEVERITY_VIOLATION /* broken or dangerous: never served */
};

struct finding {
	enum severity severity;
	bool publishable; /* a warning with which it may be published all the same */
	const char *rule; /* a constant such as "name-traversal"; the table is in violations.c */
	char *path;       /* the member, or "" for the whole */
	char *message;    /* a sentence that says what to do about it */
};

struct examined_member {
	char *path; /* normal form: no "./", no trailing slash */
	bool is_folder;
	int64_t size_bytes;
	bool has_sha256; /* it was computed: of files of archives that may hold anything */
	uint8_t sha256[32];
};

struct examination {
	enum format format;
	int64_t unpacked_bytes;          /* sum of the files' sizes */
	struct examined_member *members; /* in the archive's order, without the root; none for bare files */
	size_t member_count;
	size_t member_capacity;
	bool members_truncated; /* there are more than are listed; file_count is true */
	size_t file_count;
	bool has_proved_end; /* its last byte is known to be its last: half of it would have a violation */
	struct finding *findings;
	size_t finding_count;
	size_t finding_capacity;
	uint64_t broken_rules;           /* a bit for each, also of those whose finding had no room */
	struct safety_findings safety;   /* what the safety rules say of it */
	struct saved_model *saved_model; /* of any format; NULL where it has none or it could not be read */
	bool is_listed; /* its model was looked for, which takes a stream that keeps what it gave */
};

#endif

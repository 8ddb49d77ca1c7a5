/* SPDX-License-Identifier: Apache-2.0
 *
 * What a site does about findings of the safety rules: by where a module comes from, by rule and by handle.
 */
#ifndef SERVER_MODULE_SAFETY_SAFETY_POLICY_H
#define SERVER_MODULE_SAFETY_SAFETY_POLICY_H

#include <stdbool.h>

#include "common/err.h"
#include "server/module/safety/safety_findings.h"

/* The stricter the later. */
enum safety_action { SAFETY_OFF, SAFETY_WARN, SAFETY_QUARANTINE, SAFETY_REFUSE };

struct safety_policy {
	enum safety_action published; /* about findings that are high or critical */
	enum safety_action mirrored;
	char *rules; /* "RULE[@HANDLES]:ACTION" each, separated by commas or blanks; NULL: none */
};

/* Whether a text is such a list; ERR_BAD_REQUEST tells which part is none. */
bool safety_policy_check(const char *rules, struct err *err);

struct safety_judgement {
	enum safety_action action;
	char text[200]; /* the finding that it is for, and how many more there are; "" where nothing is to be
			   done */
};

/* The strictest of what is to be done about them. */
struct safety_judgement safety_policy_judge(const struct safety_policy *policy, bool is_published,
	const char *handle, const struct safety_findings *findings);

#endif

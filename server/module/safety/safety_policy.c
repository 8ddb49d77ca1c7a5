/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/safety/safety_policy.h"

#include <fnmatch.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "common/utf8.h"
#include "server/module/safety/safety_rules.h"

static const char separators[] = ", \t";
static const char *const action_names[] = {[SAFETY_OFF] = "off",
	[SAFETY_WARN] = "warn",
	[SAFETY_QUARANTINE] = "quarantine",
	[SAFETY_REFUSE] = "refuse"};

/* One part of the list, whose texts lie in a copy of it. */
struct entry {
	const char *rule; /* a glob of rules, or a severity */
	const char *handles;
	enum safety_action action;
};

static bool find_action(const char *word, enum safety_action *out)
{
	for (int action = SAFETY_OFF; action <= SAFETY_REFUSE; action++) {
		if (strcmp(word, action_names[action]) == 0) {
			*out = (enum safety_action)action;
			return true;
		}
	}
	return false;
}

/* Cuts the part into its pieces. */
static bool read_entry(char *part, struct entry *out)
{
	char *colon = strrchr(part, ':');
	char *at = strchr(part, '@');

	if (!colon || colon == part || !find_action(colon + 1, &out->action))
		return false;
	*colon = '\0';
	if (at)
		*at = '\0';
	out->rule = part;
	out->handles = at ? at + 1 : "*";
	return out->rule[0] && out->handles[0];
}

static bool fits_rule(const struct entry *entry, const struct safety_rule *rule)
{
	enum safety_severity severity;

	return safety_severity_find(entry->rule, &severity) ? rule->severity == severity
							    : fnmatch(entry->rule, rule->name, 0) == 0;
}

static bool fits_some_rule(const struct entry *entry)
{
	bool fits = false;

	for (int id = 0; id < SAFETY_RULE_COUNT && !fits; id++)
		fits = fits_rule(entry, &safety_rules[id]);
	return fits;
}

static bool is_version(const char *text)
{
	return text[0] && text[strspn(text, "0123456789")] == '\0';
}

/* Handles have no address before them and no version behind them. */
static bool can_fit_a_handle(const char *glob)
{
	const char *slash = strrchr(glob, '/');
	const char *bracket = strrchr(glob, '[');

	return !strpbrk(glob, ":@") && !(slash && is_version(slash + 1)) &&
	       !(bracket && !strchr(bracket, ']'));
}

bool safety_policy_check(const char *rules, struct err *err)
{
	for (const char *at = rules + strspn(rules, separators); *at; at += strspn(at, separators)) {
		size_t length = strcspn(at, separators);
		AUTO_FREE char *part = mem_dup_n(at, length);
		struct entry entry;

		if (!read_entry(part, &entry) || !fits_some_rule(&entry))
			return err_set(err, ERR_BAD_REQUEST,
				"rules has \"%.*s\", which must be RULE:ACTION or RULE@HANDLES:ACTION: a "
				"rule of "
				"docs/trust.md, a glob of them or a severity; refuse, quarantine, warn or "
				"off",
				(int)(length < 80 ? length : 80), at);
		if (!can_fit_a_handle(entry.handles))
			return err_set(err, ERR_BAD_REQUEST,
				"rules has \"%.*s\", which fits no module: behind \"@\" stands a pattern of "
				"handles, such as acme/*, without an address before it or a version behind "
				"it",
				(int)(length < 80 ? length : 80), at);
		at += length;
	}
	return true;
}

/* Of the entries that fit, the last counts. */
static enum safety_action action_for(const struct safety_policy *policy, bool is_published,
	const char *handle, const struct safety_rule *rule)
{
	enum safety_action usual = is_published ? policy->published : policy->mirrored;
	enum safety_action action =
		rule->severity >= SAFETY_SEVERITY_HIGH || usual == SAFETY_OFF ? usual : SAFETY_WARN;
	const char *at = policy->rules ? policy->rules : "";

	for (at += strspn(at, separators); *at; at += strspn(at, separators)) {
		size_t length = strcspn(at, separators);
		AUTO_FREE char *part = mem_dup_n(at, length);
		struct entry entry;

		if (read_entry(part, &entry) && fits_rule(&entry, rule) &&
			fnmatch(entry.handles, handle, 0) == 0)
			action = entry.action;
		at += length;
	}
	return action;
}

static void tell(const struct safety_finding *finding, struct safety_judgement *out)
{
	int detail = (int)utf8_cut(finding->detail, 60);
	int where = (int)utf8_cut(finding->where, 60);

	(void)snprintf(out->text, sizeof out->text, "%s (%.*s%s%.*s)", safety_rules[finding->rule].name,
		detail, finding->detail, where > 0 ? ", in " : "", where, finding->where);
}

struct safety_judgement safety_policy_judge(const struct safety_policy *policy, bool is_published,
	const char *handle, const struct safety_findings *findings)
{
	struct safety_judgement judgement = {.action = SAFETY_OFF};
	size_t more = 0;

	for (size_t i = 0; i < findings->count; i++) {
		enum safety_rule_id rule = findings->items[i].rule;
		enum safety_action action =
			safety_rules[rule].severity == SAFETY_SEVERITY_INFO && !policy->rules
				? SAFETY_OFF
				: action_for(policy, is_published, handle, &safety_rules[rule]);

		if (action > judgement.action) {
			tell(&findings->items[i], &judgement);
			judgement.action = action;
			more = 0;
		} else if (action == judgement.action && action > SAFETY_OFF) {
			more++;
		}
	}
	if (more > 0)
		(void)snprintf(judgement.text + strlen(judgement.text),
			sizeof judgement.text - strlen(judgement.text), " and %zu more", more);
	return judgement;
}

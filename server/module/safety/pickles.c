/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/safety/pickles.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "server/module/safety/pickle_opcodes.h"
#include "server/module/safety/pickle_stack.h"
#include "server/module/safety/safety_rules.h"

enum { NAME_MAX_BYTES = 127, PICKLES_MAX = 64, JUDGED_COUNT = 32 };

struct seen_import {
	char module[NAME_MAX_BYTES + 1];
	char name[NAME_MAX_BYTES + 1];
};

enum state { AT_OPCODE, IN_LINE, IN_NUMBER, IN_BYTES, OVER };

struct pickles {
	struct safety_findings *findings; /* held, until it is one */
	struct safety_findings *told;
	struct safety_findings held;
	char *where;
	enum pickles_belief belief;
	bool has_ended_well; /* the last one */
	enum state state;
	uint8_t opcode;
	unsigned pickles; /* that have ended */
	int64_t opcodes;  /* of the current one */
	bool has_imported;
	/* The argument while it comes. */
	unsigned lines_left;
	char lines[2][NAME_MAX_BYTES + 1];
	size_t line_length; /* of the current one, also where that is more than is kept */
	bool is_too_long;
	uint8_t number[8];
	size_t number_length;
	size_t number_wanted;
	uint64_t bytes_left;
	char counted[NAME_MAX_BYTES + 1];
	size_t counted_length;
	struct pickle_stack stack;
	struct seen_import judged[JUDGED_COUNT]; /* the last ones */
	unsigned judged_next;
};

struct pickles *pickles_create(
	struct safety_findings *findings, const char *where, enum pickles_belief belief)
{
	struct pickles *pickles = mem_zero(1, sizeof *pickles);

	pickles->told = findings;
	pickles->findings = belief == PICKLES_GUESSED ? &pickles->held : findings;
	pickles->where = mem_dup(where);
	pickles->belief = belief;
	pickle_stack_init(&pickles->stack);
	return pickles;
}

void pickles_destroy(struct pickles *pickles)
{
	if (!pickles)
		return;
	pickle_stack_finish(&pickles->stack);
	safety_findings_finish(&pickles->held);
	free(pickles->where);
	free(pickles);
}

/* ---- whether it is one ---- */

static void become_likely(struct pickles *pickles)
{
	if (pickles->belief != PICKLES_GUESSED)
		return;
	for (size_t i = 0; i < pickles->held.count; i++)
		safety_findings_add(pickles->told, pickles->held.items[i].rule, pickles->where, "%s",
			pickles->held.items[i].detail);
	pickles->findings = pickles->told;
	pickles->belief = PICKLES_LIKELY;
}

/* Values that Python takes for arguments or for the state of an object, as far as can be known. */
static bool has_arguments(struct pickles *pickles)
{
	uint32_t value = pickle_stack_top(&pickles->stack);

	return value == PICKLE_VALUE_MANY || value == PICKLE_VALUE_ABSENT || pickles->stack.depth == 0;
}

/* Whether the opcode calls something, before it is run. */
static bool is_call(struct pickles *pickles)
{
	switch (pickles->opcode) {
	case 'R':
	case 'b':
	case 0x81:
	case 0x92:
		return has_arguments(pickles);
	case 'i':
	case 'o':
		return pickles->stack.marks > 0;
	default:
		return false;
	}
}

/* Texts that Python reads as such a value. */
static bool is_literal(const struct pickles *pickles)
{
	const char *line = pickles->lines[0];

	switch (pickles->opcode) {
	case 'F':
		return strpbrk(line, "0123456789") || strcasestr(line, "inf") || strcasestr(line, "nan");
	case 'I':
	case 'L':
		return strpbrk(line, "0123456789");
	case 'S':
		return line[0] == '\'' || line[0] == '"';
	default:
		return true;
	}
}

/* ---- imports ---- */

/* The same import, over and over, takes three bytes of each. */
static bool was_judged(struct pickles *pickles, const char *module, const char *name)
{
	struct seen_import *seen;

	for (size_t i = 0; i < JUDGED_COUNT; i++) {
		if (strcmp(pickles->judged[i].name, name) == 0 &&
			strcmp(pickles->judged[i].module, module) == 0)
			return true;
	}
	seen = &pickles->judged[pickles->judged_next++ % JUDGED_COUNT];
	(void)snprintf(seen->module, sizeof seen->module, "%s", module);
	(void)snprintf(seen->name, sizeof seen->name, "%s", name);
	return false;
}

/* Nobody who saves weights does that. */
static void import_unknown(struct pickles *pickles, const char *what)
{
	pickles->has_imported = true;
	if (!was_judged(pickles, "", what))
		safety_findings_add(pickles->findings, SAFETY_PICKLE_DANGER, pickles->where, "%s", what);
}

static void import(struct pickles *pickles, const char *module, const char *name)
{
	enum safety_verdict verdict;

	pickles->has_imported = true;
	if (was_judged(pickles, module, name))
		return;
	verdict = safety_import_judge(module, name);
	if (verdict == SAFETY_DENIED)
		safety_findings_add(
			pickles->findings, SAFETY_PICKLE_DANGER, pickles->where, "%s.%s", module, name);
	else if (verdict == SAFETY_UNKNOWN)
		safety_findings_add(
			pickles->findings, SAFETY_PICKLE_IMPORT, pickles->where, "%s.%s", module, name);
}

static void import_lines(struct pickles *pickles)
{
	if (pickles->is_too_long)
		import_unknown(pickles, "a name of more than 127 bytes");
	else
		import(pickles, pickles->lines[0], pickles->lines[1]);
}

static void import_from_stack(struct pickles *pickles)
{
	uint32_t name = pickle_stack_pop(&pickles->stack);
	uint32_t module = pickle_stack_pop(&pickles->stack);

	if (pickle_stack_text(&pickles->stack, name) && pickle_stack_text(&pickles->stack, module)) {
		import(pickles, pickle_stack_text(&pickles->stack, module),
			pickle_stack_text(&pickles->stack, name));
	} else if (name == PICKLE_VALUE_FORGOTTEN || module == PICKLE_VALUE_FORGOTTEN) {
		pickles->has_imported = true;
		safety_findings_add(pickles->findings, SAFETY_PICKLE_IMPORT, pickles->where,
			"a name behind more than can be remembered");
	} else {
		import_unknown(pickles, "a name that is put together while it is loaded");
	}
	pickle_stack_push(&pickles->stack, PICKLE_VALUE_OTHER);
}

/* ---- opcodes ---- */

static uint64_t number_of(const struct pickles *pickles)
{
	uint64_t value = 0;

	for (size_t i = pickles->number_length; i-- > 0;)
		value = value << 8 | pickles->number[i];
	return value;
}

static void end_one(struct pickles *pickles)
{
	pickles->has_ended_well = pickles->stack.depth == 1 || pickles->stack.is_deep;
	pickles->pickles++;
	pickles->opcodes = 0;
	pickle_stack_empty(&pickles->stack);
	if (pickles->pickles == PICKLES_MAX)
		pickles->state = OVER;
}

static uint32_t made_by(uint8_t opcode)
{
	bool is_many = strchr("t)dl]}", opcode) || (opcode >= 0x85 && opcode <= 0x87) || opcode == 0x8f ||
		       opcode == 0x91;

	return opcode && is_many ? PICKLE_VALUE_MANY : PICKLE_VALUE_OTHER;
}

static void pop_and_push(struct pickles *pickles, enum pickle_effect effect)
{
	switch (effect) {
	case POPS_3_PUSHES:
		(void)pickle_stack_pop(&pickles->stack);
		/* fallthrough */
	case POPS_2_PUSHES:
	case POPS_2:
		(void)pickle_stack_pop(&pickles->stack);
		/* fallthrough */
	case POPS_1_PUSHES:
	case POPS_1:
		(void)pickle_stack_pop(&pickles->stack);
		break;
	case TO_MARK:
	case TO_MARK_PUSHES:
		pickle_stack_pop_to_mark(&pickles->stack);
		break;
	default:
		break;
	}
	if (effect == PUSHES || effect == POPS_1_PUSHES || effect == POPS_2_PUSHES ||
		effect == POPS_3_PUSHES || effect == TO_MARK_PUSHES)
		pickle_stack_push(&pickles->stack, made_by(pickles->opcode));
}

/* A text in quotes, of protocol 0. */
static void push_quoted(struct pickles *pickles)
{
	char *text = pickles->lines[0];
	size_t length = strlen(text);

	if (length >= 2 && (text[0] == '\'' || text[0] == '"') && text[length - 1] == text[0]) {
		text[length - 1] = '\0';
		text++;
	}
	pickle_stack_push_text(&pickles->stack, text, !pickles->is_too_long);
}

static bool run_text(struct pickles *pickles)
{
	switch (pickles->opcode) {
	case 'S':
		push_quoted(pickles);
		return true;
	case 'V':
		pickle_stack_push_text(&pickles->stack, pickles->lines[0], !pickles->is_too_long);
		return true;
	case 'T':
	case 'U':
	case 'X':
	case 0x8c:
	case 0x8d:
		pickle_stack_push_text(
			&pickles->stack, pickles->counted, pickles->counted_length <= NAME_MAX_BYTES);
		return true;
	default:
		return false;
	}
}

/* What follows is no pickle, or none that can be followed. */
static void give_up(struct pickles *pickles)
{
	bool is_pickle = pickles->belief == PICKLES_CERTAIN && pickles->pickles == 0;

	if (is_pickle || (pickles->opcodes > 0 && pickles->has_imported))
		safety_findings_add(pickles->findings, SAFETY_PICKLE_UNREAD, pickles->where,
			"followed for %lld opcodes of its pickle %u", (long long)pickles->opcodes,
			pickles->pickles + 1);
	pickles->state = OVER;
}

/* Python takes more for a number than digits, such as 1_0 and blanks; nobody writes those. */
static uint64_t key_of_line(struct pickles *pickles)
{
	const char *line = pickles->lines[0];
	size_t digits = strspn(line, "0123456789");

	if (digits > 0 && digits <= 9 && !line[digits] && (line[0] != '0' || digits == 1))
		return strtoul(line, NULL, 10);
	if (line[strspn(line, "0123456789_+- \t\r\v\f")] || !strpbrk(line, "0123456789")) {
		give_up(pickles);
	} else {
		import_unknown(pickles, "a key of the memo that is no plain number");
		pickles->stack.has_far_key = true;
	}
	return PICKLE_MEMO_MAX;
}

/* The next key is how many there are, which is not known once one was set that is not kept. */
static void memoize(struct pickles *pickles)
{
	if (pickles->stack.has_far_key)
		import_unknown(pickles, "a memo whose keys are not in order");
	else
		pickle_stack_memoize(&pickles->stack);
}

static bool run_memo(struct pickles *pickles)
{
	switch (pickles->opcode) {
	case 'p':
		pickle_stack_remember(&pickles->stack, key_of_line(pickles));
		return true;
	case 'q':
	case 'r':
		pickle_stack_remember(&pickles->stack, number_of(pickles));
		return true;
	case 0x94:
		memoize(pickles);
		return true;
	case 'g':
		pickle_stack_recall(&pickles->stack, key_of_line(pickles));
		return true;
	case 'h':
	case 'j':
		pickle_stack_recall(&pickles->stack, number_of(pickles));
		return true;
	default:
		return false;
	}
}

static void run_opcode(struct pickles *pickles)
{
	if (run_text(pickles) || run_memo(pickles))
		return;
	if (pickles->opcode == '.') {
		end_one(pickles);
	} else if (pickles->opcode == '0') {
		pickle_stack_drop(&pickles->stack);
	} else if (pickles->opcode == '(') {
		pickle_stack_push(&pickles->stack, PICKLE_VALUE_MARK);
	} else if (pickles->opcode == '2') {
		pickle_stack_push(&pickles->stack, pickle_stack_top(&pickles->stack));
	} else if (pickles->opcode == 0x93) {
		import_from_stack(pickles);
	} else {
		if (pickles->opcode == 'c' || pickles->opcode == 'i')
			import_lines(pickles);
		else if (pickles->opcode >= 0x82 && pickles->opcode <= 0x84)
			import_unknown(pickles, "what the program that loads it has registered by number");
		pop_and_push(pickles, pickle_opcodes[pickles->opcode].effect);
	}
}

/* All of the opcode is there. */
static void run(struct pickles *pickles)
{
	bool was_call = is_call(pickles);

	pickles->state = AT_OPCODE;
	pickles->opcodes++;
	run_opcode(pickles);
	if (pickles->belief != PICKLES_GUESSED)
		return;
	if (pickles->stack.is_broken || !is_literal(pickles) || (pickles->opcode == 'R' && !was_call))
		give_up(pickles);
	else if (was_call)
		become_likely(pickles);
}

/* ---- arguments ---- */

static void begin_number(struct pickles *pickles, size_t length)
{
	pickles->state = IN_NUMBER;
	pickles->number_length = 0;
	pickles->number_wanted = length;
}

static void begin_lines(struct pickles *pickles, unsigned count)
{
	pickles->state = IN_LINE;
	pickles->lines_left = count;
	pickles->line_length = 0;
	pickles->is_too_long = false;
	pickles->lines[0][0] = pickles->lines[1][0] = '\0';
}

static void begin_opcode(struct pickles *pickles, uint8_t byte)
{
	static const size_t lengths[] = {[BYTES_1] = 1,
		[BYTES_2] = 2,
		[BYTES_4] = 4,
		[BYTES_8] = 8,
		[COUNTED_1] = 1,
		[COUNTED_4] = 4,
		[COUNTED_8] = 8};
	const struct pickle_opcode *opcode = &pickle_opcodes[byte];

	pickles->opcode = byte;
	pickles->number_length = 0;
	if (opcode->exists && pickles->has_ended_well)
		become_likely(pickles);
	if (!opcode->exists)
		give_up(pickles);
	else if (opcode->argument == NO_ARGUMENT)
		run(pickles);
	else if (opcode->argument == LINE || opcode->argument == TWO_LINES)
		begin_lines(pickles, opcode->argument == LINE ? 1 : 2);
	else
		begin_number(pickles, lengths[opcode->argument]);
}

/* Random bytes that look like an import have no name in it. */
static bool is_plausible(const struct pickles *pickles)
{
	return (pickles->opcode != 'c' && pickles->opcode != 'i') || pickles->belief == PICKLES_CERTAIN ||
	       (pickle_stack_is_name(pickles->lines[0]) && pickle_stack_is_name(pickles->lines[1]));
}

static void end_line(struct pickles *pickles)
{
	unsigned count = pickle_opcodes[pickles->opcode].argument == TWO_LINES ? 2 : 1;
	char *line = pickles->lines[count - pickles->lines_left];
	size_t kept = pickles->line_length < NAME_MAX_BYTES ? pickles->line_length : NAME_MAX_BYTES;

	line[kept] = '\0';
	pickles->is_too_long = pickles->is_too_long || pickles->line_length > NAME_MAX_BYTES;
	pickles->line_length = 0;
	if (--pickles->lines_left > 0)
		return;
	if (is_plausible(pickles))
		run(pickles);
	else
		give_up(pickles);
}

static size_t take_line(struct pickles *pickles, const uint8_t *data, size_t length)
{
	unsigned count = pickle_opcodes[pickles->opcode].argument == TWO_LINES ? 2 : 1;
	char *line = pickles->lines[count - pickles->lines_left];
	const uint8_t *end = memchr(data, '\n', length);
	size_t taken = end ? (size_t)(end - data) : length;
	size_t room = pickles->line_length < NAME_MAX_BYTES ? NAME_MAX_BYTES - pickles->line_length : 0;

	if (room > 0)
		memcpy(line + pickles->line_length, data, taken < room ? taken : room);
	pickles->line_length += taken;
	if (!end)
		return taken;
	end_line(pickles);
	return taken + 1;
}

static size_t take_number(struct pickles *pickles, uint8_t byte)
{
	enum pickle_argument argument = pickle_opcodes[pickles->opcode].argument;

	pickles->number[pickles->number_length++] = byte;
	if (pickles->number_length < pickles->number_wanted)
		return 1;
	if (argument != COUNTED_1 && argument != COUNTED_4 && argument != COUNTED_8) {
		run(pickles);
		return 1;
	}
	pickles->bytes_left = number_of(pickles);
	pickles->counted_length = 0;
	pickles->counted[0] = '\0';
	pickles->state = IN_BYTES;
	if (pickles->bytes_left == 0)
		run(pickles);
	return 1;
}

static size_t take_bytes(struct pickles *pickles, const uint8_t *data, size_t length)
{
	size_t taken = length < pickles->bytes_left ? length : (size_t)pickles->bytes_left;
	size_t room = pickles->counted_length < NAME_MAX_BYTES ? NAME_MAX_BYTES - pickles->counted_length : 0;
	size_t kept = taken < room ? taken : room;

	if (kept > 0) {
		memcpy(pickles->counted + pickles->counted_length, data, kept);
		pickles->counted[pickles->counted_length + kept] = '\0';
	}
	pickles->counted_length += taken;
	pickles->bytes_left -= taken;
	if (pickles->bytes_left == 0)
		run(pickles);
	return taken;
}

bool pickles_feed(struct pickles *pickles, const uint8_t *data, size_t length)
{
	while (length > 0 && pickles->state != OVER) {
		size_t taken = 1;

		if (pickles->state == AT_OPCODE)
			begin_opcode(pickles, *data);
		else if (pickles->state == IN_LINE)
			taken = take_line(pickles, data, length);
		else if (pickles->state == IN_NUMBER)
			taken = take_number(pickles, *data);
		else
			taken = take_bytes(pickles, data, length);
		data += taken;
		length -= taken;
	}
	return pickles->state != OVER;
}

void pickles_end(struct pickles *pickles)
{
	if (pickles->state != OVER && (pickles->state != AT_OPCODE || pickles->opcodes > 0))
		give_up(pickles);
	else if (pickles->state != OVER && pickles->has_ended_well)
		become_likely(pickles);
	pickles->state = OVER;
	if (pickles->pickles > 0 && (pickles->belief == PICKLES_CERTAIN || pickles->has_imported))
		safety_findings_add(
			pickles->findings, SAFETY_PICKLE, pickles->where, "%u of them", pickles->pickles);
}

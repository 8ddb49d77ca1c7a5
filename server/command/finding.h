/* SPDX-License-Identifier: Apache-2.0
 *
 * What a check of larder doctor found, and what is to be done. */
#ifndef SERVER_COMMAND_FINDING_H
#define SERVER_COMMAND_FINDING_H

enum finding_state { FINDING_OK, FINDING_WARNING, FINDING_FAULT };

struct finding {
	enum finding_state state;
	char text[320];
	const char *remedy; /* NULL where nothing is to be done */
};

/* Longer sentences are cut. */
void finding_set(struct finding *finding, enum finding_state state, const char *remedy, const char *format,
	...) __attribute__((format(printf, 4, 5)));

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Short texts that are told on one line, as they read: descriptions, in which people write Markdown all the
 * same. */
#ifndef SERVER_WEB_PLAIN_WORDS_H
#define SERVER_WEB_PLAIN_WORDS_H

/* Without backticks that come in pairs, and of links only their words. The caller frees it. */
char *plain_words(const char *text);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * Modules as a search finds them. */
#ifndef SERVER_API_SEARCH_RESULTS_H
#define SERVER_API_SEARCH_RESULTS_H

/* The names of all parameters that ask_modules reads, with blanks between them; free() it. */
char *search_parameters(void);

#endif

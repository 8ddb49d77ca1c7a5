/* SPDX-License-Identifier: Apache-2.0
 *
 * What languages are called whose codes modules are tagged with. */
#ifndef SERVER_API_LANGUAGE_H
#define SERVER_API_LANGUAGE_H

/* The English name of the language of a code (ISO 639-1, or of three letters; "pt-BR" is Portuguese); NULL
 * where it is not known. */
const char *language_name(const char *code);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * What has come of an import, as JSON: as the daemon answers it, as commands read it from there, and as they
 * print it. */
#ifndef SERVER_API_IMPORT_JSON_H
#define SERVER_API_IMPORT_JSON_H

#include <jansson.h>

#include "server/registry/importer.h"

/* "refused", "faulty", "left". */
const char *import_remark_name(enum import_remark remark);
/* REMARK_REFUSED for any other word. */
enum import_remark import_remark_parse(const char *word);

const char *import_phase_name(enum import_phase phase);
/* IMPORT_PROVING for any other word. */
enum import_phase import_phase_parse(const char *word);

/* {"bundle", "versions" … "signer_recorded"}. verified_by: the fingerprint of the key that has proved it;
 * NULL.
 */
json_t *import_report_json(const struct import_report *report, const char *verified_by);

/* Takes from such an object what is there. */
void import_report_read(const json_t *object, struct import_report *out);

#endif

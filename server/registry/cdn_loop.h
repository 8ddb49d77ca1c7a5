/* SPDX-License-Identifier: Apache-2.0
 *
 * The CDN-Loop header (RFC 8586): is it one, has it come through here before, and what of it is sent on. */
#ifndef SERVER_REGISTRY_CDN_LOOP_H
#define SERVER_REGISTRY_CDN_LOOP_H

#include <stdbool.h>
#include <stddef.h>

#include "common/err.h"

/* How Larders name themselves in it: 24 bytes with the NUL. */
enum { CDN_LOOP_ID_SIZE = 24, CDN_LOOP_MAX = 1024 };
void cdn_loop_make_id(char out[CDN_LOOP_ID_SIZE]);

/* NULL is a request without the header. ERR_BAD_REQUEST where it is none, ERR_LOOP_DETECTED where it has this
 * id, or is longer than CDN_LOOP_MAX, as it came or as it would be sent on. */
bool cdn_loop_check(const char *header, const char *id, struct err *err);

/* What to send upstream: the ids of other Larders in a header that was checked, and ours; free() it. All else
 * stays behind: a loop through us is known by our own id, whatever else is in it. Others may wait for what is
 * asked so; which ids of other Larders stay then: server/registry/trail.h. */
char *cdn_loop_append(const char *header, const char *id);

/* Of two headers as they are sent, both with our id: the ids that are in both, in the order of the first;
 * free() it. */
char *cdn_loop_common(const char *header, const char *other);

#endif

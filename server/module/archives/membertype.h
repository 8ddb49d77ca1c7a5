/* SPDX-License-Identifier: Apache-2.0
 *
 * The types of tar's members that no hub client unpacks: what each is, and how it is avoided. */
#ifndef SERVER_MODULE_ARCHIVES_MEMBERTYPE_H
#define SERVER_MODULE_ARCHIVES_MEMBERTYPE_H

#include "server/module/archives/archive.h"
#include "server/module/findings.h"

/* Adds the finding for a member that is MEMBER_OTHER. */
void membertype_report(struct examination *examination, const struct member *member);

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * What is true wherever the daemon comes by, whoever called: in builds that check (-Dchecks=true) the
 * process aborts where it is not, others do not look. Where the next line would harm memory, assert() stands
 * instead, in every build. */
#ifndef COMMON_INVARIANT_H
#define COMMON_INVARIANT_H

#ifdef LARDER_CHECKS
#include <assert.h>
#define INVARIANT(condition) assert(condition)
#else
#define INVARIANT(condition) ((void)sizeof(condition))
#endif

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * From a member back to what it is a member of: how rows of lists and jobs find their owners. */
#ifndef COMMON_CONTAINER_H
#define COMMON_CONTAINER_H

#include <stddef.h>

/* CONTAINER_OF(job, struct exchange, job); the compiler refuses a pointer to something else. */
#define CONTAINER_OF(pointer, type, member) \
	({ \
		const __typeof__(((type *)0)->member) *member_ = (pointer); \
		(type *)((char *)member_ - offsetof(type, member)); \
	})

#endif

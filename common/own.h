/* SPDX-License-Identifier: Apache-2.0
 *
 * Locals that own: AUTO_… frees at the end of the scope, TAKE_… gives away. There is no goto in this house.
 */
#ifndef COMMON_OWN_H
#define COMMON_OWN_H

#include <stdlib.h>
#include <unistd.h>

#define AUTO(cleaner) __attribute__((cleanup(cleaner)))

static inline void own_free(void *slot)
{
	free(*(void **)slot);
}

static inline void own_close(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static inline int own_take_fd(int *fd)
{
	int taken = *fd;

	*fd = -1;
	return taken;
}

#define AUTO_FREE AUTO(own_free)
#define AUTO_FD AUTO(own_close)
#define TAKE_FD(fd) own_take_fd(&(fd))
#define TAKE(pointer) \
	({ \
		__typeof__(pointer) taken_ = (pointer); \
		(pointer) = NULL; \
		taken_; \
	})

/* Defines a cleaner for AUTO(): AUTO_CLEANER(own_spool, struct spool *, spool_release). */
#define AUTO_CLEANER(name, type, destroy) \
	static inline void name(type *slot) \
	{ \
		destroy(*slot); \
	}

#endif

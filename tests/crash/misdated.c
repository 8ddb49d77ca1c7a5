/* SPDX-License-Identifier: Apache-2.0
 *
 * To be preloaded (LD_PRELOAD): a clock that is wrong by $MISDATED_S seconds, as on a machine without a
 * battery or anybody to ask for the time. What measures how long something takes is right. */
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static time_t error_s(void)
{
	const char *text = getenv("MISDATED_S");

	return text ? (time_t)strtoll(text, NULL, 10) : 0;
}

int clock_gettime(clockid_t clock, struct timespec *out)
{
	int status = REAL(clock_gettime)(clock, out);

	if (status == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE))
		out->tv_sec += error_s();
	return status;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
	int status = REAL(gettimeofday)(out, zone);

	if (status == 0)
		out->tv_sec += error_s();
	return status;
}

time_t time(time_t *out)
{
	struct timespec now;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	if (out)
		*out = now.tv_sec;
	return now.tv_sec;
}

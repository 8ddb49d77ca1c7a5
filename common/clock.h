/* SPDX-License-Identifier: Apache-2.0
 *
 * What time it is, and how times are written. Wall-clock times are seconds since 1970 in UTC. */
#ifndef COMMON_CLOCK_H
#define COMMON_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

struct time_text {
	char text[40];
};

/* Wall clock in seconds. */
int64_t clock_now_s(void);

/* Monotonic milliseconds and microseconds, for durations only. */
int64_t clock_monotonic_ms(void);
int64_t clock_monotonic_us(void);

/* For what nobody announces: looks again later. */
void clock_sleep_ms(int64_t time_ms);

/* "2026-11-21T01:02:03Z" (RFC 3339). */
struct time_text clock_rfc3339(int64_t time_s);

/* "Sat, 21 Nov 2026 01:02:03 GMT" (RFC 9110 section 5.6.7). */
struct time_text clock_http(int64_t time_s);

/* Reads an HTTP date in any of its three forms, or an RFC 3339 time; false if it is none. */
bool clock_parse_http(const char *text, int64_t *out_s);
bool clock_parse_rfc3339(const char *text, int64_t *out_s);

#endif

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/clock.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
static const char *const months[] = {
	"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

static int64_t now_in(clockid_t clock, int64_t per_second)
{
	struct timespec now;

	(void)clock_gettime(clock, &now);
	return now.tv_sec * per_second + now.tv_nsec / (1000000000 / per_second);
}

int64_t clock_now_s(void)
{
	return now_in(CLOCK_REALTIME, 1);
}

int64_t clock_monotonic_ms(void)
{
	return now_in(CLOCK_MONOTONIC, 1000);
}

int64_t clock_monotonic_us(void)
{
	return now_in(CLOCK_MONOTONIC, 1000000);
}

void clock_sleep_ms(int64_t time_ms)
{
	const struct timespec time = {.tv_sec = time_ms / 1000, .tv_nsec = time_ms % 1000 * 1000000};

	(void)nanosleep(&time, NULL);
}

static struct tm broken_down(int64_t time_s)
{
	time_t time = (time_t)time_s;
	struct tm parts = {0};

	(void)gmtime_r(&time, &parts);
	return parts;
}

struct time_text clock_rfc3339(int64_t time_s)
{
	struct tm parts = broken_down(time_s);
	struct time_text out;

	(void)strftime(out.text, sizeof out.text, "%Y-%m-%dT%H:%M:%SZ", &parts);
	return out;
}

/* Not strftime: its names of days and months follow the locale. */
struct time_text clock_http(int64_t time_s)
{
	struct tm parts = broken_down(time_s);
	struct time_text out;

	(void)snprintf(out.text, sizeof out.text, "%s, %02d %s %04d %02d:%02d:%02d GMT",
		days[parts.tm_wday % 7], parts.tm_mday % 100, months[parts.tm_mon % 12],
		(parts.tm_year + 1900) % 10000, parts.tm_hour % 100, parts.tm_min % 100, parts.tm_sec % 100);
	return out;
}

static bool parse_with(const char *text, const char *format, int64_t *out_s)
{
	struct tm parts = {0};
	const char *end = strptime(text, format, &parts);

	if (!end || *end)
		return false;
	*out_s = timegm(&parts);
	return true;
}

/* A blank in a format stands for any number of blanks, also none: at the end it lets them pass. */
bool clock_parse_http(const char *text, int64_t *out_s)
{
	return parse_with(text, "%a, %d %b %Y %H:%M:%S GMT ", out_s) ||
	       parse_with(text, "%A, %d-%b-%y %H:%M:%S GMT ", out_s) ||
	       parse_with(text, "%a %b %e %H:%M:%S %Y ", out_s);
}

bool clock_parse_rfc3339(const char *text, int64_t *out_s)
{
	return parse_with(text, "%Y-%m-%dT%H:%M:%SZ", out_s) || parse_with(text, "%Y-%m-%d", out_s);
}

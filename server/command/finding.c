/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/finding.h"

#include <stdarg.h>
#include <stdio.h>

void finding_set(
	struct finding *finding, enum finding_state state, const char *remedy, const char *format, ...)
{
	va_list values;

	finding->state = state;
	finding->remedy = remedy;
	va_start(values, format);
	(void)vsnprintf(finding->text, sizeof finding->text, format, values);
	va_end(values);
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "common/jsonbounds.h"

bool json_exceeds(const char *text, size_t length, size_t containers_max, size_t values_max)
{
	size_t containers = 0;
	size_t values = 1;
	bool quoted = false;

	for (size_t i = 0; i < length; i++) {
		if (text[i] == '"')
			quoted = !quoted;
		else if (quoted)
			i += text[i] == '\\';
		else if (text[i] == '{' || text[i] == '[')
			containers++;
		else if (text[i] == ',')
			values++;
	}
	return containers > containers_max || values > values_max;
}

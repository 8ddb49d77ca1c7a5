/* SPDX-License-Identifier: Apache-2.0 */
#include "common/network.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

#include "common/number.h"

enum { WORD_MAX = INET6_ADDRSTRLEN + sizeof "/128" };

static const char separators[] = ", \t";

/* IPv4 as IPv6 writes it, so that there is one kind of address: ::ffff:a.b.c.d */
struct network {
	uint8_t prefix[16];
	unsigned bits;
};

static bool parse_address(const char *text, struct network *out)
{
	struct network network = {.prefix = {[10] = 0xff, [11] = 0xff}, .bits = 32};

	if (inet_pton(AF_INET, text, network.prefix + 12) != 1) {
		if (inet_pton(AF_INET6, text, network.prefix) != 1)
			return false;
		network.bits = 128;
	}
	*out = network;
	return true;
}

static bool parse(const char *text, size_t length, struct network *out)
{
	char word[WORD_MAX];
	unsigned widest;
	int64_t bits;
	char *slash;

	if (length >= sizeof word)
		return false;
	(void)snprintf(word, sizeof word, "%.*s", (int)length, text);
	slash = strchr(word, '/');
	if (slash)
		*slash++ = '\0';
	if (!parse_address(word, out))
		return false;
	widest = out->bits;
	bits = widest;
	if (slash && (!number_parse(slash, &bits) || bits < 0 || bits > widest))
		return false;
	out->bits = 128 - widest + (unsigned)bits;
	return true;
}

bool network_check_list(const char *list, struct err *err)
{
	struct network network;

	for (list += strspn(list, separators); *list; list += strspn(list, separators)) {
		size_t length = strcspn(list, separators);

		if (!parse(list, length, &network))
			return err_set(err, ERR_BAD_REQUEST,
				"\"%.*s\" is no network such as 10.0.0.0/8, 2001:db8::/32 or 127.0.0.1",
				(int)(length < 80 ? length : 80), list);
		list += length;
	}
	return true;
}

bool network_covers(const uint8_t *address, const uint8_t *prefix, unsigned bits)
{
	size_t bytes = bits / 8;
	unsigned rest = bits % 8;
	uint8_t mask = (uint8_t)(0xff00 >> rest);

	return memcmp(address, prefix, bytes) == 0 &&
	       (rest == 0 || (address[bytes] & mask) == (prefix[bytes] & mask));
}

bool network_list_has(const char *list, const char *address)
{
	struct network whose, network;

	if (!list || !parse_address(address, &whose))
		return false;
	for (list += strspn(list, separators); *list; list += strspn(list, separators)) {
		size_t length = strcspn(list, separators);

		if (parse(list, length, &network) &&
			network_covers(whose.prefix, network.prefix, network.bits))
			return true;
		list += length;
	}
	return false;
}

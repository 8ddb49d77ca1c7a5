/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/way_proof.h"

#include <curl/curl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "common/pem.h"
#include "server/upstream/proxy_address.h"

/* As libcurl reads them: HTTP_PROXY, which a request may set where a server runs programs, is not among them.
 */
static const char *const variables[] = {"http_proxy", "https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"};

static const char *authorities_file(void)
{
#if LIBCURL_VERSION_NUM >= 0x074600
	const curl_version_info_data *library = curl_version_info(CURLVERSION_NOW);

	if (library->age >= CURLVERSION_SEVENTH)
		return library->cainfo;
#endif
	return NULL;
}

void way_proof_authorities(struct finding *finding)
{
	const char *path = authorities_file();
	struct err err;

	if (!path)
		finding_set(
			finding, FINDING_OK, NULL, "libcurl has no file of authorities, and looks elsewhere");
	else if (!pem_check_authorities(path, &err))
		finding_set(finding, FINDING_WARNING,
			"install ca-certificates, or give each upstream with https a ca_file", "%s",
			err.text);
	else
		finding_set(finding, FINDING_OK, NULL, "%s has certificates to trust", path);
}

static bool is_usable(const char *value)
{
	AUTO_FREE char *address = mem_printf("%s%s", strstr(value, "://") ? "" : "http://", value);

	return proxy_address_is_usable(address);
}

static void add_name(char *names, size_t size, const char *name)
{
	const size_t length = strlen(names);

	(void)snprintf(names + length, size - length, "%s%s", length ? ", " : "", name);
}

void way_proof_proxies(struct finding *finding)
{
	char good[128] = "", bad[128] = "";

	for (size_t i = 0; i < sizeof variables / sizeof *variables; i++) {
		const char *value = getenv(variables[i]);
		const bool is_good = value && *value && is_usable(value);

		if (value && *value)
			add_name(is_good ? good : bad, sizeof good, variables[i]);
	}
	if (*bad)
		finding_set(finding, FINDING_FAULT, "make it an address such as http://proxy.example:3128",
			"what stands in %s is no address of a proxy", bad);
	else if (*good)
		finding_set(finding, FINDING_OK, NULL,
			"%s: upstreams without a proxy of their own are asked through it", good);
	else
		finding_set(finding, FINDING_OK, NULL,
			"the environment of this command names none; the daemon's may be another");
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/hub/target.h"

#include <string.h>
#include <strings.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/api/answer.h"
#include "server/config.h"
#include "server/registry/registry.h"

/* What stands behind this server's own address, or the text as it is. */
static const char *strip_base(
	const struct services *services, const struct request *request, const char *text)
{
	AUTO_FREE char *base = answer_base_url(services, request);
	size_t length = strlen(base);

	return strncasecmp(text, base, length) == 0 && text[length] == '/' ? text + length : text;
}

static bool is_rooted(const char *text)
{
	return *text == '/' || strncasecmp(text, "http://", 7) == 0 || strncasecmp(text, "https://", 8) == 0;
}

bool target_read(const struct services *services, const struct request *request, const char *text,
	struct hub_url *out, char **shown, struct err *err)
{
	AUTO(request_finish) struct request asked = {.method = METHOD_GET};
	const char *path = strip_base(services, request, text);
	AUTO_FREE char *target = mem_printf("%s%s", is_rooted(path) ? "" : "/", path);
	bool read = request_set_target(&asked, target, services->config->hub.hosts, err) &&
		    hub_url_read(&asked, services->catalog, out, err);

	if (read)
		registry_hear(services->registry, &out->name, out->written);
	if (shown)
		*shown = TAKE(asked.log_path);
	return read;
}

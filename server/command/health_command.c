/* SPDX-License-Identifier: Apache-2.0
 *
 * health: whether the daemon of this configuration can serve, for who watches over a container. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "common/mem.h"
#include "common/own.h"
#include "server/command/command.h"
#include "server/command/remote.h"

/* Where a listener for all addresses is reached. */
static const char *reachable(const char *host)
{
	static const char *const wildcards[][2] = {
		{"0.0.0.0", "127.0.0.1"}, {"*", "127.0.0.1"}, {"[::]", "[::1]"}};

	for (size_t i = 0; i < sizeof wildcards / sizeof *wildcards; i++) {
		if (strcmp(host, wildcards[i][0]) == 0)
			return wildcards[i][1];
	}
	return host;
}

/* The URL of the daemon that has this configuration; free() it. */
static bool find_url(const struct place_options *place, char **out, struct err *err)
{
	AUTO_CONFIG struct config *config = NULL;
	AUTO_FREE char *host = NULL;
	const char *colon;

	if (!command_load_config(place, &config, err))
		return false;
	colon = strrchr(config->server.listen, ':');
	if (!colon || strcmp(colon, ":0") == 0)
		return err_set(err, ERR_BAD_REQUEST,
			"server.listen is \"%s\", which leads to no daemon: name its URL, as in \"larder "
			"health http://127.0.0.1:8080\"",
			config->server.listen);
	host = mem_dup_n(config->server.listen, (size_t)(colon - config->server.listen));
	*out = mem_printf(
		"%s://%s%s", config->server.tls_certificate ? "https" : "http", reachable(host), colon);
	return true;
}

static bool ask(const char *url, bool is_itself, struct err *err)
{
	const struct remote_options options = {.server = url, .token = "", .is_itself = is_itself};
	AUTO_REMOTE struct remote *remote = NULL;
	json_auto_t *answer = NULL;

	if (!remote_create(&options, &remote, err) || !remote_get(remote, "/readyz", &answer, err))
		return false;
	return json_is_true(json_object_get(answer, "ready")) || remote_refuse_stranger(remote, err);
}

static int run(void *values, int count, char **words)
{
	const struct place_options *place = values;
	AUTO_FREE char *url = NULL;
	struct err err;

	if (count > 1)
		return command_misuse("health", "health takes one URL");
	if (count == 1)
		url = mem_dup(words[0]);
	else if (!find_url(place, &url, &err))
		return command_fail(&err);
	if (!ask(url, count == 0, &err))
		return command_fail(&err);
	(void)printf("%s is ready\n", url);
	return COMMAND_DONE;
}

static const struct option_row rows[] = {
	{"config", 0, "FILE", TEXT_INTO(struct place_options, config),
		"the daemon's configuration, which says where it listens"},
	{0},
};

const struct command command_health = {
	.name = "health",
	.summary = "tell by the exit status whether the daemon can serve",
	.forms = {"", "URL"},
	.statuses = "1 where nobody answers, or the daemon is not ready.",
	.remarks =
		"Asks /readyz at the URL, or where the configuration has the daemon of this machine listen: "
		"the "
		"health check of a container. It asks that one directly, without a proxy, and whatever name "
		"its certificate has.",
	.groups = {{rows, 0}},
	.options_size = sizeof(struct place_options),
	.run = run,
};

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config_files.h"

#include <stddef.h>

#include "common/clock.h"
#include "common/pem.h"
#include "common/webhook_signature.h"
#include "server/attest/trusted_keys.h"
#include "server/upstream/kaggle_map.h"
#include "server/upstream/kaggle_places.h"
#include "server/upstream/s3/aws_credentials.h"
#include "server/upstream/upstream_credentials.h"

struct looking {
	struct buffer *faults;
	size_t count;
};

static void note(struct looking *looking, const char *section, const char *key, const struct err *err)
{
	buffer_printf(looking->faults, "%s.%s: %s\n", section, key, err->text);
	looking->count++;
}

static void check_server(const struct config *config, struct looking *looking)
{
	const char *certificate = config->server.tls_certificate;
	struct err err;

	if (certificate && config->server.tls_key &&
		!pem_check_pair(certificate, config->server.tls_key, &err))
		note(looking, "server", "tls_certificate, tls_key", &err);
}

static void check_keys(const struct config *config, struct looking *looking)
{
	AUTO_TRUSTED_KEYS struct trusted_keys *keys = NULL;
	struct err err;

	if (!trusted_keys_read(config->publish.trusted_keys, &keys, &err))
		note(looking, "publish", "trusted_keys", &err);
}

static void check_store(const struct config *config, struct looking *looking)
{
	const struct bucket_settings *bucket = &config->store.bucket;
	const char *ca_file = bucket->ca_file;
	AUTO(aws_credentials_finish) struct aws_credentials credentials = {0};
	struct err err;

	if (config->store.kind != STORE_S3)
		return;
	if (!aws_credentials_read(bucket->credentials_file, &credentials, &err))
		note(looking, "store", "credentials_file", &err);
	if (ca_file && !pem_check_authorities(ca_file, &err))
		note(looking, "store", "ca_file", &err);
}

static void check_map(const struct config *config, struct looking *looking)
{
	AUTO_KAGGLE_MAP struct kaggle_map *map = NULL;
	struct err err;

	if (config->hub.kaggle_map && !kaggle_map_read(config->hub.kaggle_map, &map, &err))
		note(looking, "hub", "kaggle_map", &err);
}

bool config_read_map(struct config *config, struct err *err)
{
	struct kaggle_map *own = NULL;

	if (config->hub.kaggle_map && !kaggle_map_read(config->hub.kaggle_map, &own, err))
		return false;
	config->hub.places = kaggle_places_create(own, config->mirror.allow, config->mirror.deny);
	for (size_t i = 0; i < config->upstream_count; i++) {
		if (config->upstreams[i].kind == UPSTREAM_KAGGLE)
			config->upstreams[i].places = config->hub.places;
	}
	return true;
}

static void note_upstream(
	struct looking *looking, const struct upstream *upstream, const char *key, const struct err *err)
{
	buffer_add_string(looking->faults, "upstream ");
	note(looking, upstream->name, key, err);
}

static void check_upstreams(const struct config *config, struct looking *looking)
{
	struct err err;

	for (size_t i = 0; i < config->upstream_count && !config->mirror.offline; i++) {
		const struct upstream *upstream = &config->upstreams[i];
		AUTO_CREDENTIALS struct credentials credentials = {.count = 0};

		if (upstream->ca_file && !pem_check_authorities(upstream->ca_file, &err))
			note_upstream(looking, upstream, "ca_file", &err);
		if (!credentials_read(upstream, &credentials, &err))
			note_upstream(looking, upstream, "credentials", &err);
	}
}

static void note_webhook(
	struct looking *looking, const struct webhook *webhook, const char *key, const struct err *err)
{
	buffer_add_string(looking->faults, "webhook ");
	note(looking, webhook->name, key, err);
}

static void check_webhooks(const struct config *config, struct looking *looking)
{
	struct err err;

	for (size_t i = 0; i < config->webhook_count; i++) {
		const struct webhook *webhook = &config->webhooks[i];
		AUTO_WEBHOOK_SECRETS struct webhook_secrets secrets = {0};

		if (webhook->secret_file && !webhook_secrets_read(webhook->secret_file, &secrets, &err))
			note_webhook(looking, webhook, "secret_file", &err);
		if (webhook->ca_file && !pem_check_authorities(webhook->ca_file, &err))
			note_webhook(looking, webhook, "ca_file", &err);
	}
}

bool config_check_files(const struct config *config, struct buffer *faults, struct err *err)
{
	struct looking looking = {.faults = faults};

	check_server(config, &looking);
	check_keys(config, &looking);
	check_store(config, &looking);
	check_upstreams(config, &looking);
	check_map(config, &looking);
	check_webhooks(config, &looking);
	return looking.count == 0 ||
	       err_set(err, ERR_BAD_REQUEST, "%zu file%s of the configuration cannot be used", looking.count,
		       looking.count == 1 ? "" : "s");
}

bool config_check_dates(const struct config *config, struct err *err)
{
	const char *certificate = config->server.tls_certificate;

	return !certificate || pem_check_dates(certificate, clock_now_s(), err);
}

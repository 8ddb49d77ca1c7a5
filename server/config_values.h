/* SPDX-License-Identifier: Apache-2.0
 *
 * What the configuration says: one struct, which the table of keys fills. */
#ifndef SERVER_CONFIG_VALUES_H
#define SERVER_CONFIG_VALUES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "common/digest.h"
#include "common/log.h"
#include "server/module/archives/archive_limits.h"
#include "server/module/safety/safety_policy.h"
#include "server/upstream/s3/bucket_settings.h"
#include "server/upstream/upstream.h"

/* One [webhook NAME] section. */
struct webhook {
	char *name;
	char *url;
	char *secret_file;
	char *events;  /* names of webhook_events */
	char *ca_file; /* NULL: the system's */
};

/* What a webhook can be told; ends with NULL. */
extern const char *const webhook_events[];

/* Where what is kept is kept. */
enum store_kind { STORE_FOLDER, STORE_S3 };

enum hold { HOLD_NEVER, HOLD_PROXIED, HOLD_ALWAYS };

/* What was set, and by what: "server.listen" by "/etc/larder.ini:3". */
struct setting {
	char *key;
	char *by;
};

struct config {
	struct digest file;       /* of the text that it was read from */
	struct setting *settings; /* what is not as it started, in the order of its setting */
	size_t setting_count;
	struct {
		char *listen;
		char *public_url;      /* NULL: from the request's Host */
		char *trusted_proxies; /* networks; NULL: none */
		bool reads_forwarded;  /* proxy_header = x-forwarded | forwarded */
		char *tls_certificate; /* NULL: plain HTTP */
		char *tls_key;
		int64_t threads;
		int64_t workers;
		int64_t max_connections;
		int64_t idle_timeout_s;
		int64_t head_timeout_s;
		int64_t upload_bytes_per_s;
		int64_t drain_delay_s;
		int64_t drain_timeout_s;
	} server;
	struct {
		char *data_dir;
		int64_t max_bytes;
		int64_t keep_free_bytes;
		int64_t scrub_days; /* 0: never */
	} storage;
	struct {
		enum store_kind kind;
		struct bucket_settings bucket;
		char *node_url; /* NULL: where it listens */
		int64_t poll_interval_s;
		int64_t lease_ttl_s;
		int64_t cache_bytes; /* 0: no limit */
		bool strict;
	} store;
	struct {
		bool read_needs_token; /* read = anyone | token */
	} auth;
	struct {
		int64_t max_upload_bytes;
		struct archive_limits archives; /* mirrored ones, too */
		int64_t commit_timeout_s;
		int64_t max_uploads;
		char *shadow;     /* globs of handles; NULL: none */
		char *namespaces; /* the same */
		bool refuses_unasked;
		char *require_signature; /* globs; NULL: of none */
		char *trusted_keys;      /* as trusted_keys_read() takes them; NULL: none */
	} publish;
	struct safety_policy safety;
	struct {
		enum hold hold_until_verified;
		bool offline;
		int64_t negative_ttl_s;
		int64_t latest_ttl_s;
		int64_t connect_timeout_s;
		int64_t stall_timeout_s;
		int64_t min_bytes_per_s; /* 0: no limit */
		int64_t retries;
		int64_t max_fills;
		int64_t queue_timeout_s;
		char *allow;             /* globs; NULL allows all */
		char *deny;              /* globs; NULL denies none */
		char *require_signature; /* globs; NULL: of none */
		bool private_upstreams;
	} mirror;
	struct {
		char *hosts;                  /* NULL: none */
		char *uncompressed_root;      /* NULL: no such place */
		char *kaggle_map;             /* a file; NULL: none */
		struct kaggle_places *places; /* what it has, once config_read_map() has read it, and more */
	} hub;
	struct {
		enum log_level level;
		enum log_format format;
	} log;
	struct upstream *upstreams; /* in the file's order; the defaults where the file has none */
	size_t upstream_count;
	struct webhook *webhooks; /* in the file's order */
	size_t webhook_count;
};

#endif

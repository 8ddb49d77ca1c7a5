/* SPDX-License-Identifier: Apache-2.0 */
#include "server/config_keys.h"

#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/mem.h"
#include "common/nearness.h"
#include "common/network.h"
#include "common/number.h"
#include "common/own.h"
#include "server/attest/trusted_keys.h"
#include "server/config_values.h"
#include "server/module/handle_globs.h"
#include "server/module/name.h"

static const char list_separators[] = ", \t";

/* ---- kinds of values ---- */

/* An empty value unsets: the slot is NULL then. */
static bool set_text(const struct key *key, void *slot, const char *value, struct err *err)
{
	char **text = slot;

	if (*value && key->check && !key->check(value, err))
		return err_prefix(err, "%s: ", key->name);
	free(*text);
	*text = *value ? mem_dup(value) : NULL;
	return true;
}

static bool set_required(const struct key *key, void *slot, const char *value, struct err *err)
{
	if (!*value)
		return err_set(err, ERR_BAD_REQUEST, "%s cannot be empty", key->name);
	return set_text(key, slot, value, err);
}

/* A URL to which paths are appended: kept without its last slash. */
static bool set_base_url(const struct key *key, void *slot, const char *value, struct err *err)
{
	size_t length = strlen(value);
	AUTO_FREE char *bare = mem_dup_n(value, length && value[length - 1] == '/' ? length - 1 : length);

	return set_text(key, slot, bare, err);
}

static bool set_list(const struct key *key, void *slot, const char *value, struct err *err)
{
	/* No glob and no name has one: somebody indented the next key, which then reads as a continuation. */
	if (strchr(value, '='))
		return err_set(err, ERR_BAD_REQUEST, "%s has an \"=\" in its list: is the next key indented?",
			key->name);
	return set_text(key, slot, value, err);
}

static bool set_number(const struct key *key, void *slot, const char *value, struct err *err)
{
	int64_t number;

	if (!number_parse(value, &number) || number < key->min || number > key->max)
		return err_set(err, ERR_BAD_REQUEST, "%s takes a whole number from %lld to %lld, not \"%s\"",
			key->name, (long long)key->min, (long long)key->max, value);
	*(int64_t *)slot = number;
	return true;
}

static bool set_size(const struct key *key, void *slot, const char *value, struct err *err)
{
	int64_t size;

	if (!number_parse_size(value, &size) || size < key->min)
		return err_set(err, ERR_BAD_REQUEST,
			"%s takes a size of at least %lld bytes such as 512M or 16G, not \"%s\"", key->name,
			(long long)key->min, value);
	*(int64_t *)slot = size;
	return true;
}

static bool find_choice(const struct key *key, const char *value, unsigned *out, struct err *err)
{
	AUTO_BUFFER struct buffer all = {0};

	for (unsigned i = 0; key->choices[i]; i++) {
		if (strcmp(value, key->choices[i]) == 0) {
			*out = i;
			return true;
		}
		buffer_printf(&all, "%s%s", i ? ", " : "", key->choices[i]);
	}
	return err_set(err, ERR_BAD_REQUEST, "%s takes one of %s, not \"%s\"", key->name, buffer_string(&all),
		value);
}

/* Choices alternate between what is off and what is on. */
static bool set_switch(const struct key *key, void *slot, const char *value, struct err *err)
{
	unsigned choice = 0;

	if (!find_choice(key, value, &choice, err))
		return false;
	*(bool *)slot = choice % 2;
	return true;
}

/* For enums that are numbered as their choices are. */
static bool set_choice(const struct key *key, void *slot, const char *value, struct err *err)
{
	return find_choice(key, value, slot, err);
}

static const char *const switch_choices[] = {"off", "on", "false", "true", "no", "yes", "0", "1", NULL};
static const char *const kind_choices[] = {"hub", "kaggle", NULL};
static const char *const store_choices[] = {"folder", "s3", NULL};
static const char *const unasked_choices[] = {"warn", "refuse", NULL};
static const char *const proxy_header_choices[] = {"x-forwarded", "forwarded", NULL};
static const char *const read_choices[] = {"anyone", "token", NULL};
/* As enum safety_action has them. */
static const char *const safety_choices[] = {"off", "warn", "quarantine", "refuse", NULL};
static const char *const hold_choices[] = {"never", "proxied", "always", NULL};
static const char *const level_choices[] = {"error", "warn", "notice", "info", "debug", NULL};
static const char *const log_format_choices[] = {"text", "json", NULL};

static bool check_listen(const char *value, struct err *err)
{
	const char *colon = strrchr(value, ':');
	bool bare_ipv6 = colon && memchr(value, ':', (size_t)(colon - value)) && *value != '[';
	int64_t port;

	if (!colon || colon == value || bare_ipv6 || !number_parse(colon + 1, &port) || port > 65535)
		return err_set(err, ERR_BAD_REQUEST,
			"\"%s\" is no address with a port, such as 127.0.0.1:8080 or [::]:8080", value);
	return true;
}

static bool check_base_url(const char *value, struct err *err)
{
	const char *host = strstr(value, "://");
	bool known = strncmp(value, "http://", 7) == 0 || strncmp(value, "https://", 8) == 0;

	if (!known || !host[3] || host[3] == '/' || strpbrk(value, " \t?#"))
		return err_set(err, ERR_BAD_REQUEST,
			"\"%s\" is no URL that paths can be appended to, such as https://models.example.org",
			value);
	return true;
}

/* Where a bucket is asked for: nothing but a host, since the bucket or its key follows. */
static bool check_endpoint(const char *value, struct err *err)
{
	const char *host = strstr(value, "://");

	if (!check_base_url(value, err))
		return false;
	if (strpbrk(host + 3, "/@"))
		return err_set(err, ERR_BAD_REQUEST,
			"\"%s\" is more than a host and a port, such as https://s3.example.org:9000; the "
			"bucket has a key of its own",
			value);
	return true;
}

/* As all stores take them (AWS' rules for new buckets). */
static bool check_bucket(const char *value, struct err *err)
{
	size_t length = strlen(value);

	if (length < 3 || length > 63 || strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789.-") != length ||
		strchr(".-", value[0]) || strchr(".-", value[length - 1]) || strstr(value, ".."))
		return err_set(err, ERR_BAD_REQUEST,
			"\"%s\" is no bucket's name: 3 to 63 of a-z, 0-9, \".\" and \"-\", which begin and "
			"end "
			"with a letter or digit",
			value);
	return true;
}

/* Keys are written in letters that every version of libcurl signs alike. */
static bool check_prefix(const char *value, struct err *err)
{
	size_t length = strlen(value);

	if (length > 128 || strspn(value, "abcdefghijklmnopqrstuvwxyz0123456789._/-") != length ||
		*value == '/' || strstr(value, "//") || strstr(value, "/.") || *value == '.')
		return err_set(err, ERR_BAD_REQUEST,
			"\"%s\" is no prefix: at most 128 of a-z, 0-9, \".\", \"_\", \"-\" and \"/\" between "
			"names, such as larder/prod",
			value);
	return true;
}

static bool check_region(const char *value, struct err *err)
{
	size_t length = strlen(value);

	if (length > 64 ||
		strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_") != length)
		return err_set(err, ERR_BAD_REQUEST, "\"%s\" is no region, such as eu-central-1", value);
	return true;
}

static bool check_formats(const char *value, struct err *err)
{
	enum format format;

	for (value += strspn(value, list_separators); *value; value += strspn(value, list_separators)) {
		size_t length = strcspn(value, list_separators);
		AUTO_FREE char *name = mem_dup_n(value, length);

		if (!format_parse(name, &format))
			return err_set(err, ERR_BAD_REQUEST,
				"\"%s\" is no format; it must be " FORMATS_IN_WORDS, name);
		value += length;
	}
	return true;
}

static bool check_webhook_url(const char *value, struct err *err)
{
	const char *host = strstr(value, "://");
	bool known = strncmp(value, "http://", 7) == 0 || strncmp(value, "https://", 8) == 0;

	if (!known || !host[3] || strchr("/?#@:", host[3]) || strpbrk(value, " \t#"))
		return err_set(err, ERR_BAD_REQUEST,
			"this is no URL that events can be sent to, such as https://ci.example.org/larder");
	return true;
}

const char *const webhook_events[] = {
	"published", "mirrored", "withdrawn", "quarantined", "fill_failed", NULL};

static bool check_event(const char *name, struct err *err)
{
	size_t count = sizeof webhook_events / sizeof *webhook_events - 1;
	const char *near;

	for (size_t i = 0; i < count; i++) {
		if (strcmp(name, webhook_events[i]) == 0)
			return true;
	}
	near = nearness_find(webhook_events, count, name);
	return err_set(err, ERR_BAD_REQUEST,
		"\"%.40s\" is no event%s%s%s; there are published, mirrored, withdrawn, quarantined and "
		"fill_failed",
		name, near ? ": did you mean " : "", near ? near : "", near ? "?" : "");
}

static bool check_events(const char *value, struct err *err)
{
	for (value += strspn(value, list_separators); *value; value += strspn(value, list_separators)) {
		size_t length = strcspn(value, list_separators);
		AUTO_FREE char *name = mem_dup_n(value, length);

		if (!check_event(name, err))
			return false;
		value += length;
	}
	return true;
}

/* A webhook without an event is a mistake. */
static bool set_events(const struct key *key, void *slot, const char *value, struct err *err)
{
	if (value[strspn(value, list_separators)])
		return set_list(key, slot, value, err);
	return err_set(err, ERR_BAD_REQUEST, "%s cannot be empty: leave it out for all events", key->name);
}

/* ---- the keys ---- */

#define KEY(section_, key_) \
	.section = #section_, .name = #key_, .offset = offsetof(struct config, section_.key_)
/* Where the key is named otherwise than its member. */
#define KEY_IN(section_, key_, member_) \
	.section = #section_, .name = #key_, .offset = offsetof(struct config, section_.member_)
#define RANGE(min_, max_) .set = set_number, .min = (min_), .max = (max_)
#define SIZE(min_) .set = set_size, .min = (min_)
#define LIST .set = set_list, .is_list = true
#define SWITCH .set = set_switch, .choices = switch_choices

_Static_assert(sizeof(enum hold) == sizeof(unsigned), "set_choice() writes an unsigned");
_Static_assert(sizeof(enum store_kind) == sizeof(unsigned), "set_choice() writes an unsigned");
_Static_assert(sizeof(enum upstream_kind) == sizeof(unsigned), "set_choice() writes an unsigned");
_Static_assert(sizeof(enum log_level) == sizeof(unsigned), "set_choice() writes an unsigned");
_Static_assert(sizeof(enum log_format) == sizeof(unsigned), "set_choice() writes an unsigned");

const struct key config_keys[CONFIG_KEY_COUNT] = {
	/* clang-format off */
	{KEY(server, listen), .set = set_required, .check = check_listen, .initial = "127.0.0.1:8080",
		.purpose = "Address and port to listen on; port 0 takes a free one. IPv6: [::]:8080."},
	{KEY(server, public_url), .set = set_base_url, .check = check_base_url, .initial = "",
		.purpose = "URL at which clients reach Larder, for links. Empty: from the request's Host."},
	{KEY(server, trusted_proxies), LIST, .check = network_check_list, .initial = "",
		.purpose = "Networks of proxies in front of Larder, such as 10.0.0.0/8 127.0.0.1: what they tell of their clients counts. Empty: none."},
	{KEY_IN(server, proxy_header, reads_forwarded), .set = set_switch, .choices = proxy_header_choices, .initial = "x-forwarded",
		.purpose = "What those proxies write: x-forwarded (X-Forwarded-For, -Proto, -Host) or forwarded (RFC 7239). The other one is not read."},
	{KEY(server, tls_certificate), .set = set_text, .initial = "",
		.purpose = "PEM file with certificate and chain; with tls_key, Larder speaks HTTPS only."},
	{KEY(server, tls_key), .set = set_text, .initial = "",
		.purpose = "PEM file with the certificate's private key."},
	{KEY(server, threads), RANGE(0, 1024), .initial = "0",
		.purpose = "Threads that send and receive; 0: one per core, at least 2."},
	{KEY(server, workers), RANGE(0, 4096), .initial = "0",
		.purpose = "Threads for requests that wait, and as many for those that wait for the disk; 0: two per core, at least 8."},
	{KEY(server, max_connections), RANGE(1, 1000000), .initial = "4096",
		.purpose = "Connections open at the same time; more wait in the kernel's queue. With TLS each takes three descriptors."},
	{KEY(server, idle_timeout_s), RANGE(1, 86400), .initial = "75",
		.purpose = "A connection on which nothing moves for so long is closed."},
	{KEY(server, head_timeout_s), RANGE(0, 86400), .initial = "30",
		.purpose = "A request's head, or a TLS handshake, has to be there so long after its first byte; 0: any time."},
	{KEY(server, upload_bytes_per_s), RANGE(0, 1000000), .initial = "500",
		.purpose = "An upload that is slower over 20 seconds is closed; 0: none is."},
	{KEY(server, drain_delay_s), RANGE(0, 3600), .initial = "0",
		.purpose = "How long all is served on after SIGTERM while /readyz says 503, so that balancers notice; a second SIGTERM ends it."},
	{KEY(server, drain_timeout_s), RANGE(0, 86400), .initial = "30",
		.purpose = "How long running answers may go on after SIGTERM."},

	{KEY(storage, data_dir), .set = set_required, .initial = "larder-data",
		.purpose = "Folder of the database and of all modules; made when missing."},
	{KEY(storage, max_bytes), SIZE(0), .initial = "0",
		.purpose = "Most bytes of mirrored modules to keep, last used ones first. 0: no limit. Where kind = s3: in the bucket, whenever larder gc runs."},
	{KEY(storage, keep_free_bytes), SIZE(0), .initial = "1G",
		.purpose = "Bytes to leave free on the disk: before it gets fuller, mirrored modules go."},
	{KEY(storage, scrub_days), RANGE(0, 3650), .initial = "0",
		.purpose = "Read all that is stored once in so many days, behind all other work, and hold it against its digests. 0: never."},

	{KEY(store, kind), .set = set_choice, .choices = store_choices, .initial = "folder",
		.purpose = "Where what is kept is kept: folder (data_dir), or s3, a bucket that several nodes share (docs/scale-out.md)."},
	{KEY_IN(store, endpoint, bucket.endpoint), .set = set_base_url, .check = check_endpoint, .initial = "",
		.purpose = "Where the bucket's store answers, such as https://s3.example.org:9000. Empty: AWS, by its region."},
	{KEY_IN(store, bucket, bucket.name), .set = set_text, .check = check_bucket, .initial = "",
		.purpose = "The bucket, which must be there. Required by kind = s3."},
	{KEY_IN(store, prefix, bucket.prefix), .set = set_base_url, .check = check_prefix, .initial = "",
		.purpose = "What all keys in the bucket begin with, such as larder/prod, where it is not Larder's alone."},
	{KEY_IN(store, region, bucket.region), .set = set_required, .check = check_region, .initial = "us-east-1",
		.purpose = "Region that requests are signed for; stores of one's own mostly take us-east-1."},
	{KEY_IN(store, credentials_file, bucket.credentials_file), .set = set_text, .initial = "",
		.purpose = "File with the credentials, as AWS' tools share it, read anew when it changes. Empty: AWS_ACCESS_KEY_ID and its like."},
	{KEY_IN(store, ca_file, bucket.ca_file), .set = set_text, .initial = "",
		.purpose = "PEM file with the certificates to trust. Empty: the system's."},
	{KEY_IN(store, path_style, bucket.path_style), SWITCH, .initial = "on",
		.purpose = "Write the bucket into the path of URLs; off: before the host's name, as AWS prefers it."},
	{KEY_IN(store, connect_timeout_s, bucket.connect_timeout_s), RANGE(1, 3600), .initial = "5",
		.purpose = "How long connecting to the store may take."},
	{KEY_IN(store, timeout_s, bucket.timeout_s), RANGE(1, 86400), .initial = "20",
		.purpose = "How long it may leave a request without an answer, or a body without a byte."},
	{KEY(store, node_url), .set = set_base_url, .check = check_base_url, .initial = "",
		.purpose = "URL at which the other nodes reach this one. Empty: where it listens, or the machine's name."},
	{KEY(store, poll_interval_s), RANGE(1, 3600), .initial = "5",
		.purpose = "How often a node looks for what others have changed."},
	{KEY(store, lease_ttl_s), RANGE(5, 3600), .initial = "30",
		.purpose = "How long a node that fetches a module may be silent before another takes over."},
	{KEY(store, cache_bytes), SIZE(0), .initial = "0",
		.purpose = "Most bytes of modules to keep on this node's disk too, last used ones first. 0: no limit."},
	{KEY(store, strict), SWITCH, .initial = "off",
		.purpose = "Ask the bucket before each download whether the version was withdrawn meanwhile."},

	{.section = "auth", .name = "read", .offset = offsetof(struct config, auth.read_needs_token),
		.set = set_switch, .choices = read_choices, .initial = "anyone",
		.purpose = "Who may read: anyone, or whoever has a token. Writing always takes a token."},

	{KEY(publish, max_upload_bytes), SIZE(1), .initial = "16G",
		.purpose = "Largest module that may be published, as it is uploaded."},
	{KEY_IN(publish, max_unpacked_bytes, archives.max_unpacked_bytes), SIZE(1), .initial = "64G",
		.purpose = "Largest module when unpacked; mirrored ones too, as for the next two."},
	{KEY_IN(publish, max_members, archives.max_members), RANGE(1, 10000000), .initial = "100000",
		.purpose = "Most files and folders in one archive."},
	{KEY_IN(publish, max_ratio, archives.max_ratio), RANGE(1, 1000000), .initial = "200",
		.purpose = "Most unpacked bytes per byte of archive: trained weights stay below 10, zeros reach 1032."},
	{KEY(publish, commit_timeout_s), RANGE(0, 86400), .initial = "300",
		.purpose = "How long a received upload or fill may wait for another process that has the database; then 503."},
	{KEY(publish, max_uploads), RANGE(1, 10000), .initial = "64",
		.purpose = "Uploads at the same time; more wait for their turn before they are sent."},
	{KEY(publish, namespaces), LIST, .check = handle_globs_check, .initial = "",
		.purpose = "Handles that are this site's own, as patterns such as acme/*: no upstream is ever asked for them."},
	{KEY(publish, shadow), LIST, .check = handle_globs_check, .initial = "",
		.purpose = "Handles that may be published here although an upstream has them too. Empty: none."},
	{KEY_IN(publish, unasked, refuses_unasked), .set = set_switch, .choices = unasked_choices, .initial = "warn",
		.purpose = "What becomes of a new handle while an upstream cannot be asked whether it has it: warn or refuse."},
	{KEY(publish, require_signature), LIST, .initial = "",
		.purpose = "Handles of which only what a trusted key has signed may be published, as patterns such as acme/*. Empty: none."},
	{KEY(publish, trusted_keys), LIST, .check = trusted_keys_check, .initial = "",
		.purpose = "Keys that are trusted, separated by commas: NAME FILE [from TIME] [until TIME], such as ci /etc/larder/ci.pub until 2027-01-01."},

	{KEY(safety, published), .set = set_choice, .choices = safety_choices, .initial = "warn",
		.purpose = "What is done about high and critical findings in what is published: off, warn, quarantine or refuse."},
	{KEY(safety, mirrored), .set = set_choice, .choices = safety_choices, .initial = "warn",
		.purpose = "The same in what is mirrored."},
	{KEY(safety, rules), LIST, .check = safety_policy_check, .initial = "",
		.purpose = "Exceptions, the last one that fits counts: RULE:ACTION or RULE@HANDLES:ACTION, such as pickle-danger:refuse."},

	{KEY(mirror, hold_until_verified), .set = set_choice, .choices = hold_choices, .initial = "proxied",
		.purpose = "Who waits for a whole new module instead of following it: never, proxied (requests through "
			   "a proxy) or always."},
	{KEY(mirror, offline), SWITCH, .initial = "off",
		.purpose = "Never ask an upstream; what is not here is answered 504."},
	{KEY(mirror, negative_ttl_s), RANGE(0, 31536000), .initial = "600",
		.purpose = "How long to remember that no upstream has a module, or why they refuse it for good; 0: not at all."},
	{KEY(mirror, latest_ttl_s), RANGE(0, 31536000), .initial = "600",
		.purpose = "How long it is believed which version upstream called its latest."},
	{KEY(mirror, connect_timeout_s), RANGE(1, 3600), .initial = "10",
		.purpose = "How long connecting to an upstream may take."},
	{KEY(mirror, stall_timeout_s), RANGE(1, 86400), .initial = "60",
		.purpose = "A transfer that brings no byte for so long has failed."},
	{KEY(mirror, min_bytes_per_s), SIZE(0), .initial = "1K",
		.purpose = "One that brings less a second for stall_timeout_s has failed as well. 0: no limit."},
	{KEY(mirror, retries), RANGE(0, 100), .initial = "5",
		.purpose = "How often a broken transfer is resumed."},
	{KEY(mirror, max_fills), RANGE(1, 10000), .initial = "32",
		.purpose = "Modules fetched at the same time; more wait for their turn."},
	{KEY(mirror, queue_timeout_s), RANGE(1, 86400), .initial = "300",
		.purpose = "How long a client's module may wait for its turn before it is answered 503."},
	{KEY(mirror, allow), LIST, .initial = "",
		.purpose = "Handles that may be mirrored, as patterns such as google/* tensorflow/*. Empty: all."},
	{KEY(mirror, deny), LIST, .initial = "",
		.purpose = "Handles that may not be, whatever allow says. Empty: none."},
	{KEY(mirror, require_signature), LIST, .initial = "",
		.purpose = "Handles that are mirrored only where another Larder brings a signature by a key of publish.trusted_keys. Empty: none."},
	{KEY(mirror, private_upstreams), SWITCH, .initial = "off",
		.purpose = "Let an upstream redirect to private, loopback and link-local addresses."},

	{KEY(hub, hosts), LIST,
		.initial = "tfhub.dev, www.tfhub.dev, hub.tensorflow.google.cn, gcs.tensorflow.google.cn,"
			   " storage.googleapis.com/tfhub-modules|tfhub-lite-models|tfhub-tfjs-modules,"
			" kaggle.com, www.kaggle.com",
		.purpose = "Hosts, or host/folder|folder, whose URLs Larder answers for, as /https://<host>/<path> and as a proxy."},
	{KEY(hub, uncompressed_root), .set = set_text, .initial = "",
		.purpose = "Where modules lie unpacked, such as gs://bucket: the answer to tf-hub-format=uncompressed."},
	{KEY(hub, kaggle_map), .set = set_text, .initial = "",
		.purpose = "File with old names and where Kaggle has them: each line <handle>[/<version>], a tab, <owner>/<model>/<framework>/<variation>[/<version>]."},

	{KEY(log, level), .set = set_choice, .choices = level_choices, .initial = "info",
		.purpose = "Least severe events to write: error, warn, notice, info (requests, too) or debug."},
	{KEY(log, format), .set = set_choice, .choices = log_format_choices, .initial = "text",
		.purpose = "One line an event, as text or as json."},
	/* clang-format on */
};

#define UPSTREAM_KEY(key_) .section = "upstream", .name = #key_, .offset = offsetof(struct upstream, key_)

const struct key upstream_keys[UPSTREAM_KEY_COUNT] = {
	/* clang-format off */
	{UPSTREAM_KEY(url), .set = set_required, .check = upstream_check_url,
		.initial = "https://tfhub.dev/{path}?{query}",
		.purpose = "Where it has a module: {path} (handle/version) {handle} {version} {format} {query}."},
	{UPSTREAM_KEY(kind), .set = set_choice, .choices = kind_choices, .initial = "hub",
		.purpose = "hub, or kaggle: then url is its API's, https://www.kaggle.com/api/v1 if there is none."},
	{UPSTREAM_KEY(match), LIST, .initial = "",
		.purpose = "Handles to ask it for, as patterns. Empty: all."},
	{UPSTREAM_KEY(formats), LIST, .check = check_formats, .initial = "",
		.purpose = "Formats to ask it for: tf-hub, tfjs, tflite, coral, archive. Empty: all that url can tell apart."},
	{UPSTREAM_KEY(ca_file), .set = set_text, .initial = "",
		.purpose = "PEM file with the certificates to trust. Empty: the system's."},
	{UPSTREAM_KEY(bearer_token_file), .set = set_text, .initial = "",
		.purpose = "File with a token to send it. Empty: none."},
	{UPSTREAM_KEY(basic_file), .set = set_text, .initial = "",
		.purpose = "File with user:password to send it (Basic). Empty: none."},
	{UPSTREAM_KEY(header_file), .set = set_text, .initial = "",
		.purpose = "File with headers to send it, each line Name: value, # before remarks. Empty: none."},
	{UPSTREAM_KEY(credentials_file), .set = set_text, .initial = "",
		.purpose = "File as kaggle.json is, or with a token alone. Empty: none."},
	{UPSTREAM_KEY(proxy), .set = set_text, .check = upstream_check_proxy, .initial = "",
		.purpose = "Proxy to reach it by, http://host:port, or none. Empty: what http_proxy, https_proxy and no_proxy say."},
	{UPSTREAM_KEY(rate_bytes_per_s), SIZE(0), .initial = "0",
		.purpose = "Most bytes a second for each transfer from it; 0: no limit."},
	{UPSTREAM_KEY(max_connections), RANGE(1, 1000), .initial = "32",
		.purpose = "Transfers from it at the same time. It leaves a quarter of max_fills to other upstreams."},
	/* clang-format on */
};

#define WEBHOOK_KEY(key_) .section = "webhook", .name = #key_, .offset = offsetof(struct webhook, key_)

const struct key webhook_keys[WEBHOOK_KEY_COUNT] = {
	/* clang-format off */
	{WEBHOOK_KEY(url), .set = set_required, .check = check_webhook_url, .initial = "https://ci.example.org/larder",
		.purpose = "Where events are sent, by POST. Required."},
	{WEBHOOK_KEY(secret_file), .set = set_required, .initial = "/etc/larder/ci.secret",
		.purpose = "File with what they are signed with: \"whsec_\" and base64, or at least 16 other characters; one a line. Required."},
	{WEBHOOK_KEY(events), .set = set_events, .is_list = true, .check = check_events,
		.initial = "published, mirrored, withdrawn, quarantined, fill_failed",
		.purpose = "What is sent."},
	{WEBHOOK_KEY(ca_file), .set = set_text, .initial = "",
		.purpose = "PEM file with the certificates to trust. Empty: the system's."},
	/* clang-format on */
};

static const struct key *find(const struct key *table, size_t count, const char *section, const char *name)
{
	for (size_t i = 0; i < count; i++) {
		if (strcmp(table[i].section, section) == 0 && strcmp(table[i].name, name) == 0)
			return &table[i];
	}
	return NULL;
}

const struct key *key_find(const char *section, const char *name)
{
	const struct key *key = find(config_keys, CONFIG_KEY_COUNT, section, name);

	if (!key)
		key = find(upstream_keys, UPSTREAM_KEY_COUNT, section, name);
	return key ? key : find(webhook_keys, WEBHOOK_KEY_COUNT, section, name);
}

bool key_set(const struct key *key, void *base, const char *value, struct err *err)
{
	return key->set(key, (char *)base + key->offset, value, err);
}

void keys_set_initial(const struct key *table, size_t count, void *base)
{
	struct err err;

	for (size_t i = 0; i < count; i++) {
		if (!key_set(&table[i], base, table[i].initial, &err)) {
			(void)fprintf(
				stderr, "larder: the default of %s is wrong: %s\n", table[i].name, err.text);
			abort();
		}
	}
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/app.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common/clock.h"
#include "common/file.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/api/events.h"
#include "server/gatekeeper.h"
#include "server/http/front.h"
#include "server/http/response_cache.h"
#include "server/kagglehub/alarms.h"
#include "server/module/documents/renderings.h"
#include "server/registry/tidings.h"
#include "server/registry/access.h"
#include "server/registry/audit_heads.h"
#include "server/registry/backfill.h"
#include "server/registry/budget.h"
#include "server/registry/capabilities.h"
#include "server/registry/imports.h"
#include "server/registry/invalidation.h"
#include "server/registry/janitor.h"
#include "server/registry/parcels.h"
#include "server/registry/peer_notes.h"
#include "server/registry/publisher.h"
#include "server/registry/reclaimable.h"
#include "server/registry/registry.h"
#include "server/registry/services.h"
#include "server/registry/sessions.h"
#include "server/registry/space.h"
#include "server/registry/traffic.h"
#include "server/registry/trust.h"
#include "server/registry/turns.h"
#include "server/registry/wants.h"
#include "server/registry/webhooks.h"
#include "server/routes.h"
#include "server/store/catalog/catalog_audit.h"
#include "server/store/catalog/catalog_filesums.h"
#include "server/store/catalog/catalog_opening.h"
#include "server/store/catalog/catalog_places.h"
#include "server/store/catalog/catalog_store.h"
#include "server/store/folder_lock.h"
#include "server/store/restore_mark.h"
#include "server/store/outgoing.h"
#include "server/store/unpacked/members.h"
#include "server/upstream/kaggle_map.h"
#include "server/upstream/kaggle_places.h"
#include "server/vault/store_identity.h"
#include "server/vault/vault_alone.h"
#include "server/vault/vault_bucket.h"
#include "server/vault/vault.h"

enum { RENDERINGS_BYTES_MAX = 16 << 20 };

static const struct response_cache_limits response_cache_limits = {
	.replies = 8192, .files = 128, .bytes = 32 << 20};

struct app {
	const struct config *config;
	int lock_fd;
	struct services services;
	_Atomic(struct access *) access; /* the services', once they have it */
	struct response_cache *response_cache;
	struct invalidation *invalidation; /* NULL: other processes cannot be heard */
	struct store_id store;             /* the bucket that it shares */
	struct vault *vault;
	struct tidings *tidings;      /* NULL: nobody else withdraws anything */
	char *own_url;                /* where it is reached, as far as the system tells, */
	const char *_Atomic node_url; /* … or as other nodes are told */
	struct committer *committer;
	struct holdup *holdup;
	struct checkpoints *checkpoints;
	struct backfill *backfill;
	struct space *space;
	struct janitor *janitor;
	struct download_counters *download_counters;
	struct audit_heads audit_heads; /* their thread's */
	struct webhooks *webhooks;
	struct client *client;
	struct front *front;
	char *url; /* where the configuration says that it listens */
};

static bool open_writable(const char *data_dir, struct services *services, struct err *err)
{
	return (services->catalog || catalog_open(data_dir, &services->catalog, err)) &&
	       catalog_check(services->catalog, err);
}

/* A full disk is no reason not to serve what is here. */
static bool open_catalog(const char *data_dir, struct services *services, struct err *err)
{
	return open_writable(data_dir, services, err) ||
	       (blobs_spend_reserve(services->blobs) && open_writable(data_dir, services, err));
}

static void forget(void *response_cache, const char *label)
{
	response_cache_forget(response_cache, label);
}

static bool take_place(void *map, const struct name *old, const struct name *place, struct err *err)
{
	(void)err;
	kaggle_map_add(map, old, place);
	return true;
}

static bool bring_places(const struct app *app, struct err *err)
{
	AUTO_KAGGLE_MAP struct kaggle_map *map = kaggle_map_create();

	if (!app->config->hub.places)
		return true;
	if (!catalog_each_place(app->services.catalog, take_place, map, err))
		return false;
	if (!kaggle_map_seal(map, err))
		return false;
	kaggle_places_import(app->config->hub.places, TAKE(map));
	return true;
}

/* Another process has changed the store. */
static void hear(void *context, const char *label)
{
	const struct app *app = context;
	struct access *access = atomic_load(&app->access);
	struct err err;

	if (strcmp(label, INVALIDATION_TOKENS) == 0 && access)
		access_forget(access);
	else if (strcmp(label, INVALIDATION_PLACES) != 0)
		forget(app->response_cache, label);
	else if (!bring_places(app, &err))
		log_event(LOG_LEVEL_WARN, "places at Kaggle that were imported count from the next start on",
			"why", err.text, NULL);
}

/* Without it other processes have to wait for what is kept at hand, and no more. */
static void open_invalidation(struct app *app)
{
	struct err err;

	if (!invalidation_open(app->config->storage.data_dir, hear, app, &app->invalidation, &err))
		log_event(LOG_LEVEL_WARN,
			"larder gc beside this daemon will not remove what it keeps at hand", "why", err.text,
			NULL);
}

/* Without them the list of files has no digests; they are told again when it is unpacked again. */
static void note_filesums(void *catalog, const struct digest *archive, const struct filesums *sums)
{
	struct err err;

	if (!catalog_record_filesums(catalog, archive, sums, &err))
		log_event(LOG_LEVEL_WARN, "the digests of an archive's files were not written down", "sha256",
			archive->hex, "why", err.text, NULL);
}

static bool open_stores(struct app *app, struct err *err)
{
	const char *data_dir = app->config->storage.data_dir;
	struct services *services = &app->services;
	const struct space_limits limits = {config_cache_bytes(app->config),
		app->config->storage.keep_free_bytes, config_cache_key(app->config)};
	struct reclaimable reclaimables[2];
	struct members_room room;

	if (!restore_mark_check(data_dir, err) || !folder_lock_take(data_dir, &app->lock_fd, err) ||
		!blobs_open(data_dir, &services->blobs, err) || !open_catalog(data_dir, services, err) ||
		!catalog_belong_to(services->catalog, &app->store, err) ||
		!members_open(data_dir, &app->config->publish.archives, app->config->storage.keep_free_bytes,
			&services->members, err) ||
		!members_put_aside(services->members, err))
		return false;
	app->committer = committer_create(services->catalog, services->blobs, services->members, app->vault);
	app->response_cache = response_cache_create(&response_cache_limits);
	committer_set_forget(app->committer, forget, app->response_cache);
	open_invalidation(app);
	if (!bring_places(app, err))
		return false;
	if (!committer_sweep_drafts(app->committer, err) || !outgoing_sweep(data_dir, err))
		return false;
	app->checkpoints = checkpoints_create(services->catalog, services->blobs);
	reclaimables[0] = reclaimable_members(services->members);
	reclaimables[1] = reclaimable_drafts(app->checkpoints);
	app->space =
		space_create(&limits, services->catalog, services->blobs, app->committer, reclaimables, 2);
	services->space = app->space;
	room = reclaimable_room(app->space);
	members_set_room(services->members, &room);
	members_set_witness(services->members, &(struct members_witness){note_filesums, services->catalog});
	return true;
}

static struct naming_rules naming_of(const struct config *config)
{
	return (struct naming_rules){
		config->publish.shadow, config->publish.namespaces, config->publish.refuses_unasked};
}

static void open_mirror(struct app *app)
{
	const struct config *config = app->config;
	const struct client_settings client = {
		.connect_timeout_s = config->mirror.connect_timeout_s,
		.stall_timeout_s = config->mirror.stall_timeout_s,
		.min_bytes_per_s = config->mirror.min_bytes_per_s,
		.private_redirects = config->mirror.private_upstreams,
		.user_agent = "larder/" LARDER_VERSION,
	};
	const struct mirror_policy policy = {config->mirror.offline, config->mirror.allow,
		config->mirror.deny, config->mirror.max_fills, naming_of(config)};
	struct fill_tools tools = {
		.settings = {config->upstreams, config->upstream_count, config->mirror.retries,
			config->mirror.negative_ttl_s, config->mirror.latest_ttl_s,
			config->mirror.connect_timeout_s, config->mirror.queue_timeout_s,
			config->publish.commit_timeout_s, config->publish.archives, &config->safety},
		.catalog = app->services.catalog,
		.blobs = app->services.blobs,
		.committer = app->committer,
		.space = app->space,
		.vault = app->vault,
		.peers = {&app->node_url, app->services.capabilities, app->config->store.bucket.ca_file,
			app->config->store.lease_ttl_s, app->services.peer_notes},
		.checkpoints = app->checkpoints,
		.trust = app->services.trust,
		.failed_fills = webhooks_failed_fills(app->webhooks),
	};

	app->client = client_create(&client);
	tools.client = app->client;
	app->services.mirror = mirror_create(&tools, &policy);
}

static void notice_kept(void *backfill)
{
	backfill_notice(backfill);
}

static bool open_backfill(struct app *app, struct err *err)
{
	if (!backfill_create(app->services.catalog, app->services.blobs, app->committer, &app->backfill, err))
		return false;
	committer_set_kept(app->committer, notice_kept, app->backfill);
	return true;
}

/* On the thread of the counters, every few seconds. */
static void write_beside(void *context)
{
	struct app *app = context;
	struct access *access = atomic_load(&app->access);
	struct err err;

	audit_heads_tell(&app->audit_heads, clock_now_s());
	if (access && !access_write_uses(access, false, &err))
		log_event(LOG_LEVEL_WARN, "uses of tokens are written down later", "why", err.text, NULL);
	if (!wants_write(app->services.wants, &err))
		log_event(LOG_LEVEL_WARN, "what was wanted is written down later", "why", err.text, NULL);
}

static bool open_counters(struct app *app, struct err *err)
{
	struct services *services = &app->services;

	services->wants = wants_create(services->catalog);
	app->audit_heads.catalog = services->catalog;
	if (!download_counters_create(services->catalog, &app->download_counters, err))
		return false;
	download_counters_write_beside(app->download_counters, &(struct counters_beside){write_beside, app});
	return true;
}

/* Of the workers that wait for the disk a quarter is left to the ends of uploads. */
static int64_t unpackings_at_once(const struct config *config)
{
	unsigned workers = front_worker_count((unsigned)config->server.workers);

	return workers > 1 ? workers - (workers + 3) / 4 : 1;
}

static void open_turns(struct services *services)
{
	static const struct turns_kind uploads = {
		"uploads", "publish.max_uploads", 8, METRIC_UPLOADS_WAITING};
	static const struct turns_kind unpackings = {
		"unpackings", "server.workers", 0, METRIC_UNPACKINGS_WAITING};

	services->turns = turns_create(&uploads, services->config->publish.max_uploads);
	services->unpackings = turns_create(&unpackings, unpackings_at_once(services->config));
}

static void open_registry(struct app *app)
{
	struct services *services = &app->services;
	const struct config *config = services->config;
	const struct registry_sharing sharing = {.strict = config->store.strict,
		.poll_interval_s = config->store.poll_interval_s,
		.workers = front_worker_count((unsigned)config->server.workers)};

	services->registry = registry_create(services->catalog, services->blobs, app->committer,
		services->mirror, app->download_counters, services->wants, &sharing);
}

static bool open_imports(struct app *app, struct err *err)
{
	const struct config *config = app->config;
	const struct importer importer = {app->services.catalog, app->services.blobs, app->committer,
		app->space, {NULL, config->storage.keep_free_bytes}, config->publish.max_upload_bytes,
		config->publish.archives, &config->safety};

	return imports_create(
		&importer, config->storage.data_dir, IMPORTS_SWEEP_EACH_MS, &app->services.imports, err);
}

static bool open_access(struct app *app, struct err *err)
{
	struct services *services = &app->services;

	if (!access_create(services->catalog, app->vault, app->config->auth.read_needs_token,
		    &services->access, err))
		return false;
	atomic_store(&app->access, services->access);
	return true;
}

static bool open_services(struct app *app, struct err *err)
{
	const struct config *config = app->config;
	struct services *services = &app->services;
	struct publisher_settings publishing = {config->publish.max_upload_bytes, config->publish.archives,
		NULL, NULL, &config->safety, naming_of(config)};

	if (!open_access(app, err) || !trust_create(config, services->catalog, &services->trust, err) ||
		!open_counters(app, err) ||
		!janitor_create(&(struct blob_losses){services->catalog, services->blobs, app->committer},
			config->storage.scrub_days, &app->janitor, err) ||
		!tidings_create(app->vault, services->catalog, app->committer, config->store.poll_interval_s,
			&app->tidings, err) ||
		!open_backfill(app, err) ||
		!holdup_create(services->catalog, config->publish.commit_timeout_s, &app->holdup, err) ||
		!open_imports(app, err) || !alarms_create(&services->alarms, err) ||
		!parcels_create(app->space, services->blobs, config->publish.max_upload_bytes,
			&services->parcels, err) ||
		!webhooks_create(services->catalog, config, &app->webhooks, err))
		return false;
	publishing.holdup = app->holdup;
	publishing.trust = services->trust;
	services->capabilities = capabilities_create(services->access);
	services->sessions = sessions_create(services->access);
	open_mirror(app);
	services->budget = budget_create();
	services->traffic = traffic_create(clock_monotonic_ms());
	open_turns(services);
	services->publisher =
		publisher_create(&publishing, services->catalog, services->blobs, app->committer, app->space);
	open_registry(app);
	return events_create(services, &services->events, err);
}

static bool open_front(struct app *app, struct err *err)
{
	const struct config *config = app->config;
	const struct front_settings settings = {
		.listen = config->server.listen,
		.tls_certificate = config->server.tls_certificate,
		.tls_key = config->server.tls_key,
		.trusted_proxies = config->server.trusted_proxies,
		.proxies_write = config->server.reads_forwarded ? FORWARDED_RFC7239 : FORWARDED_X,
		.hub_hosts = config->hub.hosts,
		.threads = (unsigned)config->server.threads,
		.workers = (unsigned)config->server.workers,
		.max_connections = (unsigned)config->server.max_connections,
		.idle_timeout_s = (unsigned)config->server.idle_timeout_s,
		.head_timeout_s = (unsigned)config->server.head_timeout_s,
		.upload_bytes_per_s = (unsigned)config->server.upload_bytes_per_s,
		.drain_timeout_s = (unsigned)config->server.drain_timeout_s,
		.routes = routes,
		.route_count = route_count,
		.response_cache = app->response_cache,
		.services = &app->services,
		.authorize = gatekeeper_authorize,
		.present = gatekeeper_present,
		.adapt = gatekeeper_adapt,
	};

	return front_open(&settings, &app->front, err);
}

/* Where it listens, by the machine's name where that is everywhere. */
static char *own_url(const char *url)
{
	static const char *const everywhere[] = {"://0.0.0.0:", "://[::]:"};
	char machine[HOST_NAME_MAX + 1] = "";

	(void)gethostname(machine, sizeof machine - 1);
	for (size_t i = 0; i < sizeof everywhere / sizeof *everywhere; i++) {
		const char *host = strstr(url, everywhere[i]);

		if (host && *machine)
			return mem_printf("%.*s://%s:%s", (int)(host - url), url, machine,
				host + strlen(everywhere[i]));
	}
	return mem_dup(url);
}

bool app_open(const struct config *config, struct bucket *bucket, struct app **out, struct err *err)
{
	struct app *app = mem_zero(1, sizeof *app);

	app->config = config;
	app->vault = bucket ? vault_bucket_create(bucket, config->store.lease_ttl_s) : vault_alone();
	app->services.vault = app->vault;
	app->services.peer_notes = peer_notes_create();
	app->lock_fd = -1;
	app->services.config = config;
	app->services.started_at = clock_now_s();
	app->services.renderings = renderings_create(config->hub.hosts, RENDERINGS_BYTES_MAX);
	log_configure(config->log.level, config->log.format);
	app->url = mem_printf(
		"%s://%s", config->server.tls_certificate ? "https" : "http", config->server.listen);
	atomic_store(&app->node_url, config->store.node_url ? config->store.node_url : app->url);
	atomic_store(&app->services.url, config->server.public_url ? config->server.public_url : app->url);
	if ((bucket && !store_identity_find(bucket, &app->store, err)) || !open_stores(app, err) ||
		!open_services(app, err) || !open_front(app, err)) {
		app_close(app);
		return false;
	}
	app->own_url = own_url(front_url(app->front));
	if (!config->store.node_url)
		atomic_store(&app->node_url, app->own_url);
	if (!config->server.public_url)
		atomic_store(&app->services.url, app->own_url);
	*out = app;
	return true;
}

const char *app_url(const struct app *app)
{
	return front_url(app->front);
}

static bool note_configuration(
	struct app *app, const char *file, const char *digest, const char *keys, bool starts, struct err *err)
{
	AUTO_FREE char *whole = mem_printf("%s%s", digest, keys);
	bool changed;

	return catalog_audit_configuration(app->services.catalog, file, whole, starts, &changed, err);
}

bool app_note_configuration(struct app *app, const char *file, const char *digest, struct err *err)
{
	AUTO_FREE char *keys = trust_tell(app->services.trust);

	return note_configuration(app, file, digest, keys, true, err);
}

bool app_reload(
	struct app *app, const struct config *config, const char *file, const char *digest, struct err *err)
{
	AUTO_TRUST_TERMS struct trust_terms *terms = NULL;
	AUTO_FREE char *keys = NULL;

	if (!trust_terms_read(config, &terms, err))
		return false;
	keys = trust_terms_tell(terms);
	if (!note_configuration(app, file, digest, keys, false, err))
		return false;
	mirror_set_offline(app->services.mirror, config->mirror.offline);
	log_configure(config->log.level, config->log.format);
	trust_adopt(app->services.trust, TAKE(terms));
	return true;
}

static void close_access(struct app *app)
{
	struct err err;

	if (app->services.access && !access_write_uses(app->services.access, true, &err))
		log_event(LOG_LEVEL_WARN, "some uses of tokens were not written down", "why", err.text, NULL);
	access_destroy(app->services.access);
}

void app_announce_end(struct app *app)
{
	atomic_store(&app->services.ending, true);
	front_announce_end(app->front);
}

void app_close(struct app *app)
{
	if (!app)
		return;
	/* They would keep the front waiting. */
	events_end(app->services.events);
	front_close(app->front);
	events_destroy(app->services.events);
	imports_destroy(app->services.imports);
	registry_destroy(app->services.registry);
	publisher_destroy(app->services.publisher);
	parcels_destroy(app->services.parcels);
	holdup_destroy(app->holdup);
	turns_destroy(app->services.unpackings);
	turns_destroy(app->services.turns);
	budget_destroy(app->services.budget);
	alarms_destroy(app->services.alarms);
	sessions_destroy(app->services.sessions);
	capabilities_destroy(app->services.capabilities);
	traffic_destroy(app->services.traffic);
	mirror_destroy(app->services.mirror);
	client_destroy(app->client);
	peer_notes_destroy(app->services.peer_notes);
	/* No fill fails any more. */
	webhooks_destroy(app->webhooks);
	janitor_destroy(app->janitor);
	tidings_destroy(app->tidings);
	backfill_destroy(app->backfill);
	invalidation_close(app->invalidation);
	/* Nobody looks for replies or forgets any from here on; they hold tallies. */
	response_cache_destroy(app->response_cache);
	download_counters_destroy(app->download_counters);
	wants_destroy(app->services.wants);
	close_access(app);
	trust_destroy(app->services.trust);
	space_destroy(app->space);
	checkpoints_destroy(app->checkpoints);
	committer_destroy(app->committer);
	members_close(app->services.members);
	blobs_close(app->services.blobs);
	catalog_close(app->services.catalog);
	vault_destroy(app->vault);
	own_close(&app->lock_fd);
	renderings_destroy(app->services.renderings);
	free(app->own_url);
	free(app->url);
	free(app);
}

/* SPDX-License-Identifier: Apache-2.0
 *
 * The services of one daemon, as handlers get them. app builds them bottom-up; nobody else owns any. */
#ifndef SERVER_REGISTRY_SERVICES_H
#define SERVER_REGISTRY_SERVICES_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct access;
struct alarms;
struct blobs;
struct budget;
struct capabilities;
struct catalog;
struct config;
struct events;
struct imports;
struct members;
struct mirror;
struct parcels;
struct peer_notes;
struct publisher;
struct registry;
struct renderings;
struct sessions;
struct space;
struct traffic;
struct trust;
struct turns;
struct vault;
struct wants;

struct services {
	const struct config *config;
	/* Where clients reach this server: public_url, or where it listens; no last slash. It is known for
	 * certain once a port was taken. */
	const char *_Atomic url;
	int64_t started_at;
	_Atomic bool ending; /* it is about to be stopped, and balancers are to look elsewhere */
	struct catalog *catalog;
	struct blobs *blobs;
	struct members *members;
	struct vault *vault;           /* what is shared with other nodes */
	struct peer_notes *peer_notes; /* what became of following them */
	struct space *space;
	struct access *access;
	struct sessions *sessions;         /* of browsers that have signed in */
	struct capabilities *capabilities; /* addresses that carry their own right */
	struct alarms *alarms;             /* for clients that end a silent connection */
	struct trust *trust;               /* whose signatures count */
	struct registry *registry;
	struct mirror *mirror;
	struct budget *budget; /* of fills that clients order in advance */
	struct publisher *publisher;
	struct imports *imports;  /* bundles that clients send */
	struct parcels *parcels;  /* files that are to become versions */
	struct turns *turns;      /* of uploads */
	struct turns *unpackings; /* of archives whose files are asked for */
	struct traffic *traffic;  /* the last day, by the half-hour */
	struct wants *wants;      /* what was asked for offline */
	struct events *events;
	struct renderings *renderings;
};

#endif

/* SPDX-License-Identifier: Apache-2.0
 *
 * What the API tells, as values: the same for a program that asks by a request and for a page of ours. */
#ifndef SERVER_API_ASK_H
#define SERVER_API_ASK_H

#include <jansson.h>
#include <stddef.h>

#include "common/err.h"
#include "common/uri.h"
#include "server/registry/services.h"

/* What is asked for. */
struct ask {
	const struct services *services;
	const char *base_url; /* where the client reaches us; no last slash */
	const char *path;     /* of a list: its "next" leads there */
	const char *rest;     /* what the route names: a handle, a version … */
	const struct query *query;
	size_t limit; /* of a list; 0: as the query has it */
};

/* The caller owns the value; NULL with the refusal that a client gets. */
typedef json_t *ask_value(const struct ask *ask, struct err *err);

ask_value ask_modules;     /* a page of them */
ask_value ask_module;      /* rest is a handle, with a page of its versions */
ask_value ask_version;     /* rest is a version's path */
ask_value ask_deployments; /* of a version: an array */
ask_value ask_described;   /* rest is whichever of both the catalogue knows */
ask_value ask_signatures;  /* of a version */
ask_value ask_files;       /* a page of them, of a version */
ask_value ask_diff;        /* rest is a handle and two versions */
ask_value ask_publishers;  /* a page of them */
ask_value ask_publisher;   /* rest is its name */
ask_value ask_collections; /* a page of them */
ask_value ask_collection;  /* rest is publisher/name, with a page of its modules */
ask_value ask_activity;
ask_value ask_fills; /* a page of those that run, then of those that ended lately */
ask_value ask_webhooks;
ask_value ask_fill;  /* rest is its id */
ask_value ask_wants; /* a page of what was asked for offline */
ask_value ask_audit; /* a page of the audit log */
ask_value ask_audit_head;

/* Markdown, for the caller to free; NULL with the refusal, also where there is none. */
typedef char *ask_markdown(const struct ask *ask, struct err *err);

ask_markdown ask_documentation; /* of a version */
ask_markdown ask_publisher_documentation;
ask_markdown ask_collection_documentation;

#endif

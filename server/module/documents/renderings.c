/* SPDX-License-Identifier: Apache-2.0 */
#include "server/module/documents/renderings.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#include "common/buffer.h"
#include "common/digest.h"
#include "common/list.h"
#include "common/lock.h"
#include "common/mem.h"
#include "common/own.h"
#include "server/module/documents/doccode.h"
#include "server/module/documents/doctables.h"
#include "server/ranks.h"

static const struct lock_place lock_place = {"renderings", RANK_RENDERINGS};

/* Smaller ones are made in less time than it takes to look for them. */
enum { SMALL_BYTES = 4 << 10 };

/* Where links to modules lead in what is kept. No document can say it: its own schemes are few, and its own
 * quotes are written as entities. */
static const char kept_root[] = "larder-home:";
static const char kept_link[] = "href=\"larder-home:";
enum { LINK_LENGTH = sizeof "href=\"" - 1 };

struct rendering {
	struct list_link link;
	struct digest digest;
	bool is_section;
	char *html; /* NULL while it is being made */
	size_t length;
};

struct renderings {
	struct lock mutex; /* guards list, and all that stands in it */
	pthread_cond_t made;
	char *hosts;
	size_t bytes_max;
	struct list list; /* what was used last comes first */
};

struct renderings *renderings_create(const char *hosts, size_t bytes_max)
{
	struct renderings *renderings = mem_zero(1, sizeof *renderings);

	lock_init(&renderings->mutex, &lock_place);
	(void)pthread_cond_init(&renderings->made, NULL);
	list_init(&renderings->list);
	renderings->hosts = mem_dup(hosts);
	renderings->bytes_max = bytes_max;
	return renderings;
}

static void destroy_rendering(struct rendering *rendering)
{
	free(rendering->html);
	free(rendering);
}

void renderings_destroy(struct renderings *renderings)
{
	if (!renderings)
		return;
	LIST_EACH (struct rendering, rendering, link, &renderings->list)
		destroy_rendering(rendering);
	(void)pthread_cond_destroy(&renderings->made);
	lock_finish(&renderings->mutex);
	free(renderings->hosts);
	free(renderings);
}

static char *make(
	const struct renderings *renderings, const char *markdown, const char *root, bool is_section)
{
	const struct document_home home = {.hosts = renderings->hosts, .root = root};

	return is_section ? document_render_section(markdown, &home) : document_render(markdown, &home);
}

/* ---- with the mutex ---- */

/* The one that is wanted, now the latest; NULL if there is none. */
static struct rendering *find(struct renderings *renderings, const struct digest *digest, bool is_section)
{
	LIST_EACH (struct rendering, rendering, link, &renderings->list) {
		if (rendering->is_section == is_section && digest_equal(&rendering->digest, digest)) {
			list_remove(&rendering->link);
			list_prepend(&renderings->list, &rendering->link);
			return rendering;
		}
	}
	return NULL;
}

/* Lets go of those used least lately, beyond what may be kept; what is being made stays. */
static void make_room(struct renderings *renderings)
{
	size_t bytes = 0;

	LIST_EACH (struct rendering, rendering, link, &renderings->list) {
		bytes += rendering->length;
		if (bytes <= renderings->bytes_max || !rendering->html)
			continue;
		list_remove(&rendering->link);
		bytes -= rendering->length;
		destroy_rendering(rendering);
	}
}

static struct rendering *begin(struct renderings *renderings, const struct digest *digest, bool is_section)
{
	struct rendering *rendering = mem_zero(1, sizeof *rendering);

	rendering->digest = *digest;
	rendering->is_section = is_section;
	list_prepend(&renderings->list, &rendering->link);
	return rendering;
}

/* A copy of what is kept, made first where it is not there. */
static char *take(
	struct renderings *renderings, const char *markdown, const struct digest *digest, bool is_section)
{
	struct rendering *rendering;
	char *html;

	lock_acquire(&renderings->mutex);
	while ((rendering = find(renderings, digest, is_section)) && !rendering->html)
		lock_wait(&renderings->mutex, &renderings->made);
	if (!rendering) {
		rendering = begin(renderings, digest, is_section);
		lock_release(&renderings->mutex);
		html = make(renderings, markdown, kept_root, is_section);
		lock_acquire(&renderings->mutex);
		rendering->html = html;
		rendering->length = strlen(html);
		(void)pthread_cond_broadcast(&renderings->made);
	}
	html = mem_dup_n(rendering->html, rendering->length);
	make_room(renderings);
	lock_release(&renderings->mutex);
	return html;
}

/* ---- where it leads ---- */

/* As the library writes an address into an attribute. */
static void add_root(struct buffer *out, const char *root)
{
	for (; *root; root++) {
		if (*root == '&')
			buffer_add_string(out, "&amp;");
		else if (*root == '\'')
			buffer_add_string(out, "&#x27;");
		else if (strchr("\"<> \\^`{|}[]", *root) || (unsigned char)*root < ' ')
			buffer_printf(out, "%%%02X", (unsigned char)*root);
		else
			buffer_add(out, root, 1);
	}
}

static char *lead_home(char *html, const char *root)
{
	AUTO_FREE char *kept = html;
	AUTO_BUFFER struct buffer out = {0};
	const char *at = html;
	const char *link;

	if (!strstr(html, kept_link))
		return TAKE(kept);
	while ((link = strstr(at, kept_link))) {
		buffer_add(&out, at, (size_t)(link - at) + LINK_LENGTH);
		add_root(&out, root);
		at = link + sizeof kept_link - 1;
	}
	buffer_add_string(&out, at);
	return buffer_take(&out);
}

static char *find_or_make(
	struct renderings *renderings, const char *markdown, const char *root, bool is_section)
{
	size_t length = strlen(markdown);
	struct digest digest;

	if (length <= SMALL_BYTES)
		return make(renderings, markdown, root, is_section);
	digest = digest_of(markdown, length);
	return lead_home(take(renderings, markdown, &digest, is_section), root);
}

char *renderings_find(struct renderings *renderings, const char *markdown, const char *root, const char *url,
	bool is_section)
{
	const struct document_home home = {renderings->hosts, root, url};

	char *html = doccode_finish(find_or_make(renderings, markdown, root, is_section), &home, is_section);

	return is_section ? doctables_finish(html) : html;
}

/* SPDX-License-Identifier: Apache-2.0 */
#include "server/registry/shared_documents.h"

#include <string.h>

#include "common/clock.h"
#include "common/utf8.h"
#include "server/module/documents/hubdoc.h"
#include "server/registry/concord.h"
#include "server/store/catalog/catalog_artifacts.h"
#include "server/store/catalog/catalog_documentation.h"
#include "server/vault/vault.h"

/* ---- setting ---- */

struct setting {
	const char *markdown;
	bool only_first; /* it takes the place of nothing */
	bool written;
};

static bool compose(void *context, const struct note *before, struct buffer *text, struct err *err)
{
	struct setting *setting = context;

	(void)err;
	setting->written = before->revision == 0 || !setting->only_first;
	if (setting->written)
		buffer_add_string(text, setting->markdown);
	return setting->written;
}

/* So that what cannot be had here is not given to others either. */
static bool check_version(struct catalog *catalog, const struct name *name, struct err *err)
{
	struct artifact artifact;
	bool found;

	if (!catalog_find_artifact(catalog, name, &artifact, &found, err))
		return false;
	if (!found)
		return err_set(err, ERR_NOT_FOUND, "there is no %s to document", name_path(name).text);
	return artifact.state != STATE_WITHDRAWN || version_check_state(name, artifact.state, err);
}

static bool agree(struct vault *vault, const struct name *name, struct setting *setting, const char *who,
	int64_t now_s, int64_t *revision, struct err *err)
{
	const struct concord concord = {CHANGE_DOCUMENTED, name, who, now_s, compose, setting};
	AUTO_NOTE struct note note = {0};

	if (!concord_write(vault, &concord, &note, err))
		return false;
	*revision = note.revision;
	return true;
}

bool shared_documents_set(struct vault *vault, struct catalog *catalog, const struct name *name,
	const char *markdown, const char *who, const char *from, bool *created, struct err *err)
{
	AUTO_HUBDOC struct hubdoc *head = NULL;
	struct setting setting = {.markdown = markdown};
	struct documentation documentation = {
		.markdown = markdown, .who = who, .now_s = clock_now_s(), .from = from};

	if (!hubdoc_read_of(name, markdown, &head, err) || !check_version(catalog, name, err) ||
		!agree(vault, name, &setting, who, documentation.now_s, &documentation.revision, err))
		return false;
	documentation.head = head;
	return catalog_set_documentation(catalog, name, &documentation, created, err);
}

bool shared_documents_tell(
	struct vault *vault, const struct name *name, const char *markdown, const char *who, struct err *err)
{
	struct setting setting = {.markdown = markdown};
	int64_t revision;

	return agree(vault, name, &setting, who, clock_now_s(), &revision, err);
}

bool shared_documents_send(struct vault *vault, struct catalog *catalog, const struct name *name,
	bool dry_run, bool *sent, struct err *err)
{
	AUTO_FREE char *markdown = NULL;
	AUTO_NOTE struct note there = {0};
	struct setting setting = {.only_first = true};
	int64_t revision;

	*sent = false;
	if (!catalog_find_documentation(catalog, name, &markdown, err) ||
		(markdown && !vault_read_note(vault, CHANGE_DOCUMENTED, name, &there, err)))
		return false;
	if (!markdown || there.revision > 0 || dry_run) {
		*sent = markdown && there.revision == 0;
		return true;
	}
	setting.markdown = markdown;
	if (!agree(vault, name, &setting, NULL, clock_now_s(), &revision, err))
		return false;
	*sent = setting.written;
	return true;
}

/* ---- taking ---- */

static bool take(struct catalog *catalog, const struct name *name, const struct note *note, struct err *err)
{
	AUTO_HUBDOC struct hubdoc *head = NULL;
	struct documentation documentation = {.markdown = buffer_string(&note->text),
		.who = *note->who ? note->who : NULL,
		.now_s = note->at_s,
		.revision = note->revision};
	bool created;

	if (!utf8_is_text(documentation.markdown, note->text.length))
		return concord_refuse_text(name, err);
	if (!hubdoc_read_of(name, documentation.markdown, &head, err))
		return concord_refuse_text(name, err);
	documentation.head = head;
	return catalog_set_documentation(catalog, name, &documentation, &created, err);
}

bool shared_documents_take(
	struct vault *vault, struct catalog *catalog, const struct name *name, struct err *err)
{
	AUTO_NOTE struct note note = {0};

	return vault_read_note(vault, CHANGE_DOCUMENTED, name, &note, err) &&
	       (note.revision == 0 || take(catalog, name, &note, err));
}

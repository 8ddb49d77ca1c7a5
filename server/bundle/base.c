/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/base.h"

#include <stdlib.h>
#include <string.h>

#include "common/mem.h"
#include "server/bundle/carrier.h"
#include "server/bundle/opening.h"

struct base {
	struct carrier *carrier;
	struct opening opening;
	struct carrier_blob blob;
	struct contents_reader reader;
	/* The line that is not before what was asked for last. */
	struct contents_line line;
	bool ended;
};

static void leave(struct base *base)
{
	contents_line_finish(&base->line);
	contents_close(&base->reader);
	carrier_close_blob(&base->blob);
	base->blob = (struct carrier_blob){.fd = -1};
}

void base_close(struct base *base)
{
	if (!base)
		return;
	leave(base);
	carrier_close(base->carrier);
	free(base);
}

static bool advance(struct base *base, struct err *err)
{
	bool more;

	contents_line_finish(&base->line);
	if (!contents_next(&base->reader, &base->line, &more, err))
		return false;
	base->ended = !more;
	return true;
}

bool base_rewind(struct base *base, struct err *err)
{
	leave(base);
	return carrier_open_blob(base->carrier, &base->opening.contents, &base->blob, err) &&
	       contents_open(&base->reader, &base->blob.stream, err) && advance(base, err);
}

bool base_open(const char *path, const struct scratch_place *scratch, struct base **out, struct err *err)
{
	AUTO_BASE struct base *base = mem_zero(1, sizeof *base);

	base->blob.fd = -1;
	if (!carrier_open(path, scratch, &base->carrier, err) ||
		!opening_find(base->carrier, &base->opening, err) ||
		!carrier_prove_blob(base->carrier, &base->opening.contents, err) || !base_rewind(base, err))
		return false;
	*out = TAKE(base);
	return true;
}

int64_t base_created(const struct base *base)
{
	return base->reader.header.created_s;
}

/* ---- what is in it ---- */

static const char *name_of(const struct contents_line *line)
{
	return line->kind == CONTENTS_VERSION ? line->version.name.handle : line->page.name;
}

/* Goes to what may be it; *out is false where it is not there. */
static bool find(struct base *base, enum contents_kind kind, const char *name, int64_t version, bool *out,
	struct err *err)
{
	int order = -1;

	while (!base->ended) {
		const struct contents_line *line = &base->line;

		order = line->kind != kind ? (int)line->kind - (int)kind : strcmp(name_of(line), name);
		if (order == 0 && kind == CONTENTS_VERSION)
			order = (line->version.name.version > version) -
				(line->version.name.version < version);
		if (order >= 0)
			break;
		if (!advance(base, err))
			return false;
	}
	*out = !base->ended && order == 0;
	return true;
}

bool base_has_version(struct base *base, const struct bundle_version *version, bool *out, struct err *err)
{
	if (!find(base, CONTENTS_VERSION, version->name.handle, version->name.version, out, err))
		return false;
	*out = *out && digest_equal(&base->line.version.manifest.digest, &version->manifest.digest);
	return true;
}

bool base_has_page(struct base *base, enum contents_kind kind, const char *name, const char *markdown,
	bool *out, struct err *err)
{
	if (!find(base, kind, name, 0, out, err))
		return false;
	*out = *out && strcmp(base->line.page.markdown, markdown) == 0;
	return true;
}

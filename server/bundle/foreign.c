/* SPDX-License-Identifier: Apache-2.0 */
#include "server/bundle/foreign.h"

#include <jansson.h>
#include <string.h>

#include "common/mem.h"
#include "server/bundle/mediatypes.h"
#include "server/bundle/strictjson.h"

enum { INDEX_BYTES_MAX = 1 << 20, MANIFEST_BYTES_MAX = 4 << 20, VALUES_MAX = 50000, LAYERS_MAX = 1000 };

static const char *const prefixes[] = {"application/vnd.cncf.model.", "application/vnd.cnai."};
static const char title_key[] = "org.cncf.model.filepath";
static const char old_title_key[] = "org.cnai.model.filepath";

/* How the media types of weights end. */
static const struct ending {
	const char *text;
	enum foreign_kind kind;
} endings[] = {{".tar+gzip", FOREIGN_ARCHIVE}, {".tar", FOREIGN_TAR}, {".raw", FOREIGN_FILE}};

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text);
	size_t wanted = strlen(end);

	return length > wanted && strcmp(text + length - wanted, end) == 0;
}

static bool is_foreign(const char *type)
{
	for (size_t i = 0; type && i < sizeof prefixes / sizeof *prefixes; i++) {
		if (strncmp(type, prefixes[i], strlen(prefixes[i])) == 0)
			return true;
	}
	return false;
}

static enum foreign_kind kind_of(const char *type, const char *title)
{
	if (!is_foreign(type) || !strstr(type, ".weight.v"))
		return FOREIGN_OTHER;
	for (size_t i = 0; i < sizeof endings / sizeof *endings; i++) {
		if (ends_with(type, endings[i].text))
			return endings[i].kind == FOREIGN_FILE &&
					       (ends_with(title, ".tar.gz") || ends_with(title, ".tgz"))
				       ? FOREIGN_ARCHIVE
				       : endings[i].kind;
	}
	return FOREIGN_OTHER;
}

void foreign_model_finish(struct foreign_model *model)
{
	for (size_t i = 0; i < model->count; i++)
		free(model->layers[i].title);
	free(model->layers);
	*model = (struct foreign_model){0};
}

static bool take_descriptor(const json_t *descriptor, struct bundle_blob *out)
{
	return strictjson_digest(descriptor, "digest", &out->digest) &&
	       strictjson_number(descriptor, "size", &out->size_bytes);
}

/* ---- index.json ---- */

static bool find_manifest(struct carrier *carrier, struct bundle_blob *out, struct err *err)
{
	AUTO_BUFFER struct buffer text = {0};
	json_auto_t *index = NULL;
	const json_t *manifests;

	if (!carrier_read_index(carrier, INDEX_BYTES_MAX, &text, err))
		return false;
	if (!strictjson_parse(buffer_string(&text), text.length, VALUES_MAX, &index, err))
		return err_prefix(err, "index.json: ");
	manifests = json_object_get(index, "manifests");
	return (json_array_size(manifests) == 1 && take_descriptor(json_array_get(manifests, 0), out)) ||
	       err_set(err, ERR_BAD_REQUEST,
		       "index.json names %zu things, and --as takes one model: copy that alone, such as with "
		       "\"skopeo copy\"",
		       json_array_size(manifests));
}

/* ---- the manifest ---- */

static const char *title_of(const json_t *layer)
{
	const json_t *notes = json_object_get(layer, "annotations");
	const char *const keys[] = {NOTE_TITLE, title_key, old_title_key};

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		if (strictjson_text(notes, keys[i]))
			return strictjson_text(notes, keys[i]);
	}
	return strictjson_text(layer, "mediaType");
}

static bool take_layer(struct foreign_model *model, const json_t *layer, struct err *err)
{
	const char *type = strictjson_text(layer, "mediaType");
	const char *title = title_of(layer);
	struct foreign_layer *to = &model->layers[model->count];

	if (!type || !take_descriptor(layer, &to->blob))
		return err_set(
			err, ERR_BAD_REQUEST, "layer %zu of the model's manifest is none", model->count + 1);
	to->kind = kind_of(type, title);
	to->title = mem_dup(title);
	model->count++;
	return true;
}

static bool take_layers(struct foreign_model *model, const json_t *manifest, struct err *err)
{
	const json_t *layers = json_object_get(manifest, "layers");
	size_t count = json_array_size(layers);

	if (!is_foreign(strictjson_text(manifest, "artifactType")) &&
		!is_foreign(strictjson_text(json_object_get(manifest, "config"), "mediaType")))
		return err_set(err, ERR_BAD_REQUEST,
			"it is no model that is known here: neither a bundle, which takes no --as, nor of "
			"the "
			"types application/vnd.cncf.model.* or application/vnd.cnai.*");
	if (count == 0 || count > LAYERS_MAX)
		return err_set(err, ERR_BAD_REQUEST, "the model has %zu layers, and must have 1 to %d", count,
			LAYERS_MAX);
	model->layers = mem_zero(count, sizeof *model->layers);
	for (size_t i = 0; i < count; i++) {
		if (!take_layer(model, json_array_get(layers, i), err))
			return false;
	}
	return true;
}

bool foreign_find(struct carrier *carrier, struct foreign_model *out, struct err *err)
{
	AUTO_FOREIGN_MODEL struct foreign_model model = {0};
	AUTO_BUFFER struct buffer text = {0};
	json_auto_t *manifest = NULL;

	if (!find_manifest(carrier, &model.manifest, err) ||
		!carrier_read_blob(carrier, &model.manifest, MANIFEST_BYTES_MAX, &text, err))
		return false;
	if (!strictjson_parse(buffer_string(&text), text.length, VALUES_MAX, &manifest, err))
		return err_prefix(err, "the model's manifest: ");
	if (!take_layers(&model, manifest, err))
		return false;
	if (!strictjson_time(json_object_get(manifest, "annotations"), NOTE_CREATED, &model.created_s))
		model.created_s = 0;
	*out = model;
	model = (struct foreign_model){0};
	return true;
}

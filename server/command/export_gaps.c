/* SPDX-License-Identifier: Apache-2.0 */
#include "server/command/export_gaps.h"

#include <stdio.h>

#include "server/api/answer.h"
#include "server/command/text_table.h"

void export_gaps_tell(const struct selection *selection)
{
	const struct selected *lacking;
	size_t position = 0;
	struct err err;

	while ((lacking = selection_next_gap(selection, &position))) {
		selection_tell(lacking, &err);
		text_table_blank_controls(err.text);
		(void)fprintf(stderr, "larder: %s\n", err.text);
	}
}

json_t *export_gaps_json(const struct selection *selection)
{
	json_t *array = json_array();
	const struct selected *lacking;
	size_t position = 0;
	struct err err;

	while ((lacking = selection_next_gap(selection, &position))) {
		selection_tell(lacking, &err);
		(void)json_array_append_new(
			array, json_pack("{s:o, s:s*, s:s, s:s, s:o}", "path", answer_text(lacking->text),
				       "format", lacking->has_format ? formats[lacking->format].name : NULL,
				       "state", selection_gap_name(lacking->gap), "code", err_name(err.code),
				       "detail", answer_text(err.text)));
	}
	return array;
}

bool export_gaps_check(const struct selection *selection, bool partial, struct err *err)
{
	size_t position = 0;

	return partial || !selection_next_gap(selection, &position) ||
	       err_set(err, ERR_NOT_FOUND,
		       "nothing is written: leave out what is not here, or go on without it by --partial");
}

/* ---- damage ---- */

void export_damages_tell(const struct damages *damages)
{
	for (size_t i = 0; i < damages->named; i++)
		(void)fprintf(stderr, "larder: %s: %s\n", damages->items[i].what, damages->items[i].why);
	if (damages->count > damages->named)
		(void)fprintf(stderr, "larder: and %zu others\n", damages->count - damages->named);
	if (damages->count > 0)
		(void)fprintf(stderr,
			"larder: %zu artifact%s damaged here, and in no bundle: put the files back from a "
			"backup\n",
			damages->count, damages->count == 1 ? " is" : "s are");
}

json_t *export_damages_json(const struct damages *damages)
{
	json_t *array = json_array();

	for (size_t i = 0; i < damages->named; i++)
		(void)json_array_append_new(
			array, json_pack("{s:o, s:o}", "name", answer_text(damages->items[i].what), "detail",
				       answer_text(damages->items[i].why)));
	return array;
}

bool export_damages_check(const struct damages *damages, bool partial, struct err *err)
{
	return partial || damages->count == 0 ||
	       err_set(err, ERR_DIGEST_MISMATCH,
		       "nothing is written: put back what is damaged here, or go on without it by --partial");
}

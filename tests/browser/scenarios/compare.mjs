// SPDX-License-Identifier: Apache-2.0
// Two versions held against each other: the verdict first, then what differs, and another pair at hand.
export default async function ({ open, shoot, arrive, assert }) {
	const page = await open("/acme/nnlm-en/2");
	await page.getByRole("button", { name: "Compare" }).click();
	await arrive(page, "nnlm-en: version 1 and version 2");
	const verdict = page.locator(".notice.stop");
	await verdict.getByText("Breaking.").waitFor();
	const reasons = await verdict.getByRole("listitem").allInnerTexts();
	assert(reasons.some((reason) => /input scale is new/.test(reason)), `reasons: ${reasons.join(" | ")}`);
	assert(reasons.some((reason) => /output y is float16 \[\?, 1\], was float32 \[\?, 1\]/.test(reason)), `reasons: ${reasons.join(" | ")}`);
	const rows = await page.getByRole("group", { name: "serving_default" }).getByRole("row").allInnerTexts();
	assert(rows.some((row) => /^scale\s+none\s+float32 \[\] scalar\s+added\s+breaking$/.test(row)), `signature: ${rows.join(" | ")}`);
	const ops = await page.getByRole("group", { name: "Operations" }).getByRole("row").allInnerTexts();
	assert(ops.some((row) => /^Cast\s+0\s+1\s+added$/.test(row)), `operations: ${ops.join(" | ")}`);
	const files = await page.getByRole("group", { name: "Files" }).getByRole("row").allInnerTexts();
	assert(files.some((row) => /^saved_model.pb\s.*changed$/.test(row)), `files: ${files.join(" | ")}`);
	await shoot(page, "compare");

	await page.locator("select[name=from]").selectOption("2");
	await page.locator("select[name=to]").selectOption("2");
	await page.getByRole("button", { name: "Compare" }).click();
	await page.getByText("with itself it has no differences").waitFor();
	assert(await page.locator("select[name=from]").inputValue() !== await page.locator("select[name=to]").inputValue(), "it offers to compare a version with itself");
	await page.getByRole("link", { name: "nnlm-en" }).click();
	await page.getByRole("heading", { level: 1, name: "nnlm-en" }).waitFor();
}

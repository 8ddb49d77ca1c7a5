// SPDX-License-Identifier: Apache-2.0
// Eight results at once on screens as people have them, without the hero; numbers stand to the right, below each other.
const SCREENS = [[1440, 900], [1366, 768, 6], [1536, 864], [1920, 1080]];

export default async function ({ open, assert }) {
	for (const path of ["/", "/?q=mobilenet", "/?task=image-classification"]) {
		for (const [width, height, least = 8] of SCREENS) {
			const page = await open(path, { viewport: { width, height } });
			const boxes = await page.locator(".card").evaluateAll((cards) => cards.map((card) => card.getBoundingClientRect().bottom));
			const seen = boxes.filter((bottom) => bottom <= height).length;
			assert(seen >= least, `${path} shows ${seen} results at ${width} by ${height}`);
			assert(await page.locator(".relatives").count() >= 8, "the rows tell of no other formats");
			assert(await page.locator(".hero").count() === 0, "the hero takes room");
			const edges = await page.locator(".card .figures > :nth-child(3)").evaluateAll((cells) => cells.slice(0, 8).map((cell) => Math.round(cell.getBoundingClientRect().right)));
			assert(new Set(edges).size === 1, `numbers end at ${edges}`);
			const lines = await page.locator("time").evaluateAll((times) => times.map((time) => time.getClientRects().length));
			assert(lines.every((count) => count <= 1), "a time is on two lines");
			await page.close();
		}
	}
	const page = await open("/");
	for (const kind of ["task", "format"]) {
		const chips = page.locator(`.card .chip.${kind}`);
		const looks = await chips.evaluateAll((all) => all.map((chip) => [getComputedStyle(chip).backgroundColor, getComputedStyle(chip).fontWeight, chip.offsetHeight].join()));
		assert(new Set(looks).size === 1, `chips of ${kind} look like ${[...new Set(looks)]}`);
		const hrefs = await chips.evaluateAll((all) => all.map((chip) => [chip.textContent, new URL(chip.href).search]));
		assert(hrefs.every(([text, search]) => new URLSearchParams(search).get(kind) === text), `a chip of ${kind} leads elsewhere`);
	}
}

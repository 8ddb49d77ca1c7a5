// SPDX-License-Identifier: Apache-2.0
// Signatures on a phone: all of a row is in sight, under the head of its column, without being pushed about.
export default async function ({ open, audit, shoot, assert }) {
	for (const [path, name] of [["/acme/long/1", "signatures"], ["/-/compare/acme/long?from=1&to=2", "compared-signatures"]]) {
		const page = await open(path, { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true });
		const tables = page.locator(".signature");
		assert(await tables.count() > 0, `${path} has no signatures`);
		for (const table of await tables.all()) {
			const [wide, room] = await table.evaluate((element) => [element.parentNode.scrollWidth, element.parentNode.clientWidth]);
			assert(wide <= room, `${path}: a table of ${wide} in a box of ${room}`);
		}
		await shoot(page, `phone-${name}`);
		// The second column's cells begin where its head does, below the name that they belong to.
		const head = await tables.first().getByRole("columnheader").nth(1).boundingBox();
		const row = tables.first().locator("tbody tr:not(.group)").first();
		const cell = await row.getByRole("cell").first().boundingBox();
		const label = await row.getByRole("rowheader").boundingBox();
		assert(Math.abs(head.x - cell.x) < 1, `a column begins at ${head.x}, its cell at ${cell.x}`);
		assert(cell.y >= label.y + label.height && label.width > 300, "a name has no line of its own");
		await audit(page);
	}
}

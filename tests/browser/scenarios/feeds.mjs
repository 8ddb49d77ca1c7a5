// SPDX-License-Identifier: Apache-2.0
// Pages lead to the feed of what they show, which a browser's own reader takes; the newest stands first.
async function read(page, path) {
	return page.evaluate(async (address) => {
		const answer = await fetch(address);
		const feed = new DOMParser().parseFromString(await answer.text(), "application/xml");
		return {
			type: answer.headers.get("Content-Type"),
			faults: feed.querySelectorAll("parsererror").length,
			entries: [...feed.querySelectorAll("entry > title")].map((title) => title.textContent),
			updated: [...feed.querySelectorAll("entry > updated")].map((time) => time.textContent),
			links: [...feed.querySelectorAll("entry > link")].map((link) => link.getAttribute("href")),
		};
	}, path);
}

export default async function ({ open, assert, url }) {
	for (const [path, feed, entries] of [["/", "/-/feed.atom", 5], ["/lab", "/-/feeds/lab.atom", 2], ["/acme/nnlm-en", "/-/feeds/acme/nnlm-en.atom", 2]]) {
		const page = await open(path);
		assert(await page.locator("link[rel=alternate][type='application/atom+xml']").getAttribute("href") === feed, `${path} names another feed`);
		assert(await page.getByRole("link", { name: "Feed" }).getAttribute("href") === feed, `${path} leads to another feed`);
		const told = await read(page, feed);
		assert(told.type.startsWith("application/atom+xml") && told.faults === 0, `${feed} is ${told.type} with ${told.faults} faults`);
		assert(told.entries.length === entries, `${feed} has ${told.entries}`);
		assert(told.updated.join() === [...told.updated].sort().reverse().join(), `${feed} is not newest first: ${told.updated}`);
		assert(told.links.every((link) => link.startsWith(`${url}/`)), `${feed} leads to ${told.links}`);
	}
}

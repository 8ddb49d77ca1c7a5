// SPDX-License-Identifier: Apache-2.0
// axe finds nothing serious on any page, in the scheme that is asked for; and the scheme is the one that is shown.
const PAGES = [["/", "home"], ["/?q=nnlm&task=text-embedding", "results"], ["/?q=nothing-like-it", "no-match"], ["/acme", "publisher"],
	["/-/collections", "collections"], ["/-/collections?q=nothing-like-it", "no-collection"], ["/-/collections/lab/pictures", "collection"],
	["/-/compare/acme/nnlm-en", "compare"], ["/-/compare/acme/nnlm-de?from=1&to=9", "compare-refused"], ["/-/nothing", "refused"],
	["/acme/nnlm-en", "module"], ["/acme/nnlm-en/1", "version"], ["/no/such/1", "unknown"], ["/-/activity", "activity"]];

export default async function ({ open, audit, shoot, assert, args }) {
	for (const [path, name] of [...PAGES, ...args.more ?? []]) {
		const page = await open(path, { colorScheme: args.scheme });
		const ground = await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
		const light = ground.match(/\d+/g).slice(0, 3).every((part) => part > 128);
		assert(light === (args.scheme === "light"), `${path} is on ${ground}`);
		await page.evaluate(() => document.querySelectorAll("details").forEach((details) => { details.open = true; }));
		await audit(page);
		await shoot(page, `${args.scheme}-${name}`);
	}
}

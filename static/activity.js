// SPDX-License-Identifier: Apache-2.0
// The activity page, kept up to date by server-sent events.
import { offerCopies } from "./copy.js";
import { size, span } from "./size.js";

const root = document.body.dataset.root;

function byId(id) {
	return document.getElementById(id);
}

function element(name, ...children) {
	const made = document.createElement(name);
	made.append(...children);
	return made;
}

function classed(className, text) {
	const made = element("span", text);
	made.className = className;
	return made;
}

function showAge(time) {
	const age = (Date.now() - Date.parse(time.dateTime)) / 1000;
	const text = age >= 0 && age < 31 * 86400 ? `${span(age)} ago` : time.dateTime.slice(0, 10);
	if (time.textContent !== text) {
		time.textContent = text;
	}
}

function ago(at) {
	const made = element("time");
	made.className = "ago";
	made.dateTime = at;
	made.title = `${at.slice(0, 10)} ${at.slice(11, 19)} UTC`;
	showAge(made);
	return made;
}

function cell(label, ...children) {
	const made = element("td", ...children);
	made.dataset.label = label;
	return made;
}

function numberCell(label, ...children) {
	const made = cell(label, ...children);
	made.className = "number";
	return made;
}

function nameCell(row) {
	const link = element("a", `${row.handle}/${row.version}`);
	const made = element("th", link, " ", classed("format", row.format));
	link.href = `${root}/${row.handle}/${row.version}`;
	made.scope = "row";
	return made;
}

function heading(text) {
	const made = element("th", text);
	made.scope = "row";
	return made;
}

function progress(fill) {
	const bar = element("progress");
	bar.setAttribute("aria-label", "Progress");
	if (fill.total_bytes > 0) {
		bar.max = fill.total_bytes;
		bar.value = fill.bytes;
	}
	return bar;
}

const STATES = { waiting: "waiting for its turn", transferring: "downloading", verifying: "being checked", kept: "stored" };

function cancelLink(fill) {
	const link = element("a", "Cancel", classed("unseen", ` ${fill.handle}`));
	link.href = `${root}/-/fills/${fill.id}`;
	return link;
}

function runningRow(fill) {
	const bytes = size(fill.bytes) + (fill.total_bytes > 0 ? ` of ${size(fill.total_bytes)}` : "");
	return element("tr", nameCell(fill), cell("Progress", progress(fill), bytes), numberCell("Rate", `${size(fill.rate)}/s`),
		numberCell("Left", fill.eta_s === null ? "" : span(fill.eta_s)), numberCell("Clients", String(fill.waiters)),
		cell("From", fill.upstream ?? ""), cell("State", `${STATES[fill.state] ?? fill.state} · `, cancelLink(fill)));
}

function endedRow(fill) {
	const failed = Boolean(fill.detail);
	return element("tr", nameCell(fill), cell("Result", classed(`change ${failed ? "removed" : "added"}`, failed ? "failed" : "stored")),
		numberCell("Size", size(fill.bytes)), numberCell("Ended", ago(fill.ended_at)), cell("Why", fill.detail ?? ""));
}

function recentRow(row) {
	return element("tr", nameCell(row), cell("Source", row.source), cell("By", row.published_by ?? ""), numberCell("When", ago(row.at)));
}

function setText(id, text) {
	const target = byId(id);
	if (target.textContent !== text) {
		target.textContent = text;
	}
}

function setBar(id, share) {
	byId(id).setAttribute("width", (100 * Math.min(1, Math.max(0, share || 0))).toFixed(1));
}

// Bars of one kind are one path, as the server draws them.
const HEIGHT = 40;

function heightOf(amount, most) {
	return amount > 0 ? Math.max(1, Math.floor(amount / most * HEIGHT)) : 0;
}

function bars(slots, below, most) {
	return slots.map((amount, i) => {
		const height = heightOf(amount, most);
		return height ? `M${i * 4},${HEIGHT - heightOf(below[i], most)}v-${height}h3v${height}z` : "";
	}).join("");
}

function draw(id, lower, upper) {
	const above = upper ?? lower.map(() => 0);
	const most = Math.max(...lower.map((amount, i) => amount + above[i]));
	byId(id).querySelector(".part").setAttribute("d", bars(lower, lower.map(() => 0), most));
	byId(id).querySelector(".other").setAttribute("d", bars(above, lower, most));
}

function showDay(day) {
	draw("day-requests", day.hits, day.misses);
	draw("day-sent", day.sent_bytes);
	draw("day-upstream", day.upstream_bytes);
}

function showDisk(disk) {
	const promised = disk.drafts_bytes + disk.unpacked_bytes;
	const all = disk.max_bytes || disk.cached_bytes + promised + disk.free_bytes;
	setText("cached", size(disk.cached_bytes));
	setText("promised", size(promised));
	setText("free", size(disk.free_bytes));
	setBar("disk-bar", disk.cached_bytes / all);
	setBar("disk-promised", (disk.cached_bytes + promised) / all);
}

function showTiles(now) {
	setText("hit-rate", now.hit_rate === null ? "–" : `${(now.hit_rate * 100).toFixed(1)} %`);
	setText("hits", now.hits.toLocaleString("en"));
	setText("misses", (now.misses + now.collapsed).toLocaleString("en"));
	setText("saved", size(now.upstream_bytes_saved));
	setText("sent", size(now.sent_bytes));
	setText("fetched", size(now.upstream_bytes));
	setText("rate", `${size(now.rate)}/s`);
}

// Who stands on a link of a list stands on it still when the list is written anew.
const shown = {};
function setRows(id, rows, make) {
	const told = JSON.stringify(rows);
	if (told === shown[id]) {
		return;
	}
	shown[id] = told;
	const focus = byId(id).contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
	byId(id).replaceChildren(...rows.map(make));
	if (focus) {
		byId(id).querySelector(`a[href="${CSS.escape(focus)}"]`)?.focus({ preventScroll: true });
	}
}

function showRows(now) {
	setRows("fills", now.fills, runningRow);
	byId("more-fills").hidden = now.fills_total <= now.fills.length;
	setText("fills-total", now.fills_total.toLocaleString("en"));
	setRows("ended-fills", now.ended_fills, endedRow);
	setRows("recent", now.recent, recentRow);
}

function requestRow(row) {
	const mean = row.requests > 0 ? `${Math.floor(row.waited_ms / row.requests)} ms` : "";
	return element("tr", heading(row.kind), numberCell("Requests", row.requests.toLocaleString("en")), numberCell("Mean time", mean));
}

function latencyRow(row, i, rows) {
	const here = row.requests - (i > 0 ? rows[i - 1].requests : 0);
	return element("tr", heading(row.within_ms === null ? "later" : `within ${row.within_ms} ms`), numberCell("Requests", here.toLocaleString("en")));
}

function peerRow(peer) {
	const failure = peer.last_error === null ? [] : [`${peer.last_error}, `, ago(peer.last_error_at)];
	return element("tr", heading(peer.node), numberCell("Asked", peer.followed.toLocaleString("en")), numberCell("Bytes", size(peer.received_bytes)),
		numberCell("Last", ago(peer.last_at)), cell("Last failure", ...failure));
}

function showStore(store) {
	if (!store || !byId("store-requests")) {
		return;
	}
	const figures = { "store-retries": store.retries, "store-failures": store.failures, "leases-held": store.leases.held,
		"leases-following": store.leases.following, "leases-taken": store.leases.taken_over, "leases-lost": store.leases.lost };
	for (const [id, figure] of Object.entries(figures)) {
		setText(id, figure.toLocaleString("en"));
	}
	setText("store-reads", store.reads ? "yes" : "no");
	setText("store-writes", store.writes ? "yes" : "no");
	setRows("store-requests", store.requests, requestRow);
	setRows("store-latency", store.latency, latencyRow);
	setRows("peers", store.peers, peerRow);
}

function live(on, text) {
	byId("live").classList.toggle("on", on);
	setText("live", text);
}

function listen() {
	const events = new EventSource(`${root}/api/v1/events`);
	events.addEventListener("open", () => live(true, "Live"));
	events.addEventListener("error", () => live(false, "Not connected; trying again…"));
	events.addEventListener("activity", (event) => {
		const now = JSON.parse(event.data);
		showTiles(now);
		showDisk(now.disk);
		showDay(now.history);
		showRows(now);
		showStore(now.store);
	});
}

offerCopies(document);
setInterval(() => document.querySelectorAll("time.ago").forEach(showAge), 10000);
listen();

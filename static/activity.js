// SPDX-License-Identifier: Apache-2.0
// The activity page, kept up to date by server-sent events.
import { offerCopies } from "./copy.js";

const root = document.body.dataset.root;
const rates = new Array(60).fill(0);

function byId(id) {
	return document.getElementById(id);
}

// As the server writes sizes.
function size(bytes) {
	if (bytes < 1024) {
		return `${bytes} B`;
	}
	const units = ["KiB", "MiB", "GiB", "TiB"];
	let value = bytes / 1024;
	let unit = 0;
	for (; value >= 1024 && unit < 3; unit++) {
		value /= 1024;
	}
	return `${value.toFixed(1)} ${units[unit]}`;
}

function element(name, ...children) {
	const made = document.createElement(name);
	made.append(...children);
	return made;
}

function span(className, text) {
	const made = element("span", text);
	made.className = className;
	return made;
}

function minute(at) {
	const made = element("time", at.slice(0, 16).replace("T", " "));
	made.dateTime = at;
	return made;
}

function nameCell(row) {
	const link = element("a", `${row.handle}/${row.version}`);
	const cell = element("th", link, " ", span("format", row.format));
	link.href = `${root}/${row.handle}/${row.version}`;
	cell.scope = "row";
	return cell;
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

function runningRow(fill) {
	const cells = [progress(fill), size(fill.bytes), `${size(fill.rate)}/s`, String(fill.waiters), fill.upstream ?? "", fill.state];
	return element("tr", nameCell(fill), ...cells.map((cell) => element("td", cell)));
}

function endedRow(fill) {
	const failed = Boolean(fill.detail);
	const cells = [span(`change ${failed ? "removed" : "added"}`, failed ? "failed" : "kept"), size(fill.bytes), minute(fill.ended_at), fill.detail ?? ""];
	return element("tr", nameCell(fill), ...cells.map((cell) => element("td", cell)));
}

function recentRow(row) {
	return element("tr", nameCell(row), ...[row.source, row.published_by ?? "", minute(row.at)].map((cell) => element("td", cell)));
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

function showTiles(now) {
	const disk = now.disk;
	const held = disk.cached_bytes + disk.drafts_bytes;
	setText("hit-rate", now.hit_rate === null ? "no requests yet" : `${(now.hit_rate * 100).toFixed(1)} %`);
	setText("hits", now.hits.toLocaleString("en"));
	setText("misses", now.misses.toLocaleString("en"));
	setText("cached", size(held));
	setText("free", size(disk.free_bytes));
	setText("saved", size(now.upstream_bytes_saved));
	setText("sent", size(now.sent_bytes));
	setText("fetched", size(now.upstream_bytes));
	setBar("hit-bar", now.hit_rate);
	setBar("disk-bar", held / (disk.max_bytes || held + disk.free_bytes));
	setBar("saved-bar", now.sent_bytes ? 1 - now.upstream_bytes / now.sent_bytes : 0);
}

function showRows(now) {
	byId("fills").replaceChildren(...now.fills.map(runningRow));
	byId("more-fills").hidden = now.fills_total <= now.fills.length;
	setText("fills-total", now.fills_total.toLocaleString("en"));
	byId("ended-fills").replaceChildren(...now.ended_fills.map(endedRow));
	byId("recent").replaceChildren(...now.recent.map(recentRow));
}

// One sample a second, whether or not there was an event.
let incoming = 0;
function drawRate() {
	rates.shift();
	rates.push(incoming);
	const top = Math.max(...rates, 1);
	const line = rates.map((rate, i) => `${i},${(20 - 18 * rate / top).toFixed(2)}`).join(" ");
	byId("rate-line").setAttribute("points", line);
	byId("rate-area").setAttribute("points", `0,20 ${line} 59,20`);
	setText("rate", `${size(incoming)}/s`);
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
		showRows(now);
		incoming = now.rate;
	});
}

offerCopies(document);
setInterval(drawRate, 1000);
listen();

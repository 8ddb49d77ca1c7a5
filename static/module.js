// SPDX-License-Identifier: Apache-2.0
// A version's page: clients as tabs, and a button that has the version fetched.
import { offerCopies } from "./copy.js";

const root = document.body.dataset.root;

function choose(tabs, panels, chosen, focus) {
	tabs.forEach((tab, i) => {
		tab.setAttribute("aria-selected", String(i === chosen));
		tab.tabIndex = i === chosen ? 0 : -1;
		panels[i].hidden = i !== chosen;
	});
	if (focus) {
		tabs[chosen].focus();
	}
}

function makeTab(panel) {
	const tab = document.createElement("button");
	tab.type = "button";
	tab.role = "tab";
	tab.id = `${panel.id}-tab`;
	tab.textContent = panel.querySelector("h3").textContent;
	tab.setAttribute("aria-controls", panel.id);
	panel.role = "tabpanel";
	panel.setAttribute("aria-labelledby", tab.id);
	return tab;
}

function tabbed(box) {
	const panels = [...box.querySelectorAll(":scope > .panel")];
	if (panels.length < 2) {
		return;
	}
	const list = document.createElement("div");
	const tabs = panels.map(makeTab);
	list.className = "tabs";
	list.role = "tablist";
	list.setAttribute("aria-label", box.dataset.tabs);
	list.append(...tabs);
	list.addEventListener("click", (event) => {
		const chosen = tabs.indexOf(event.target);
		if (chosen >= 0) {
			choose(tabs, panels, chosen, false);
		}
	});
	list.addEventListener("keydown", (event) => {
		const at = tabs.indexOf(event.target);
		const next = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: tabs.length - 1 }[event.key];
		if (at >= 0 && next !== undefined) {
			event.preventDefault();
			choose(tabs, panels, (next + tabs.length) % tabs.length, true);
		}
	});
	box.classList.add("tabbed");
	box.prepend(list);
	choose(tabs, panels, 0, false);
}

// Starts the fill and tells where it is to be watched.
async function fetchNow(path, status) {
	status.textContent = "Asking…";
	const answer = await fetch(`${root}/api/v1/fills`, {
		method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ paths: [path] }),
	});
	const told = await answer.json();
	const refused = told.refused?.[0]?.detail ?? told.detail;
	status.textContent = refused ?? "It is on its way: ";
	if (!refused) {
		const link = document.createElement("a");
		link.href = `${root}/-/activity`;
		link.textContent = "watch it come";
		status.append(link);
	}
}

function offerFetch(box) {
	const line = document.createElement("p");
	const button = document.createElement("button");
	const status = document.createElement("span");
	button.type = "button";
	button.textContent = "Fetch it now";
	status.setAttribute("role", "status");
	button.addEventListener("click", () => {
		fetchNow(box.dataset.path, status).catch((error) => { status.textContent = String(error); });
	});
	line.append(button, " ", status);
	box.classList.add("ready");
	box.append(line);
}

document.querySelectorAll("[data-tabs]").forEach(tabbed);
document.querySelectorAll("#fetch").forEach(offerFetch);
offerCopies(document);

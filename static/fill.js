// SPDX-License-Identifier: Apache-2.0
// The notice of a version that is not here: has it downloaded, and shows how far that is until it ends.
import { size, span } from "./size.js";

const root = document.body.dataset.root;
const SOON = 500;
const LATE = 10000;

function element(name, text) {
	const made = document.createElement(name);
	made.textContent = text ?? "";
	return made;
}

async function ask(path, options) {
	const answer = await fetch(`${root}/api/v1/fills${path}`, { ...options, headers: { "X-Larder-Page": "1", ...options?.headers } });
	const told = await answer.json();
	if (!answer.ok) {
		throw new Error(told.detail);
	}
	return told;
}

const STATES = { waiting: "Waiting for its turn", transferring: "Downloading", verifying: "Downloaded, and being checked" };

function figures(fill) {
	const parts = [fill.total_bytes > 0 ? `${size(fill.bytes)} of ${size(fill.total_bytes)}` : size(fill.bytes)];
	if (fill.state === "transferring" && fill.rate > 0) {
		parts.push(`${size(fill.rate)}/s`);
	}
	if (fill.state === "transferring" && fill.eta_s !== null) {
		parts.push(`${span(fill.eta_s)} left`);
	}
	return parts.join(", ");
}

// What the box has to tell. Only its state is spoken: figures would never let anybody finish listening.
class Notice {
	constructor(box) {
		this.box = box;
		this.running = box.querySelector(".running") ?? this.make();
		this.state = this.running.querySelector("[role=status]");
		this.bar = this.running.querySelector("progress");
		this.figures = this.running.querySelector(".told");
		this.button = element("button", "Store it here now");
		this.button.type = "button";
		this.button.addEventListener("click", () => this.start());
		this.line = element("p");
		this.line.append(this.button);
		box.classList.add("ready");
		box.append(this.line, this.running);
	}

	make() {
		const made = element("div");
		made.className = "running";
		const state = element("p");
		state.setAttribute("role", "status");
		const bar = element("progress");
		bar.hidden = true;
		bar.setAttribute("aria-label", "Progress");
		const told = element("p");
		told.className = "told";
		made.append(state, bar, told);
		return made;
	}

	say(text) {
		if (this.state.textContent !== text) {
			this.state.textContent = text;
		}
	}

	show(fill) {
		this.say(`${STATES[fill.state] ?? fill.state}${fill.upstream ? ` from ${fill.upstream}` : ""}.`);
		this.figures.textContent = figures(fill);
		this.bar.hidden = false;
		this.line.hidden = true;
		if (fill.total_bytes > 0) {
			this.bar.max = fill.total_bytes;
			this.bar.value = fill.bytes;
		} else {
			this.bar.removeAttribute("value");
		}
	}

	kept() {
		this.bar.hidden = true;
		this.line.hidden = true;
		this.figures.textContent = "";
		this.say("It is stored here now. ");
		const link = element("a", "Show what it has");
		link.href = location.pathname;
		this.figures.append(link);
	}

	failed(reason) {
		this.bar.hidden = true;
		this.line.hidden = false;
		this.button.textContent = "Try again";
		this.button.disabled = false;
		this.figures.textContent = "";
		this.say(`The download failed: ${reason}`);
	}

	async start() {
		this.button.disabled = true;
		this.say("Asking…");
		try {
			const told = await ask("", {
				method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify({ paths: [this.box.dataset.path] }),
			});
			if (told.refused.length > 0) {
				this.failed(told.refused[0].detail);
			} else if (told.fills.length > 0) {
				await this.watch(told.fills[0].id);
			} else {
				this.kept();
			}
		} catch (error) {
			this.failed(error.message);
		}
	}

	// True once it has ended.
	take(told, id) {
		const running = told.fills.find((fill) => fill.id === id);
		const ended = told.recent.find((fill) => fill.id === id);
		if (running) {
			this.show(running);
			return false;
		}
		if (ended && !ended.detail) {
			this.kept();
		} else {
			this.failed(ended?.detail ?? "the server no longer knows of it.");
		}
		return true;
	}

	// Often while it gets on, ever less often while it does not, or nobody answers.
	async watch(id) {
		const query = `?path=${encodeURIComponent(this.box.dataset.version)}`;
		let seen = "";
		for (let pause = SOON; ;) {
			try {
				if (this.take(await ask(query), id)) {
					return;
				}
				const now = this.figures.textContent + this.state.textContent;
				pause = now === seen ? Math.min(pause * 1.5, LATE) : SOON;
				seen = now;
			} catch {
				this.say("The server does not answer; trying again…");
				pause = Math.min(pause * 2, LATE);
			}
			await new Promise((resolve) => { setTimeout(resolve, pause); });
		}
	}
}

export function watchFills() {
	for (const box of document.querySelectorAll("#fetch")) {
		const notice = new Notice(box);
		if (box.dataset.fill) {
			notice.line.hidden = true;
			notice.watch(Number(box.dataset.fill));
		}
	}
}
